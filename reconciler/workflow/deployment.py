"""
Functions as they are deployed, and the settings that a statement needs to call them.

The project is what is read; the manifest adds the runtime and the description.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.core.report import Deployed
from reconciler.targets import adapter_of

if TYPE_CHECKING:
    from reconciler.core.state import Live, LiveState
    from reconciler.core.target import Target
    from reconciler.manifest.load import Loaded
    from reconciler.targets.adapter import Adapter
    from reconciler.targets.powers import Queries, Query


def load_deployed(loaded: Loaded, target: Target, only: str | None = None) -> tuple[Deployed, ...]:
    """Return the functions of the stack that are in the project, by name; all of them, or `only` one."""
    reading, stack = target.read(), loaded.manifest.stack
    adapter = adapter_of(loaded)
    chosen = {kind.key(only) for kind in adapter.catalog.kinds.values()} if only else None
    return tuple(
        _describe_deployed(live, reading.live, adapter, loaded)
        for key, live in sorted(reading.live.items())
        if live.object.kind.comes_back and (key in chosen if chosen else reading.holder(key) == stack)
    )


def settings_for(
    query: Query, queries: Queries, loaded: Loaded, target: Target
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return what has to be SET for the functions that a statement calls, beside what it sets itself, and which they are."""
    if not queries.called_functions(query.sql, loaded.manifest.functions):
        return {}, ()
    deployed = {function.function.object.name: function.settings for function in load_deployed(loaded, target)}
    used = queries.called_functions(query.sql, deployed)
    return queries.settings_of({name: deployed[name] for name in used}, query.settings), used


def _describe_deployed(live: Live, state: LiveState, adapter: Adapter, loaded: Loaded) -> Deployed:
    needs = tuple(dict.fromkeys(live.object.kind.needs(live.object)))
    present = tuple(state[need] for need in needs if need in state)
    settings, description = adapter.describe(loaded, live, present)
    return Deployed(live, present, tuple(need.name for need in needs if need not in state), settings, description)
