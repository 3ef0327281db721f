"""
Plans of the commands that change a project: plan, drift, destroy, rollback and gc.

Each plan leaves here with what the policy refuses in it, so that a pull request shows the same refusals as an apply.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.base.activity import activity
from reconciler.base.errors import UsageError, sort_problems
from reconciler.checks import policy
from reconciler.core import drift, plan, versions
from reconciler.core.diff import Cause, ignoring, keep_vouched
from reconciler.engine.ledger import KEPT
from reconciler.targets import adapter_of
from reconciler.workflow.preparation import policy_breaches
from reconciler.workflow.records import LedgerEntries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from reconciler.base.errors import Problem
    from reconciler.core.copies import Copies
    from reconciler.core.drift import Drift
    from reconciler.core.kind import Key
    from reconciler.core.plan import Plan
    from reconciler.core.record import Reading
    from reconciler.core.state import DesiredState
    from reconciler.core.target import Target
    from reconciler.manifest.load import Loaded
    from reconciler.workflow.preparation import Prepared


def plan_destination(loaded: Loaded) -> plan.Destination:
    """Return where a manifest's plan goes."""
    return adapter_of(loaded).destination(loaded)


@activity("comparing")
def make_plan(
    prepared: Prepared,
    reading: Reading,
    *,
    now: datetime | None = None,
    from_dump: bool = False,
    restoring: bool = False,
) -> Plan:
    """
    Plan how a project becomes what the manifest says; `from_dump` if it was not the project that was read.

    With `restoring`, only what was changed outside is brought back. What is ignored until a day is ignored by the clock of
    `now`; without one, it is not.
    """
    is_exempting = bool(list(_exemptions(prepared.loaded, now)))
    outside = find_drift(prepared, reading, now=now) if restoring or is_exempting else None
    new_plan = plan.make(
        _desired_state(prepared, reading),
        reading,
        stack=prepared.loaded.manifest.stack,
        destination=plan_destination(prepared.loaded),
        moved=_moved_keys(prepared),
        from_dump=from_dump,
        tolerations=outside.tolerations if outside else (),
    )
    new_plan = plan.restoring(new_plan, outside) if restoring and outside else new_plan
    new_plan = replace(new_plan, cautions=(*prepared.forced, *new_plan.cautions))
    if new_plan.changes:
        from reconciler.workflow.line_ends import note_line_ends

        new_plan = replace(new_plan, changes=tuple(note_line_ends(new_plan.changes, prepared.artifacts, reading)))
        ended = versions.end_of_way_back(new_plan.changes, reading.last)
        new_plan = replace(new_plan, cautions=(*new_plan.cautions, ended)) if ended else new_plan
    return apply_policy(new_plan, prepared.loaded, policy_breaches(prepared))


def plan_again(prepared: Prepared, reading: Reading, saved: Plan, name: str, now: datetime | None = None) -> Plan:
    """
    Return a plan that was written down in the file `name` as manifest and project give it again; E516 if they do not.

    A file says which plan is meant. Whose an object is, what is protected, and why something is deleted is not believed
    to it: who can write the file can seal it.
    """
    for restoring in (False, True):
        new_plan = make_plan(prepared, reading, now=now, restoring=restoring)
        if new_plan.digest == saved.digest:
            return new_plan
    raise UsageError(
        "E516",
        f"the plan '{name}' is not what udfs plans for this manifest and this project",
        hint="use the udfs that wrote it, or make a new plan and look at it",
    )


def find_drift(
    prepared: Prepared, reading: Reading, copies: Copies | None = None, now: datetime | None = None
) -> Drift:
    """
    Return what was changed in the project behind the manifest's back; what is ignored today, by the clock of `now`, apart.

    `copies` knows what another tool has deployed.
    """
    outside = drift.find(_desired_state(prepared, reading), reading, prepared.loaded.manifest.stack)
    outside = drift.attribute(outside, copies) if copies else outside
    kinds = adapter_of(prepared.loaded).catalog.kinds
    return drift.tolerate(outside, list(_exemptions(prepared.loaded, now)), kinds)


def _exemptions(loaded: Loaded, now: datetime | None) -> Iterator[drift.Exemption]:
    """Yield what the manifest ignores as a whole on this day."""
    for number, rule in enumerate(loaded.manifest.ignore):
        if not rule.what and now is not None and f"{now:%Y-%m-%d}" <= (rule.until or ""):
            yield drift.Exemption(rule.object, rule.reason or "", rule.until or "", loaded.at("ignore", number))


