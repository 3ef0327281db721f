"""
Trials: tests of the manifest, what became of each, and their run here, in the CPython of each function's runtime.

A `LocalSubject` is a function with the `Program` that runs the bytes which an apply would upload, or the reason why
nothing can run it. Subjects are tried side by side, each in one process: its tests share the imported module, as
calls do on the service. After a crash the next test gets a new process. What a call is, rows or an event, the program knows.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from reconciler.base.activity import activity
from reconciler.local.runner import FunctionError, RunnerError
from reconciler.testing.verdict import TrialVerdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from reconciler.base.activity import Activity
    from reconciler.base.errors import Position
    from reconciler.base.hints import Hint
    from reconciler.manifest.model import Test
    from reconciler.testing.expectations import ResultMismatch


class FunctionAbsent(RunnerError):
    """The function is not in the project."""


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
    notes: tuple[str, ...] = ()
    """What was not as on the service, for people."""


@dataclass(frozen=True)
class Bounds:
    """What a function that is run here may take."""

    seconds: float | None
    memory: int | None = None
    """Bytes of address space."""


class Tryout(Protocol):
    """A process that has loaded a function."""

    @property
    def is_alive(self) -> bool:
        """Whether it can be called."""

    def try_case(self, case: Case) -> Trial:
        """Make the call of a test, and judge what comes back; raises `FunctionError`."""

    def close(self) -> None:
        """End it. Harmless twice."""


class Program(Protocol):
    """What runs a function here."""

    @property
    def version(self) -> str:
        """That of the CPython."""

    def start(self, bounds: Bounds, cancelled: Callable[[], bool]) -> Tryout:
        """Load the function; raises `FunctionError`, or another `RunnerError` if it is not the function's fault."""


@dataclass(frozen=True)
class LocalSubject:
    """A function to be tried."""

    cases: tuple[Case, ...]
    program: Program | RunnerError
    """What runs it, or why nothing does."""


def run_tests_here(
    subjects: Sequence[LocalSubject], bounds: Bounds, *, threads: int, clock: Callable[[], float]
) -> Iterator[tuple[Trial, ...]]:
    """Yield the trials of each subject, in their order; whoever stops listening stops the work."""
    stop = threading.Event()
    with activity("testing") as testing, ThreadPoolExecutor(threads) as pool:
        testing.plan("tests", sum(len(subject.cases) for subject in subjects))
        futures = [pool.submit(_run_subject, subject, bounds, stop, clock, testing) for subject in subjects]
        try:
            for subject in futures:
                yield subject.result()
        finally:
            stop.set()


def _run_subject(
    subject: LocalSubject, bounds: Bounds, stop: threading.Event, clock: Callable[[], float], testing: Activity
) -> tuple[Trial, ...]:
    program = subject.program
    if isinstance(program, RunnerError):
        return tuple(Trial(case, TrialVerdict.NOT_RUN, error=program) for case in subject.cases)
    trials: list[Trial] = []
    session: Tryout | None = None
    try:
        for case in subject.cases:
            if stop.is_set():
                break
            started = clock()
            try:
                with testing.at(f"{case.function}, test {case.number}"):
                    if session is None or not session.is_alive:
                        session = program.start(bounds, stop.is_set)
                    trial = session.try_case(case)
            except FunctionError as error:
                trial = failure_trial(case, error)
            except RunnerError as error:
                trial = Trial(case, TrialVerdict.NOT_RUN, error=error)
            trials.append(replace(trial, seconds=clock() - started, python=program.version))
            testing.count("tests")
    finally:
        if session is not None:
            session.close()
    return tuple(trials)


def failure_trial(case: Case, error: FunctionError) -> Trial:
    """Return what an error means, which may be what the test expects."""
    is_expected = case.test.raises is not None and error.exception != "" and case.test.raises in error.exception
    return Trial(
        case,
        TrialVerdict.PASSED if is_expected else TrialVerdict.FAILED,
        error=None if is_expected else error,
        exception=error.exception,
        row=error.row,
        traceback=error.traceback,
        log=error.log,
    )
