"""ci: the manifests of a repository in a pipeline; each step writes a folder that later steps read."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from reconciler.base.errors import InvalidManifest, LeaseHeld, Refused, ServiceError, UdfsError, UsageError, count
from reconciler.base.files import machine_error
from reconciler.cli.ci_approvals import approvals
from reconciler.cli.ci_publish import publish
from reconciler.cli.support.files import parse_digest, read_plan
from reconciler.cli.support.options import command, handover_options, has_renderer, refresh_option
from reconciler.cli.support.pipeline import (
    CiEntry,
    CiRun,
    EntryResult,
    ci_options,
    failure_result,
    fingerprint_of,
    problems_output,
    skipped_result,
)
from reconciler.cli.support.plans import (
    CHANGES_PRESENT,
    PLAN_FORMATS,
    complete_plan,
    plan_output,
    plan_target,
    take_snapshot,
)
from reconciler.cli.support.project import connect, open_manifest, prepare_files
from reconciler.render import text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.base.errors import Problem
    from reconciler.cli.apply import Terms
    from reconciler.cli.support.options import Format, Options
    from reconciler.cli.support.output import Output, Result
    from reconciler.cli.support.perform import Proposal
    from reconciler.cli.support.plans import TargetPlan
    from reconciler.core.plan import Plan
    from reconciler.core.report import Report
    from reconciler.engine.approval import Approval
    from reconciler.engine.saved_plan import Saved
    from reconciler.manifest.load import Loaded
    from reconciler.testing.trials import Trial
    from reconciler.workflow.preparation import Prepared


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def ci() -> None:
    """Check, plan and apply the manifests of a repository in a pipeline, in three lines of any CI system.

    Without -f it is each udfs.yaml of the repository, and each comes behind those that its `after:` names. The exit code is
    the worst of all: 130, 8, 1, 4, 3, 5, 6, 7, 9, 2, 0.
    """


# --- check ----------------------------------------------------------------------------------------------------------------


@command()
@ci_options("check")
@click.option(
    "--wheels",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the wheels that were built into this folder, for --no-build --wheels DIR where credentials are.",
)
@click.option("--no-tests", is_flag=True, help="Run no tests.")
@click.option(
    "--against",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    metavar="DIR",
    help="Run only tests of functions that differ from dumps, STACK.TARGET.json each.",
)
@click.option("-j", "--jobs", type=click.IntRange(1, 256), metavar="N", help="Functions tested at a time.")
def ci_check(run: CiRun, wheels: Path | None, no_tests: bool, against: Path | None, jobs: int | None) -> Result:
    """Check each manifest: its files, lock, sources and policy, and run its tests here. No service is contacted.

    It runs code of the change, so give it no credentials, and those to a job of its own.
    """
    checked: set[Path] = set()

    def work(options: Options) -> EntryResult:
        # What is the same for each target is looked at once.
        is_first = options.file not in checked
        checked.add(options.file)
        result = _check(options, jobs, against, with_tests=is_first and not no_tests)
        if wheels is not None and is_first:
            from reconciler.cli.build import export_built

            export_built(open_manifest(options, warn=False), run.wheels_folder(wheels, options.file))
        return result

    return run.each(work)


def _check(options: Options, jobs: int | None, against: Path | None, *, with_tests: bool) -> EntryResult:
    from reconciler.workflow import preparation

    loaded = open_manifest(options, warn=False)
    if loaded.manifest.packages:
        from reconciler.cli.lock import require_lock

        require_lock(loaded)
    prepared = prepare_files(loaded, options, warn=False)
    if problems := preparation.test_problems(prepared):
        raise InvalidManifest.of(problems)
    if breaches := preparation.policy_breaches(prepared):
        raise Refused.of(breaches)
    warnings = options.invocation.complete((*loaded.warnings, *prepared.warnings))
    functions = len(loaded.manifest.functions)
    summary = f"valid, {count(functions, 'function')} and {count(len(prepared.desired) - functions, 'resource')}"
    result = EntryResult(
        "clean",
        0,
        summary,
        lambda form: problems_output(warnings, form, summary),
        ("text", "json", "markdown", "sarif", "github"),
        stack=loaded.manifest.stack,
        counts={"problems": len(warnings)},
        fingerprint=fingerprint_of(warnings),
        problems=warnings,
    )
    return _test(result, prepared, options, jobs, against) if with_tests else result


def _test(
    result: EntryResult, prepared: Prepared, options: Options, jobs: int | None, against: Path | None
) -> EntryResult:
    """Return the result of a check with that of the manifest's tests."""
    from reconciler.cli.support.verification import chosen_cases

    cases = chosen_cases(prepared.loaded, ())
    if cases and against is not None:
        from reconciler.cli.test import changed_cases

        cases = changed_cases(prepared, cases, _dump_of(prepared.loaded, against))
    if not cases:
        return result
    from reconciler.cli.support.interpreter import SECONDS, bounds_of, local_runtime
    from reconciler.cli.test import run_here, tests_code, trial_problems
    from reconciler.render.documents.applies import test_document
    from reconciler.render.styled import plain_text
    from reconciler.render.trials import junit_xml, tests_summary

    local_runtime(prepared.loaded)
    trials = run_here(prepared, cases, bounds_of(SECONDS, None), jobs, is_shown=False)
    failures = options.invocation.complete(dict.fromkeys(trial_problems(trials)))
    problems, stack = (*result.problems, *failures), prepared.loaded.manifest.stack
    summary = f"{result.summary}; {plain_text([tests_summary(trials)]).strip()}"

    def render(form: str) -> Output:
        if form == "json":
            return test_document(stack, trials)
        return junit_xml(stack, trials) if form == "junit" else problems_output(problems, form, summary)

    return replace(
        result,
        outcome="failed" if tests_code(trials) else "clean",
        code=tests_code(trials),
        summary=summary,
        render=render,
        formats=(*result.formats, "junit"),
        counts={"tests": len(trials), "problems": len(problems)},
        fingerprint=fingerprint_of(problems),
        problems=problems,
    )


