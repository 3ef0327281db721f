"""
Standing of functions: for each one, how the manifest and the project stand to each other.

It is read off a plan, so that a list never says anything else than what an apply would do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from reconciler.core.diff import Action
from reconciler.core.kind import CONTENT
from reconciler.core.plan import needs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.core.diff import Change
    from reconciler.core.plan import Plan
    from reconciler.core.state import Object

StandingWord: TypeAlias = Literal["applied", "changed", "not applied", "not in the manifest", "somebody else's"]


@dataclass(frozen=True)
class FunctionStanding:
    """A function and where it stands."""

    name: str
    standing: StandingWord
    object: Object | None
    """As it should be, or as it is where it is to go; None for a name that somebody else has."""


def list_standings(plan: Plan, declared: Iterable[str]) -> tuple[FunctionStanding, ...]:
    """Return the functions that the manifest declares or the stack has in the project, sorted by name."""
    standings = {standing.name.lower(): standing for standing in _standings(plan)}
    others = (FunctionStanding(name, "somebody else's", None) for name in declared if name.lower() not in standings)
    return tuple(sorted((*standings.values(), *others), key=lambda standing: standing.name.lower()))


def _standings(plan: Plan) -> Iterator[FunctionStanding]:
    # That a mark tells of one more function does not change those that are there.
    changed = {
        change.key
        for change in plan.changes
        if change.action is not Action.UPDATE or any(difference.field == CONTENT for difference in change.differences)
    }
    for change in (*plan.changes, *plan.unchanged):
        if change.kind.leads:
            is_touched = not changed.isdisjoint(needs(change.object))
            yield FunctionStanding(change.object.name, _standing_of(change, is_touched=is_touched), _object_of(change))


def _object_of(change: Change) -> Object:
    """Return an object as it should be, or where it is so, as it is: what that tells beside (a state) nobody can wish for."""
    return change.live.object if change.action is Action.KEEP and change.live is not None else change.object


def _standing_of(change: Change, *, is_touched: bool) -> StandingWord:
    if change.action is Action.CREATE:
        return "not applied"
    if change.action in {Action.DELETE, Action.RELEASE}:
        return "not in the manifest"
    return "changed" if is_touched or change.action is not Action.KEEP else "applied"
