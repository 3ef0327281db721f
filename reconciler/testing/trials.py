"""Trials: tests of the manifest, and what became of each."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.local.runner import RunnerError

if TYPE_CHECKING:
    from reconciler.base.errors import Position
    from reconciler.base.hints import Hint
    from reconciler.manifest.model import Test
    from reconciler.testing.expectations import ResultMismatch


class FunctionAbsent(RunnerError):
    """The function is not in the project."""


class TrialVerdict(enum.Enum):
    """What became of one test."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_RUN = "not run"


@dataclass(frozen=True)
class Case:
    """One test of the manifest."""

    function: str
    number: int
    """Among the function's tests, from 1."""
    test: Test
    at: Position


@dataclass(frozen=True)
class Trial:
    """A test that was run, or why it was not."""

    case: Case
    verdict: TrialVerdict
    seconds: float = 0.0
    python: str = ""
    """The version of the CPython."""
    difference: ResultMismatch | None = None
    """How the result is not what is expected; None if an error came instead, or all is well."""
    error: RunnerError | None = None
    """What came instead of a result; None also where that is what the test expects."""
    exception: str = ""
    """The line of the exception that left the function's code; empty if none did."""
    row: int | None = None
    """The row at which it did, from 0."""
    traceback: str = ""
    log: str = ""
    """The end of what the function printed."""
    hint: Hint | None = None
    """What to do now, where the error does not say it."""
