"""ci apply: everything is planned before anything is applied, in turn, as far as it was approved."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.base.activity import announce
from reconciler.base.errors import Refused, UdfsError, UsageError
from reconciler.cli.pipeline.options import ci_options
from reconciler.cli.pipeline.plan import describe_plan, operation_counts
from reconciler.cli.pipeline.results import PROBLEM_FORMATS, EntryResult, problems_output, skipped_result
from reconciler.cli.support.files import parse_digest, read_plan
from reconciler.cli.support.options import command, handover_options, refresh_option
from reconciler.cli.support.plans import CHANGES_PRESENT, complete_plan, restore_option
from reconciler.cli.support.project import connect, open_manifest, prepare_files
from reconciler.render import text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.base.errors import Problem
    from reconciler.cli.apply import Terms
    from reconciler.cli.pipeline.entries import CiEntry
    from reconciler.cli.pipeline.run import CiRun
    from reconciler.cli.support.options import Options
    from reconciler.cli.support.output import Output, Result
    from reconciler.cli.support.perform import Proposal
    from reconciler.cli.support.verification import VerificationResult
    from reconciler.core.plan import Plan
    from reconciler.core.report import Report
    from reconciler.engine.approval import Approval
    from reconciler.engine.saved_plan import Saved
    from reconciler.testing.trials import Trial
    from reconciler.workflow.preparation import Prepared


@dataclass
class _Applies:
    """Applies of one pipeline: what was planned for each entry, and what became of it."""

    run: CiRun
    terms: Terms
    digests: tuple[str, ...]
    is_approved: bool
    plans: dict[CiEntry, EntryResult] = field(default_factory=dict)
    agreed: dict[CiEntry, str] = field(default_factory=dict)
    """For each entry the digest of the plan that was looked at and may be performed."""

    deferred: set[CiEntry] = field(default_factory=set)
    """What was refused as the project is now, and is looked at again when what comes before is there."""

    def approve(self, prepared: Prepared, proposal: Proposal) -> tuple[Approval | None, str]:
        """Return what was approved for an entry, and by which digest; None where `--yes` takes what is planned now."""
        from reconciler.cli.apply import approval_of
        from reconciler.engine.approval import Approval

        stack = proposal.plan.stack
        plans = tuple(saved for saved in self.terms.approved if saved.plan.stack == stack)
        approval: Approval | None = Approval(plans) if self.is_approved else None
        for digest in (None, *self.digests):
            terms = replace(self.terms, approved=plans, consent=replace(self.terms.consent, digest=digest))
            approval = approval_of(prepared, proposal, terms) or approval
            if digest is not None and approval and (approval.begun or digest == proposal.plan.digest):
                return approval, digest
        return approval, ""

    def look(self, entry: CiEntry) -> EntryResult:
        """Plan an entry, and see that its plan may be performed."""
        result = self.run.attempt(entry, lambda options: self._look(entry, options), "plan")
        comes_later = any(self.plans[other].outcome == "changes" for other in self.run.predecessors(entry))
        if result.outcome == "refused" and comes_later:
            self.deferred.add(entry)
        return result

    def _look(self, entry: CiEntry, options: Options) -> EntryResult:
        from reconciler.cli.apply import propose_plan
        from reconciler.cli.support.confirm import require_agreed
        from reconciler.engine.ledger import require_free

        prepared = prepare_files(open_manifest(options, warn=False), options, warn=False)
        with connect(prepared.loaded) as target:
            proposal = propose_plan(prepared, target, self.terms, options)
            plan = complete_plan(proposal.plan, options)
            announce(plan)
            approval, _ = self.approve(prepared, proposal)
            require_agreed(plan, proposal.reading, approval, self.terms.consent.allow_deletes)
            if plan.changes:
                require_free(proposal.reading.last, target.store.now())
        self.agreed[entry] = plan.digest
        return replace(describe_plan(plan, options), code=0)

    def perform(self, entry: CiEntry, results: dict[CiEntry, EntryResult]) -> EntryResult:
        """Apply an entry, unless something that comes before it is not there."""
        failed = next((other for other in self.run.predecessors(entry) if not _is_well(results[other])), None)
        if failed is not None:
            return skipped_result(f"not begun, because {failed.label} did not get through")
        if self.plans[entry].outcome not in {"changes", "clean"} and entry not in self.deferred:
            return self.plans[entry]
        return self.run.attempt(entry, lambda options: self._perform(entry, options))

    def _perform(self, entry: CiEntry, options: Options) -> EntryResult:
        from reconciler.cli.apply import propose_plan
        from reconciler.cli.support import confirm
        from reconciler.cli.support.perform import perform
        from reconciler.engine.approval import Approval

        prepared = prepare_files(open_manifest(options, warn=False), options, warn=False)
        with connect(prepared.loaded) as target:
            proposal = propose_plan(prepared, target, self.terms, options)
            plan = complete_plan(proposal.plan, options)
            announce(plan)
            verification = self.terms.verification(prepared.loaded, target, replace(options, format="json"))
            approval, digest = self.approve(prepared, proposal)
            confirm.require_agreed(plan, proposal.reading, approval, self.terms.consent.allow_deletes)
            if entry in self.agreed and approval is None and self.agreed[entry] != plan.digest:
                # Nobody approved more than what stands in the log above.
                Approval(digest=self.agreed[entry]).require(plan, proposal.reading)
            report = perform(replace(proposal, plan=plan), options, self.terms.consent.writers, digest)
            report = confirm.tell_way_on(report, confirm.AGAIN)
            verified = None
            if verification and not report.interrupted and not report.error:
                try:
                    verified = verification.run(has_changed=bool(plan.changes))
                except UdfsError as error:
                    report = replace(report, error=error)
        summary, code = confirm.apply_summary(plan, report, verified), confirm.apply_code(report, verified)
        problems = options.invocation.complete(report.error.problems) if report.error else ()
        if verified is not None:
            problems += options.invocation.complete(_verification_problems(verified.trials))

        def render(form: str) -> Output:
            return apply_output(plan, report, verified, summary, problems, form)

        return EntryResult(
            "failed" if code else "changes" if plan.changes else "clean",
            code,
            summary,
            render,
            PROBLEM_FORMATS,
            stack=plan.stack,
            counts={**operation_counts(plan), "done": len(report.done), "problems": len(problems)},
            fingerprint=plan.digest,
            digest=plan.digest,
            problems=problems,
            trials=verified.trials if verified else (),
        )


def _verification_problems(trials: Iterable[Trial]) -> Iterator[Problem]:
    from reconciler.render import trials as rendered
    from reconciler.testing.verdict import TrialVerdict

    for trial in trials:
        if trial.verdict is TrialVerdict.FAILED:
            yield rendered.test_failure(trial)
        elif trial.verdict is TrialVerdict.NOT_RUN:
            yield rendered.not_run(trial)


def apply_output(
    plan: Plan,
    report: Report,
    verified: VerificationResult | None,
    summary: str,
    problems: tuple[Problem, ...],
    form: str,
) -> Output:
    """Return an apply in a format."""
    match form:
        case "json":
            from reconciler.render.documents.applies import report_document

            return report_document(plan, report, verified.document(plan) if verified else None)
        case "markdown":
            from reconciler.render import markdown

            return f"{markdown.problems_markdown(summary, problems)}\n{markdown.plan_markdown(plan, None)}"
        case "text":
            from reconciler.render.styled import problems_lines

            lines = text.report_lines(report) if plan.changes else [(("", summary),)]
            return (*lines, *problems_lines(problems))
        case _:
            return problems_output(problems, form)


def _is_well(result: EntryResult) -> bool:
    return result.outcome in {"changes", "clean"} and result.code in {0, CHANGES_PRESENT}


def _read_approved(paths: Iterable[Path]) -> tuple[Saved, ...]:
    """Return saved plans of files, and of folders that `udfs ci plan --out` wrote."""
    from reconciler.workflow.ci.index import read_index

    plans: list[Saved] = []
    for path in paths:
        if not path.is_dir():
            plans.append(read_plan(path))
            continue
        index = read_index(path)
        files = [path / entry.folder / entry.files["saved"] for entry in index.entries if "saved" in entry.files]
        for file in files:
            if not file.resolve().is_relative_to(path.resolve()):
                raise UsageError("E568", f"the index of '{path}' names a file outside of it: '{file}'")
            plans.append(read_plan(file))
    return tuple(plans)


@command()
@ci_options("apply")
@handover_options
@refresh_option
@restore_option
@click.option("--yes", is_flag=True, help="Without an approval: what is planned now is applied.")
@click.option(
    "--approved",
    type=click.Path(path_type=Path, exists=True),
    multiple=True,
    metavar="FILE|DIR",
    help="Perform only what stands in such a plan, or in those of a folder that udfs ci plan --out wrote; may be given often.",
)
@click.option(
    "--digest",
    "digests",
    multiple=True,
    callback=lambda context, parameter, values: tuple(parse_digest(context, parameter, value) for value in values),
    metavar="sha256:…",
    help="Perform only a plan with such a digest, or what is left of it; may be given often.",
)
@click.option(
    "--allow-deletes", type=click.IntRange(min=0), default=0, metavar="N", help="Allow up to N deletes in each plan."
)
@click.option("--verify", is_flag=True, help="Then run each manifest's tests by SQL in the project.")
@click.option("--rollback-on-failure", is_flag=True, help="With --verify: go back to what was there if a test fails.")
@click.option("--writers", type=click.IntRange(1, 32), default=8, show_default=True, envvar="UDFS_WRITERS", hidden=True)
def ci_apply(
    run: CiRun,
    refresh: str,
    restore: bool,
    yes: bool,
    approved: tuple[Path, ...],
    digests: tuple[str, ...],
    allow_deletes: int,
    verify: bool,
    rollback_on_failure: bool,
    writers: int,
) -> Result:
    """Plan each manifest and target, then apply one after the other, as far as it was approved.

    What comes behind one that failed is not begun: a manifest that waits for it (`after:`), and the same manifest's next
    targets. The others go on. Run again, it goes on with what is left.
    """
    from reconciler.cli.apply import Terms
    from reconciler.cli.support.confirm import Consent

    if not (yes or approved or digests):
        hint = "--approved DIR takes the folder of udfs ci plan --out; --yes applies whatever is planned now"
        raise Refused("E507", "nobody has approved anything, and udfs asks nobody in a pipeline", hint=hint)
    if rollback_on_failure and not verify:
        raise UsageError("E901", "--rollback-on-failure goes with --verify", hint="add --verify")
    consent = Consent(yes=True, allow_deletes=allow_deletes, writers=writers)
    terms = Terms(refresh, restore, consent, verify, rollback_on_failure, _read_approved(approved))
    applies = _Applies(run, terms, digests, is_approved=bool(approved or digests))
    for entry in run.entries:
        applies.plans[entry] = applies.look(entry)
        run.tell(entry, applies.plans[entry])
    results: dict[CiEntry, EntryResult] = {}
    for entry in run.entries:
        results[entry] = applies.perform(entry, results)
        if results[entry] is not applies.plans[entry]:
            run.tell(entry, results[entry])
        if results[entry].code == INTERRUPTED:
            break
    rest = ((entry, skipped_result("not begun: interrupted")) for entry in run.entries if entry not in results)
    return run.conclude([*results.items(), *rest])


INTERRUPTED = 130
