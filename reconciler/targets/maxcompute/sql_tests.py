"""
The manifest's tests as SQL: what was applied is called in the project, with the flags and types that a query has.

As many tests as possible share a statement, for each is a job of its own on the service: the single calls of UDFs are columns of
one row; calls over rows, and aggregates, are branches of a UNION ALL wherever their results have one type. A table function
stands alone, since only then the rows that `close` forwards come along; and so does a test that expects an exception. Where a
statement of several fails, each of its tests is asked for alone, and tells its own failure.

Literals have the forms that the documentation has and that mean the same in every edition of the type system:
``CAST('…' AS TYPE)`` for what has none of its own, ``ARRAY``, ``MAP`` and ``NAMED_STRUCT``. What comes back in CSV is whole, because
bytes are asked for in hex, and what has parts as JSON.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections import defaultdict
from ctypes import c_float
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from reconciler.base.activity import activity
from reconciler.base.errors import UdfsError
from reconciler.base.hints import Command
from reconciler.local import runner
from reconciler.targets.maxcompute.runtimes import FLAGS
from reconciler.targets.maxcompute.source_rules import declared_signature
from reconciler.targets.maxcompute.sql import require_query, run_query
from reconciler.testing.expectations import check_result
from reconciler.testing.trials import Case, FunctionAbsent, Trial
from reconciler.testing.types import Type
from reconciler.testing.verdict import TrialVerdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from reconciler.core.target import QueryResult, Target
    from reconciler.manifest.load import Loaded
    from reconciler.targets.maxcompute.signature import Signature

    Ask = Callable[[str, Mapping[str, str]], QueryResult]
    """Runs a statement under some settings."""


COMPLEX = ("ARRAY", "MAP", "STRUCT")
_WHOLE = ("TINYINT", "SMALLINT", "INT", "BIGINT")
_CONTROL = r"([\x00-\x1f])"
_TEXTS = ("STRING", "CHAR", "VARCHAR")
_PLAIN_DECIMAL = "DECIMAL(38,18)"
"""What DECIMAL means in the newer edition of types."""


class NoLiteral(Exception):
    """A value that is none of its type."""


def sql_literal(value: Any, kind: Type) -> str:
    """Return a value as SQL writes it."""
    if value is None:
        return f"CAST(NULL AS {_name(kind)})"
    if kind.name in COMPLEX:
        return _nested(value, kind)
    if isinstance(value, list | dict):
        raise NoLiteral(f"{json.dumps(value, ensure_ascii=False)} is no {kind}")
    if kind.name == "BOOLEAN":
        return _boolean(value, kind)
    text = value if isinstance(value, str) else repr(value)
    if kind.name in _TEXTS:
        if not isinstance(value, str):
            raise NoLiteral(f"{text} is no {kind}")
        return _text(value) if kind.name == "STRING" else f"CAST({_text(value)} AS {_name(kind)})"
    if kind.name == "BINARY":
        return f"UNHEX('{text.encode().hex().upper()}')"
    return f"CAST({_text(text.strip())} AS {_name(kind)})"


def _boolean(value: Any, kind: Type) -> str:
    text = str(value).lower()
    if text not in ("true", "false"):
        raise NoLiteral(f"{value!r} is no {kind}")
    return text.upper()


def _nested(value: Any, kind: Type) -> str:
    match kind.name, value:
        case "ARRAY", list():
            items = ", ".join(sql_literal(item, kind.inner[0]) for item in value)
            return f"ARRAY({items})" if value else f"CAST(ARRAY() AS {_name(kind)})"
        case "MAP", dict():
            pairs = ", ".join(
                f"{sql_literal(key, kind.inner[0])}, {sql_literal(item, kind.inner[1])}" for key, item in value.items()
            )
            return f"MAP({pairs})" if value else f"CAST(MAP() AS {_name(kind)})"
        case "STRUCT", list() if len(value) == len(kind.fields):
            value = dict(zip(kind.fields, value, strict=True))
        case "STRUCT", dict() if sorted(value) == sorted(kind.fields):
            pass
        case _:
            raise NoLiteral(f"{json.dumps(value, ensure_ascii=False)} is no {kind}")
    fields = [
        f"'{name}', {sql_literal(value[name], inner)}" for name, inner in zip(kind.fields, kind.inner, strict=True)
    ]
    return f"NAMED_STRUCT({', '.join(fields)})"


def _text(value: str) -> str:
    """
    Return a text in quotes.

    A character that XML, in which statements travel, cannot carry has no form: ``CHR`` makes the first of them.
    """
    escaped = (
        value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    )
    if re.search(_CONTROL, escaped):
        parts = filter(None, re.split(_CONTROL, escaped))
        texts = (f"CHR({ord(part)})" if part < " " else f"'{part}'" for part in parts)
        return f"CONCAT({', '.join(texts)})"
    return f"'{escaped}'"


def _name(kind: Type) -> str:
    return _PLAIN_DECIMAL if kind.name == "DECIMAL" and not kind.parameters else str(kind)


def csv_expression(expression: str, kind: Type) -> str:
    """Return what of an expression comes back whole in CSV: bytes in hex, and what has parts as JSON."""
    if kind.name == "BINARY":
        return f"HEX({expression})"
    return f"TO_JSON({expression})" if kind.name in COMPLEX else expression


def read_cell(cell: str | None, kind: Type) -> Any:
    """Return the value of a cell of a `csv_expression`; ValueError for what is none of the type."""
    if cell is None:
        return None
    if kind.name in COMPLEX:
        return _from_json(json.loads(cell), kind)
    return _plain(cell, kind)


def _plain(cell: str, kind: Type) -> Any:
    if kind.name in _WHOLE:
        return int(cell)
    match kind.name:
        case "FLOAT" | "DOUBLE":
            return float(cell)
        case "BOOLEAN":
            return cell.lower() == "true"
        case "DECIMAL":
            return Decimal(cell)
        case "BINARY":
            return bytes.fromhex(cell)
        case "DATE":
            return dt.date.fromisoformat(cell)
        case "DATETIME" | "TIMESTAMP" | "TIMESTAMP_NTZ":
            return dt.datetime.fromisoformat(cell)
        case _:
            return cell


def _from_json(value: Any, kind: Type) -> Any:
    if value is None:
        return None
    match kind.name, value:
        case "ARRAY", list():
            return [_from_json(item, kind.inner[0]) for item in value]
        case "MAP", dict():
            key, item = kind.inner
            return {_plain(name, key): _from_json(part, item) for name, part in value.items()}
        case "STRUCT", dict():
            folded = {name.lower(): part for name, part in value.items()}
            fields = zip(kind.fields, kind.inner, strict=True)
            return {name: _from_json(folded.get(name.lower()), inner) for name, inner in fields}
    return value if isinstance(value, bool | int | float) and kind.name != "DECIMAL" else _plain(str(value), kind)


__all__ = ["require_query", "run_remote_tests"]

_LONGEST_SECONDS = 3600
"""Of the setting for it [doc, see service.json]."""
_COLUMNS = 100
"""Calls in one statement."""


@dataclass(frozen=True)
class SqlSubject:
    """A function, and what its source says of it."""

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
        return self.kind == "udf" and self.case.test.is_single

    @property
    def stands_alone(self) -> bool:
        return self.kind == "udtf" or self.case.test.raises is not None

    def column(self) -> str:
        """Return the call, if it `is_single`, as an expression."""
        return csv_expression(f"{self.case.function}({', '.join(self.arguments[0])})", self.outputs[0])

    def select(self, number: int) -> str:
        """Return a SELECT of the number of the test, the number of the row, and a value; or of what is forwarded."""
        names = [f"c{index}" for index in range(len(self.inputs))]
        call = f"{self.case.function}({', '.join(names)})"
        if self.kind == "udtf":
            columns = ", ".join(f"o{index}" for index in range(len(self.outputs)))
            expressions = ", ".join(csv_expression(f"o{index}", kind) for index, kind in enumerate(self.outputs))
            return f"SELECT {expressions} FROM (SELECT {call} AS ({columns}) FROM {self._rows(names)}) forwarded"
        index = "0" if self.kind == "udaf" else "i"
        return f"SELECT {number} AS test, {index} AS i, {csv_expression(call, self.outputs[0])} AS value FROM {self._rows(names)}"

    def _rows(self, names: list[str]) -> str:
        """Return a table of the arguments. Of one row of a UDTF too; of no row, by a condition."""
        columns = ["i", *names]
        rows = [[str(index), *row] for index, row in enumerate(self.arguments)]
        is_empty = not rows
        if is_empty:
            rows = [["0", *(sql_literal(None, kind) for kind in self.inputs)]]
        selects = [", ".join(f"{text} AS {name}" for text, name in zip(row, columns, strict=True)) for row in rows]
        table = " UNION ALL ".join(f"SELECT {text}" for text in selects)
        return f"({table}) given{' WHERE 1 = 0' if is_empty else ''}"


def run_remote_tests(
    loaded: Loaded,
    target: Target,
    cases: Iterable[tuple[Case, ...]],
    settings: Mapping[str, tuple[tuple[str, str], ...]],
    clock: Callable[[], float],
) -> Iterator[Trial]:
    """Yield the trials of tests by SQL, as they come; the order is that of the statements."""
    calls: list[_Call] = []
    for group in cases:
        name = group[0].function
        kind, signature = declared_signature(loaded, name) or (None, None)
        for case in group:
            if not case.test.verify:
                yield Trial(case, TrialVerdict.LEFT_OUT)
            elif name.lower() not in settings:
                absent = FunctionAbsent("the function is not in the project")
                yield Trial(case, TrialVerdict.FAILED, error=absent, hint=Command("apply"))
            elif kind is None or signature is None:
                yield _not_run(case, "its signature is not to be seen in the source")
            else:
                try:
                    calls.append(_call(case, SqlSubject(kind.lower(), signature, settings[name.lower()])))
                except NoLiteral as error:
                    yield _not_run(case, str(error))
    with activity("testing") as testing:
        testing.plan("tests", len(calls))
        for statement in _groups(calls):
            yield from _ask(statement, lambda sql, flags: run_query(target, sql, flags, "a test"), clock)
            testing.count("tests", len(statement))


def _not_run(case: Case, why: str) -> Trial:
    return Trial(case, TrialVerdict.NOT_RUN, error=runner.RunnerError(why))


def _call(case: Case, subject: SqlSubject) -> _Call:
    for kind in subject.signature.outputs:
        if kind.inner and any(part.name == "BINARY" for part in kind.all):
            raise NoLiteral(f"SQL has no form in which BINARY inside of {kind.name} comes back whole")
    rows = case.test.input
    types = subject.signature.arguments
    if types is None:
        types = _types_of_values(rows)
    for row in rows:
        if len(row) != len(types):
            raise NoLiteral(f"{len(row)} arguments where {len(types)} are expected")
    literals = tuple(tuple(sql_literal(value, kind) for value, kind in zip(row, types, strict=True)) for row in rows)
    seconds = case.test.timeout
    settings = subject.settings
    if seconds is not None:
        settings += ((FLAGS["seconds"], str(min(seconds, _LONGEST_SECONDS))),)
    return _Call(case, subject.kind, subject.signature.outputs, settings, literals, types)


def _types_of_values(rows: Sequence[Sequence[Any]]) -> tuple[Type, ...]:
    """Return the types that SQL gives to plain values where the signature takes any; NoLiteral where it gives none."""
    columns = list(zip(*rows, strict=True)) if len({len(row) for row in rows}) == 1 else []
    names = [{_PLAIN_TYPES.get(type(value)) for value in column if value is not None} for column in columns]
    if not all(len(types) == 1 and None not in types for types in names) or not (columns or rows == [[]]):
        raise NoLiteral("its signature takes any arguments, and plain values alone, of one type each, tell theirs")
    return tuple(Type(str(*types), 0, 0) for types in names)


_PLAIN_TYPES = {bool: "BOOLEAN", int: "BIGINT", float: "DOUBLE", str: "STRING"}


def _groups(calls: Iterable[_Call]) -> Iterator[list[_Call]]:
    """Yield calls that one statement can make."""
    groups: dict[tuple[object, ...], list[_Call]] = defaultdict(list)
    for number, call in enumerate(calls):
        if call.stands_alone:
            groups[call.settings, number].append(call)
        elif call.is_single:
            groups[call.settings, "single"].append(call)
        else:
            groups[call.settings, str(call.outputs[0])].append(call)
    for group in groups.values():
        for start in range(0, len(group), _COLUMNS):
            yield group[start : start + _COLUMNS]


def render_statement(group: Sequence[_Call]) -> str:
    """Return the statement that makes some calls."""
    if group[0].is_single:
        return "SELECT " + ", ".join(f"{call.column()} AS t{number}" for number, call in enumerate(group))
    return " UNION ALL ".join(call.select(number) for number, call in enumerate(group))


def _ask(group: list[_Call], ask: Ask, clock: Callable[[], float]) -> Iterator[Trial]:
    started = clock()
    try:
        answer = ask(render_statement(group), dict(group[0].settings))
    except UdfsError as error:
        if error.exit_code == 4 or error.problems[0].code.startswith("E60"):
            raise  # the service is not there, or wants nobody: that is no test's failure
        if len(group) > 1:
            for single in group:
                yield from _ask([single], ask, clock)
            return
        yield _failure_trial(group[0].case, error, clock() - started)
        return
    seconds = (clock() - started) / len(group)
    for number, call in enumerate(group):
        yield _check_call(call, number, answer, seconds)


def _check_call(call: _Call, number: int, answer: QueryResult, seconds: float) -> Trial:
    try:
        values = list(_read_results(call, number, answer))
    except (ValueError, ArithmeticError, IndexError) as error:
        failure = runner.RunnerError(f"the result cannot be read: {error}")
        return Trial(call.case, TrialVerdict.FAILED, seconds, error=failure)
    if call.kind != "udtf" and call.outputs[0].name == "FLOAT":
        expected = call.case.test.returns
        values = [
            _round_to_32_bits(*pair)
            for pair in zip(values, expected if isinstance(expected, list) else [expected], strict=False)
        ]
    difference = check_result(call.case.test, call.kind, values)
    return Trial(call.case, TrialVerdict.FAILED if difference else TrialVerdict.PASSED, seconds, difference=difference)


def _round_to_32_bits(actual: Any, expected: Any) -> Any:
    """Return a FLOAT as a test has it, which may have more digits, if they are one number in 32 bits."""
    same = (
        isinstance(actual, float)
        and type(expected) in (int, float)
        and c_float(actual).value == c_float(expected).value
    )
    return float(expected) if same else actual


def _read_results(call: _Call, number: int, answer: QueryResult) -> Iterator[Any]:
    """Yield the values that an answer has of a call."""
    if call.is_single:
        yield read_cell(answer.rows[0][number], call.outputs[0])
    elif call.kind == "udtf":
        for row in answer.rows:
            yield [read_cell(cell, kind) for cell, kind in zip(row, call.outputs, strict=True)]
    else:
        mine = [row for row in answer.rows if row[0] == str(number)]
        for row in sorted(mine, key=lambda row: int(row[1] or 0)):
            yield read_cell(row[2], call.outputs[0])


def _failure_trial(case: Case, error: UdfsError, seconds: float) -> Trial:
    """Return what a failure means, which may be what the test expects."""
    problem = error.problems[0]
    text = "\n".join((problem.message, *problem.detail))
    expected = case.test.raises
    if expected is not None and problem.code == "E702" and expected in text:
        return Trial(case, TrialVerdict.PASSED, seconds)
    failure = runner.RunnerError(problem.message.removeprefix("the statement failed, "))
    return Trial(
        case, TrialVerdict.FAILED, seconds, error=failure, traceback="\n".join(problem.detail), hint=problem.hint
    )
