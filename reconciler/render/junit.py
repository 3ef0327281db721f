"""
JUnit reports: tests, and what a step of a pipeline came to, in the XML that every system collects.

There is no standard of it: what is written is what JUnit's own Ant task writes, and `file` and `line`, which GitLab reads.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, NamedTuple

from reconciler.base.hints import spell
from reconciler.testing.verdict import TrialVerdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from reconciler.base.errors import Problem
    from reconciler.testing.trials import Trial


class JunitCase(NamedTuple):
    """One test case of a report."""

    classname: str
    name: str
    verdict: str = ""
    """Nothing if it passed, else the element that says what became of it: *failure*, *error*, *skipped*."""

    message: str = ""
    detail: str = ""
    log: str = ""
    file: str = ""
    line: int = 0
    seconds: float = 0.0


_VERDICTS = {
    TrialVerdict.PASSED: "",
    TrialVerdict.FAILED: "failure",
    TrialVerdict.NOT_RUN: "error",
    TrialVerdict.LEFT_OUT: "skipped",
}
_OUTCOMES = {"refused": "failure", "failed": "failure", "unknown": "error", "skipped": "skipped"}


def trials_junit(stack: str, trials: Iterable[Trial]) -> str:
    """Return tests as JUnit's XML."""
    return _document(stack, [_trial_case(stack, trial) for trial in trials])


def entry_junit(
    name: str, command: str, outcome: str, summary: str, problems: Iterable[Problem], trials: Sequence[Trial] = ()
) -> str:
    """Return what a step of a pipeline came to: a case for each test and each problem, or one for the whole."""
    cases = [_trial_case(name, trial) for trial in trials]
    cases += [
        JunitCase(
            f"{name}.{problem.code}",
            problem.message,
            "failure" if outcome != "unknown" else "error",
            problem.message,
            "\n".join([*problem.detail, *([f"help: {spell(problem.hint)}"] if problem.hint else [])]),
            file=problem.at.file if problem.at else "",
            line=problem.at.line if problem.at else 0,
        )
        for problem in problems
        if problem.severity == "error"
    ]
    return _document(name, cases or [JunitCase(name, command, _OUTCOMES.get(outcome, ""), summary)])


def _trial_case(stack: str, trial: Trial) -> JunitCase:
    # A plan has none, and does not pay for them.
    from reconciler.render.trials import failure_reason, test_title, trial_detail

    has_passed = trial.verdict is TrialVerdict.PASSED
    return JunitCase(
        f"{stack}.{trial.case.function}",
        f"{trial.case.number}: {test_title(trial.case)}",
        _VERDICTS[trial.verdict],
        "" if has_passed else failure_reason(trial),
        "" if has_passed else "\n".join(trial_detail(trial)),
        trial.log,
        trial.case.at.file,
        trial.case.at.line,
        trial.seconds,
    )


def _document(name: str, cases: Sequence[JunitCase]) -> str:
    counts = {
        f"{verdict}s" if verdict != "skipped" else verdict: str(sum(case.verdict == verdict for case in cases))
        for verdict in ("failure", "error", "skipped")
    }
    seconds = f"{sum(case.seconds for case in cases):.3f}"
    suite = ET.Element("testsuite", {"name": _printable(name), "tests": str(len(cases)), **counts, "time": seconds})
    for case in cases:
        element = ET.SubElement(suite, "testcase", dict(_attributes(case)))
        if case.verdict:
            ET.SubElement(element, case.verdict, message=_printable(case.message)).text = _printable(case.detail)
        if case.log:
            ET.SubElement(element, "system-out").text = _printable(case.log)
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _attributes(case: JunitCase) -> Iterator[tuple[str, str]]:
    yield "classname", _printable(case.classname)
    yield "name", _printable(case.name)
    if case.file:
        yield "file", _printable(case.file)
        yield "line", str(case.line)
    yield "time", f"{case.seconds:.3f}"


def _printable(text: str) -> str:
    """Leave out what XML 1.0 has no way to write."""
    return "".join(
        c if c in "\t\n" or (c >= " " and not "\ud800" <= c <= "\udfff" and c not in "\ufffe\uffff") else "\ufffd"
        for c in text
    )
