"""
The manifest's tests as SQL: what was applied is called in the project, with the flags and types that a query has.

As many tests as possible share a statement, for each is a job of its own on the service: the single calls of UDFs are columns of
one row; calls over rows, and aggregates, are branches of a UNION ALL wherever their results have one type. A table function
stands alone, since only then the rows that `close` forwards come along; and so does a test that expects an exception. Where a
statement of several fails, each of its tests is asked for alone, and tells its own failure.
"""

from __future__ import annotations

from collections import defaultdict
from ctypes import c_float
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconciler.base.errors import UdfsError
from reconciler.base.hints import Command
from reconciler.local import runner
from reconciler.testing.run_here import Case, Trial, Verdict, judged
from reconciler.testing.sql_literals import Unwritable, literal, read, readable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from reconciler.core.target import Answer
    from reconciler.manifest.signature import Signature, Type

    Ask = Callable[[str, Mapping[str, str]], Answer]
    """Runs a statement under some settings."""

_COLUMNS = 100
"""Calls in one statement."""


class Absent(runner.RunnerError):
    """The function is not in the project."""


@dataclass(frozen=True)
class Subject:
    """A function with its tests, and what its source says of it."""

    cases: tuple[Case, ...]
    kind: str
    """``udf``, ``udtf`` or ``udaf``."""
    signature: Signature
    settings: tuple[tuple[str, str], ...]
    """What SQL has to SET before it calls the function."""


@dataclass(frozen=True)
class _Call:
    """One test, said in SQL."""

    case: Case
    kind: str
    outputs: tuple[Type, ...]
    settings: tuple[tuple[str, str], ...]
    arguments: tuple[tuple[str, ...], ...]
    """Of each row, the literals."""
    inputs: tuple[Type, ...]

    @property
    def is_single(self) -> bool:
        """Whether it is one call of a UDF."""
        return self.kind == "udf" and self.case.test.rows is None

    @property
    def stands_alone(self) -> bool:
        return self.kind == "udtf" or self.case.test.raises is not None

    def column(self) -> str:
        """Return the call, if it `is_single`, as an expression."""
        return readable(f"{self.case.function}({', '.join(self.arguments[0])})", self.outputs[0])

    def select(self, number: int) -> str:
        """Return a SELECT of the number of the test, the number of the row, and a value; or of what is forwarded."""
        names = [f"c{index}" for index in range(len(self.inputs))]
        call = f"{self.case.function}({', '.join(names)})"
        if self.kind == "udtf":
            columns = ", ".join(f"o{index}" for index in range(len(self.outputs)))
            shown = ", ".join(readable(f"o{index}", kind) for index, kind in enumerate(self.outputs))
            return f"SELECT {shown} FROM (SELECT {call} AS ({columns}) FROM {self._rows(names)}) forwarded"
        index = "0" if self.kind == "udaf" else "i"
        return f"SELECT {number} AS test, {index} AS i, {readable(call, self.outputs[0])} AS value FROM {self._rows(names)}"

    def _rows(self, names: list[str]) -> str:
        """Return a table of the arguments. Of one row of a UDTF too; of no row, by a condition."""
        columns = ["i", *names]
        rows = [[str(index), *row] for index, row in enumerate(self.arguments)]
        nothing = not rows
        if nothing:
            rows = [["0", *(literal(None, kind) for kind in self.inputs)]]
        selects = [", ".join(f"{one} AS {name}" for one, name in zip(row, columns, strict=True)) for row in rows]
        table = " UNION ALL ".join(f"SELECT {one}" for one in selects)
        return f"({table}) given{' WHERE 1 = 0' if nothing else ''}"


def run(subjects: Sequence[Subject], ask: Ask, clock: Callable[[], float]) -> Iterator[Trial]:
    """Yield the trials of all subjects, as they come; the order is that of the statements."""
    calls: list[_Call] = []
    for one in subjects:
        for case in one.cases:
            try:
                calls.append(_call(case, one))
            except Unwritable as error:
                yield _not_run(case, str(error))
    for group in _groups(calls):
        yield from _ask(group, ask, clock)


def unseen(cases: Iterable[Case], why: str) -> Iterator[Trial]:
    """Yield the trials of tests that cannot be said in SQL."""
    for case in cases:
        yield _not_run(case, why)


def absent(cases: Iterable[Case]) -> Iterator[Trial]:
    """Yield the trials of a function that is not in the project."""
    for case in cases:
        yield Trial(case, Verdict.FAILED, error=Absent("the function is not in the project"), hint=Command("apply"))