def idle_exemptions(loaded: Loaded, tolerations: Sequence[drift.Toleration], now: datetime) -> Iterator[Problem]:
    """Yield a warning for each thing that the manifest ignores no longer, or that there is no reason to ignore."""
    used = {toleration.exemption.origin for toleration in tolerations}
    for number, rule in enumerate(loaded.manifest.ignore):
        if rule.until and f"{now:%Y-%m-%d}" > rule.until:
            message = f"'{rule.object}' was ignored until {rule.until}, and is not any more"
            hint = "take the line out, or give it another last day"
            yield loaded.problem("E587", message, "ignore", number, hint=hint, severity="warning")
        elif not rule.what and loaded.at("ignore", number) not in used:
            message = f"'{rule.object}' ignores nothing: no object of this name was changed outside"
            hint = "take the line out, or name the object that was changed"
            yield loaded.problem("E588", message, "ignore", number, hint=hint, severity="warning")


def make_destruction(loaded: Loaded, reading: Reading) -> Plan:
    """Plan the removal of everything that the stack manages: an apply of nothing."""
    stack = loaded.manifest.stack
    return plan.make({}, reading, stack=stack, destination=plan_destination(loaded), cause=Cause.DESTROYED)


def make_rollback(loaded: Loaded, target: Target, epoch: int | None) -> tuple[Reading, Plan]:
    """Plan how the functions become what an earlier apply left; returns what that was read from, too."""
    reading = target.read(full=True)
    epochs = reading.epochs[-KEPT:]
    candidates = epochs if epoch is None else tuple(number for number in epochs if number == epoch)
    entry = versions.earlier(LedgerEntries(loaded, target, candidates), epoch)
    new_plan = versions.back(entry, reading, loaded.manifest.stack, plan_destination(loaded))
    return reading, apply_quiet_times(new_plan, loaded, target)


def make_collection(loaded: Loaded, target: Target, keep: int) -> tuple[Reading, Plan]:
    """Plan the removal of versions that are past their grace; returns what that was read from, too."""
    reading = target.read()
    new_plan = versions.collection(
        LedgerEntries(loaded, target, reading.epochs[-KEPT:]),
        reading,
        loaded.manifest.stack,
        plan_destination(loaded),
        now=target.store.now(),
        grace=versions.duration(loaded.manifest.grace),
        keep=keep,
    )
    return reading, apply_quiet_times(new_plan, loaded, target)


def foresee(checked: Plan, prepared: Prepared, connect: Callable[[], AbstractContextManager[Target]]) -> Plan:
    """Return a plan with warnings of what the service would refuse of it, where it can be asked."""
    foresight = adapter_of(prepared.loaded).foresight
    if foresight is None or not checked.changes or checked.refusals:
        return checked
    with connect() as target:
        foreseen = tuple(foresight.foresee(target, checked.changes, prepared.contents))
    return replace(checked, cautions=(*checked.cautions, *foreseen))


def apply_policy(checked: Plan, loaded: Loaded, breaches: Iterable[Problem]) -> Plan:
    """Return a plan that is refused for these `breaches`, and for what the policy does not allow in it."""
    return replace(
        checked,
        refusals=tuple(sort_problems((*checked.refusals, *breaches, *policy.of_plan(loaded.policies, checked)))),
    )


def apply_quiet_times(checked: Plan, loaded: Loaded, target: Target) -> Plan:
    """Return a plan that is refused in a freeze of the policy, by the clock of the service."""
    problems = policy.of_time(loaded.policies, target.store.now())
    return (
        replace(checked, refusals=tuple(sort_problems((*checked.refusals, *problems)))) if checked.changes else checked
    )


def add_cautions(checked: Plan, prepared: Prepared, now: datetime, copies: Copies | None = None) -> Plan:
    """Return a plan with all that may go wrong: in the manifest, in its files, with an apply at this moment, and by another tool."""
    quiet_times = policy.of_time(prepared.loaded.policies, now) if checked.changes else []
    cautions = (
        *checked.cautions,
        *prepared.loaded.warnings,
        *prepared.warnings,
        *(replace(problem, severity="warning") for problem in quiet_times),
        *(copies.warnings(prepared.desired) if copies else ()),
        *idle_exemptions(prepared.loaded, checked.tolerations, now),
    )
    return replace(checked, cautions=cautions)


def _desired_state(prepared: Prepared, reading: Reading) -> DesiredState:
    """Return the desired state, with what the manifest ignores as it is, and content that is the manifest's in other bytes."""
    rules = [rule for rule in prepared.loaded.manifest.ignore if rule.what]
    return ignoring(keep_vouched(prepared.desired, reading), reading.live, rules)


def _moved_keys(prepared: Prepared) -> Mapping[Key, Key]:
    """Return the keys of old names, each with that of the new one: of the first kind that has an object of the new name."""
    *kinds, last = adapter_of(prepared.loaded).catalog.kinds.values()
    moved = {}
    for move in prepared.loaded.manifest.moved:
        kind = next((kind for kind in kinds if kind.key(move.to) in prepared.desired), last)
        moved[kind.key(move.from_)] = kind.key(move.to)
    return moved
