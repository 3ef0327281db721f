"""
Versions: what stays of earlier ones, for how long, and the way back to them.

A version that nothing lists any more is kept for who still runs it, and for `rollback`: what comes back then goes back in
one request each, because everything that it listed is still there. Other kinds stay as they are. The ledger knows when a
version was superseded: when the apply ended that was the first to leave nothing with it.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from reconciler.base.errors import Position, Problem, Refused, UsageError, count
from reconciler.base.hints import Command
from reconciler.core import plan
from reconciler.core.diff import Action, Cause
from reconciler.core.kind import Mark
from reconciler.core.plan import needs
from reconciler.core.state import Desired, version_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from datetime import datetime

    from reconciler.base.hints import Hint
    from reconciler.core.diff import Change
    from reconciler.core.kind import Key
    from reconciler.core.plan import Destination, Plan
    from reconciler.core.record import Entry, Reading
    from reconciler.core.state import LiveState, Object

_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def duration(text: str) -> timedelta:
    """Return what ``30m``, ``24h`` or ``7d`` means."""
    match = re.fullmatch(r"([0-9]{1,4})([mhd])", text)
    if match is None:
        raise ValueError(text)
    return int(match[1]) * _UNITS[match[2]]


# --- The way back -------------------------------------------------------------------------------------------------------


def earlier(entries: Sequence[Entry], epoch: int | None) -> Entry:
    """
    Return the entry to go back to, from a ledger's `entries`, the newest first.

    Without an epoch it is the newest apply that got through and left something else than there is now. After a rollback it
    is one before the goal of that: what was gone back from, often for a reason, is gone to again only by its number.
    """
    if epoch is not None:
        chosen = next((entry for entry in entries if entry.epoch == epoch), None)
        if chosen is None:
            raise UsageError(
                "E614", f"the ledger has no epoch {epoch}", hint=(Command("history"), " lists those there are")
            )
        if chosen.outcome != "committed":
            message = f"epoch {epoch} is {chosen.outcome}: what it left is not known"
            raise Refused("E551", message, hint=("choose one that ", Command("history"), " calls committed"))
        return chosen
    if not entries:
        raise Refused("E551", "this stack was never applied here")
    now, newest = _returning_objects(entries[0]), entries[0].epoch
    for entry in entries:
        if entry.epoch == newest and entry.back_to:
            newest = entry.back_to
        if (
            entry.epoch <= newest
            and entry.outcome == "committed"
            and _returning_objects(entry) not in {now, frozenset()}
        ):
            return entry
    raise Refused(
        "E551",
        f"no apply before epoch {newest} left something else than there is now",
        hint=(
            Command("history"),
            " lists those there are; ",
            Command("rollback", "EPOCH"),
            " goes to one by its number",
        ),
    )


def back(entry: Entry, reading: Reading, stack: str, destination: Destination) -> Plan:
    """Plan how what comes back becomes what an earlier entry left; everything else stays as it is."""
    position = Position(entry.name)
    desired = _as_they_are(reading, stack, position)
    for obj in _returning_objects(entry):
        have = reading.live.get(obj.key)
        # What comes back holds no content, so its mark says nothing of one; and protection is not what is rolled back.
        mark = have.mark if have and have.mark else Mark(stack) if obj.kind.has_mark else None
        desired[obj.key] = Desired(obj, position, mark, _is_protected(obj.key, reading))
    rollback = plan.make(desired, reading, stack=stack, destination=destination, cause=Cause.ROLLED_BACK)
    return replace(
        rollback, refusals=(*rollback.refusals, *_refuse_losses(rollback, entry, reading)), back_to=entry.epoch
    )


def _refuse_losses(made: Plan, entry: Entry, reading: Reading) -> Iterator[Problem]:
    """Yield a refusal for each object that is not what those to be brought back had then."""
    for need in sorted({need for change in made.changes if change.desired for need in needs(change.desired.object)}):
        have, was = reading.live.get(need), entry.objects.get(need)
        hint = _by_hand(entry)
        if have is None:
            yield Problem("E552", f"{need} is no longer in the project", hint=hint)
        elif was is not None and was.object.kind.digest(was.object) not in {None, have.object.kind.digest(have.object)}:
            yield Problem("E552", f"{need} does not hold what it held at epoch {entry.epoch}", hint=hint)


def _by_hand(entry: Entry) -> Hint:
    """Return how to come back to what a run left; a commit is that only if nothing lay beside it."""
    if entry.holder.commit and not entry.holder.dirty:
        return (
            f"check out the commit of epoch {entry.epoch} (",
            Command("show-run", str(entry.epoch)),
            "), and apply that",
        )
    beside = "with changes that are in no commit" if entry.holder.commit else "from no commit"
    return (
        f"epoch {entry.epoch} was applied {beside} (",
        Command("show-run", str(entry.epoch)),
        "): bring its files back, and apply them",
    )


def end_of_way_back(changes: Sequence[Change], last: Entry | None) -> Problem | None:
    """
    Return a warning if a rollback that follows these changes would lack something (E552).

    It would go to what the `last` apply left: there, what changes now listed what is deleted now. What is replaced in place is not
    told of: such names are chosen to be replaced, and it would be told at every edit of a shared module.
    """
    if last is None or last.outcome != "committed":
        return None
    lost = {change.key for change in changes if change.action is Action.DELETE}
    ended = []
    for change in changes:
        was = last.objects.get(change.key)
        if was and was.object.kind.comes_back and change.action in {Action.UPDATE, Action.DELETE}:
            ended += [(change, gone) for gone in sorted(lost & set(needs(was.object)))[:1]]
    if not ended:
        return None
    first, gone = ended[0]
    others = f" and {count(len(ended) - 1, 'other object')}" if len(ended) > 1 else ""
    message = f"{first.key}{others} will have no way back to epoch {last.epoch}: it listed {gone}, which is deleted"
    hint: Hint = (
        "leave it in the manifest until nobody wants to go back; without it this is refused (E552): ",
        Command("rollback"),
    )
    position = first.desired.origin if first.desired else None
    return Problem("E750", message, position, hint, severity="warning")


# --- Collecting -----------------------------------------------------------------------------------------------------------


def collection(
    entries: Sequence[Entry],
    reading: Reading,
    stack: str,
    destination: Destination,
    *,
    now: datetime,
    grace: timedelta,
    keep: int,
) -> Plan:
    """
    Plan the removal of versions that are past their grace.

    `entries` is the ledger, the newest first. What any object of the project lists stays, and so does what a rollback
    to one of the last `keep` different states would need.
    """
    kept = _as_they_are(reading, stack, Position(entries[0].name) if entries else Position("the ledger"))
    versions = {key for key in kept if version_of(reading.live[key])}
    versions -= _find_reached(reading.live, versions)
    over = {key for key in versions if (since := superseded_at(key, entries)) and now - since >= grace}
    # Last, and only where it matters: it reads the most of the ledger.
    over -= _find_needs(entries, keep) if over else set()
    # What an old version needs that stays for now stays with it.
    staying = versions - over
    while more := over & {need for key in staying for need in needs(reading.live[key].object)}:
        staying |= more
        over -= more
    desired = {key: object_kept for key, object_kept in kept.items() if key not in over}
    removal = plan.make(desired, reading, stack=stack, destination=destination, cause=Cause.SUPERSEDED)
    return replace(removal, superseded=len(versions) - len(over))


def _find_reached(live: LiveState, versions: Collection[Key]) -> set[Key]:
    """Return what is needed by anything but an old version: those are counted as a plan counts them, whoever of them lists another."""
    reached: set[Key] = set()
    waiting = [key for key in live if key not in versions]
    while waiting:
        key = waiting.pop()
        needed = set(needs(live[key].object)) - reached if key in live else set()
        reached |= needed
        waiting += needed
    return reached


def superseded_at(key: Key, entries: Sequence[Entry]) -> datetime | None:
    """Return when a version was left by the last that listed it, at the latest; None if that is not known."""
    ended = None
    for entry in entries:
        if any(key in needs(remembered.object) for remembered in entry.objects.values()):
            return ended
        ended = entry.expires
    return ended


def _find_needs(entries: Sequence[Entry], keep: int) -> set[Key]:
    """Return what is listed in the present state and in the `keep` before it."""
    states: list[frozenset[Object]] = []
    for entry in entries:
        objects = _returning_objects(entry)
        if entry.outcome == "committed" and objects not in states:
            states.append(objects)
        if len(states) > keep:
            break
    return {need for state in states for obj in state for need in needs(obj)}


def _returning_objects(entry: Entry) -> frozenset[Object]:
    """Return the objects of an entry that a rollback would bring back."""
    return frozenset(remembered.object for remembered in entry.objects.values() if remembered.object.kind.comes_back)


def _as_they_are(reading: Reading, stack: str, position: Position) -> dict[Key, Desired]:
    """Return everything that the stack manages, wanted as it is."""
    return {
        key: Desired(have.object, position, have.mark, protected=_is_protected(key, reading))
        for key, have in reading.live.items()
        if reading.holder(key) == stack
    }


def _is_protected(key: Key, reading: Reading) -> bool:
    applied = reading.last.applied_for_certain(key) if reading.last else None
    return applied is not None and applied.protected
