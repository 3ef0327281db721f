"""Rows of a trial: what a cluster is given of a file, and its results in the order of the rows."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.local.runner import Json, TypedText
from reconciler.targets.flink import trial_rows
from reconciler.targets.flink.trial_rows import ROW, RowWidth, read_results, write_rows

if TYPE_CHECKING:
    from pathlib import Path

    from hypothesis.strategies import DataObject


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ([1, None, 2], "BIGINT"),
        ([1, 2.5], "DOUBLE"),
        ([1, "x"], "STRING"),
        ([None], "STRING"),
        ([True], "BOOLEAN"),
        ([True, 1], "STRING"),
        ([1 << 63], "DECIMAL(38, 0)"),
        ([Decimal("1.5")], "DECIMAL(38, 18)"),
        ([dt.date(2026, 5, 1)], "DATE"),
        ([dt.datetime.fromisoformat("2026-05-01 12:00:00")], "TIMESTAMP(6)"),
        ([[1, None], [2.5]], "STRING"),
        ([[1, 2]], "ARRAY<BIGINT>"),
        ([{"a": 1}], "MAP<STRING, BIGINT>"),
        ([b"x"], "BYTES"),
        ([Json(1), Json(2)], "BIGINT"),
        ([TypedText("1"), TypedText("-2")], "BIGINT"),
        ([TypedText("1"), TypedText("2.5e3")], "DOUBLE"),
        ([TypedText("1"), TypedText("1_000")], "STRING"),
        ([TypedText("01"), None], "BIGINT"),
    ],
)
def test_a_column_is_what_all_its_values_are(cells: list[object], kind: str, tmp_path: Path) -> None:
    assert write_rows(([cell] for cell in cells), tmp_path) == [kind]


def test_a_row_of_another_width_is_told_with_its_number(tmp_path: Path) -> None:
    with pytest.raises(RowWidth) as caught:
        write_rows([[1, 2], [3, 4], [5]], tmp_path)
    assert (caught.value.row, caught.value.actual, caught.value.expected) == (2, 1, 2)


@given(data=st.data())
def test_results_come_in_the_order_of_the_rows_whoever_computed_which(
    data: DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A cluster's workers take parts of the rows in any order, and each writes files of its own."""
    rows = list(range(data.draw(st.integers(0, 40))))
    cuts = sorted({0, len(rows), *data.draw(st.lists(st.integers(0, len(rows)), max_size=6))})
    parts = data.draw(st.permutations([rows[start:end] for start, end in pairwise(cuts)]))
    folder = tmp_path_factory.mktemp("results")
    for number, part in enumerate(parts):
        with (folder / f"part-{number % 2}").open("a", encoding="utf-8") as file:
            file.writelines(json.dumps({ROW: row, "r": row * 2}) + "\n" for row in part)
    (folder / ".part-9.inprogress").write_text("half a line")
    assert list(read_results(folder)) == [[row * 2] for row in rows]


def test_many_rows_are_several_files_that_workers_read_side_by_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial_rows, "_LINES", 3)
    write_rows(([number] for number in range(7)), tmp_path)
    files = sorted(tmp_path.iterdir())
    assert [len(file.read_text().splitlines()) for file in files] == [3, 3, 1]
    assert json.loads(files[2].read_text()) == {ROW: 6, "c0": 6}
