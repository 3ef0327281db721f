"""Values of every documented type are written as SQL, go through a service, and are read back."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from reconciler.base.errors import UdfsError
from reconciler.local import Server
from reconciler.targets.credentials.session import Credentials
from reconciler.targets.maxcompute.client import Client
from reconciler.targets.maxcompute.signature import parse_signature as signature
from reconciler.targets.maxcompute.sql import called_functions, read_query, run_query, settings_of
from reconciler.targets.maxcompute.sql_tests import NoLiteral, csv_expression, read_cell, sql_literal
from reconciler.targets.maxcompute.target import MaxCompute
from reconciler.testing.expectations import find_mismatch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# As YAML has them.
WRITTEN: dict[str, st.SearchStrategy[Any]] = {
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "double": st.floats(allow_nan=False, allow_infinity=False),
    # What 32 bits hold of a number is more than YAML's says, or less.
    "float": st.integers(-1000, 1000).map(lambda one: one / 8),
    "boolean": st.booleans(),
    "string": st.text(st.characters(codec="utf-8", exclude_characters="\0")).filter(lambda text: text != "\\N"),
    "binary": st.text(st.characters(codec="utf-8")),
    "date": st.dates().map(str),
    "datetime": st.datetimes().map(lambda one: one.isoformat(" ", "seconds")),
    "decimal(38,18)": st.decimals(-(10**19), 10**19, places=18).map(lambda one: format(one, "f")),
    "array<bigint>": st.lists(st.none() | st.integers(-5, 5)),
    "map<string,double>": st.dictionaries(st.text("ab'\\\"", min_size=1), st.floats(-5, 5), max_size=3),
    "map<bigint,date>": st.dictionaries(st.integers(-5, 5).map(str), st.dates().map(str), max_size=3),
    "struct<x:bigint,y:array<string>>": st.fixed_dictionaries(
        {"x": st.integers(-5, 5), "y": st.lists(st.text("ab '\\\""), max_size=2)}
    ),
}
KINDS = [signature(f"->{kind}").outputs[0] for kind in WRITTEN]


@pytest.fixture
def target(tmp_path: Path) -> Iterator[MaxCompute]:
    with Server(tmp_path, environment=os.environ) as server:
        client = Client(server.url, "demo", None, Credentials("any", "thing"), "udfs/test")
        yield MaxCompute(client, "risk", lambda: "abc")


@given(st.tuples(*(st.none() | values for values in WRITTEN.values())))
@settings(
    max_examples=6, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_what_is_written_is_what_is_read(target: MaxCompute, values: tuple[Any, ...]) -> None:
    columns = [csv_expression(sql_literal(value, kind), kind) for value, kind in zip(values, KINDS, strict=True)]
    answer = run_query(target, f"SELECT {', '.join(columns)}", {}, "a test")
    [row] = answer.rows
    for value, cell, kind in zip(values, row, KINDS, strict=True):
        assert find_mismatch(value, read_cell(cell, kind)) is None, kind


@pytest.mark.parametrize(
    ("value", "kind"),
    [("x", "array<bigint>"), ([1], "bigint"), ({"z": 1}, "struct<x:bigint>"), (1, "string"), ("?", "boolean")],
)
def test_what_is_none_of_its_type_is_not_written(value: Any, kind: str) -> None:
    with pytest.raises(NoLiteral):
        sql_literal(value, signature(f"->{kind}").outputs[0])


def test_set_lines_are_taken_off_and_places_stay() -> None:
    query = read_query("SET a.b = c ;\n\nset D=e;select f(1)")
    assert query.settings == {"a.b": "c", "d": "e"}
    assert query.sql == " " * 13 + "\n\n" + " " * 8 + "select f(1)"


def test_calls_are_found_and_what_is_text_is_none() -> None:
    sql = "SELECT F (a), `g`(b), 'h(c)', \"i(d)\" -- j(e)\n /* k(f) */ FROM l LATERAL VIEW m(n) o"
    assert called_functions(sql, list("fghijklm")) == ("f", "g", "m")


def test_functions_of_two_pythons_are_not_called_together() -> None:
    functions = {"a": [("v", "cp27")], "b": [("v", "cp37"), ("w", "true")]}
    with pytest.raises(UdfsError, match="'a' needs v=cp27, and 'b' v=cp37"):
        settings_of(functions, {})
    assert settings_of(functions, {"v": "cp37"}) == {"w": "true"}


def test_a_query_that_fails_tells_its_place(target: MaxCompute) -> None:
    with pytest.raises(UdfsError, match="ODPS-0130131: Table not found") as caught:
        run_query(target, "SELECT a\nFROM nowhere", {}, "the query")
    [problem] = caught.value.problems
    assert (str(problem.at), problem.source) == ("the query:2:6", "FROM nowhere")