def _dump_of(loaded: Loaded, folder: Path) -> Path:
    """Return where the dump of a stack and target lies among those of all."""
    return folder / f"{loaded.manifest.stack}.{loaded.target_name}.json"


# --- plan -----------------------------------------------------------------------------------------------------------------


@command()
@ci_options("plan")
@handover_options
@refresh_option
@click.option("--exit-code", is_flag=True, help="Exit with 2 when there is something to do.")
@click.option(
    "--allow-deletes", type=click.IntRange(min=0), default=0, metavar="N", help="Allow up to N deletes in each plan."
)
@click.option(
    "--against",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    metavar="DIR",
    help="Plan against dumps, STACK.TARGET.json each; no project is read.",
)
def ci_plan(run: CiRun, refresh: str, exit_code: bool, allow_deletes: int, against: Path | None) -> Result:
    """Plan each manifest and target, and with --out write each plan in every format, to be approved and applied."""

    def work(options: Options) -> EntryResult:
        dump = None
        if against is not None:
            loaded = open_manifest(options, warn=False)
            dump = _dump_of(loaded, against)
        return plan_result(plan_target(options, full=refresh == "full", against=dump), options, allow_deletes)

    return _forgive(run.each(work), exit_code=exit_code)


def plan_result(parts: TargetPlan, options: Options, allow_deletes: int) -> EntryResult:
    """Return what a plan comes to in a pipeline."""
    from reconciler.engine import saved_plan

    plan = parts.plan
    saved = None
    if not plan.refusals:
        saved = saved_plan.write(
            saved_plan.save(parts.bare, parts.snapshot.reading, parts.manifest, allow_deletes=allow_deletes)
        )
    return replace(
        describe_plan(plan, options),
        problems=(*plan.refusals, *plan.warnings),
        saved=saved,
        notes=parts.snapshot.notes,
    )


def describe_plan(plan: Plan, options: Options) -> EntryResult:
    """Return what a plan says, and how it is written in each format."""
    return EntryResult(
        "refused" if plan.refusals else "changes" if plan.changes else "clean",
        Refused.exit_code if plan.refusals else CHANGES_PRESENT if plan.changes else 0,
        text.plan_summary(plan),
        lambda form: plan_output(plan, replace(options, format=cast("Format", form))),
        tuple(filter(has_renderer, PLAN_FORMATS)),
        stack=plan.stack,
        counts=operation_counts(plan),
        fingerprint=plan.digest,
        digest=plan.digest,
    )


