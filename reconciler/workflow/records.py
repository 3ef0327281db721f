"""
Functions as they are deployed, with the settings that a statement needs to call them, and entries of a stack's ledger.

The project is what is read; the manifest adds the runtime and the description. An entry is read when it is needed, so that a
damaged one is only then in the way.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

from reconciler.base.errors import UsageError
from reconciler.base.hints import Command
from reconciler.core.kind import fits_name
from reconciler.core.record import entry_name
from reconciler.core.report import Deployed
from reconciler.engine.ledger import KEPT, comment_of, dump, parse, unlock_entry
from reconciler.targets import adapter_of

if TYPE_CHECKING:
    from reconciler.core.kind import Key
    from reconciler.core.record import Entry, Holder, Reading
    from reconciler.core.state import Live, LiveState
    from reconciler.core.target import Target
    from reconciler.manifest.load import Loaded
    from reconciler.targets.adapter import Adapter
    from reconciler.targets.powers import Queries, Query


def load_deployed(loaded: Loaded, target: Target, only: Sequence[str] = ()) -> tuple[Deployed, ...]:
    """
    Return the functions of the stack that are in the project, by name: all of them, or `only` those that patterns fit.

    A name in full means a function whoever manages it.
    """
    return deployed_functions(loaded, target.read(), only)


def deployed_functions(loaded: Loaded, reading: Reading, only: Sequence[str] = ()) -> tuple[Deployed, ...]:
    """As `load_deployed`, of a project that was read already."""
    stack = loaded.manifest.stack
    adapter = adapter_of(loaded)
    kinds = adapter.catalog.kinds
    named = {kind.key(name) for kind in kinds.values() for name in only}

    def is_chosen(key: Key) -> bool:
        return key in named or (
            reading.holder(key) == stack and (not only or any(fits_name(key, pattern, kinds) for pattern in only))
        )

    return tuple(
        _describe_deployed(live, reading.live, adapter, loaded)
        for key, live in sorted(reading.live.items())
        if live.object.kind.leads and is_chosen(key)
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


def load_history(loaded: Loaded, target: Target, newest: int) -> tuple[Entry, ...]:
    """Return the newest entries of a stack's ledger, the newest first."""
    return tuple(LedgerEntries(loaded, target, target.read().epochs[-newest:]))


def load_entry(loaded: Loaded, target: Target, epoch: int) -> Entry:
    """Return one entry of the ledger."""
    name = entry_name(loaded.manifest.stack, epoch)
    content = target.store.fetch(name)
    if content is None:
        raise UsageError(
            "E614", f"the ledger has no epoch {epoch}", hint=(Command("history"), " lists those there are")
        )
    return parse(content, name, target.catalog.kinds)


def find_begun(loaded: Loaded, target: Target, reading: Reading, digest: str) -> frozenset[str]:
    """Return fingerprints of what the last run that was approved by a digest was about to do, if it did not get through."""
    for entry in LedgerEntries(loaded, target, reading.epochs[-KEPT:]):
        if digest in {entry.digest, entry.approved}:
            return frozenset(step.operation for step in entry.steps if step.operation)
    return frozenset()


def end_lease(loaded: Loaded, target: Target, epoch: int, by: Holder) -> Entry:
    """End the lease of an epoch and return its entry as it then stands; a run that has ended meanwhile is left as it is."""
    entry = load_entry(loaded, target, epoch)
    if entry.outcome != "running":
        return entry
    ended = unlock_entry(entry, by, target.store.now())
    target.store.replace(ended.name, dump(ended), comment_of(ended))
    return ended


class LedgerEntries(Sequence["Entry"]):
    """Entries of a ledger, the newest first; each is read when it is needed, so that a damaged one is only then in the way."""

    def __init__(self, loaded: Loaded, target: Target, epochs: Sequence[int]) -> None:
        self._epochs = tuple(reversed(epochs))
        self._read = functools.cache(functools.partial(load_entry, loaded, target))

    def __len__(self) -> int:
        return len(self._epochs)

    @overload
    def __getitem__(self, index: int) -> Entry: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Entry, ...]: ...

    def __getitem__(self, index: int | slice) -> Entry | tuple[Entry, ...]:
        if isinstance(index, slice):
            return tuple(map(self._read, self._epochs[index]))
        return self._read(self._epochs[index])
