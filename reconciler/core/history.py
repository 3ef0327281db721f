"""
History: what an apply changed, by what the ledger kept of it and of the apply before.

A run that did not get through has in the ledger what it was about to leave; what of that came about, its steps tell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.base.errors import Position
from reconciler.core.diff import Action, Cause, Change
from reconciler.core.state import Desired, Live

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.core.kind import Key
    from reconciler.core.record import Applied, Entry


def entry_changes(before: Entry | None, entry: Entry) -> Iterator[Change]:
    """Yield what is not in an entry as it was in the one `before`, by key; without one, all of it came."""
    earlier = before.objects if before is not None else {}
    position = Position(entry.name)
    for key in sorted({*earlier, *entry.objects}):
        old, new = earlier.get(key), entry.objects.get(key)
        live = Live(old.object) if old is not None else None
        desired = Desired(new.object, position, protected=new.protected) if new is not None else None
        if old is None or new is None:
            yield Change(Action.DELETE if new is None else Action.CREATE, key, desired, live, Cause.NONE)
        elif differences := tuple(new.object.kind.differences(new.object, old.object)):
            yield Change(Action.UPDATE, key, desired, live, Cause.NONE, differences)


def version_pairs(before: Entry, entry: Entry) -> Iterator[tuple[str, Key, Key]]:
    """
    Yield two versions of one content, by its plain name: what an object needed before, and what it then needed.

    What is replaced in place has no pair: what it held before is nowhere any more.
    """
    passed = set()
    for key, new in entry.objects.items():
        old = before.objects.get(key)
        if old is None or old.object == new.object:
            continue
        was, became = _needed_versions(before, old), _needed_versions(entry, new)
        for name in sorted(was.keys() & became.keys()):
            if was[name] != became[name] and name not in passed:
                passed.add(name)
                yield name, was[name], became[name]


def _needed_versions(entry: Entry, user: Applied) -> dict[str, Key]:
    """Return the versions that an object needs, by their plain names."""
    versions = {}
    for key in user.object.kind.needs(user.object):
        applied = entry.objects.get(key)
        if applied is not None and (name := applied.object.kind.version_of(applied.object.name, applied.sha256)):
            versions[name] = key
    return versions
