"""What `udfs test` says: for people, for programs, and as JUnit's XML for those who collect reports."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

from reconciler.base.errors import Problem, count
from reconciler.base.hints import Command
from reconciler.base.words import safe
from reconciler.testing.trials import TrialVerdict
from reconciler.testing.values import format_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from reconciler.base.hints import Hint
    from reconciler.render.text import Line
    from reconciler.testing.expectations import ResultMismatch
    from reconciler.testing.trials import Case, Trial

_LONGEST = 100
_LOG_LINES = 40


def trial(one: Trial) -> Line:
    """Return a test's line: what it is, and what it showed if it passed."""
    match one.verdict:
        case TrialVerdict.PASSED:
            promise = _promise(one.case)
            return ("create", "  ok    "), ("", safe(f"{title(one.case)} {promise}"))
        case TrialVerdict.FAILED:
            return ("error", "  FAIL  "), ("", safe(title(one.case)))
        case TrialVerdict.NOT_RUN:
            return ("warning", "  -     "), ("", safe(title(one.case))), ("quiet", "  not run")


def summary(trials: Sequence[Trial]) -> Line:
    """Return the line that counts."""
    told = [f"{number} {verdict.value}" for verdict, number in tally(trials).items() if number]
    functions = len({one.case.function for one in trials})
    return (("name", f"Tests: {', '.join(told)}, of {count(functions, 'function')}"),)


def tally(trials: Iterable[Trial]) -> dict[TrialVerdict, int]:
    """Return how many tests ended how."""
    counted = dict.fromkeys(TrialVerdict, 0)
    for one in trials:
        counted[one.verdict] += 1
    return counted


def title(case: Case) -> str:
    """Return a test as the call it is: ``country_name('XX')``."""
    if case.test.rows is None:
        given = ", ".join(map(_literal, case.test.args))
        return f"{case.function}({_cut(given)})"
    return f"{case.function} over {count(len(case.test.rows), 'row')}"


def failure(one: Trial) -> Problem:
    """Return what went wrong as a problem at the test's place."""
    return Problem(
        "E721", f"{title(one.case)} {reason(one)}", one.case.at, hint=hint_of(one), detail=tuple(_detail(one))
    )


def reason(one: Trial) -> str:
    """Return in half a sentence why a test did not pass."""
    if one.difference is not None:
        return _difference(one.difference)
    assert one.error is not None
    if one.exception:
        expected = one.case.test.raises
        row = f" at row {one.row + 1}" if one.case.test.rows is not None and one.row is not None else ""
        return f"raised {one.exception}{row}" + (f", and {expected} is expected" if expected is not None else "")
    return f"failed: {one.error.message}"


def unasked(one: Trial) -> Problem:
    """Return why a test was not said in SQL, as a warning at its place."""
    assert one.error is not None
    message = f"{title(one.case)} cannot be asked by SQL: {one.error.message}"
    return Problem("E733", message, one.case.at, hint=(Command("test"), " runs it here"), severity="warning")


def junit(stack: str, trials: Sequence[Trial]) -> str:
    """Return the trials as JUnit's XML, which every CI reads."""
    counted = tally(trials)
    suite = ET.Element(
        "testsuite",
        name=stack,
        tests=str(len(trials)),
        failures=str(counted[TrialVerdict.FAILED]),
        errors="0",
        skipped=str(counted[TrialVerdict.NOT_RUN]),
        time=f"{sum(one.seconds for one in trials):.3f}",
    )
    for one in trials:
        case = ET.SubElement(
            suite,
            "testcase",
            classname=f"{stack}.{one.case.function}",
            name=_xml(f"{one.case.number}: {title(one.case)}"),
            file=one.case.at.file,
            line=str(one.case.at.line),
            time=f"{one.seconds:.3f}",
        )
        if one.verdict is not TrialVerdict.PASSED:
            told = "failure" if one.verdict is TrialVerdict.FAILED else "skipped"
            ET.SubElement(case, told, message=_xml(reason(one))).text = _xml("\n".join(_detail(one)))
        if one.log:
            ET.SubElement(case, "system-out").text = _xml(one.log)
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def hint_of(one: Trial) -> Hint | None:
    """Return what to do about a test that did not pass."""
    return one.hint or (one.error.hint if one.error else None) or None


def _difference(found: ResultMismatch) -> str:
    if found.reason:
        return f"returned {_literal(found.actual)}, and {found.reason}"
    at = f" at {found.where}" if found.where else ""
    return f"returned {_literal(found.actual)}{at}, and {_literal(found.expected)} is expected"


def _detail(one: Trial) -> Iterator[str]:
    """Yield the traceback and the end of what was printed."""
    yield from one.traceback.splitlines()
    lines = one.log.splitlines()
    if lines:
        yield "printed:"
        if len(lines) > _LOG_LINES:
            yield f"  … {len(lines) - _LOG_LINES} lines before"
        yield from (f"  {line}" for line in lines[-_LOG_LINES:])


def _promise(case: Case) -> str:
    return f"raises {case.test.raises}" if case.test.raises is not None else f"→ {_literal(case.test.returns)}"


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


def _xml(text: str) -> str:
    """Leave out what XML 1.0 has no way to write."""
    return "".join(
        c if c in "\t\n" or (c >= " " and not "\ud800" <= c <= "\udfff" and c not in "\ufffe\uffff") else "\ufffd"
        for c in text
    )
