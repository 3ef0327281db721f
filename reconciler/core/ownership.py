"""
Ownership: plans that take objects over and let them go, and change nothing that a user of theirs sees.

An object is adopted by writing it once more as it is, with the mark, and with the bytes that it holds. One whose kind keeps
no mark is adopted by an entry in the ledger. What an adopted object differs in from the manifest is told, and changed by the next plan like any other difference. Letting go is the same road
back. The objects of another stack are never taken: that stack has to let them go.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconciler.base.errors import Problem, UsageError
from reconciler.base.hints import Command
from reconciler.base.words import did_you_mean, quote
from reconciler.core.diff import Action, Change, differences
from reconciler.core.kind import CONTENT, Difference, Mark, fingerprint, fits_name
from reconciler.core.plan import Plan, another_stacks, needs, order_changes
from reconciler.core.state import Desired, version_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from reconciler.base.errors import Position
    from reconciler.base.hints import Hint
    from reconciler.core.kind import Key, Kind, Kinds
    from reconciler.core.plan import Destination
    from reconciler.core.record import Reading
    from reconciler.core.state import DesiredState, Live, LiveState
    from reconciler.packages.content import Content

    Held = Mapping[Key, Content]
    """The bytes that objects hold in the project."""


_MANAGED = (Command("show"), " lists what the stack manages")


@dataclass(frozen=True)
class Side:
    """The project, as seen by one stack."""

    reading: Reading
    stack: str
    destination: Destination
    kinds: Kinds

    @property
    def live(self) -> LiveState:
        return self.reading.live

    def holder(self, key: Key) -> str | None:
        """Return the stack that manages an object of the project."""
        return self.reading.holder(key)

    def is_ours(self, key: Key) -> bool:
        return key in self.live and self.holder(key) == self.stack

    def keys_of(self, name: str) -> tuple[Key, ...]:
        """Return what a name may mean; a user's name means an object of each kind."""
        return tuple(kind.key(name) for kind in self.kinds.values())


def to_adopt(names: Iterable[str], desired: DesiredState, side: Side) -> tuple[Key, ...]:
    """
    Return the keys of what is to be adopted; raises for names that the manifest or the project does not have.

    A name with * or ? stands for all that it fits and nobody manages.
    """
    keys = _gather_keys(
        _fitting_adoptable(name, desired, side) if _is_pattern(name) else _named_adoptable(name, desired, side)
        for name in names
    )
    return tuple(key for key in keys if not side.is_ours(key))


def to_take_over(keys: Collection[Key], desired: DesiredState, side: Side) -> tuple[Key, ...]:
    """Return what is to be adopted so that `keys` are managed: they and what they list, as far as it is nobody's."""
    candidates = reach(keys, desired, side.live) & desired.keys() & side.live.keys()
    return tuple(sorted(desired[key].object.key for key in candidates if side.holder(key) is None))


def reach(keys: Collection[Key], desired: DesiredState, live: LiveState) -> frozenset[Key]:
    """Return `keys`, with what lies within them in the manifest, and what all of it lists there and in the project."""
    whole = [*keys, *_inner_keys(keys, desired)]
    objects = [side[key].object for side in (desired, live) for key in whole if key in side]
    return frozenset({*whole, *(need for obj in objects for need in needs(obj))})


def _inner_keys(keys: Collection[Key], desired: DesiredState) -> Iterator[Key]:
    """Yield the keys of what lies within others: the triggers of a function, say."""
    users: dict[Key, list[Key]] = {}
    for key, entry in desired.items():
        for need in needs(entry.object):
            users.setdefault(need, []).append(key)
    for outer in keys:
        waiting, seen = [outer], {outer}
        while waiting:
            for user in users.get(waiting.pop(), ()):
                obj = desired[user].object
                if user not in seen and obj.kind.within(obj.name, outer.name, outer.name) is not None:
                    seen.add(user)
                    waiting.append(user)
                    yield user


def _any_of(kinds: Kinds) -> str:
    *most, last = kinds
    return f"{', '.join(most)} or {last}" if most else last


def _is_pattern(name: str) -> bool:
    return "*" in name or "?" in name


def _gather_keys(choices: Iterable[list[Key] | Problem]) -> tuple[Key, ...]:
    """Return the keys that were chosen, each once and sorted; raises with every problem at once."""
    problems: list[Problem] = []
    keys: set[Key] = set()
    for choice in choices:
        if isinstance(choice, Problem):
            problems.append(choice)
        else:
            keys.update(choice)
    if problems:
        raise UsageError.of(problems)
    return tuple(sorted(keys))


