"""
Staleness of a plan: whether a project is still what the plan was made against.

Between the look and the first write lie seconds in a pipeline, minutes at a prompt, days before an approval. So the whole
plan is held against a second look: what it changes, what it relies on without changing it, whose each object is, and who
else has come to need what it deletes. An apply does so when it holds the lease, a saved plan before that too.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.base.errors import Problem, Refused, StalePlan, plural
from reconciler.core.diff import Action
from reconciler.core.plan import needed_by_strangers, observation

if TYPE_CHECKING:
    from datetime import datetime

    from reconciler.base.hints import Hint
    from reconciler.core.diff import Change
    from reconciler.core.kind import Key
    from reconciler.core.plan import Plan
    from reconciler.core.record import Reading
    from reconciler.core.state import Live

AGAIN = "make a new plan and look at it"


def require(plan: Plan, reading: Reading, *, first: tuple[Problem, ...] = (), hint: Hint = AGAIN) -> None:
    """
    Raise `StalePlan`, with everything that moved and who moved it, unless `reading` has what the plan was made against.

    Its newest entry of the ledger is that before this apply; `first` is what is known to have moved already. What the
    plan leaves alone is looked at too: an object that is created relies on others that were there. Raises `Refused`
    if somebody else has come to need what would be deleted.
    """
    live = reading.live
    relied = sorted((*plan.changes, *plan.unchanged, *plan.shared), key=lambda change: change.key)
    moved = [
        *first,
        *(
            Problem("E506", f"{change.key} {why} since the plan was made")
            for change in relied
            if (why := why_moved(change.live, live.get(change.key)))
            and not (first and reading.is_as_applied(change.key))  # whoever applied is told of already
        ),
    ]
    if moved:
        raise _stale(moved, hint)
    # The marks that make an object ours may be on what it needs, so this is asked when all of that is in its place.
    lost = [
        Problem("E506", f"{change.key} {_explain_loss(change, plan)}")
        for change in relied
        if change.key in live and reading.holder(change.key) != _planned_holder(change, plan)
    ]
    if lost:
        raise _stale(lost, hint)
    if strangers := list(needed_by_strangers(plan.changes, live)):
        raise Refused.of(strangers)


def gone_stale(key: Key, event: str) -> StalePlan:
    """Return the error for an object that moved between the reading and the writing."""
    return StalePlan(
        "E506", f"{key} {event} since the plan was made", hint="run the command again and look at the new plan"
    )


def _stale(moved: list[Problem], hint: Hint) -> StalePlan:
    """Make one error that tells of the ledger first, and only once what to do."""
    error = StalePlan(moved[0].code, moved[0].message)
    error.problems = (*moved[:-1], replace(moved[-1], hint=hint))
    return error


def _planned_holder(change: Change, plan: Plan) -> str | None:
    """Return the stack that must still manage an object."""
    if change.action is Action.ADOPT:
        return None
    mark = change.live.mark if change in plan.shared and change.live else None
    return mark.stack if mark else plan.stack


def _explain_loss(change: Change, plan: Plan) -> str:
    holder = _planned_holder(change, plan)
    if holder is None:
        return "was taken by a stack since"
    return f"is no longer marked as {'this stack' if holder == plan.stack else f'stack {holder}'}'s"


def why_moved(was: Live | None, now: Live | None) -> str | None:
    """Return what happened to an object and who did it, as far as the service tells; None if nothing did."""
    if was is None:
        return f"was created{_by(now.owner)}{_on(now.created)}" if now else None
    if now is None:
        return "was deleted"
    if was.created != now.created:
        return f"was deleted, and created again{_by(now.owner)}{_on(now.created)}"
    # An object that is not ours is as a listing shows it: nobody asked for the rest.
    as_listed = was.object.kind.as_listed if was.mark is None else None
    if pin(now) in (pin(was), pin(was._replace(object=as_listed(was.object))) if as_listed else None):
        return None
    if not now.object.kind.is_dated or not (now.updater or now.modified):
        return f"was changed (the service does not tell who changes {plural(now.object.kind.name)})"
    return f"was changed{_by(now.updater)}{_on(now.modified)}"


def pin(live: Live) -> tuple[object, ...]:
    """Return all that must still be seen: what an apply looks at before a write, and who was there last and when."""
    return (observation(live), live.owner, live.updater, live.modified)


def _by(who: str) -> str:
    return f" by {who}" if who else ""


def _on(when: datetime | None) -> str:
    return f" on {when:%Y-%m-%d %H:%MZ}" if when else ""
