"""Rows in files: what is written is read again, by the types of the columns, and what is wrong has its line."""

from __future__ import annotations

import csv
import datetime as dt
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.base.errors import UsageError
from reconciler.local.runner import Json, TypedText
from reconciler.local.runner.wire import Struct
from reconciler.targets.maxcompute.jobs import parse_types
from reconciler.testing.row_files import NULL, ResultFile, RowFile

if TYPE_CHECKING:
    from pathlib import Path

OPTIONS = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
MOMENT = dt.datetime(2026, 5, 1, 12, 30, 1, 250)  # noqa: DTZ001 - DATETIME has no time zone

# Without half characters, which are no text, and without what CSV writes for NULL.
STRINGS = st.text(st.characters(exclude_categories=["Cs"])).filter(lambda text: text != NULL)
INTEGERS = st.integers(-(2**63), 2**63 - 1)
ROWS = st.lists(
    st.tuples(st.none() | INTEGERS, st.none() | STRINGS, st.none() | st.floats(allow_nan=False)), min_size=1, max_size=8
)
TYPES = ("bigint", "string", "double")


def rows(path: Path, *, header: bool = False) -> RowFile:
    return RowFile(path, path.name, header=header)


def written(path: Path, given: list[tuple[Any, ...]], types: tuple[str, ...] | None = TYPES) -> RowFile:
    with ResultFile(path, path.name, parse_types(types)) as file:
        file.write_rows(given[:1])
        file.write_rows(given[1:])
    return rows(path)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
@given(given_rows=ROWS)
@OPTIONS
def test_what_is_written_is_read_again(tmp_path: Path, suffix: str, given_rows: list[tuple[Any, ...]]) -> None:
    file = written(tmp_path / f"rows{suffix}", given_rows)
    assert [tuple(row) for row in file.read(parse_types(TYPES))] == given_rows


def test_parquet_keeps_every_type(tmp_path: Path) -> None:
    types = (
        "date", "datetime", "decimal(10,2)", "decimal", "binary", "boolean", "float", "array<bigint>",
        "map<string,array<bigint>>", "struct<a:map<bigint,string>,b:date>", "array<map<string,bigint>>", "tinyint", "int",
    )  # fmt: skip
    row = (
        MOMENT.date(), MOMENT, Decimal("1.50"), Decimal("1e-18"), b"\xff", True, 0.5, [1, None], {"a": [1], "b": None},
        Struct.of({"a": {1: "x"}, "b": MOMENT.date()}), [{"a": 1}, None], -1, 7,
    )  # fmt: skip
    nothing = (None,) * len(row)
    file = written(tmp_path / "rows.parquet", [row, nothing], types)
    first, second = (tuple(one) for one in file.read(None))
    assert second == nothing
    assert isinstance(first[9], Struct)  # which keeps its names, and is no map
    assert first[9]._fields == ("a", "b")
    assert first == row


def test_results_without_a_signature_are_strings(tmp_path: Path) -> None:
    assert [tuple(row) for row in written(tmp_path / "r.parquet", [("a", None)], None).read(None)] == [("a", None)]
    assert not list(written(tmp_path / "empty.parquet", []).read(parse_types(TYPES)))


def test_csv_is_read_by_type(tmp_path: Path) -> None:
    file = tmp_path / "r.csv"
    file.write_text('1,,\\N,2026-05-01,"[1, 2]",\nx,"a\nb",0.5,,,yes\n\n', encoding="utf-8-sig")
    types = ("bigint", "string", "double", "date", "array<bigint>", "binary")
    assert list(rows(file).read(parse_types(types))) == [
        [1, "", None, TypedText("2026-05-01"), TypedText("[1, 2]"), None],
        [TypedText("x"), "a\nb", 0.5, None, None, TypedText("yes")],
    ]
    assert next(iter(rows(file).read(None))) == ["1", "", None, "2026-05-01", "[1, 2]", ""]


def test_columns_are_found_by_name(tmp_path: Path) -> None:
    file = tmp_path / "r.csv"
    file.write_text("B , a\n1,x\n")
    assert list(rows(file, header=True).read(parse_types(("string", "bigint")), ("a", "b"))) == [["x", 1]]
    assert list(rows(file, header=True).read(parse_types(("bigint", "string")))) == [[1, "x"]]
    parquet = written(tmp_path / "r.parquet", [(1, "x", 0.5)])
    assert list(parquet.read(parse_types(("double", "bigint")), ("C2", "c0"))) == [(0.5, 1)]