def _fitting_adoptable(pattern: str, desired: DesiredState, side: Side) -> list[Key] | Problem:
    fits = [key for key in desired if fits_name(key, pattern, side.kinds)]
    if not fits:
        message = f"the manifest has no {_any_of(side.kinds)} that {quote(pattern)} fits"
        return Problem("E509", message, hint=did_you_mean(pattern, (key.name for key in desired)))
    return [key for key in fits if key in side.live and side.holder(key) is None]


def _named_adoptable(name: str, desired: DesiredState, side: Side) -> list[Key] | Problem:
    named = [desired[key].object.key for key in side.keys_of(name) if key in desired]
    if not named:
        first: Hint = (
            "write it into the manifest first; what stands there and is not in the project is created by ",
            Command("apply"),
        )
        hint = did_you_mean(name, (wanted.object.name for wanted in desired.values())) or first
        return Problem("E509", f"the manifest has no {_any_of(side.kinds)} '{name}' to adopt", hint=hint)
    present = [key for key in named if key in side.live]
    if not present:
        return Problem("E509", f"there is no '{name}' in the project to adopt", hint=(Command("apply"), " creates it"))
    return present


def adoption(
    keys: Collection[Key], desired: DesiredState, side: Side, held: Held, same: Collection[Key] = frozenset()
) -> Plan:
    """
    Plan the adoption of `keys`; `held` has the bytes of each of them that holds any.

    Those of `same` hold the manifest's files in other bytes, and their marks say so: they are not to be written anew for that.
    """
    # A mark makes the objects that it names ours too: those of others are adopted by their own names.
    adopted = frozenset(keys)
    theirs = frozenset(
        fingerprint(other.folded)
        for other, have in side.live.items()
        if not have.object.kind.has_mark and other not in adopted and not side.is_ours(other)
    )
    changes = [_adopt(key, desired[key], side, held, theirs, is_same=key in same) for key in keys]
    refusals = [problem for change in changes for problem in _why_not_adopted(change, desired[change.key].origin, side)]
    return Plan(side.stack, side.destination, tuple(order_changes(changes)), refusals=tuple(refusals))


def to_release(names: Iterable[str], desired: DesiredState, side: Side) -> tuple[Key, ...]:
    """
    Return the keys of what is to be let go; raises for what the manifest lists, and for what is not ours.

    A name with * or ? stands for all that it fits, that is ours, and that the manifest does not list. Old versions, which
    nothing lists, are not among it: they stay for `rollback` and go with `gc`.
    """
    in_use = {need for have in side.live.values() for need in needs(have.object)}
    return _gather_keys(
        _fitting_releasable(name, desired, side, in_use)
        if _is_pattern(name)
        else _named_releasable(name, desired, side)
        for name in names
    )


def _fitting_releasable(
    pattern: str, desired: DesiredState, side: Side, in_use: Collection[Key]
) -> list[Key] | Problem:
    fits = [key for key in side.live if fits_name(key, pattern, side.kinds) and key not in desired]
    ours = [key for key in fits if side.is_ours(key) and (key in in_use or not version_of(side.live[key]))]
    if not ours:
        message = f"stack '{side.stack}' manages nothing that '{pattern}' fits and the manifest does not list"
        return Problem("E510", message, hint=(*_MANAGED, "; take what is to be disowned out of the manifest first"))
    return [side.live[key].object.key for key in ours]


def _named_releasable(name: str, desired: DesiredState, side: Side) -> list[Key] | Problem:
    present = [side.live[key].object.key for key in side.keys_of(name) if key in side.live]
    ours = [key for key in present if side.is_ours(key)]
    if listed := [desired[key] for key in ours if key in desired]:
        hint = "take it out of the manifest first: what stands there would clash with it in the next plan"
        message = f"{listed[0].object.key} is in the manifest, and cannot be disowned"
        return Problem("E510", message, at=listed[0].origin, hint=hint)
    if not ours:
        where = f"stack '{side.stack}' does not manage it" if present else "it is not in the project"
        names = (have.object.name for key, have in side.live.items() if side.is_ours(key))
        guess = None if present else did_you_mean(name, names)
        return Problem("E510", f"{quote(name)} cannot be disowned: {where}", hint=guess or _MANAGED)
    return ours


def carriers(keys: Collection[Key], side: Side) -> tuple[Key, ...]:
    """Return the objects that stay ours and whose marks name one among `keys`."""
    names, going = _names_without_mark(keys, side), frozenset(keys)
    return tuple(
        key
        for key, have in sorted(side.live.items())
        if key not in going and have.mark and have.mark.stack == side.stack and have.mark.names & names
    )


