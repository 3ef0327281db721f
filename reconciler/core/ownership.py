"""
Take objects over and let them go: plans that change whose an object is, and nothing that a query sees.

A resource is adopted by sending the bytes that it holds once more, with the mark in its comment, because a comment is
written only with the content. A function has no comment: it is adopted by an entry in the ledger. What an adopted object
differs in from the manifest is told, and changed by the next plan like any other difference. Letting go is the same road
back. The objects of another stack are never taken: that stack has to let them go.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from reconciler.base.errors import Problem, UsageError
from reconciler.base.hints import Command
from reconciler.base.names import function_key, resource_key
from reconciler.core.diff import Action, Change, Difference, differences, managed_by
from reconciler.core.plan import Plan, another_stacks, needs, ordered
from reconciler.core.state import Desired, Function, Marker, Resource, name_mark, version_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from reconciler.base.errors import Position
    from reconciler.base.hints import Hint
    from reconciler.base.names import Key
    from reconciler.core.plan import Destination
    from reconciler.core.record import Entry
    from reconciler.core.state import DesiredState, Live, LiveState
    from reconciler.packages.content import Content

    Held = Mapping[Key, Content]
    """The bytes that resources hold in the project."""


_MANAGED = (Command("show"), " lists the functions that are managed, with their resources")


@dataclass(frozen=True)
class Side:
    """The project, as seen by one stack."""

    live: LiveState
    stack: str
    destination: Destination
    last: Entry | None = None

    def holder(self, key: Key) -> str | None:
        """Return the stack that manages an object of the project."""
        return managed_by(self.live[key], self.live, self.last)

    def is_ours(self, key: Key) -> bool:
        return key in self.live and self.holder(key) == self.stack


def to_adopt(names: Iterable[str], desired: DesiredState, side: Side) -> tuple[Key, ...]:
    """
    Return the keys of what is to be adopted; raises for names that the manifest or the project does not have.

    A name with * or ? stands for all that it fits and nobody manages.
    """
    problems, found = [], []
    for name in names:
        if any(mark in name for mark in "*?"):
            fits = [key for key in desired if fnmatchcase(key.folded, name.lower())]
            found += [key for key in fits if key in side.live and side.holder(key) is None]
            if not fits:
                problems.append(Problem("E509", f"the manifest has no function or resource that '{name}' fits"))
            continue
        wanted = [desired[key].object.key for key in _keys_of(name) if key in desired]
        there = [key for key in wanted if key in side.live]
        if not wanted:
            hint = (
                "write it into the manifest first; what stands there and is not in the project is created by ",
                Command("apply"),
            )
            problems.append(Problem("E509", f"the manifest has no function or resource '{name}' to adopt", hint=hint))
        elif not there:
            problems.append(
                Problem("E509", f"there is no '{name}' in the project to adopt", hint=(Command("apply"), " creates it"))
            )
        found += there
    if problems:
        raise UsageError.of(problems)
    return tuple(sorted(key for key in dict.fromkeys(found) if not side.is_ours(key)))


def _keys_of(name: str) -> tuple[Key, Key]:
    """Return what a name may mean; a user's name means both."""
    return function_key(name), resource_key(name)


def adoption(keys: Collection[Key], desired: DesiredState, side: Side, held: Held) -> Plan:
    """Plan the adoption of `keys`; `held` has the bytes of each resource among them that is not a table."""
    # A mark makes the functions that it names ours too: those of others are adopted by their own names.
    adopted = frozenset(keys)
    theirs = frozenset(
        name_mark(other.name)
        for other in side.live
        if other.kind == "function" and other not in adopted and not side.is_ours(other)
    )
    changes = [_adopted(key, desired[key], side, held, theirs) for key in keys]
    refusals = [problem for change in changes for problem in _why_not_adopted(change, desired[change.key].origin, side)]
    return Plan(side.stack, side.destination, tuple(ordered(changes)), refusals=tuple(refusals))


def to_release(names: Iterable[str], desired: DesiredState, side: Side) -> tuple[Key, ...]:
    """
    Return the keys of what is to be let go; raises for what the manifest lists, and for what is not ours.

    A name with * or ? stands for all that it fits, that is ours, and that the manifest does not list. Old versions, which
    no function lists, are not among it: they stay for `rollback` and go with `gc`.
    """
    problems, found = [], []
    in_use = {need for have in side.live.values() for need in needs(have.object)}
    for name in names:
        if any(mark in name for mark in "*?"):
            fits = [key for key in side.live if fnmatchcase(key.folded, name.lower()) and key not in desired]
            ours = [key for key in fits if side.is_ours(key) and (key in in_use or not version_of(side.live[key]))]
            if not ours:
                message = f"stack '{side.stack}' manages nothing that '{name}' fits and the manifest does not list"
                hint: Hint = (*_MANAGED, "; what is to be disowned is taken out of the manifest first")
                problems.append(Problem("E510", message, hint=hint))
            found += [side.live[key].object.key for key in ours]
            continue
        there = [side.live[key].object.key for key in _keys_of(name) if key in side.live]
        ours = [key for key in there if side.is_ours(key)]
        if listed := [desired[key] for key in ours if key in desired]:
            hint = "take it out of the manifest first: what stands there would clash with it in the next plan"
            message = f"{listed[0].object.key} is in the manifest, and cannot be disowned"
            problems.append(Problem("E510", message, at=listed[0].origin, hint=hint))
        elif not ours:
            where = f"stack '{side.stack}' does not manage it" if there else "it is not in the project"
            problems.append(Problem("E510", f"'{name}' cannot be disowned: {where}", hint=_MANAGED))
        found += ours
    if problems:
        raise UsageError.of(problems)
    return tuple(sorted(dict.fromkeys(found)))


