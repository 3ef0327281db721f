"""
Entries of a stack's ledger, and the end of a lease that its holder cannot end.

An entry is read when it is needed, so that a damaged one is only then in the way.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

from reconciler.base.errors import UsageError
from reconciler.base.hints import Command
from reconciler.core.record import entry_name
from reconciler.engine.ledger import comment_of, dump, parse, unlock_entry

if TYPE_CHECKING:
    from reconciler.core.record import Entry, Holder
    from reconciler.core.target import Target
    from reconciler.manifest.load import Loaded


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
    def __getitem__(self, place: int) -> Entry: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[Entry, ...]: ...

    def __getitem__(self, place: int | slice) -> Entry | tuple[Entry, ...]:
        if isinstance(place, slice):
            return tuple(map(self._read, self._epochs[place]))
        return self._read(self._epochs[place])