def _not_run(case: Case, why: str) -> Trial:
    return Trial(case, Verdict.NOT_RUN, error=runner.RunnerError(why))


def _call(case: Case, subject: Subject) -> _Call:
    for kind in subject.signature.outputs:
        if kind.inner and any(one.name == "BINARY" for one in kind.all):
            raise Unwritable(f"SQL has no form in which BINARY inside of {kind.name} comes back whole")
    rows = case.test.input
    taken = subject.signature.arguments
    if taken is None:
        raise Unwritable("its signature takes any arguments, so that the types of these are not known")
    for row in rows:
        if len(row) != len(taken):
            raise Unwritable(f"{len(row)} arguments are given where {len(taken)} are taken")
    written = tuple(tuple(literal(value, kind) for value, kind in zip(row, taken, strict=True)) for row in rows)
    return _Call(case, subject.kind, subject.signature.outputs, subject.settings, written, taken)


def _groups(calls: Iterable[_Call]) -> Iterator[list[_Call]]:
    """Yield calls that one statement can make."""
    together: dict[tuple[object, ...], list[_Call]] = defaultdict(list)
    for number, call in enumerate(calls):
        if call.stands_alone:
            together[call.settings, number].append(call)
        elif call.is_single:
            together[call.settings, "single"].append(call)
        else:
            together[call.settings, str(call.outputs[0])].append(call)
    for group in together.values():
        for start in range(0, len(group), _COLUMNS):
            yield group[start : start + _COLUMNS]


def statement(group: Sequence[_Call]) -> str:
    """Return the statement that makes some calls."""
    if group[0].is_single:
        return "SELECT " + ", ".join(f"{call.column()} AS t{number}" for number, call in enumerate(group))
    return " UNION ALL ".join(call.select(number) for number, call in enumerate(group))


def _ask(group: list[_Call], ask: Ask, clock: Callable[[], float]) -> Iterator[Trial]:
    started = clock()
    try:
        answer = ask(statement(group), dict(group[0].settings))
    except UdfsError as error:
        if error.exit_code == 4 or error.problems[0].code.startswith("E60"):
            raise  # the service is not there, or wants nobody: that is no test's failure
        if len(group) > 1:
            for one in group:
                yield from _ask([one], ask, clock)
            return
        yield _failed(group[0].case, error, clock() - started)
        return
    seconds = (clock() - started) / len(group)
    for number, call in enumerate(group):
        yield _judged(call, number, answer, seconds)


def _judged(call: _Call, number: int, answer: Answer, seconds: float) -> Trial:
    try:
        given = list(_given(call, number, answer))
    except (ValueError, ArithmeticError, IndexError) as error:
        failure = runner.RunnerError(f"the result cannot be read: {error}")
        return Trial(call.case, Verdict.FAILED, seconds, error=failure)
    if call.kind != "udtf" and call.outputs[0].name == "FLOAT":
        expected = call.case.test.returns
        given = [
            _of_32_bits(*pair)
            for pair in zip(given, expected if isinstance(expected, list) else [expected], strict=False)
        ]
    difference = judged(call.case.test, call.kind, given)
    return Trial(call.case, Verdict.FAILED if difference else Verdict.PASSED, seconds, difference=difference)


def _of_32_bits(given: Any, expected: Any) -> Any:
    """Return a FLOAT as a test has it, which may have more digits, if they are one number in 32 bits."""
    same = (
        isinstance(given, float) and type(expected) in (int, float) and c_float(given).value == c_float(expected).value
    )
    return float(expected) if same else given


def _given(call: _Call, number: int, answer: Answer) -> Iterator[Any]:
    """Yield the values that an answer has of a call."""
    if call.is_single:
        yield read(answer.rows[0][number], call.outputs[0])
    elif call.kind == "udtf":
        for row in answer.rows:
            yield [read(cell, kind) for cell, kind in zip(row, call.outputs, strict=True)]
    else:
        mine = [row for row in answer.rows if row[0] == str(number)]
        for row in sorted(mine, key=lambda row: int(row[1] or 0)):
            yield read(row[2], call.outputs[0])


def _failed(case: Case, error: UdfsError, seconds: float) -> Trial:
    """Return what a failure means, which may be what the test expects."""
    problem = error.problems[0]
    told = "\n".join((problem.message, *problem.detail))
    expected = case.test.raises
    if expected is not None and problem.code == "E702" and expected in told:
        return Trial(case, Verdict.PASSED, seconds)
    failure = runner.RunnerError(problem.message.removeprefix("the statement failed, "))
    return Trial(case, Verdict.FAILED, seconds, error=failure, traceback="\n".join(problem.detail), hint=problem.hint)