def carriers(keys: Collection[Key], side: Side) -> tuple[Key, ...]:
    """Return the resources that stay ours and whose marks name a function among `keys`."""
    marks = {name_mark(key.name) for key in keys if key.kind == "function"}
    given = frozenset(keys)
    return tuple(
        key
        for key, have in sorted(side.live.items())
        if key not in given and have.marker and have.marker.stack == side.stack and have.marker.functions & marks
    )


def release(keys: Collection[Key], side: Side, held: Held, at: Position) -> Plan:
    """
    Plan to let `keys` go; `held` has the bytes of each resource among them, and of their `carriers`.

    `at` is a place in the manifest, which has none for what it no longer lists.
    """
    gone = {name_mark(key.name) for key in keys if key.kind == "function"}
    changes = [_released(key, side, held, at) for key in keys]
    changes += [_unnamed(key, gone, side, held, at) for key in carriers(keys, side)]
    refusals = tuple(
        Problem(
            "E510",
            f"{change.key} was changed outside, and its mark speaks for what is to be disowned",
            hint=(Command("drift"), " shows what was changed; apply first"),
        )
        for change in changes
        if change.action is Action.UPDATE and _is_edited(change.live)
    )
    kept = tuple(Change(Action.KEEP, have.object.key, Desired(have.object, at), have) for have in _orphaned(keys, side))
    return Plan(side.stack, side.destination, tuple(ordered(changes)), unchanged=kept, refusals=refusals)


def _adopted(key: Key, want: Desired, side: Side, held: Held, theirs: frozenset[str]) -> Change:
    have = side.live[key]
    # The comment is written now, with the mark.
    found = tuple(one for one in differences(want, have) if one.field not in {"marker", "comment"})
    if isinstance(have.object, Function):
        return Change(Action.ADOPT, key, Desired(have.object, want.origin), have, differences=found)
    assert isinstance(want.object, Resource)
    assert want.marker is not None
    kept = have.object._replace(comment=want.object.comment)
    return Change(
        Action.ADOPT, key, Desired(kept, want.origin, _mark(side.stack, key, held, want.marker.functions - theirs)),
        have, differences=found,
    )  # fmt: skip


def _why_not_adopted(change: Change, at: Position, side: Side) -> Iterator[Problem]:
    assert change.live is not None
    if holder := side.holder(change.key):
        yield another_stacks(change.key, change.live, holder, at)
    for found in change.differences:
        if found.field == "type":
            message = f"{change.key} is of type {found.old}, and the manifest wants {found.new}"
            yield Problem("E508", message, at, hint="give yours another name, or the type of what is there")


def _released(key: Key, side: Side, held: Held, at: Position) -> Change:
    have = side.live[key]
    if isinstance(have.object, Function):
        return Change(Action.RELEASE, key, Desired(have.object, at), have)
    # Not an empty one: whether a service that is handed an empty comment keeps the old one is not known.
    left = have.object._replace(comment=have.object.comment or f"was managed by udfs, stack {side.stack}")
    return Change(Action.RELEASE, key, Desired(left, at, _mark(side.stack, key, held)), have)


def _unnamed(key: Key, gone: Collection[str], side: Side, held: Held, at: Position) -> Change:
    """Return the change of a mark that no longer names the functions that go."""
    have = side.live[key]
    assert have.marker is not None
    mark = _mark(side.stack, key, held, have.marker.functions - frozenset(gone))
    told = Difference("marker", "", "no longer speaks for what is disowned")
    return Change(Action.UPDATE, key, Desired(have.object, at, mark), have, differences=(told,))


def _is_edited(have: Live | None) -> bool:
    """Say whether a resource holds something else than its mark says; a new mark would hide that."""
    assert have is not None
    assert isinstance(have.object, Resource)
    return have.marker is not None and have.marker.md5 != have.object.md5


def _orphaned(keys: Collection[Key], side: Side) -> Iterator[Live]:
    """Yield the functions that stay ours, and would be nobody's without the marks that go: the ledger takes them in."""
    marks = {
        mark
        for key in keys
        if (marker := side.live[key].marker) and marker.stack == side.stack
        for mark in marker.functions
    }
    remembered = side.last.objects if side.last else {}
    given = frozenset(keys)
    for key, have in sorted(side.live.items()):
        is_named = key.kind == "function" and name_mark(key.name) in marks
        if is_named and key not in given and key not in remembered and side.is_ours(key):
            yield have


def _mark(stack: str, key: Key, held: Held, functions: frozenset[str] = frozenset()) -> Marker:
    content = held.get(key)
    return Marker(stack, content.sha256, content.md5, functions) if content else Marker(stack, functions=functions)
