"""Every type both ways, in every runtime, with NULL; what a person types; what 2.7 sees."""

from __future__ import annotations

import datetime as dt
import math
from collections import namedtuple
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.local.runner import ArgumentsRejected, Json, TypedText, WrongResult

if TYPE_CHECKING:
    from tests.local.conftest import Runner

Point = namedtuple("Point", ["x", "y"])


def moment(*parts: int) -> dt.datetime:
    return dt.datetime(*parts)  # type: ignore[arg-type]  # noqa: DTZ001 -- DATETIME has no time zone


def echo(kind: str) -> str:
    return f"""
        from odps.udf import annotate
        @annotate("{kind}->{kind}")
        class F(object):
            def evaluate(self, value):
                return value
    """


def type_name(signature: str) -> str:
    return f"""
        from odps.udf import annotate
        @annotate("{signature}->string")
        class F(object):
            def evaluate(self, value):
                return type(value).__name__
    """


VALUES: list[tuple[str, list[Any]]] = [
    ("bigint", [0, -1, (1 << 63) - 1, -(1 << 63)]),
    ("int", [(1 << 31) - 1]),
    ("smallint", [-(1 << 15)]),
    ("tinyint", [127]),
    ("double", [0.0, 1.5, -1e308, 5e-324, math.inf, -math.inf]),
    ("float", [0.1]),
    ("boolean", [True, False]),
    ("string", ["", "plain", "größe", '\x00\n\r"\\', "\u2028", "🜁", "a" * 100_000]),
    ("varchar(10)", ["größe"]),
    ("char(3)", ["abc"]),
    ("binary", [b"", bytes(range(256))]),
    ("datetime", [moment(2024, 5, 1, 12, 30, 15, 123000), moment(1, 1, 1), moment(9999, 12, 31)]),
    ("timestamp", [moment(1969, 12, 31, 23, 59, 59, 999000)]),
    ("date", [dt.date(2024, 2, 29), dt.date(1, 1, 1)]),
    ("decimal", [Decimal("1.10"), Decimal("-1E+30"), Decimal(0)]),
    ("decimal(10, 2)", [Decimal("12345678.90")]),
    ("array<bigint>", [[], [1, None, 3]]),
    ("array<array<string>>", [[["a"], [], None]]),
    ("map<string,bigint>", [{}, {"a": 1, "ö": None}]),
    ("map<bigint,array<double>>", [{1: [1.5, math.inf]}]),
    ("struct<a:bigint,b:struct<c:string>>", [{"a": 1, "b": {"c": "x"}}, {"a": None, "b": None}]),
    ("array<datetime>", [[moment(2024, 5, 1)]]),
    ("array<binary>", [[b"\xff"]]),
    ("array<decimal>", [[Decimal("0.1")]]),
]


@pytest.mark.parametrize(("kind", "values"), VALUES, ids=[kind for kind, _ in VALUES])
def test_a_value_comes_back_as_it_went_and_null_as_null(runner: Runner, kind: str, values: list[Any]) -> None:
    results = runner.results(echo(kind), [(value,) for value in [*values, None, *values]])
    assert results == [*values, None, *values]
    assert [type(result) for result in results] == [type(value) for value in [*values, None, *values]]


# A moment and a struct have no class of their own everywhere: 2.7 has integers, and a dict is a map.
OPEN = [
    (kind, values)
    for kind, values in VALUES
    if not kind.startswith(("datetime", "timestamp", "array<datetime", "struct"))
]


@pytest.mark.parametrize(("kind", "values"), OPEN, ids=[kind for kind, _ in OPEN])
def test_a_value_of_an_open_signature_arrives_by_its_own_type(runner: Runner, kind: str, values: list[Any]) -> None:
    source = echo(kind).replace(f"{kind}->", "*->")
    assert runner.results(source, [(value,) for value in [*values, None]]) == [*values, None]


TEXTS = st.text(st.characters(codec="utf-8"), max_size=10)
MOMENTS = st.datetimes().map(lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000))
"""In milliseconds: what 2.7 has."""

