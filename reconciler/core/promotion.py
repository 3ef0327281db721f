"""
Promotion: what of a plan the target before has not applied, or not verified, with the very same artifacts.

An artifact is an object that nothing else of the manifest needs, a function as a rule, with all that it needs: names,
contents by their sha256, and what its kind calls portable. Places differ from target to target, so they are not in it. The
ledger of the target before says what was applied there, in its newest entry or an earlier one: an artifact that was proven
stays so when others come after it. The newest entry that has a verdict on it decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from reconciler.base.errors import Problem
from reconciler.base.hints import Command
from reconciler.core.diff import Action, Cause
from reconciler.core.plan import needs

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from reconciler.base.errors import Position
    from reconciler.base.hints import Hint
    from reconciler.core.kind import Difference, Key
    from reconciler.core.plan import Plan
    from reconciler.core.record import Entry, Reading
    from reconciler.core.state import DesiredState, Live, LiveState, Object


class _Part(NamedTuple):
    """One object of an artifact, without its place."""

    key: Key
    fields: tuple[object, ...]
    needs: tuple[Key, ...]
    sha256: str


@dataclass(frozen=True)
class Before:
    """The target before, as far as it was read."""

    target: str
    reading: Reading
    entries: Sequence[Entry]
    """Of its ledger, the newest first; each is read when it is needed."""


@dataclass(frozen=True)
class Ahead:
    """Something that a plan would do before the target before it has."""

    key: Key
    why: str
    origin: Position | None
    is_untested: bool = False
    """Whether no test could ever prove it."""


def find_ahead(
    plan: Plan, desired: DesiredState, reading: Reading, before: Before, tested: Collection[Key] | None
) -> Iterator[Ahead]:
    """
    Yield what of `plan` is ahead of the target `before`, by name; `reading` is what the plan was made against.

    What brings content of its own, and no code, has no tests; of the rest, those `tested` have, and each must have passed there.
    None for `tested` asks for no verdict.

    What the plan's own target was already left with, an edit that is taken back, say, is ahead of nobody. A deletion is
    ahead of a target that still has the object.
    """
    written = {change.key for change in plan.changes if _is_delivery(change.action, change.differences)}
    needed = {need for want in desired.values() for need in needs(want.object)}
    for key in sorted(desired.keys() - needed):
        parts = _wanted_parts(key, desired)
        if any(part.key in written for part in parts) and not _is_at_home(parts, reading):
            subject = _find_tested(parts, desired)
            why = _why_ahead(key, parts, before, verified=subject if tested is not None else None)
            is_untested = why == _say_unverified(before.target) and subject not in (tested or ())
            if why is not None:
                said = "it has no test that udfs verify could run" if is_untested else why
                yield Ahead(key, said, desired[key].origin, is_untested)
    yield from _deletions_ahead(plan, before)


def _find_tested(parts: tuple[_Part, ...], desired: DesiredState) -> Key | None:
    """Return the part of an artifact that may have tests: what an alias leads to, a function, and not the alias."""
    return next((part.key for part in parts if desired[part.key].object.kind.leads), None)


def _deletions_ahead(plan: Plan, before: Before) -> Iterator[Ahead]:
    """Yield what would be deleted while the target before has it."""
    for change in plan.changes:
        is_deletion = change.action is Action.DELETE and change.cause is not Cause.SUPERSEDED
        if is_deletion and change.kind.leads and before.reading.holder(change.key) == plan.stack:
            yield Ahead(change.key, f"{before.target} still has it, and here it would be deleted", None)


def problems_of(ahead: Iterable[Ahead], before: str, *, verified: bool) -> list[Problem]:
    """Return the refusal for each that is ahead."""
    way = Command("apply", "--verify" if verified else "", before)
    then: Hint = ("first there: ", way, "; what counts as the same: ", Command("explain", "E582"))
    test: Hint = "give it one under `tests:`, or say `verified: false`"
    return [
        Problem(
            "E582",
            f"ahead of {before}: {each.key} ({each.why})",
            at=each.origin,
            hint=test if each.is_untested else then,
            together=("objects have no test that udfs verify could run", test)
            if each.is_untested
            else (f"objects are ahead of {before}", then),
        )
        for each in ahead
    ]


def _is_delivery(action: Action, differences: Sequence[Difference]) -> bool:
    """Say whether an operation brings content or settings; that a mark names one more object is neither."""
    if action is Action.UPDATE:
        return any(difference.field != "marker" for difference in differences)
    return action is Action.CREATE


def _why_ahead(key: Key, parts: tuple[_Part, ...], before: Before, *, verified: Key | None) -> str | None:
    """Return why an artifact is ahead; None if the target before has applied it, and verified the object `verified` if one is named."""
    name = before.target
    newest_first = enumerate(before.entries)
    holding = (entry for number, entry in newest_first if _holds(parts, entry, {} if number else before.reading.live))
    why = None
    for entry in holding:
        verdict = entry.verdict(verified) if verified else None
        if not verified or (verdict and verdict.has_passed):
            return None
        if verdict is not None:
            how = "its tests failed" if verdict.failed else "a test of it could not be run"
            return f"{how} in {name}"
        why = _say_unverified(name)
    return why or _why_not_there(key, parts, before)


def _why_not_there(key: Key, parts: tuple[_Part, ...], before: Before) -> str:
    """Return what is otherwise in the target before: nothing of its ledger holds the artifact."""
    name, newest, live = before.target, next(iter(before.entries), None), before.reading.live
    if newest is None or key not in newest.objects:
        return f"not applied in {name}"
    # What it lists has a name that follows from its content, so that comes first.
    for part in parts[1:]:
        if _part_of(part.key, newest, live) != part:
            return f"{name} has {'another' if part.key in newest.objects or part.key in live else 'no'} {part.key}"
    return f"{name} has it otherwise: another class, or another list"


def _say_unverified(target: str) -> str:
    return f"applied in {target}, and not verified there"


def _wanted_parts(key: Key, desired: DesiredState) -> tuple[_Part, ...]:
    """Return the parts of an artifact, the object itself first."""

    def look(part: Key) -> _Part | None:
        want = desired.get(part)
        return want and _describe(want.object, (want.mark and want.mark.sha256) or "")

    return _collect_parts(key, look)


def _collect_parts(key: Key, look: Callable[[Key], _Part | None]) -> tuple[_Part, ...]:
    """Return an object and what it needs, each once, as far as it is known."""
    parts: dict[Key, _Part | None] = {}
    road = [key]
    for current in road:
        if current not in parts:
            part = parts[current] = look(current)
            road += part.needs if part else ()
    return tuple(part for part in parts.values() if part)


def _describe(obj: Object, sha256: str) -> _Part:
    kind = obj.kind
    return _Part(obj.key, (kind.portable or kind.observe)(obj), (kind.portable_needs or needs)(obj), sha256)


def _part_of(key: Key, entry: Entry, live: LiveState) -> _Part | None:
    """Return an object as an entry's run left it; None if that is not known for certain."""
    applied, have = entry.applied_for_certain(key), live.get(key)
    if applied is None:
        # What another stack manages, and this one uses, is in no entry of this one.
        return _by_mark(have) if have is not None and key not in entry.objects else None
    if not applied.sha256 and have is not None and have.object == applied.object and have.mark is not None:
        return _by_mark(have)
    return _describe(applied.object, applied.sha256)


def _by_mark(have: Live) -> _Part | None:
    """Return an object by its mark, which tells the sha256 as long as the content is what was marked."""
    digest = have.object.kind.digest(have.object)
    if have.mark is None or digest not in {None, have.mark.digest}:
        return None
    return _describe(have.object, have.mark.sha256 or "")


def _holds(parts: tuple[_Part, ...], entry: Entry, live: LiveState) -> bool:
    """Say whether an entry's run left an artifact: each of its parts, and nothing beside them."""
    return _collect_parts(parts[0].key, lambda key: _part_of(key, entry, live)) == parts


def _is_at_home(parts: tuple[_Part, ...], reading: Reading) -> bool:
    """Say whether the target of the plan itself was left with an artifact."""
    return reading.last is not None and _holds(parts, reading.last, reading.live)
