"""
Each command as a short list of steps.

Nothing here prints, asks or exits; what the steps need from outside (environment, cache folder, a connected target)
comes in as arguments.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler import desired, plan
from reconciler.artifacts import gather
from reconciler.artifacts.runtime import RUNTIMES, flags, is_native
from reconciler.diff import managed_by
from reconciler.manifest import load
from reconciler.names import function_key, resource_key
from reconciler.state import Function

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from reconciler.artifacts.cache import Cache
    from reconciler.manifest.load import Loaded
    from reconciler.plan import Plan
    from reconciler.state import DesiredState, Live, LiveState
    from reconciler.targets import Target


@dataclass(frozen=True)
class Prepared:
    """A manifest with every byte that it names at hand."""

    loaded: Loaded
    desired: DesiredState
    contents: Mapping[str, Path]
    """sha256 → the file that has it."""


@dataclass(frozen=True)
class Shown:
    """One function as it is in the project."""

    function: Live
    resources: tuple[Live, ...]
    settings: tuple[tuple[str, str], ...]
    """What an SQL script has to SET before it calls the function."""

    description: str


def prepare(
    loaded: Loaded, *, cache: Cache, env: Mapping[str, str], on_fetch: Callable[[str], None]
) -> Prepared:
    """Read and fetch what a manifest names, check it, and conclude the desired state."""
    artifacts = gather.everything(loaded, cache=cache, env=env, on_fetch=on_fetch)
    return Prepared(loaded, desired.state(loaded, artifacts), artifacts.paths())


def make_plan(prepared: Prepared, target: Target) -> Plan:
    """Read the project and plan how it becomes what the manifest says."""
    return plan.make(
        prepared.desired,
        target.read(),
        stack=prepared.loaded.manifest.stack,
        destination=destination(prepared.loaded),
    )


def make_destruction(loaded: Loaded, target: Target) -> Plan:
    """Plan the removal of everything that the stack manages: an apply of nothing."""
    return plan.make({}, target.read(), stack=loaded.manifest.stack, destination=destination(loaded), destroying=True)


def destination(loaded: Loaded) -> plan.Destination:
    """Return where a manifest's plan goes."""
    return plan.Destination(loaded.target_name, loaded.target.project, loaded.target.schema_)


def show(loaded: Loaded, target: Target, only: str | None = None) -> tuple[Shown, ...]:
    """Return the functions of the stack that are in the project, by name; all of them, or `only` one."""
    live = target.read()
    stack = loaded.manifest.stack
    wanted = function_key(only) if only else None
    return tuple(
        _shown(have, live, loaded)
        for key, have in sorted(live.items())
        if isinstance(have.object, Function) and (key == wanted if wanted else managed_by(have, live) == stack)
    )


def _shown(have: Live, live: LiveState, loaded: Loaded) -> Shown:
    assert isinstance(have.object, Function)
    declared = {name.lower(): name for name in loaded.manifest.functions}.get(have.object.name.lower())
    keys = [resource_key(ref.name) for ref in have.object.resources if ref.is_own]
    resources = tuple(live[key] for key in keys if key in live)
    # A function does not say which Python it was written for; only the manifest knows.
    runtime = RUNTIMES[loaded.functions[declared].runtime if declared else loaded.manifest.python]
    native = any(is_native(resource.object.name) for resource in resources)
    description = (loaded.manifest.functions[declared].description or "") if declared else ""
    return Shown(have, resources, tuple(flags(runtime, native=native)), description)


__all__ = ["Prepared", "Shown", "destination", "load", "make_destruction", "make_plan", "prepare", "show"]
