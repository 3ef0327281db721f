"""Test results for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.base.errors import Problem, count
from reconciler.base.hints import Command
from reconciler.base.words import safe
from reconciler.testing.expectations import format_value
from reconciler.testing.verdict import TrialVerdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from reconciler.base.hints import Hint
    from reconciler.render.styled import Line
    from reconciler.testing.expectations import ResultMismatch
    from reconciler.testing.trials import Case, Trial

_LONGEST = 100
_LOG_LINES = 40


def trial_line(trial: Trial) -> Line:
    """Return a test's line: what it is, and what it showed if it passed."""
    match trial.verdict:
        case TrialVerdict.PASSED:
            test = trial.case.test
            promise = f"raises {test.raises}" if test.raises is not None else f"→ {_literal(test.returns)}"
            return ("create", "  ok    "), ("", safe(f"{test_title(trial.case)} {promise}")), _seconds(trial)
        case TrialVerdict.FAILED:
            return ("error", "  FAIL  "), ("", safe(test_title(trial.case))), _seconds(trial)
        case TrialVerdict.NOT_RUN:
            return ("error", "  -     "), ("", safe(test_title(trial.case))), ("quiet", "  not run")
        case TrialVerdict.LEFT_OUT:
            return ("quiet", "  .     "), ("", safe(test_title(trial.case))), ("quiet", "  left out: verify: false")


_LONG = 1.0
"""Seconds of a test that a person would like to know."""


def _seconds(trial: Trial) -> tuple[str, str]:
    return "quiet", f"  {trial.seconds:.1f} s" if trial.seconds >= _LONG else ""


def tests_summary(trials: Sequence[Trial]) -> Line:
    """Return the line that counts."""
    parts = [f"{number} {verdict.value}" for verdict, number in count_verdicts(trials).items() if number]
    functions = len({trial.case.function for trial in trials})
    seconds = sum(trial.seconds for trial in trials)
    return ("name", f"Tests: {', '.join(parts)}, of {count(functions, 'function')}"), ("quiet", f", {seconds:.1f} s")


def count_verdicts(trials: Iterable[Trial]) -> dict[TrialVerdict, int]:
    """Return how many tests ended how."""
    counted = dict.fromkeys(TrialVerdict, 0)
    for trial in trials:
        counted[trial.verdict] += 1
    return counted


def test_title(case: Case) -> str:
    """Return a test as the call it is: ``country_name('XX')``."""
    if case.test.is_single:
        arguments = ", ".join(map(_literal, case.test.input[0]))
        return f"{case.function}({_cut(arguments)})"
    return f"{case.function} over {count(len(case.test.input), 'row')}"


def test_failure(trial: Trial) -> Problem:
    """Return what went wrong as a problem at the test's place."""
    return Problem(
        "E721",
        f"{test_title(trial.case)} {failure_reason(trial)}",
        trial.case.at,
        hint=trial_hint(trial),
        detail=tuple(trial_detail(trial)),
    )


def failure_reason(trial: Trial) -> str:
    """Return in half a sentence why a test did not pass."""
    if trial.verdict is TrialVerdict.LEFT_OUT:
        return "is left out: `verify: false`"
    if trial.difference is not None:
        return _difference(trial.difference)
    assert trial.error is not None
    if trial.exception:
        expected = trial.case.test.raises
        row = f" at row {trial.row + 1}" if not trial.case.test.is_single and trial.row is not None else ""
        return f"raised {trial.exception}{row}" + (f", and {expected} is expected" if expected is not None else "")
    return f"failed: {trial.error.message}"


def not_run(trial: Trial) -> Problem:
    """Return why a test was not said in SQL, as a problem at its place."""
    assert trial.error is not None
    message = f"{test_title(trial.case)} cannot be run by SQL: {trial.error.message}"
    hint = (Command("test"), " runs it here; `verify: false` at the test leaves it to that")
    return Problem("E733", message, trial.case.at, hint=hint)


def trial_hint(trial: Trial) -> Hint | None:
    """Return what to do about a test that did not pass."""
    return trial.hint or (trial.error.hint if trial.error else None) or None


def _difference(mismatch: ResultMismatch) -> str:
    if mismatch.reason:
        return f"returned {_literal(mismatch.actual)}, and {mismatch.reason}"
    place = f" at {mismatch.where}" if mismatch.where else ""
    return f"returned {_literal(mismatch.actual)}{place}, and {_literal(mismatch.expected)} is expected"


def trial_detail(trial: Trial) -> Iterator[str]:
    """Yield the traceback and the end of what was printed."""
    yield from trial.traceback.splitlines()
    lines = trial.log.splitlines()
    if lines:
        yield "printed:"
        if len(lines) > _LOG_LINES:
            yield f"  … {len(lines) - _LOG_LINES} lines before"
        yield from (f"  {line}" for line in lines[-_LOG_LINES:])


def _literal(value: object) -> str:
    """Return a value as SQL writes it down, cut to what a line takes."""
    if isinstance(value, str):
        return _cut("'" + value.replace("'", "''") + "'")
    return _cut(
        f"X'{value.hex()}'"
        if isinstance(value, bytes)
        else format_value(value, as_json=isinstance(value, list | tuple))
    )


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