def _names_without_mark(keys: Iterable[Key], side: Side) -> frozenset[str]:
    """Return the fingerprints of the objects among `keys` that keep no mark of their own."""
    return frozenset(fingerprint(key.folded) for key in keys if not side.kinds[key.kind].has_mark)


def release(keys: Collection[Key], side: Side, held: Held, position: Position) -> Plan:
    """
    Plan to let `keys` go; `held` has the bytes of each of them, and of their `carriers`.

    `at` is a place in the manifest, which has none for what it no longer lists.
    """
    released = _names_without_mark(keys, side)
    changes = [_release(key, side, held, position) for key in keys]
    changes += [_stop_naming(key, released, side, held, position) for key in carriers(keys, side)]
    refusals = tuple(
        Problem(
            "E510",
            f"{change.key} was changed outside, and its mark names what is to be disowned",
            hint=(Command("drift"), " shows what was changed; apply first"),
        )
        for change in changes
        # It holds something else than its mark says; a new mark would hide that.
        if change.action is Action.UPDATE
        and change.live
        and change.live.mark
        and change.live.mark.digest != change.kind.digest(change.live.object)
    )
    kept = tuple(
        Change(Action.KEEP, have.object.key, Desired(have.object, position), have) for have in _find_orphans(keys, side)
    )
    return Plan(side.stack, side.destination, tuple(order_changes(changes)), unchanged=kept, refusals=refusals)


def _adopt(key: Key, want: Desired, side: Side, held: Held, theirs: frozenset[str], *, is_same: bool) -> Change:
    have, kind = side.live[key], want.object.kind
    if is_same:
        want = want._replace(object=kind.take(want.object, have.object, {CONTENT}))
    # What goes with the mark is written now.
    changed_fields = tuple(
        difference
        for difference in differences(want, have)
        if difference.field not in {"marker", *kind.written_with_mark}
    )
    if not kind.has_mark:
        return Change(Action.ADOPT, key, Desired(have.object, want.origin), have, differences=changed_fields)
    assert want.mark is not None
    kept = kind.take(have.object, want.object, kind.written_with_mark)
    mark = _mark(kind, side.stack, held.get(key), want.mark.names - theirs)
    if is_same:
        mark = mark._replace(sha256=want.mark.sha256)
    return Change(Action.ADOPT, key, Desired(kept, want.origin, mark), have, differences=changed_fields)


def _why_not_adopted(change: Change, position: Position, side: Side) -> Iterator[Problem]:
    assert change.live is not None
    if holder := side.holder(change.key):
        yield another_stacks(change.key, change.live, holder, position)
    for difference in change.differences:
        rule = change.kind.fixed.get(difference.field)
        if rule is not None and rule.adopting is not None:
            message, hint = rule.adopting
            yield Problem(
                rule.code, f"{change.key} {message.format(old=difference.old, new=difference.new)}", position, hint=hint
            )


def _release(key: Key, side: Side, held: Held, position: Position) -> Change:
    have, kind = side.live[key], side.live[key].object.kind
    if not kind.has_mark:
        return Change(Action.RELEASE, key, Desired(have.object, position), have)
    mark = _mark(kind, side.stack, held.get(key))
    return Change(Action.RELEASE, key, Desired(kind.let_go(have.object, side.stack), position, mark), have)


def _stop_naming(key: Key, released: frozenset[str], side: Side, held: Held, position: Position) -> Change:
    """Return the change of a mark that no longer names the objects that go."""
    have = side.live[key]
    assert have.mark is not None
    mark = _mark(have.object.kind, side.stack, held.get(key), have.mark.names - released)
    difference = Difference("marker", "", "no longer marks what is disowned")
    return Change(Action.UPDATE, key, Desired(have.object, position, mark), have, differences=(difference,))


def _find_orphans(keys: Collection[Key], side: Side) -> Iterator[Live]:
    """Yield the objects that stay ours, and would be nobody's without the marks that go: the ledger takes them in."""
    names = {name for key in keys if (mark := side.live[key].mark) and mark.stack == side.stack for name in mark.names}
    remembered = side.reading.last.objects if side.reading.last else {}
    going = frozenset(keys)
    for key, have in sorted(side.live.items()):
        is_named = not have.object.kind.has_mark and fingerprint(key.folded) in names
        if is_named and key not in going and key not in remembered and side.is_ours(key):
            yield have


def _mark(kind: Kind[Any], stack: str, content: Content | None, names: frozenset[str] = frozenset()) -> Mark:
    return Mark(stack, content.sha256, kind.checksum(content), names) if content else Mark(stack, names=names)
