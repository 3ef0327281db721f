"""
Running the manifest's `tests:` here, in the CPython of each function's runtime.

A `Subject` is a function with the bytes that an apply would upload and the interpreter that runs it, or the reason why
nothing can run it. Subjects are tried side by side, each in one process: its tests share the imported module, as
rows do on the service, and get a new instance of the class each. After a crash the next test gets a new process.
"""

from __future__ import annotations

import enum
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from reconciler.local import runner
from reconciler.testing.expectations import Mismatch, mismatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from reconciler.base.errors import Position
    from reconciler.base.hints import Hint
    from reconciler.local.runner import FunctionError, Interpreter, Job, RunnerError, Session
    from reconciler.manifest.model import Test


class Verdict(enum.Enum):
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
class Subject:
    """A function to be tried."""

    cases: tuple[Case, ...]
    runs: tuple[Interpreter, Job] | RunnerError
    """What runs it, or why nothing does."""


@dataclass(frozen=True)
class Trial:
    """A test that was run, or why it was not."""

    case: Case
    verdict: Verdict
    seconds: float = 0.0
    python: str = ""
    """The version of the CPython."""
    difference: Mismatch | None = None
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


@dataclass(frozen=True)
class Bounds:
    """What a function that is run here may take."""

    seconds: float | None
    memory: int | None = None
    """Bytes of address space."""


def run(
    subjects: Sequence[Subject], bounds: Bounds, *, threads: int, clock: Callable[[], float]
) -> Iterator[tuple[Trial, ...]]:
    """Yield the trials of each subject, in their order; whoever stops listening stops the work."""
    stopped = threading.Event()
    with ThreadPoolExecutor(threads) as pool:
        waiting = [pool.submit(_all, one, bounds, stopped, clock) for one in subjects]
        try:
            for one in waiting:
                yield one.result()
        finally:
            stopped.set()


def _all(subject: Subject, bounds: Bounds, stopped: threading.Event, clock: Callable[[], float]) -> tuple[Trial, ...]:
    if isinstance(subject.runs, runner.RunnerError):
        return tuple(Trial(case, Verdict.NOT_RUN, error=subject.runs) for case in subject.cases)
    interpreter, job = subject.runs
    version = ".".join(map(str, interpreter.version))
    found: list[Trial] = []
    session: Session | None = None
    try:
        for case in subject.cases:
            if stopped.is_set():
                break
            started = clock()
            try:
                if session is None or not session.alive:
                    session = runner.session(
                        interpreter, job, timeout=bounds.seconds, memory=bounds.memory, cancelled=stopped.is_set
                    )
                trial = _one(case, session)
            except runner.FunctionError as error:
                trial = _failed(case, error)
            except runner.RunnerError as error:
                trial = Trial(case, Verdict.NOT_RUN, error=error)
            found.append(replace(trial, seconds=clock() - started, python=version))
    finally:
        if session is not None:
            session.close()
    return tuple(found)


def _one(case: Case, session: Session) -> Trial:
    call = session.call([[runner.Json(value) for value in row] for row in case.test.input])
    difference = judged(case.test, session.description.kind, list(call))
    return Trial(case, Verdict.FAILED if difference else Verdict.PASSED, difference=difference, log=call.log)


def _failed(case: Case, error: FunctionError) -> Trial:
    """Return what an error means, which may be what the test expects."""
    is_expected = case.test.raises is not None and error.exception != "" and case.test.raises in error.exception
    return Trial(
        case,
        Verdict.PASSED if is_expected else Verdict.FAILED,
        error=None if is_expected else error,
        exception=error.exception,
        row=error.row,
        traceback=error.traceback,
        log=error.log,
    )


def judged(test: Test, kind: str, given: list[Any]) -> Mismatch | None:
    """Compare what came of a test with what it says."""
    result = given if kind == "udtf" or (kind == "udf" and test.rows is not None) else given[0]
    if test.raises is not None:
        return Mismatch("", None, result, f"{test.raises} is expected")
    if kind == "udtf" and not (isinstance(test.returns, list) and all(isinstance(row, list) for row in test.returns)):
        return Mismatch("", test.returns, result, "`returns` of a table function is a list of rows, each a list")
    return mismatch(test.returns, result)