EVERY: dict[str, st.SearchStrategy[Any]] = {
    **{
        f"{name}int": st.integers(-(1 << bits), (1 << bits) - 1)
        for name, bits in (("tiny", 7), ("small", 15), ("big", 63))
    },
    "int": st.integers(-(1 << 31), (1 << 31) - 1),
    "float": st.floats(width=32, allow_nan=False),
    "double": st.floats(allow_nan=False),
    "boolean": st.booleans(),
    **dict.fromkeys(("string", "varchar(10)", "char(10)"), TEXTS),
    "binary": st.binary(max_size=10),
    **dict.fromkeys(("datetime", "timestamp"), MOMENTS),
    "date": st.dates(),
    **dict.fromkeys(("decimal", "decimal(10,2)"), st.decimals(-(10**7), 10**7, places=2)),
    "array<date>": st.lists(st.none() | st.dates(), max_size=3),
    "map<string,array<decimal>>": st.dictionaries(
        TEXTS, st.none() | st.lists(st.decimals(-9, 9), max_size=2), max_size=3
    ),
    "map<bigint,binary>": st.dictionaries(st.integers(-9, 9), st.binary(max_size=3), max_size=3),
    "array<struct<x:datetime,y:map<string,double>>>": st.lists(
        st.fixed_dictionaries(
            {"x": st.none() | MOMENTS, "y": st.dictionaries(TEXTS, st.none() | st.floats(allow_nan=False), max_size=2)}
        ),
        max_size=3,
    ),
}
FIELDS = {f"c{number}": st.none() | values for number, values in enumerate(EVERY.values())}


@given(st.lists(st.none() | st.fixed_dictionaries(FIELDS), min_size=1, max_size=10))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_value_of_every_type_comes_back_as_it_went(runner: Runner, values: list[Any]) -> None:
    kind = f"struct<{','.join(f'c{number}:{kind}' for number, kind in enumerate(EVERY))}>"
    assert runner.results(echo(kind), [(value,) for value in values]) == values


def test_nan_comes_back(runner: Runner) -> None:
    for rows in ([(math.nan,)], [(math.nan,), (None,)]):
        assert math.isnan(runner.results(echo("double"), rows)[0])


@pytest.mark.parametrize(
    ("kind", "value", "name"),
    [
        ("bigint", 1, "int"),
        ("double", 1.0, "float"),
        ("double", 1, "float"),
        ("string", "a", "str"),
        ("boolean", True, "bool"),
        ("datetime", moment(2024, 1, 1), "datetime"),
        ("date", dt.date(2024, 1, 1), "date"),
        ("binary", b"a", "bytes"),
        ("decimal", Decimal(1), "Decimal"),
        ("decimal", 1, "Decimal"),
        ("array<bigint>", [1], "list"),
        ("map<string,bigint>", {"a": 1}, "dict"),
        ("struct<a:bigint>", {"a": 1}, "Struct"),
    ],
)
def test_python_3_gets_the_documented_classes(runner3: Runner, kind: str, value: object, name: str) -> None:
    assert runner3.results(type_name(kind), [(value,)]) == [name]


@pytest.mark.parametrize(
    ("kind", "value", "name"),
    [("string", "a", "str"), ("datetime", moment(2024, 1, 1), "int"), ("bigint", 1, "int"), ("*", "a", "str")],
)
def test_python_2_gets_the_documented_classes(runner2: Runner, kind: str, value: object, name: str) -> None:
    assert runner2.results(type_name(kind), [(value,)]) == [name]


def test_python_2_sees_a_datetime_as_milliseconds(runner2: Runner) -> None:
    source = echo("datetime").replace("->datetime", "->bigint")
    assert runner2.results(source, [(moment(1970, 1, 1, 0, 0, 1, 5000),), (moment(1969, 12, 31),)]) == [
        1005,
        -86_400_000,
    ]


def test_python_2_sees_a_string_as_utf_8_bytes(runner2: Runner) -> None:
    source = echo("string").replace("return value", "return repr(value)")
    assert runner2.results(source, [("ö",)]) == [r"'\xc3\xb6'"]


def test_python_2_may_return_unicode_or_utf_8_bytes(runner2: Runner) -> None:
    for expression in ("value.decode('utf-8')", "value"):
        assert runner2.results(echo("string").replace("return value", f"return {expression}"), [("größe",)]) == [
            "größe"
        ]


def test_bytes_that_are_no_utf_8_come_back_as_bytes_from_python_2(runner2: Runner) -> None:
    assert runner2.results(echo("string").replace("return value", "return '\\xff'"), [("a",), ("b",)]) == [b"\xff"] * 2


