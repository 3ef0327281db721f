"""
Functions as they are deployed, and the settings that a statement needs to call them.

The project is what is read; the manifest adds the runtime and the description.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.core.report import Deployed
from reconciler.packages.inspect.contents import is_library_name
from reconciler.targets.maxcompute.objects import Function, function_key, resource_key
from reconciler.targets.maxcompute.queries import called, settings_of
from reconciler.targets.maxcompute.runtimes import flags, is_native

if TYPE_CHECKING:
    from reconciler.core.state import Live, LiveState
    from reconciler.core.target import Target
    from reconciler.manifest.load import Loaded
    from reconciler.targets.maxcompute.queries import Query


def load_deployed(loaded: Loaded, target: Target, only: str | None = None) -> tuple[Deployed, ...]:
    """Return the functions of the stack that are in the project, by name; all of them, or `only` one."""
    reading = target.read()
    live, stack = reading.live, loaded.manifest.stack
    chosen_key = function_key(only) if only else None
    return tuple(
        _deployed_function(obj, live, loaded)
        for key, obj in sorted(live.items())
        if isinstance(obj.object, Function) and (key == chosen_key if chosen_key else reading.holder(key) == stack)
    )


def settings_for(query: Query, loaded: Loaded, target: Target) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return what has to be SET for the functions that a statement calls, beside what it sets itself, and which they are."""
    if not called(query.sql, loaded.manifest.functions):
        return {}, ()
    deployed = {function.function.object.name: function.settings for function in load_deployed(loaded, target)}
    used = called(query.sql, deployed)
    return settings_of({name: deployed[name] for name in used}, query.settings), used


def _deployed_function(function: Live, live: LiveState, loaded: Loaded) -> Deployed:
    assert isinstance(function.object, Function)
    declared = loaded.function(function.object.name)
    listed = {ref: live.get(resource_key(ref.name)) if ref.is_own else None for ref in function.object.resources}
    resources = tuple(resource for resource in listed.values() if resource)
    absent = tuple(str(ref) for ref, resource in listed.items() if not resource and ref.is_own)
    runtime = loaded.runtime_of(function.object.name)
    native = any(is_native(package.object.name) or is_library_name(package.object.name) for package in resources)
    description, image = "", None
    if declared:
        description, image = declared.description or "", declared.image
        # The name of a bundle does not tell what is in it. That the flags do no harm to pure code is a guess.
        native = native or any(loaded.manifest.packages[package].bundle for package in declared.packages)
    return Deployed(function, resources, absent, tuple(flags(runtime, native=native, image=image)), description)
