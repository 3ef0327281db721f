"""Trials as JUnit's XML: whatever a function prints or raises, it is well-formed and counts right."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from reconciler.base.errors import Position, Problem
from reconciler.local.runner import FunctionRaised, RunnerError
from reconciler.render import trials as tried
from reconciler.render.junit import entry_junit, trials_junit
from reconciler.targets.maxcompute.manifest import SqlTest
from reconciler.testing.expectations import find_mismatch
from reconciler.testing.trials import Case, Trial
from reconciler.testing.verdict import TrialVerdict

ANYTHING = st.text(st.characters(), max_size=30)


def case(*args: object) -> Case:
    return Case("f", 1, SqlTest(args=list(args), returns=1), Position("udfs.yaml", 3, 5))


def failed(text: str) -> Trial:
    error = FunctionRaised(text, exception=text, traceback=text, log=text)
    return Trial(case(text), TrialVerdict.FAILED, 0.5, "3.7.17", error=error, exception=text, traceback=text, log=text)


@given(ANYTHING)
def test_a_report_is_well_formed_whatever_was_printed(text: str) -> None:
    trials = [
        Trial(case(1), TrialVerdict.PASSED),
        failed(text),
        Trial(case(text), TrialVerdict.FAILED, difference=find_mismatch(text, [text])),
        Trial(case(text), TrialVerdict.NOT_RUN, error=RunnerError(text)),
        Trial(case(text), TrialVerdict.LEFT_OUT),
    ]
    (suite,) = ET.fromstring(trials_junit("s", trials).encode())
    assert [suite.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["5", "2", "1", "1"]
    assert [[child.tag for child in one if child.tag != "system-out"] for one in suite] == [
        [], ["failure"], ["failure"], ["error"], ["skipped"],
    ]  # fmt: skip


@given(ANYTHING, st.sampled_from(["clean", "changes", "refused", "failed", "unknown", "skipped"]), st.booleans())
def test_a_step_of_a_pipeline_is_a_report_that_fails_if_something_is_wrong(
    text: str, outcome: str, is_told: bool
) -> None:
    problems = [Problem("E805", text, Position("udfs.yaml", 3, 5), hint=text)] if is_told else []
    warning = Problem("E582", text, severity="warning")
    (suite,) = ET.fromstring(entry_junit(text, "plan", outcome, text, [*problems, warning]).encode())
    counted = {name: suite.get(f"{name}s" if name != "skipped" else name) for name in ("failure", "error", "skipped")}
    verdict = {"refused": "failure", "failed": "failure", "unknown": "error", "skipped": "skipped"}.get(outcome, "")
    if is_told:
        verdict = "error" if outcome == "unknown" else "failure"
    assert suite.get("tests") == "1"
    assert {name for name, number in counted.items() if number == "1"} == ({verdict} if verdict else set())


def test_what_is_printed_is_shown_by_its_end() -> None:
    shown = tried.test_failure(failed("\n".join(map(str, range(100))))).detail
    assert shown[-42:-39] == ("printed:", "  … 60 lines before", "  60")
    assert shown[-1] == "  99"


def test_a_long_value_is_cut() -> None:
    assert len(tried.test_title(case("x" * 10_000))) < 120