def test_a_struct_is_read_by_field_name(runner: Runner) -> None:
    source = """
        from odps.udf import annotate
        @annotate("struct<x:bigint,y:bigint>->bigint")
        class F(object):
            def evaluate(self, point):
                return point.x * 10 + point.y
    """
    rows = [({"y": 2, "x": 1},), (Point(3, 4),), ([5, 6],), (TypedText('{"x": 7, "y": 8}'),), (TypedText("[9, 0]"),)]
    assert runner.results(source, rows) == [12, 34, 56, 78, 90]
    for wrong in ({"x": 1}, [1], {"x": 1, "z": 2}, "x", TypedText('{"x": 1}')):
        with pytest.raises(ArgumentsRejected, match="is no STRUCT"):
            runner.results(source, [(wrong,)])


def test_a_struct_is_returned_as_a_tuple_of_its_fields(runner: Runner) -> None:
    source = """
        from collections import namedtuple
        from odps.udf import annotate
        Point = namedtuple("Point", "x y")
        @annotate("bigint->struct<x:bigint,y:string>")
        class F(object):
            def evaluate(self, n):
                return [Point(1, "a"), (2, "b"), (3,)][n]
    """
    assert runner.results(source, [(0,), (1,)]) == [{"x": 1, "y": "a"}, {"x": 2, "y": "b"}]
    with pytest.raises(WrongResult):
        runner.results(source, [(2,)])


def test_a_struct_of_an_open_signature_keeps_its_fields(runner: Runner) -> None:
    source = echo("*").replace("->*", "->bigint").replace("return value", "return value.y")
    assert runner.results(source, [(Point(1, 2),)]) == [2]


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("bigint", " 12 ", 12),
        ("double", "1", 1.0),
        ("double", "-inf", -math.inf),
        ("boolean", "True", True),
        ("string", " as is ", " as is "),
        ("string", "größe", "größe"),
        ("binary", "ö", "ö".encode()),
        ("decimal", "1.10", Decimal("1.10")),
        ("date", "2024-05-01", dt.date(2024, 5, 1)),
        ("datetime", "2024-05-01", moment(2024, 5, 1)),
        ("datetime", "2024-05-01 12:30", moment(2024, 5, 1, 12, 30)),
        ("datetime", "2024-05-01T12:30:15.25", moment(2024, 5, 1, 12, 30, 15, 250000)),
        ("array<bigint>", "[1, null, 2]", [1, None, 2]),
        ("array<date>", '["2024-05-01"]', [dt.date(2024, 5, 1)]),
        ("array<decimal>", "[1.25]", [Decimal("1.25")]),
        ("map<bigint,string>", '{"1": "ä"}', {1: "ä"}),
        ("map<string,array<boolean>>", '{"a": [true]}', {"a": [True]}),
        ("struct<a:datetime>", '{"a": "2024-05-01"}', {"a": moment(2024, 5, 1)}),
        ("array<bigint>", "null", None),
    ],
)
def test_what_a_person_types_is_read_by_the_signature(runner: Runner, kind: str, text: str, value: object) -> None:
    assert runner.results(echo(kind), [(TypedText(text),)]) == [value]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("bigint", "1.0"),
        ("bigint", ""),
        ("bigint", "1_000"),
        ("bigint", "٣"),
        ("bigint", "0x10"),
        ("double", "1_000.5"),
        ("decimal", "1_0"),
        ("date", "2024-05-0²"),
        ("bigint", "9223372036854775808"),
        ("tinyint", "128"),
        ("double", "x"),
        ("boolean", "1"),
        ("decimal", "x"),
        ("date", "2024-13-01"),
        ("date", "2024-05-01 12:00:00"),
        ("datetime", "yesterday"),
        ("datetime", "2024-05-01 25:00:00"),
        ("array<bigint>", "1,2"),
        ("array<bigint>", "{}"),
        ("array<bigint>", '["x"]'),
        ("map<string,bigint>", "[]"),
        ("struct<a:bigint>", "[]"),
    ],
)
def test_what_a_person_mistypes_is_refused(runner: Runner, kind: str, text: str) -> None:
    with pytest.raises(ArgumentsRejected, match=r"at row 1: argument 1"):
        runner.results(echo(kind), [(TypedText(text),)])


def test_text_is_text_where_the_signature_is_open(runner: Runner) -> None:
    assert runner.results(echo("*").replace("->*", "->string"), [(TypedText("größe"),)]) == ["größe"]


