"""Test results as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.core.plan import Destination
    from reconciler.testing.trials import Trial

from typing import ClassVar, Literal

from pydantic import Field

from reconciler.base.hints import spell
from reconciler.engine.plan_file import (
    Model,
    Open,
)
from reconciler.render.trials import count_verdicts, failure_reason, test_title, trial_hint
from reconciler.testing.trials import TrialVerdict


class TrialDocument(Model):
    """One test of a function."""

    function: str
    number: int = Field(description="Among the function's tests, from 1.")
    title: str = Field(description="The call as a person reads it.")
    verdict: Literal["passed", "failed", "not run"]
    seconds: float
    python: str = Field(description="The version of the CPython; empty if none was started.")
    file: str
    line: int
    column: int
    reason: str | None = Field(None, description="Why it did not pass.")
    hint: str | None = None
    traceback: tuple[str, ...] = ()
    log: str = Field("", description="The end of what the function printed.")


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
    tests = test_document(stack, trials)
    return VerifyDocument(
        stack=stack,
        target=destination.target,
        **destination.parts,
        passed=tests.passed,
        failed=tests.failed,
        not_run=tests.not_run,
        rolled_back=rolled_back,
        tests=tests.tests,
    )


def _trial_document(trial: Trial) -> TrialDocument:
    return TrialDocument(
        function=trial.case.function,
        number=trial.case.number,
        title=test_title(trial.case),
        verdict=trial.verdict.value,
        seconds=round(trial.seconds, 3),
        python=trial.python,
        file=trial.case.at.file,
        line=trial.case.at.line,
        column=trial.case.at.column,
        reason=None if trial.verdict is TrialVerdict.PASSED else failure_reason(trial),
        hint=spell(trial_hint(trial)) or None,
        traceback=tuple(trial.traceback.splitlines()),
        log=trial.log,
    )
