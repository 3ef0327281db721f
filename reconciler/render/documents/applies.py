"""Tests, reports of applies, the ledger and drift as JSON."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - pydantic reads the annotation
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from reconciler.base.hints import spell
from reconciler.engine.plan_file import (
    Action,
    DifferenceDocument,
    IgnoredDocument,
    Model,
    ObjectDocument,
    Open,
    PlanDocument,
    ProblemDocument,
    difference_documents,
    ignored_documents,
    object_fields,
    plan_document,
    problem_document,
)
from reconciler.render.trials import count_verdicts, failure_reason, test_title, trial_hint
from reconciler.testing.verdict import TrialVerdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reconciler.base.errors import Problem
    from reconciler.core.drift import Drift
    from reconciler.core.plan import Destination, Plan
    from reconciler.core.record import Entry
    from reconciler.core.report import Report
    from reconciler.testing.trials import Trial


class TrialDocument(Model):
    """One test of a function."""

    function: str
    number: int = Field(description="Among the function's tests, from 1.")
    title: str = Field(description="The call as a person reads it.")
    verdict: Literal["passed", "failed", "not run", "left out"]
    seconds: float
    python: str = Field(description="The version of the CPython; empty if none was started.")
    file: str
    line: int
    column: int
    reason: str | None = Field(None, description="Why it did not pass.")
    hint: str | None = None
    traceback: tuple[str, ...] = ()
    log: str = Field("", description="The end of what the function printed.")
    notes: tuple[str, ...] = Field((), description="What was not as on the service where it ran.")


class TestDocument(Model):
    """What `udfs test --format json` prints."""

    format: Literal["udfs.test/1"] = "udfs.test/1"
    stack: str
    passed: int
    failed: int
    not_run: int
    tests: tuple[TrialDocument, ...]


class VerifyDocument(Open):
    """What `udfs verify --format json` prints, and `udfs apply --verify` inside its report."""

    behind: ClassVar[str] = "target"

    format: Literal["udfs.verify/1"] = "udfs.verify/1"
    stack: str
    target: str
    passed: int
    failed: int
    not_run: int
    left_out: int = Field(0, description="Tests that the manifest keeps from being run there: `verify: false`.")
    rolled_back: bool = Field(False, description="Whether the functions were brought back to what they were before.")
    tests: tuple[TrialDocument, ...]


def test_document(stack: str, trials: Sequence[Trial]) -> TestDocument:
    counted = count_verdicts(trials)
    return TestDocument(
        stack=stack,
        passed=counted[TrialVerdict.PASSED],
        failed=counted[TrialVerdict.FAILED],
        not_run=counted[TrialVerdict.NOT_RUN],
        tests=tuple(map(_trial_document, trials)),
    )


def verify_document(
    stack: str, destination: Destination, trials: Sequence[Trial], *, rolled_back: bool
) -> VerifyDocument:
    left_out = count_verdicts(trials)[TrialVerdict.LEFT_OUT]
    return VerifyDocument.of(
        test_document(stack, trials),
        target=destination.target,
        **destination.parts,
        left_out=left_out,
        rolled_back=rolled_back,
    )


def _trial_document(trial: Trial) -> TrialDocument:
    return TrialDocument.of(
        trial.case,
        trial.case.at,
        trial,
        title=test_title(trial.case),
        verdict=trial.verdict.value,
        seconds=round(trial.seconds, 3),
        reason=None if trial.verdict is TrialVerdict.PASSED else failure_reason(trial),
        hint=spell(trial_hint(trial)) or None,
        traceback=tuple(trial.traceback.splitlines()),
    )


class OutcomeDocument(Model):
    """What became of one change."""

    kind: str
    name: str
    action: Action
    outcome: Literal["done", "failed", "not tried", "unknown"]


class ReportDocument(Model):
    """What an apply did."""

    format: Literal["udfs.report/1"] = "udfs.report/1"
    plan: PlanDocument
    outcomes: tuple[OutcomeDocument, ...]
    interrupted: bool = False
    problems: tuple[ProblemDocument, ...] = ()
    verification: VerifyDocument | None = Field(None, description="With --verify, if everything was applied.")


def report_document(plan: Plan, report: Report, verification: VerifyDocument | None = None) -> ReportDocument:
    return ReportDocument(
        verification=verification,
        plan=plan_document(plan),
        outcomes=tuple(
            OutcomeDocument.of(change.key, action=change.action.value, outcome=outcome.value)
            for change, outcome in report.outcomes
        ),
        interrupted=report.interrupted,
        problems=tuple(map(problem_document, report.error.problems)) if report.error else (),
    )


class PersonDocument(Model):
    """Who ended a lease, and where."""

    user: str
    host: str
    pipeline: str = Field(description="The address of the pipeline's run, or its name.")
    system: str = Field("", description="Whose pipeline: github, gitlab, yunxiao, jenkins, gitee, azure, circleci.")
    branch: str = Field("", description="Of a pull request the one that it comes from.")
    pull_request: str = Field("", description="Its number.")


class FunctionVerdictDocument(Model):
    """What came of the tests by SQL of one function, as this run left it."""

    kind: str
    name: str = Field(description="As the service looks it up.")
    verified: bool = Field(description="Whether there was a test, and each passed.")
    passed: int
    failed: int
    not_run: int
    when: datetime
    who: str


class RunDocument(Model):
    """One apply, as the ledger keeps it."""

    format: Literal["udfs.run/1"] = "udfs.run/1"
    epoch: int
    outcome: Literal["running", "committed", "failed", "interrupted"]
    user: str
    host: str
    pipeline: str = Field(description="The address of the pipeline's run, or its name.")
    system: str = Field("", description="Whose pipeline: github, gitlab, yunxiao, jenkins, gitee, azure, circleci.")
    branch: str = Field("", description="Of a pull request the one that it comes from.")
    pull_request: str = Field("", description="Its number.")
    commit: str
    dirty: bool
    run: str = Field("", description="A random name of the run.")
    started: datetime
    expires: datetime = Field(description="When the lease ends, or when the run ended.")
    digest: str
    back_to: int | None = Field(None, description="The epoch that a rollback went back to.")
    ended_by: PersonDocument | None = Field(None, description="Who ended the lease by unlock.")
    allowed: tuple[str, ...] | None = Field(
        None, description="What was found in files and gone past by --no-check, each with its code."
    )
    steps: tuple[OutcomeDocument, ...]
    verified: bool | None = Field(None, description="Whether all tests that ran since have passed; absent if none ran.")
    verdicts: tuple[FunctionVerdictDocument, ...] | None = Field(
        None, description="Of each function whose tests ran since."
    )
    objects: tuple[ObjectDocument, ...] | None = Field(
        None, description="What the stack managed afterwards; of one run."
    )


class HistoryDocument(Model):
    """The last applies of a stack, the newest first."""

    format: Literal["udfs.history/1"] = "udfs.history/1"
    runs: tuple[RunDocument, ...]


def history_document(entries: Iterable[Entry]) -> HistoryDocument:
    return HistoryDocument(runs=tuple(run_document(entry, objects=False) for entry in entries))


def run_document(entry: Entry, *, objects: bool = True) -> RunDocument:
    return RunDocument.of(
        entry,
        entry.holder,
        digest=f"sha256:{entry.digest}",
        ended_by=entry.ended_by and PersonDocument.of(entry.ended_by),
        allowed=entry.allowed or None,
        steps=tuple(map(OutcomeDocument.of, entry.steps)),
        verified=all(verdict.has_passed for verdict in entry.verdicts) if entry.verdicts else None,
        verdicts=tuple(FunctionVerdictDocument.of(verdict, verified=verdict.has_passed) for verdict in entry.verdicts)
        or None,
        objects=tuple(ObjectDocument(**object_fields(record.object)) for record in entry.objects.values())
        if objects
        else None,
    )


class DriftedDocument(Model):
    """One object that was changed outside."""

    kind: str
    name: str
    what: Literal["edited", "deleted", "recreated", "type changed", "list changed", "name taken"]
    who: str | None = Field(None, description="If the service says.")
    when: datetime | None = None
    deployed_from: str | None = Field(
        None, description="The tool that did it, if who did it is known for its identity."
    )
    file: str
    line: int
    column: int
    differences: tuple[DifferenceDocument, ...] = Field(
        (), description="`old` is what the manifest wants, `new` what the project has."
    )
    restorable: bool = Field(description="Whether `udfs apply --restore` brings it back.")
    why_not: str | None = Field(None, description="Why it does not.")


class DriftDocument(Open):
    """What was changed outside since the last apply."""

    behind: ClassVar[str] = "target"

    format: Literal["udfs.drift/1"] = "udfs.drift/1"
    stack: str
    target: str
    outcome: Literal["clean", "drift", "unknown"] = Field(
        description="unknown: somebody was applying, or the service did not answer; then nothing else is said."
    )
    fingerprint: str | None = Field(
        None, description="sha256 of the objects and of what is otherwise with them; it stays while the drift stays."
    )
    restore_digest: str | None = Field(None, description="Of the plan of `udfs apply --restore`, for --digest.")
    drifted: tuple[DriftedDocument, ...]
    ignored: tuple[IgnoredDocument, ...] | None = Field(None, description="What the manifest says to leave as it is.")
    problems: tuple[ProblemDocument, ...] | None = Field(
        None, description="Why there is no verdict; and what the manifest ignores in vain."
    )
    waiting: int = Field(description="Objects that the manifest has changed since, and that no apply has brought yet.")
    unchanged: int
    warnings: tuple[ProblemDocument, ...] = Field((), description="What is about to change objects from outside.")


def unknown_drift_document(stack: str, destination: Destination, problems: Iterable[Problem]) -> DriftDocument:
    """Return the document where nothing can be said: no object is in it, neither as drifted nor as unchanged."""
    return DriftDocument(
        stack=stack,
        target=destination.target,
        **destination.parts,
        outcome="unknown",
        drifted=(),
        problems=tuple(map(problem_document, problems)),
        waiting=0,
        unchanged=0,
    )


def drift_document(
    drift: Drift, plan: Plan, restoring: Plan | None = None, warnings: Iterable[Problem] = ()
) -> DriftDocument:
    return DriftDocument(
        stack=plan.stack,
        target=plan.destination.target,
        **plan.destination.parts,
        outcome="drift" if drift.drifted else "clean",
        fingerprint=drift.fingerprint and f"sha256:{drift.fingerprint}",
        restore_digest=f"sha256:{restoring.digest}" if restoring and restoring.changes else None,
        ignored=ignored_documents(drift.tolerations) or None,
        problems=tuple(map(problem_document, warnings)) or None,
        drifted=tuple(
            DriftedDocument.of(
                deviation.key,
                deviation.origin,
                deviation,
                what=deviation.kind.value,
                who=deviation.who or None,
                deployed_from=deviation.deployed_from or None,
                differences=difference_documents(drift.turned for drift in deviation.differences),
                restorable=not deviation.obstacle,
                why_not=deviation.obstacle or None,
            )
            for deviation in drift.drifted
        ),
        waiting=drift.waiting,
        unchanged=drift.unchanged,
        warnings=tuple(map(problem_document, warnings)),
    )