def operation_counts(plan: Plan) -> dict[str, int]:
    """Return the operations of a plan by their actions, and its problems."""
    counts = {action.value: number for action, number in plan.counts.items()}
    return {**counts, "unchanged": len(plan.unchanged), "problems": len(plan.refusals) + len(plan.warnings)}


def _forgive(result: Result, *, exit_code: bool) -> Result:
    """Return a result whose changes, where nothing else is amiss, are no failure of the step unless that is asked for."""
    return result if exit_code or result.code != CHANGES_PRESENT else replace(result, code=0)


# --- apply ----------------------------------------------------------------------------------------------------------------


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
        result = self.run.attempt(entry, lambda options: self._look(entry, options))
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
            return apply_output(plan, report, summary, problems, form)

        return EntryResult(
            "failed" if code else "changes" if plan.changes else "clean",
            code,
            summary,
            render,
            ("text", "json", "markdown", "sarif", "github"),
            stack=plan.stack,
            counts={**operation_counts(plan), "done": len(report.done), "problems": len(problems)},
            fingerprint=plan.digest,
            digest=plan.digest,
            problems=problems,
        )


def _verification_problems(trials: Iterable[Trial]) -> Iterator[Problem]:
    from reconciler.render import trials as rendered
    from reconciler.testing.trials import TrialVerdict

    for trial in trials:
        if trial.verdict is TrialVerdict.FAILED:
            yield rendered.test_failure(trial)
        elif trial.verdict is TrialVerdict.NOT_RUN:
            yield rendered.not_run(trial)


def apply_output(plan: Plan, report: Report, summary: str, problems: tuple[Problem, ...], form: str) -> Output:
    """Return an apply in a format."""
    match form:
        case "json":
            from reconciler.render.documents.applies import report_document

            return report_document(plan, report)
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
    terms = Terms(refresh, False, consent, verify, rollback_on_failure, _read_approved(approved))
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


# --- drift ----------------------------------------------------------------------------------------------------------------


@command()
@ci_options("drift")
@handover_options
@refresh_option
def ci_drift(run: CiRun, refresh: str) -> Result:
    """Look for what was changed behind each manifest's back. Exits with 2 when there is drift and nothing worse.

    Where somebody is applying, or the service does not answer, there is no verdict: the outcome is unknown.
    """

    def work(options: Options) -> EntryResult:
        try:
            return _drift(options, full=refresh == "full")
        except (ServiceError, OSError) as error:
            failure = error if isinstance(error, UdfsError) else machine_error(error)
            return replace(failure_result(failure), outcome="unknown")

    return run.each(work)


def _drift(options: Options, *, full: bool) -> EntryResult:
    from reconciler.cli.drift import DRIFT_FORMATS, drift_output
    from reconciler.workflow import planning

    prepared = prepare_files(open_manifest(options, warn=False), options, warn=False)
    snapshot = take_snapshot(prepared.loaded, full=full)
    if snapshot.rival is not None:
        error = LeaseHeld("E610", snapshot.notes[0], hint="look again when that apply is over")
        return replace(failure_result(error), outcome="unknown", stack=prepared.loaded.manifest.stack)
    plan = planning.make_plan(prepared, snapshot.reading, now=snapshot.now)
    drift = planning.find_drift(prepared, snapshot.reading, snapshot.copies, snapshot.now)
    warnings = options.invocation.complete(
        (
            *(snapshot.copies.warnings(prepared.desired) if snapshot.copies else ()),
            *planning.idle_exemptions(prepared.loaded, drift.tolerations, snapshot.now),
        )
    )
    problems = options.invocation.complete(deviation.problem for deviation in drift.drifted)
    return EntryResult(
        "changes" if drift.drifted else "clean",
        CHANGES_PRESENT if drift.drifted else 0,
        text.drift_summary(drift),
        lambda form: drift_output(drift, plan, replace(options, format=cast("Format", form)), (), warnings),
        tuple(filter(has_renderer, DRIFT_FORMATS)),
        stack=plan.stack,
        counts={
            "drifted": len(drift.drifted),
            "waiting": drift.waiting,
            "unchanged": drift.unchanged,
            "problems": len(problems),
        },
        fingerprint=drift.fingerprint or fingerprint_of((), []),
        problems=problems,
    )


ci.add_command(ci_check, "check")
ci.add_command(ci_plan, "plan")
ci.add_command(ci_apply, "apply")
ci.add_command(ci_drift, "drift")
ci.add_command(publish)
ci.add_command(approvals)