JSON = [
    ("bigint", 1, 1),
    ("bigint", "1", 1),
    ("double", 1, 1.0),
    ("string", "1", "1"),
    ("decimal", 1.5, Decimal("1.5")),
    ("decimal", "12345678901234567890.5", Decimal("12345678901234567890.5")),
    ("date", "2024-05-01", dt.date(2024, 5, 1)),
    ("array<date>", ["2024-05-01", None], [dt.date(2024, 5, 1), None]),
    ("map<bigint,string>", {"1": "é"}, {1: "é"}),
    ("struct<a:bigint,b:array<string>>", {"b": ["x"], "a": 1}, {"a": 1, "b": ["x"]}),
    ("struct<a:bigint,b:string>", [1, "x"], {"a": 1, "b": "x"}),
    ("bigint", None, None),
]


@pytest.mark.parametrize(("kind", "value", "result"), JSON, ids=[kind for kind, *_ in JSON])
def test_json_is_read_by_the_signature(runner: Runner, kind: str, value: object, result: object) -> None:
    assert runner.results(echo(kind), [(Json(value),)]) == [result]


@pytest.mark.parametrize(
    ("kind", "value"),
    [("bigint", 1.5), ("bigint", "x"), ("string", 1), ("string", ["a"]), ("boolean", 1), ("array<bigint>", {"a": 1})],
)
def test_json_of_another_type_is_refused(runner: Runner, kind: str, value: object) -> None:
    with pytest.raises(ArgumentsRejected):
        runner.results(echo(kind), [(Json(value),)])


def test_json_is_as_it_is_where_the_signature_is_open(runner: Runner) -> None:
    source = echo("*").replace("->*", "->string").replace("return value", "return repr(value)")
    assert runner.results(source, [(Json([1, {"a": ["b"]}]),)]) == ["[1, {'a': ['b']}]"]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("bigint", "1"),
        ("bigint", 1.0),
        ("tinyint", 128),
        ("double", "1"),
        ("double", Decimal(1)),
        ("boolean", 1),
        ("string", 1),
        ("binary", "text"),
        ("datetime", dt.date(2024, 1, 1)),
        ("datetime", dt.datetime(2024, 1, 1, tzinfo=dt.timezone.utc)),
        ("date", moment(2024, 1, 1)),
        ("decimal", 0.1),
        ("array<bigint>", {"a": 1}),
        ("array<bigint>", ["a"]),
        ("map<string,bigint>", [1]),
        ("bigint", {1, 2}),
    ],
)
def test_a_value_of_another_type_is_refused(runner: Runner, kind: str, value: object) -> None:
    with pytest.raises(ArgumentsRejected):
        runner.results(echo(kind), [(value,)])


@pytest.mark.parametrize("value", ["text", b"\xff"])
def test_bytes_are_no_string_to_python_3_and_text_is_no_binary(runner3: Runner, value: object) -> None:
    kind = "string" if isinstance(value, bytes) else "binary"
    with pytest.raises(ArgumentsRejected, match=f"is no {kind.upper()}"):
        runner3.results(echo(kind), [(value,)])


def test_what_counts_as_an_integer_is_one(runner: Runner) -> None:
    class Index:
        def __index__(self) -> int:
            return 7

    assert runner.results(echo("bigint"), [(True,), (Index(),)]) == [1, 7]
    assert runner.results(echo("bigint"), [(True,), (Index(),), (None,)]) == [1, 7, None]
    assert runner.results(echo("bigint").replace("return value", "return True"), [(1,)]) == [1]


def test_a_result_as_any_subclass_of_its_type_is_taken(runner: Runner) -> None:
    source = """
        from odps.udf import annotate
        class Number(float):
            pass
        @annotate("double->double")
        class F(object):
            def evaluate(self, value):
                return Number(value)
    """
    assert runner.results(source, [(1.5,)]) == [1.5]


def test_types_may_change_from_batch_to_batch(runner: Runner) -> None:
    source = echo("*").replace("->*", "->string").replace("return value", "return str(value)")
    values: list[object] = [1] * 64 + [1.5] * 256 + ["x"] * 1024 + [None] * 10
    assert runner.results(source, [(value,) for value in values]) == [str(value) for value in values]


def test_signatures_are_read_as_the_documentation_writes_them(runner: Runner) -> None:
    source = echo("bigint").replace("bigint->bigint", " BIGINT , Map< String , Decimal(10,2) >->  STRUCT<a : Bigint>")
    with runner.start(source, []) as running:
        assert running.description.inputs == ("BIGINT", "Map< String , Decimal(10,2) >")
        assert running.description.outputs == ("STRUCT<a : Bigint>",)
