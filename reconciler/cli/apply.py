"""apply: make the project match the manifest."""

from __future__ import annotations

import functools
import shlex
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from reconciler.base.activity import announce
from reconciler.base.errors import UsageError, count, sort_problems
from reconciler.base.hints import Command
from reconciler.cli.support.confirm import Consent, ask_consent, carry_out, require_agreed
from reconciler.cli.support.files import aim_at, manifest_digest, parse_digest, read_plan
from reconciler.cli.support.options import (
    Options,
    command,
    comparing_options,
    one_target_only,
    several_options,
    value_option,
    yes_option,
)
from reconciler.cli.support.output import Result, print_output, print_problems
from reconciler.cli.support.perform import Proposal, writers_option
from reconciler.cli.support.plans import complete_plan, plan_output, restore_option
from reconciler.cli.support.project import connect, prepare_project
from reconciler.cli.support.promotion import find_unpromoted
from reconciler.cli.support.several import call_each, merge_results, worst
from reconciler.engine.ledger import require_free
from reconciler.render import text
from reconciler.workflow import planning
from reconciler.workflow.records import find_begun

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from reconciler.cli.support.verification import Verification
    from reconciler.core.plan import Plan
    from reconciler.core.record import Reading
    from reconciler.core.target import Target
    from reconciler.engine.approval import Approval
    from reconciler.engine.saved_plan import Saved
    from reconciler.manifest.load import Loaded
    from reconciler.workflow.preparation import Prepared

R = TypeVar("R")


@dataclass(frozen=True)
class Terms:
    """How an apply goes about it."""

    refresh: str
    restore: bool
    consent: Consent
    verify: bool
    rolls_back: bool
    approved: tuple[Saved, ...] = ()

    def read(self, target: Target) -> Reading:
        return target.read(full=self.refresh == "full")

    def verification(self, manifest: Loaded, target: Target, options: Options) -> Verification | None:
        """Return the tests to run at the end, if any are to run."""
        if not self.verify:
            return None
        from reconciler.cli.support.verification import make_verification

        return make_verification(manifest, target, options, self.consent.writers, rolls_back=self.rolls_back)


def terms_options(command: Callable[..., R]) -> Callable[..., R]:
    """Add the options that make the `Terms` of an apply."""

    @functools.wraps(command)
    def wrapper(
        *args: Any,
        refresh: str,
        restore: bool,
        consent: Consent,
        verify: bool,
        rollback_on_failure: bool,
        **options: Any,
    ) -> R:
        if rollback_on_failure and not verify:
            raise UsageError("E901", "--rollback-on-failure goes with --verify", hint="add --verify")
        terms = Terms(refresh, restore, consent, verify, rollback_on_failure)
        return command(*args, terms=terms, **options)

    return value_option("consent", Consent, "yes", "allow_deletes", "digest", "writers")(wrapper)


@command()
@click.argument("planfile", required=False, type=click.Path(path_type=Path, dir_okay=False))
@several_options
@comparing_options
@restore_option
@yes_option
@click.option("--allow-deletes", type=click.IntRange(min=0), default=0, metavar="N", help="Allow up to N deletes.")
@click.option(
    "--digest",
    callback=parse_digest,
    metavar="sha256:…",
    help="Perform only the plan with this digest, or what is left of it.",
)
@click.option(
    "--approved",
    type=click.Path(path_type=Path, dir_okay=False),
    multiple=True,
    metavar="FILE",
    help="Perform only what stands in such a plan, which udfs plan --out wrote; may be given often.",
)
@click.option("--keep-going", is_flag=True, help="Of several targets: go on with the next when one fails.")
@click.option(
    "--verify", is_flag=True, help="Then run the manifest's tests by SQL in the project; exit 9 if one fails."
)
@click.option("--rollback-on-failure", is_flag=True, help="With --verify: go back to what was there if a test fails.")
@writers_option
@terms_options
def apply(
    options: Options, planfile: Path | None, approved: tuple[Path, ...], keep_going: bool, terms: Terms
) -> Result:
    """Make the project match the manifest: show the plan, ask, and make the changes.

    With PLANFILE, which udfs plan --out wrote, make exactly the changes of that plan, or none if anything has moved.
    With --approved, make a plan now, and perform it if each of its changes stands in an approved plan and rests on what
    was seen then: so an apply that was cut off is gone on with, and somebody else's apply does not void an approval.
    For several targets all plans are shown before one question, and nothing is changed anywhere unless each can be made;
    then one target is applied after the other, as far as the first that fails.
    """
    terms = replace(terms, approved=tuple(map(read_plan, approved)))
    _require_fitting(options, planfile, terms)
    if options.targets:
        return _apply_several(options, terms, keep_going=keep_going)
    for saved in terms.approved:
        options = aim_at(saved, options)
    if planfile is not None:
        saved = read_plan(planfile)
        options = aim_at(saved, options)
        with options.completing():
            return _apply_saved(saved, planfile, options, terms)
    prepared = prepare_project(options)
    with connect(prepared.loaded) as target:
        proposal = _foresee(propose_plan(prepared, target, terms, options), prepared)
        verification = terms.verification(prepared.loaded, target, options)
        approval = approval_of(prepared, proposal, terms)
        return carry_out(proposal, options, terms.consent, verification=verification, approval=approval)


