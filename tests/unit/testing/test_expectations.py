"""What a function gave is held against what its test says, by the type of what was given."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.targets.maxcompute.signature import parse_signature
from reconciler.testing.expectations import ResultMismatch, find_impossible, find_mismatch

MOMENT = dt.datetime(2026, 5, 1, 12, 30)  # noqa: DTZ001 - DATETIME has no time zone

ALIKE: list[tuple[Any, Any]] = [
    (None, None),
    (True, True),
    (3, 3),
    (3.0, 3),
    (2**63 - 1, 2**63 - 1),
    (3, 3.0),
    (0.3, 0.1 + 0.2),
    (0, 1.2e-16),
    (1e300, 1e300 * (1 + 1e-10)),
    (float("nan"), float("nan")),
    (float("inf"), float("inf")),
    ("text", "text"),
    (1.5, Decimal("1.50")),
    ("12345678901234567890.123456789", Decimal("12345678901234567890.123456789")),
    ("2026-05-01", dt.date(2026, 5, 1)),
    ("2026-05-01 12:30:00", MOMENT),
    ("2026-05-01T12:30", MOMENT),
    ("é", "é".encode()),
    ([1, None], [1, None]),
    ([[1, "a"]], [(1, "a")]),
    ({"a": 0.3}, {"a": 0.1 + 0.2}),
    ({"1": "x", "2026-05-01": "y"}, {1: "x", dt.date(2026, 5, 1): "y"}),
    (["x", 1], {"name": "x", "size": 1}),
]

APART: list[tuple[Any, Any, str]] = [
    (None, 0, ""),
    (0, None, ""),
    (True, 1, ""),
    (1, True, ""),
    ("1", 1, ""),
    (1, "1", ""),
    (1.5, 1, ""),
    (2.0**53, 2**53 + 1, ""),
    (0.333, 1 / 3, ""),
    (1.0, float("nan"), ""),
    (float("inf"), 1e308, ""),
    (10**400, 1.0, ""),
    ("3", 3.0, ""),
    ("x", Decimal("1.5"), ""),
    (1.5, Decimal("1.51"), ""),
    (True, Decimal(1), ""),
    ("1/5/2026", dt.date(2026, 5, 1), ""),
    ("2026-05-01", MOMENT, ""),
    ("noon", MOMENT, ""),
    (20260501, MOMENT, ""),
    ("2026-05-01 12:30:00+00:00", MOMENT, ""),
    ("b", b"a", ""),
    ("a", ["a"], ""),
    ([1], [1, 2], ""),
    ([1, 2], [1], ""),
    ([[1, 2]], [[1, 3]], "[0][1]"),
    ({"a": {"b": [1]}}, {"a": {"b": [2]}}, "a.b[0]"),
    ({"a": 1}, {"b": 1}, ""),
    (1, {"b": 1}, ""),
    (["x", 2], {"name": "x", "size": 1}, "[1]"),
]


@pytest.mark.parametrize(("expected", "actual"), ALIKE, ids=lambda value: repr(value)[:40])
def test_a_result_is_as_its_test_says(expected: object, actual: object) -> None:
    assert find_mismatch(expected, actual) is None


@pytest.mark.parametrize(("expected", "actual", "where"), APART, ids=lambda value: repr(value)[:40])
def test_the_first_place_that_differs_is_named(expected: object, actual: object, where: str) -> None:
    found = find_mismatch(expected, actual)
    assert isinstance(found, ResultMismatch)
    assert found.where == where


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(plain)
def test_every_value_that_yaml_can_say_is_as_itself(value: object) -> None:
    assert find_mismatch(value, value) is None


@given(plain)
def test_what_differs_behind_any_value_is_found(value: object) -> None:
    found = find_mismatch([value, {"a": [0]}], [value, {"a": [1]}])
    assert found is not None
    assert (found.where, found.expected, found.actual) == ("[1].a[0]", 0, 1)


TYPES = {
    bool: "BOOLEAN", int: "BIGINT", float: "DOUBLE", str: "STRING", bytes: "BINARY", Decimal: "DECIMAL(38,18)",
    dt.date: "DATE", dt.datetime: "DATETIME",
}  # fmt: skip


def _type_of(value: object) -> str:
    match value:
        case list():
            return f"ARRAY<{_type_of(value[0])}>"
        case tuple():
            return f"STRUCT<{','.join(f'c{index}:{_type_of(item)}' for index, item in enumerate(value))}>"
        case dict() if all(isinstance(key, str) for key in value):
            return f"STRUCT<{','.join(f'{key}:{_type_of(item)}' for key, item in value.items())}>"
        case dict():
            return f"MAP<STRING,{_type_of(next(iter(value.values())))}>"
        case _:
            return TYPES.get(type(value), "STRING")


def test_nothing_that_a_result_can_be_equal_to_is_called_impossible() -> None:
    expectations = [pair[0] for pair in (*ALIKE, *APART)]
    for actual in [pair[1] for pair in (*ALIKE, *APART) if pair[1] not in ([], {}, ())]:
        if isinstance(actual, list) and len({type(item) for item in actual if item is not None}) > 1:
            continue  # of no type
        (kind,) = parse_signature(f"->{_type_of(actual)}").outputs
        for expected in expectations:
            if find_mismatch(expected, actual) is None:
                assert find_impossible(expected, kind) is None, (expected, actual)


@pytest.mark.parametrize(
    ("expected", "kind"),
    [
        *((value, "BIGINT") for value in ("5", 2.5, True, [1], {"a": 1}, float("nan"))),
        *((value, "STRING") for value in (5, True, ["a"])),
        *((value, "DOUBLE") for value in ("2.5", False)),
        *((value, "DATE") for value in ("2026-5-1", "2026-05-01 00:00:00", 20260501)),
        *((value, "DATETIME") for value in ("1/5/2026", 1, "2026-05-01T12:30:00Z")),
        *((value, "DECIMAL(10,2)") for value in ("x", True, "1_5", "\uff11")),
        *((value, "ARRAY<BIGINT>") for value in (["5"], {"0": 1}, 5)),
        *(
            (value, "STRUCT<a:BIGINT,b:STRING>")
            for value in ({"a": 1}, [1], {"a": "1", "b": "x"}, {"A": 1, "b": "x"}, [1, 2])
        ),
        ({"a": "1"}, "MAP<STRING,BIGINT>"),
        (1, "BOOLEAN"),
    ],
)
def test_an_expectation_that_no_value_of_the_type_meets_is_impossible(expected: object, kind: str) -> None:
    assert find_impossible(expected, parse_signature(f"->{kind}").outputs[0]) is not None
