"""
Rows for a trial on a cluster: the lines of JSON that Flink reads, the types of their columns, and the results in the rows' order.

A file of rows says little of types, and a function in Python none of its arguments, so a column is what all its values are: BIGINT, else DOUBLE, else
STRING, and what Parquet and JSON have beside these. Text that reads as a number is one where the file has text alone, as CSV has.
"""

from __future__ import annotations

import base64
import datetime as dt
import heapq
import json
import re
from contextlib import ExitStack
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.base.inputs import ROWS, open_input
from reconciler.local.runner import Json, TypedText

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

ROW = "udfs_row"
"""The column that numbers the rows: a cluster gives results in any order."""

_LINES = 200_000
"""Rows of one file: files are read side by side."""

_WHOLE = re.compile(r"[+-]?[0-9]{1,18}\Z")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?\Z")
_LARGEST = 1 << 63
_DECIMAL = "DECIMAL(38, 18)"
_NARROWER = ("BIGINT", "DOUBLE", "STRING")


def write_rows(rows: Iterable[Sequence[object]], folder: Path) -> list[str]:
    """Write rows as JSON into files of a folder, and return the type of each column, as Flink's SQL names it."""
    types: list[str | None] = []
    lines = _lines(rows, types)
    number = 0
    while True:
        path = folder / f"{number:06}.json"
        with path.open("w", encoding="utf-8") as file:
            written = sum(1 for _ in map(file.write, islice(lines, _LINES)))
        number += 1
        if written < _LINES:
            return [kind or "STRING" for kind in types]


def _lines(rows: Iterable[Sequence[object]], types: list[str | None]) -> Iterator[str]:
    for number, row in enumerate(rows):
        if number == 0:
            types += [None] * len(row)
        if len(row) != len(types):
            raise RowWidth(number, len(row), len(types))
        for index, cell in enumerate(row):
            types[index] = _wider(types[index], _kind(cell))
        cells = {f"c{index}": _plain(cell) for index, cell in enumerate(row)}
        yield json.dumps({ROW: number, **cells}, ensure_ascii=False) + "\n"


class RowWidth(Exception):
    """A row has another number of values than the first."""

    def __init__(self, row: int, actual: int, expected: int) -> None:
        super().__init__(row, actual, expected)
        self.row, self.actual, self.expected = row, actual, expected


def _kind(cell: object) -> str | None:
    """Return the narrowest type that has a value; None for NULL."""
    match cell:
        case None | Json(None):
            return None
        case TypedText(text):
            return _kind_of_text(text)
        case Json(value):
            return _kind(value)
        case bool():
            return "BOOLEAN"
        case int():
            return "BIGINT" if -_LARGEST <= cell < _LARGEST else "DECIMAL(38, 0)"
        case float():
            return "DOUBLE"
        case Decimal():
            return _DECIMAL
        case dt.datetime():
            return "TIMESTAMP(6)"
        case dt.date():
            return "DATE"
        case bytes():
            return "BYTES"
        case list() | tuple():
            return f"ARRAY<{_common(cell)}>"
        case dict():
            return f"MAP<STRING, {_common(cell.values())}>"
        case _:
            return "STRING"


def _kind_of_text(text: str) -> str:
    return "BIGINT" if _WHOLE.match(text) else "DOUBLE" if _NUMBER.match(text) else "STRING"


def _common(values: Iterable[object]) -> str:
    kind: str | None = None
    for value in values:
        kind = _wider(kind, _kind(value))
    return kind or "STRING"


def _wider(kind: str | None, other: str | None) -> str | None:
    """Return the type that has the values of both."""
    if kind is None or other is None or kind == other:
        return kind or other
    if kind in _NARROWER and other in _NARROWER:
        return max(kind, other, key=_NARROWER.index)
    return "STRING"


def _plain(cell: object) -> object:
    """Return a value as Flink's JSON has it: text of numbers is read by the type of its column."""
    match cell:
        case TypedText(text):
            return text
        case Json(value):
            return value
        case Decimal():
            return str(cell)
        case dt.datetime():
            return cell.isoformat(sep=" ", timespec="microseconds")
        case dt.date():
            return cell.isoformat()
        case bytes():
            return base64.b64encode(cell).decode()
        case list() | tuple():
            return list(map(_plain, cell))
        case dict():
            return {str(key): _plain(value) for key, value in cell.items()}
        case _:
            return cell


class _Run(NamedTuple):
    """A part of a file of results in which rows follow each other in order."""

    path: Path
    start: int
    end: int


def read_results(folder: Path) -> Iterator[list[Any]]:
    """Yield results in the order of their rows, each as the list of its columns; memory does not grow with them."""
    runs = [run for path in sorted(_files(folder)) for run in _runs(path)]
    with ExitStack() as opened:
        streams = [_read_run(run, opened) for run in runs]
        for _, columns in heapq.merge(*streams, key=lambda result: result[0]):
            yield columns


def _files(folder: Path) -> Iterator[Path]:
    """Yield what Flink has written: files that it is still writing begin with a dot."""
    for path in folder.rglob("*"):
        if path.is_file() and not path.name.startswith((".", "_")):
            yield path


def _runs(path: Path) -> Iterator[_Run]:
    start = end = 0
    last = -1
    with open_input(path, ROWS) as file:
        while line := file.readline():
            row = json.loads(line)[ROW]
            if row < last:
                yield _Run(path, start, end)
                start = end
            last, end = row, end + len(line)
    if end > start:
        yield _Run(path, start, end)


def _read_run(run: _Run, opened: ExitStack) -> Iterator[tuple[int, list[Any]]]:
    file = opened.enter_context(open_input(run.path, ROWS))
    file.seek(run.start)
    while file.tell() < run.end:
        result = json.loads(file.readline())
        yield result.pop(ROW), list(result.values())