def _require_fitting(options: Options, planfile: Path | None, terms: Terms) -> None:
    """Raise `UsageError` for options that say different things of what is performed."""
    if options.targets:
        for name, value in {"PLANFILE": planfile, "--digest": terms.consent.digest}.items():
            if value is not None:
                raise one_target_only(name, options.targets)
    if planfile is not None and terms.restore:
        raise UsageError(
            "E901", "--restore makes a plan of its own, and PLANFILE is another", hint="leave one of them out"
        )
    if planfile is not None and terms.approved:
        message = "PLANFILE is performed as it is, and --approved names what a plan made now may do"
        raise UsageError("E901", message, hint="leave one of them out")


def approval_of(prepared: Prepared, proposal: Proposal, terms: Terms) -> Approval | None:
    """Return what was approved for a target; None if nobody was asked."""
    from reconciler.engine import saved_plan
    from reconciler.engine.approval import Approval

    digest, plan, loaded = terms.consent.digest, proposal.plan, prepared.loaded
    if digest is None and not terms.approved:
        return None
    plans = tuple(saved for saved in terms.approved if saved.plan.destination.target == loaded.target_name)
    for saved in plans:
        saved_plan.require_place(saved, plan.stack, plan.destination)
    is_another = digest is not None and digest != plan.digest
    begun = find_begun(loaded, proposal.target, proposal.reading, digest) if digest and is_another else frozenset()
    return Approval(plans, digest, begun)


def propose_plan(
    prepared: Prepared, target: Target, terms: Terms, options: Options, earlier: Collection[str] = ()
) -> Proposal:
    """
    Make the plan of a target, refused for what the time or the target before has against it.

    What one of the `earlier` targets of the same command has not yet, it may have when this one's turn comes: a warning.
    """
    reading = terms.read(target)
    now = target.store.now() if prepared.loaded.manifest.ignore else None
    plan = planning.make_plan(prepared, reading, now=now, restoring=terms.restore)
    plan = _refuse_unpromoted(planning.apply_quiet_times(plan, prepared.loaded, target), prepared, reading, options)
    promotion = prepared.loaded.manifest.promote.get(prepared.loaded.target_name)
    if promotion and promotion.after in earlier:
        waiting = [problem for problem in plan.refusals if problem.code == "E582"]
        plan = replace(
            plan,
            refusals=tuple(problem for problem in plan.refusals if problem not in waiting),
            cautions=(*plan.cautions, *(replace(problem, severity="warning") for problem in waiting)),
        )
    return Proposal(plan, reading, target, prepared.contents)


def _foresee(proposal: Proposal, prepared: Prepared) -> Proposal:
    """Return a proposal with the warnings that the plan command gives of what the service would refuse."""
    plan = planning.foresee(proposal.plan, prepared, lambda: nullcontext(proposal.target))
    return replace(proposal, plan=plan)


