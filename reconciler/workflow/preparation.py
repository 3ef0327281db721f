"""
Preparation: from a checked manifest to the desired state, with every byte at hand.

What the steps need from outside (environment, cache folder) comes in as arguments; nothing here prints or asks.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.base.errors import InvalidManifest, UsageError
from reconciler.base.names import function_key, resource_key
from reconciler.checks.python import project as sources
from reconciler.core.report import Upload
from reconciler.core.state import Function, Resource
from reconciler.packages.assemble import artifacts_of
from reconciler.targets.maxcompute import desired

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from reconciler.base.errors import Problem
    from reconciler.base.names import Key
    from reconciler.core.state import DesiredState
    from reconciler.manifest.load import Loaded
    from reconciler.packages import Artifacts
    from reconciler.packages.fetch.cache import Cache


@dataclass(frozen=True)
class Prepared:
    """A manifest with every byte that it names at hand."""

    loaded: Loaded
    desired: DesiredState
    artifacts: Artifacts
    warnings: tuple[Problem, ...] = ()
    """What may go wrong and need not."""

    @property
    def contents(self) -> Mapping[str, Path]:
        """Return the files that may be uploaded, by their sha256."""
        return {content.sha256: content.path for content in self.artifacts.contents}


def prepare(loaded: Loaded, *, cache: Cache, env: Mapping[str, str], on_step: Callable[[str], None]) -> Prepared:
    """Read and fetch what a manifest names, check it, and conclude the desired state."""
    artifacts = artifacts_of(loaded, cache=cache, env=env, on_step=on_step)
    problems = sources.problems(loaded, artifacts, cache.root)
    if any(problem.severity == "error" for problem in problems):
        raise InvalidManifest.of(problems)
    warnings = (*artifacts.warnings, *problems)
    return Prepared(loaded, desired.state(loaded, artifacts), artifacts, warnings)


def list_uploads(prepared: Prepared, only: Iterable[str] = ()) -> tuple[Upload, ...]:
    """Return every file that would be uploaded to a project that has none, by name; or what some functions need of it."""
    chosen_keys = {function_key(name) for name in only}
    users: dict[Key, list[str]] = defaultdict(list)
    for key, wanted_object in prepared.desired.items():
        if isinstance(wanted_object.object, Function) and (not chosen_keys or key in chosen_keys):
            for ref in filter(lambda ref: ref.is_own, wanted_object.object.resources):
                users[resource_key(ref.name)].append(wanted_object.object.name)
    contents = {content.sha256: content for content in prepared.artifacts.contents}
    archives = {
        wanted_object.name: wanted_object
        for archive_list in prepared.artifacts.archives.values()
        for wanted_object in archive_list
    }
    sources = {
        wanted_object.content.sha256: (path, wanted_object.added.count("\n"))
        for path, wanted_object in prepared.artifacts.entries.items()
    }
    return tuple(
        Upload(
            wanted_object.object.name,
            wanted_object.object.type,
            contents[wanted_object.marker.sha256],
            tuple(users.get(key, ())),
            archives.get(wanted_object.object.name),
            sources.get(wanted_object.marker.sha256),
        )
        for key, wanted_object in sorted(prepared.desired.items())
        if isinstance(wanted_object.object, Resource)
        and wanted_object.marker
        and wanted_object.marker.sha256
        and (key in users or not chosen_keys)
    )


def entry_module(prepared: Prepared, name: str) -> Path:
    """Return the module that a function's source is uploaded as."""
    source = prepared.loaded.manifest.functions[name].source
    if source is None:
        hint = "its class is in a resource, which is uploaded as it is"
        raise UsageError("E901", f"the function '{name}' has no source", hint=hint)
    return prepared.artifacts.entry(source).path
