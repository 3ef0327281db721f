"""
Approval: operations on observations that somebody agreed to, and what of a plan they cover.

What is approved is neither a file nor a commit. A plan is made anew from the manifest and the project, and performed if each
of its operations is among those approved: the same action on the same object, to the same end, on an object that is as it
was seen then. So a run that was cut off is gone on with, a plan of yesterday outlives somebody else's apply and a changed
comment, and two pull requests that are merged together are covered by two approvals. What is performed is never more than
was approved, and nothing that has moved since is covered.

Two things may differ. The names in a mark follow from the functions of the manifest, and a neighbour's apply may have added
one. And who wrote an object last, and when, may be an apply of this very stack: the ledger has that time.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.base.errors import Problem, StalePlan
from reconciler.base.hints import Command
from reconciler.core.diff import Action, Cause
from reconciler.core.plan import guards, identity, observation
from reconciler.core.state import Live
from reconciler.engine.staleness import pin, why_moved

if TYPE_CHECKING:
    from reconciler.core.diff import Change
    from reconciler.core.plan import Plan
    from reconciler.core.record import Reading
    from reconciler.engine.saved_plan import Saved


_SINCE = {
    **dict.fromkeys((Cause.NEW, Cause.MANIFEST, Cause.REMOVED, Cause.MOVED), "the manifest asks for it since"),
    **dict.fromkeys((Cause.OUTSIDE, Cause.MISSING, Cause.BOTH), "it was changed outside since"),
}


def digest_operation(change: Change) -> str:
    """Return the sha256 of an operation and what it rests on: an entry of the ledger keeps it until the run got through."""
    body = [change.action.value, str(change.key), identity(change), change.live and pin(change.live)]
    return hashlib.sha256(json.dumps(body, sort_keys=True, default=str).encode()).hexdigest()


@dataclass(frozen=True)
class Approval:
    """What was agreed to, by plans that were written down or by a plan's digest."""

    plans: tuple[Saved, ...] = ()
    digest: str | None = None
    begun: frozenset[str] = frozenset()
    """Fingerprints of the operations of a run that was approved by this digest and did not get through."""

    def require(self, plan: Plan, reading: Reading) -> None:
        """
        Raise `StalePlan` with each operation of `plan` that nobody approved, and why it is there.

        `reading` is what the plan was made against.
        """
        if plan.digest == self.digest or not plan.changes:
            return
        if self.digest is not None and not self.plans and not self.begun:
            message = f"sha256:{self.digest} was approved, and this plan is sha256:{plan.digest}"
            raise StalePlan("E519", message, hint="look at what differs, and have this plan approved")
        problems = [
            Problem(
                "E538",
                f"nobody approved to {change.action.value} {change.key}: {why}",
                at=change.desired and change.desired.origin,
            )
            for change in plan.changes
            if (why := self._why_uncovered(change, reading))
        ]
        if problems:
            error = StalePlan.of(problems)
            hint = ("have it approved: ", Command("plan", "--out FILE"), " writes what is left to do")
            *others, final = error.problems
            error.problems = (*others, Problem(final.code, final.message, final.at, hint))
            raise error

    def allowed_deletes(self, plan: Plan, allowed: int) -> int:
        """
        Return how many deletes are allowed in `plan`, when as many as `allowed` are by an option.

        Those of a plan that was written down with enough of them allowed; and what is left of them, which may be fewer
        than the number that was named.
        """
        deletes = {change.key for change in plan.changes if change.action is Action.DELETE}
        agreed = {
            change.key
            for saved in self.plans
            if not all(list(guards(saved.plan, allow_deletes=number)) for number in (saved.allow_deletes, allowed))
            for change in saved.plan.changes
        }
        if deletes <= agreed or (self.begun and plan.deletes <= allowed):
            return plan.deletes
        return allowed

    def _why_uncovered(self, change: Change, reading: Reading) -> str | None:
        """Return why an operation is not among those approved; None if it is."""
        if self.begun and digest_operation(change) in self.begun:
            return None
        rivals = [rival for saved in self.plans for rival in saved.plan.changes if rival.key == change.key]
        reasons = [_why_otherwise(rival, change, reading) for rival in rivals]
        if None in reasons:
            return None
        return next(filter(None, reasons), _SINCE.get(change.cause, "it came up since"))


def _why_otherwise(approved: Change, change: Change, reading: Reading) -> str | None:
    """Return in what an operation is not the one that was approved; None if it is."""
    is_as_wanted = approved.desired and observation(change.live) == observation(Live(approved.desired.object))
    if change.action is Action.RECORD and is_as_wanted and _wish(approved) == _wish(change):
        return None  # only the ledger does not say so yet: the run was cut off before it could
    if (approved.action, approved.cause is Cause.MOVED) != (change.action, change.cause is Cause.MOVED):
        moved = why_moved(approved.live, change.live)
        return f"it {moved} since" if moved else f"to {approved.action.value} it was approved"
    if _wish(approved) != _wish(change):
        return f"{_differing(approved, change)} of it was approved otherwise"
    moved = why_moved(approved.live, change.live)
    is_ours = observation(approved.live) == observation(change.live) and reading.is_as_applied(change.key)
    return f"it {moved} since" if moved and not is_ours else None


def _wish(change: Change) -> tuple[object, ...] | None:
    """Return what an operation comes to, but for the names in its mark."""
    wish = change.desired
    return wish and (wish.object, wish.mark and wish.mark._replace(names=frozenset()), wish.protected)


def _differing(approved: Change, change: Change) -> str:
    sides = [side.desired.object for side in (change, approved) if side.desired]
    fields = [difference.field for difference in change.kind.differences(*sides)] if len(sides) > 1 else []
    return " and ".join(dict.fromkeys(fields)) or "what becomes"
