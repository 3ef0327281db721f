"""
Expectations of tests, the comparison of a result with them, and how values are shown.

A test is written in YAML, which knows null, booleans, numbers, text, lists and mappings. What a function gives has the
types of SQL, so each type has one way to be written down:

    DOUBLE, FLOAT                 a number; at most a part in 10⁹ away, or 10⁻¹² where the number is about 0
    DECIMAL                       a number, or text where a float would not hold every digit; exactly equal
    DATE, DATETIME                text: 2026-05-01, 2026-05-01 12:30:00
    BINARY                        text, which stands for its UTF-8
    ARRAY                         a list
    MAP                           a mapping; a key is written as SQL would show it
    STRUCT                        a mapping by field name, or a list by position

All others are exactly equal; true is not 1, and 1 is not "1". Nothing here runs anything.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import math
import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.manifest.model import Test
    from reconciler.testing.types import Type


def format_value(value: object, *, as_json: bool = False) -> str:
    """
    Return one result as a line: NULL, plain text, numbers as Python writes them, everything else as JSON.

    A row of a table function is its columns, separated by tabs. With `as_json` the line is JSON throughout.
    """
    if as_json:
        return json.dumps(value, default=_plain, ensure_ascii=False)
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return "\t".join(format_value(column) for column in value)
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | Decimal):
        return str(value)
    if isinstance(value, dt.date):
        return value.isoformat(sep=" ") if isinstance(value, dt.datetime) else value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    return json.dumps(value, default=_plain, ensure_ascii=False)


def _plain(value: Any) -> object:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, dt.date):
        return value.isoformat()
    return str(value)


RELATIVE, ABSOLUTE = 1e-9, 1e-12
"""How far apart two floats may be: as `math.isclose` takes it."""


@dataclass(frozen=True)
class ResultMismatch:
    """The first place where a result differs from what is expected."""

    where: str
    """Inside the result: ``[2].name``; empty for the whole."""

    expected: object
    actual: object
    reason: str = ""
    """What is wrong where the two values do not tell it."""


def check_result(test: Test, kind: str, results: list[Any]) -> ResultMismatch | None:
    """Compare what came of a test with what it says."""
    result = results if kind == "udtf" or (kind == "udf" and not test.is_single) else results[0]
    if test.raises is not None:
        return ResultMismatch("", None, result, f"{test.raises} is expected")
    if kind == "udtf" and not (isinstance(test.returns, list) and all(isinstance(row, list) for row in test.returns)):
        return ResultMismatch("", test.returns, result, "`returns` of a table function is a list of rows, each a list")
    return find_mismatch(test.returns, result)


def find_mismatch(expected: Any, actual: Any, where: str = "") -> ResultMismatch | None:
    """Return the first difference between what a test says and what was given, None if there is none."""
    match actual:
        case dict():
            return _mapping(expected, actual, where)
        case list() | tuple():
            return _sequence(expected, actual, where)
        case _:
            return None if _equal(expected, actual) else ResultMismatch(where, expected, actual)


def find_impossible(expected: Any, kind: Type, where: str = "") -> tuple[str, object, Type] | None:
    """Return the first place where a test expects what no value of a type is equal to: place, expectation, type; else None."""
    if expected is None:
        return None
    parts: list[tuple[Any, Type, str]] = []
    match kind.name, expected:
        case "ARRAY" | "MAP", list():
            parts = [(item, kind.inner[-1], f"{where}[{index}]") for index, item in enumerate(expected)]
        case "MAP", dict():
            parts = [(item, kind.inner[1], f"{where}.{key}") for key, item in expected.items()]
        case "STRUCT", list() if len(expected) == len(kind.inner):
            parts = [(item, kind.inner[index], f"{where}[{index}]") for index, item in enumerate(expected)]
        case "STRUCT", dict() if set(expected) == set(kind.fields):
            inner = dict(zip(kind.fields, kind.inner, strict=True))
            parts = [(item, inner[name], f"{where}.{name}") for name, item in expected.items()]
        case _ if not _may_equal(expected, kind.name):
            return where.lstrip("."), expected, kind
    return next(filter(None, (find_impossible(*part) for part in parts)), None)


_WHOLE = ("TINYINT", "SMALLINT", "INT", "BIGINT")


def _may_equal(expected: object, name: str) -> bool:
    """Say whether a value of a type that has no parts may be equal to what is expected, as `_equal` compares."""
    if name == "BOOLEAN" or isinstance(expected, bool):
        return name == "BOOLEAN" and isinstance(expected, bool)
    if name in _WHOLE:
        return isinstance(expected, int) or (isinstance(expected, float) and expected.is_integer())
    if name in {"FLOAT", "DOUBLE"}:
        return isinstance(expected, int | float)
    if name == "DECIMAL":
        return _decimal(expected) is not None
    if name == "DATE":
        return _equal(expected, _date(expected))
    if name in {"DATETIME", "TIMESTAMP", "TIMESTAMP_NTZ"}:
        return _moment(expected) is not None
    return isinstance(expected, str) and name not in {"ARRAY", "MAP", "STRUCT"}


def _sequence(expected: Any, actual: Sequence[Any], where: str) -> ResultMismatch | None:
    if not isinstance(expected, list):
        return ResultMismatch(where, expected, actual)
    for index, (want, have) in enumerate(zip(expected, actual, strict=False)):
        if difference := find_mismatch(want, have, f"{where}[{index}]"):
            return difference
    if len(expected) != len(actual):
        return ResultMismatch(where, expected, actual, f"a list of {len(expected)} is expected")
    return None


def _mapping(expected: Any, actual: Mapping[Any, Any], where: str) -> ResultMismatch | None:
    if isinstance(expected, list):
        return _sequence(expected, list(actual.values()), where)
    if not isinstance(expected, dict):
        return ResultMismatch(where, expected, actual)
    values = {format_value(key): value for key, value in actual.items()}
    if expected.keys() != values.keys():
        return ResultMismatch(where, expected, actual, f"the keys {', '.join(expected)} are expected")
    for key, value in expected.items():
        if difference := find_mismatch(value, values[key], f"{where}.{key}".lstrip(".")):
            return difference
    return None


def _equal(expected: Any, actual: Any) -> bool:
    if expected is None or actual is None:
        return expected is actual
    if isinstance(expected, bool) or isinstance(actual, bool):
        return expected is actual
    match actual:
        case float():
            return isinstance(expected, int | float) and _close(expected, actual)
        case int():
            return isinstance(expected, int | float) and expected == actual
        case Decimal():
            return _decimal(expected) == actual
        case dt.datetime():
            return _moment(expected) == actual
        case dt.date():
            return isinstance(expected, str) and expected == actual.isoformat()
        case bytes():
            return isinstance(expected, str) and expected.encode() == actual
        case _:
            return bool(expected == actual)


def _close(expected: float, actual: float) -> bool:
    try:
        if math.isnan(expected) or math.isnan(actual):
            return math.isnan(expected) and math.isnan(actual)
        return math.isclose(expected, actual, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    except OverflowError:  # an integer that is larger than any float
        return False


_NO_CAST = re.compile(r"[^\x20-\x7e]|_")
"""What Python's Decimal reads over and SQL's CAST does not: ``1_5``, and digits of other scripts."""


def _decimal(expected: object) -> Decimal | None:
    text = str(expected)
    try:
        return Decimal(text) if isinstance(expected, int | float | str) and not _NO_CAST.search(text) else None
    except InvalidOperation:
        return None


def _date(expected: object) -> dt.date | None:
    try:
        return dt.date.fromisoformat(expected) if isinstance(expected, str) else None
    except ValueError:
        return None


def _moment(expected: object) -> dt.datetime | None:
    try:
        moment = dt.datetime.fromisoformat(expected) if isinstance(expected, str) else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is None else None