def _refuse_unpromoted(plan: Plan, prepared: Prepared, reading: Reading, options: Options) -> Plan:
    unpromoted = find_unpromoted(plan, prepared, reading, options)
    return replace(plan, refusals=tuple(sort_problems((*plan.refusals, *unpromoted)))) if unpromoted else plan


def _apply_several(options: Options, terms: Terms, *, keep_going: bool) -> Result:
    """Show the plans of all targets, ask once, and apply them in turn: each plan only as it was shown."""
    from reconciler.engine.approval import Approval

    planned: dict[str, tuple[Prepared, Plan, int]] = {}

    def show(single: Options) -> Result:
        prepared = prepare_project(single)
        with connect(prepared.loaded) as target:
            earlier = options.targets[: options.targets.index(prepared.loaded.target_name)]
            proposal = _foresee(propose_plan(prepared, target, terms, single, earlier), prepared)
            plan = complete_plan(proposal.plan, single)
            announce(plan)
            output = plan_output(plan, single)
            if not single.as_json:
                # Shown even if it is refused: the refusal is about what stands here.
                print_output(output)
                print_problems(plan.warnings)
            approval = approval_of(prepared, proposal, terms)
            allow_deletes = require_agreed(plan, proposal.reading, approval, terms.consent.allow_deletes)
            if plan.changes:
                require_free(proposal.reading.last, target.store.now())
        planned[prepared.loaded.target_name] = prepared, plan, allow_deletes
        return Result(output if single.as_json else (), summary=text.plan_summary(plan))

    def perform(single: Options) -> Result:
        prepared, plan, allow_deletes = planned[single.target or ""]
        with connect(prepared.loaded) as target:
            proposal = propose_plan(prepared, target, terms, single)
            agreed = replace(terms.consent, yes=True, allow_deletes=allow_deletes)
            verification = terms.verification(prepared.loaded, target, single)
            shown = Approval(digest=plan.digest)
            return carry_out(proposal, single, agreed, is_shown=True, verification=verification, approval=shown)

    results = call_each(options, show)
    if worst(result.code for result in results):
        return replace(merge_results(results, options), notes=("nothing was changed in any target",))
    changes = sum(len(plan.changes) for _, plan, _ in planned.values())
    if changes and not terms.consent.yes:
        ask_consent(options, f"Make these {count(changes, 'change')} in {len(planned)} targets? Type 'yes' to confirm:")
    return merge_results(call_each(options, perform, stop=not keep_going, announce=True), options)


def _apply_saved(saved: Saved, file: Path, options: Options, terms: Terms) -> Result:
    """Carry out a saved plan; everything that it stands on is checked before anything is written."""
    from reconciler.engine import saved_plan
    from reconciler.engine.staleness import AGAIN

    if digest := manifest_digest(options.file):
        saved_plan.require_same_manifest(saved, digest, options.file)
    prepared = prepare_project(options)
    saved_plan.require_place(saved, prepared.loaded.manifest.stack, planning.plan_destination(prepared.loaded))
    saved_plan.require_contents(saved, prepared.contents)
    allow_deletes = max(terms.consent.allow_deletes, saved.allow_deletes)
    rest = Command("apply", f"--approved {shlex.quote(str(file))}")
    consent = replace(terms.consent, allow_deletes=allow_deletes, again=("what is left of it: ", rest))
    with connect(prepared.loaded) as target:

        def look() -> Reading:
            reading = terms.read(target)
            saved_plan.require_fresh(saved, reading, (AGAIN, ", or do what is left of it: ", rest))
            return reading

        reading = look()
        plan = planning.apply_quiet_times(
            planning.plan_again(prepared, reading, saved.plan, str(file), target.store.now()), prepared.loaded, target
        )
        plan = _refuse_unpromoted(plan, prepared, reading, options)
        proposal = _foresee(Proposal(plan, reading, target, prepared.contents), prepared)
        verification = terms.verification(prepared.loaded, target, options)
        approval = approval_of(prepared, proposal, terms)
        return carry_out(proposal, options, consent, look_again=look, verification=verification, approval=approval)