def test_json_is_read_by_type(tmp_path: Path) -> None:
    file = tmp_path / "r.jsonl"
    file.write_text('[1, "a", 0.5, "2026-05-01", [1], 1.5, true]\n\n')
    types = ("bigint", "string", "double", "date", "array<bigint>", "decimal", "boolean")
    assert list(rows(file).read(parse_types(types))) == [[1, "a", 0.5, Json("2026-05-01"), Json([1]), Json(1.5), True]]
    assert next(iter(rows(file).read(None)))[0] == Json(1)


WRONG = {
    "a short line": ("r.csv", b"1,2\n3\n", "r.csv:2:1: 1 value where 2 are expected"),
    "a line after one with breaks": ("r.csv", b'1,"\n\n"\n3\n', "r.csv:4:1: 1 value where 2 are expected"),
    "an open quote": ("r.csv", b'1,2\n3,"4\n', "r.csv:2:1: this is not CSV: unexpected end of data"),
    "Latin-1": ("r.csv", b"1,\xe9\n", "the file is not UTF-8"),
    "half a character": (
        "r.jsonl",
        rb'["a", "\ud83d\ude00"]' + b"\n" + rb'["\ud83d\ude00", "x\udc00"]',
        r"r.jsonl:2:20: \udc00 is one half of a character",
    ),
    "no JSON": ("r.jsonl", b"[1, 2]\n[1, 2\n", "r.jsonl:2:1: this is not JSON: Expecting"),
    "an object": ("r.jsonl", b'{"a": 1}\n', "r.jsonl:1:1: a row is a JSON array"),
    "a short array": ("r.jsonl", b"\n[1]\n", "r.jsonl:2:1: 1 value where 2 are expected"),
    "JSON in Latin-1": ("r.jsonl", b'["\xe9", 1]\n', "the file is not UTF-8"),
    "no Parquet": ("r.parquet", b"1,2\n", "'r.parquet' cannot be read:"),
    "another file": ("r.xlsx", b"", "'r.xlsx' is no file of rows"),
}


@pytest.mark.parametrize(("name", "content", "said"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_has_its_line(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError) as caught:
        list(rows(tmp_path / name).read(parse_types(("bigint", "string"))))
    [problem] = caught.value.problems
    assert f"{problem.at}: {problem.message}".removeprefix("None: ").startswith(said)


def test_a_header_names_the_columns_or_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "r.csv"
    file.write_text("a,c\n1,x\n")
    with pytest.raises(UsageError, match="the first line does not name the columns"):
        list(rows(file, header=True).read(parse_types(("string", "bigint")), ("a", "b")))
    with pytest.raises(UsageError, match="has no column b"):
        list(written(tmp_path / "r.parquet", [(1, "x", 0.5)]).read(parse_types(("double",)), ("b",)))


@given(st.lists(st.text('ab,"\n', min_size=1), min_size=1, max_size=5))
@OPTIONS
def test_the_place_of_a_row_is_where_it_begins(tmp_path: Path, cells: list[str]) -> None:
    path = tmp_path / "r.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        write = csv.writer(file, lineterminator="\n").writerow
        write(["name"])
        begins = []
        for cell in cells:
            file.flush()
            begins.append(1 + path.read_text().count("\n"))
            write([cell])
    assert [str(rows(path, header=True).position_of(row)) for row in range(len(cells))] == [
        f"r.csv:{one}:1" for one in begins
    ]


def test_a_row_that_is_not_there_has_no_place(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text("[1]\n\n[2]\n")
    assert str(rows(tmp_path / "r.jsonl").position_of(1)) == "r.jsonl:3:1"
    assert rows(tmp_path / "r.jsonl").position_of(2) is None
    assert rows(tmp_path / "r.parquet").position_of(0) is None


def test_a_result_takes_its_place_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text("what was there\n")
    with pytest.raises(TypeError), ResultFile(path, "r.jsonl", parse_types(TYPES)) as file:
        file.write_rows([(1, "x", 0.5), None])  # type: ignore[list-item]
    assert path.read_text() == "what was there\n"
    assert list(tmp_path.iterdir()) == [path]
    written(path, [(1, "é", None)])
    assert json.loads(path.read_text()) == [1, "é", None]
    with pytest.raises(UsageError, match="is no file of rows"):
        ResultFile(tmp_path / "r.txt", "r.txt", parse_types(TYPES))
