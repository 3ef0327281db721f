"""
Files of rows: CSV, JSON Lines and Parquet, read for a function or for a table's fixture.

What a cell means depends on the type of its column:

* CSV: text, read as `udfs call` reads its arguments. ``\\N`` is NULL, and so is an empty cell of any type but text.
* JSON Lines: one array a line, read as JSON: null, numbers, text for dates, arrays and objects for ARRAY, MAP and STRUCT.
* Parquet: the types of the file, by pyarrow, which comes with ``udfs[parquet]``.

A file is streamed: memory does not grow with its rows. A problem with a row names the line it is on.
"""

from __future__ import annotations

import csv
import json
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from reconciler.base.errors import Position, UsageError, count
from reconciler.local.runner import Json, TypedText
from reconciler.local.sql.value_types import values_from_arrow
from reconciler.manifest.model import ROW_FILES
from reconciler.testing.arrow_values import import_pyarrow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from reconciler.testing.types import Type

NULL = "\\N"
_TEXT = ("STRING", "CHAR", "VARCHAR", "BINARY")
_LONGEST = 10_000_000
"""Characters of one cell of CSV; the standard library's own limit is 128 KiB, and a STRING may have 8 MB."""


@dataclass(frozen=True)
class RowFile:
    """A file of rows."""

    path: Path
    name: str
    """As the user called it."""

    header: bool = False
    """Whether the first line of CSV names the columns."""

    def read(self, types: Sequence[Type] | None, names: Sequence[str] | None = None) -> Iterator[Sequence[object]]:
        """
        Yield the rows, for columns of these types; None if nothing is known of them.

        With `names` the columns are found by name where the file has names, and come in the order of `names`.
        """
        match self.path.suffix.lower():
            case ".csv":
                return self._csv(types, names)
            case ".jsonl":
                return self._json(types)
            case ".parquet":
                return self._parquet(names)
        raise self.problem(f"'{self.name}' is no file of rows", hint=f"the name ends in {' '.join(ROW_FILES)}")

    def position_of(self, row: int) -> Position | None:
        """Return where a row begins, counted from 0; found by reading the file once more. None for Parquet."""
        if self.path.suffix.lower() == ".parquet":
            return None
        with suppress(OSError, ValueError, csv.Error, StopIteration), self._open() as file:
            lines = self._records(file) if self.path.suffix.lower() == ".csv" else self._lines(file)
            for _ in range(row + self.header):
                next(lines)
            return Position(self.name, next(lines)[0])
        return None

    def problem(self, message: str, line: int | None = None, hint: str | None = None) -> UsageError:
        """Return what is wrong with the file."""
        return UsageError("E722", message, at=Position(self.name, line) if line else None, hint=hint)

    def _open(self) -> IO[str]:
        try:
            return self.path.open(encoding="utf-8-sig", newline="")
        except OSError as error:
            raise self.problem(f"'{self.name}' cannot be read: {error.strerror or error}") from error

    def _records(self, file: IO[str]) -> Iterator[tuple[int, list[str]]]:
        """Yield the records of CSV with the line each begins on; empty lines are none."""
        csv.field_size_limit(_LONGEST)
        reader, begins = csv.reader(file, strict=True), 1
        try:
            for record in reader:
                if record:
                    yield begins, record
                begins = reader.line_num + 1
        except csv.Error as error:
            raise self.problem(f"this is not CSV: {error}", begins) from error
        except UnicodeDecodeError as error:
            raise self.problem("the file is not UTF-8", hint="convert it: iconv -f … -t utf-8") from error

    def _csv(self, kinds: Sequence[Type] | None, names: Sequence[str] | None) -> Iterator[Sequence[object]]:
        with self._open() as file:
            records = self._records(file)
            order = self._order(next(records, (1, []))[1], names) if self.header else None
            readers = None if kinds is None else [_reader(kind) for kind in kinds]
            for line, record in records:
                cells = record
                if order is not None and len(record) == len(order):
                    cells = [record[index] for index in order]
                if readers is None:
                    yield [None if cell == NULL else cell for cell in cells]
                elif len(cells) != len(readers):
                    raise self.problem(_wrong_width(len(cells), len(readers)), line)
                else:
                    yield [reader(cell) for reader, cell in zip(readers, cells, strict=True)]

    def _order(self, header: list[str], names: Sequence[str] | None) -> list[int] | None:
        """Return at which place of a line each of `names` stands."""
        if names is None:
            return None
        indexes = {name.strip().lower(): index for index, name in enumerate(header)}
        if sorted(indexes) != sorted(name.lower() for name in names):
            raise self.problem("the first line does not name the columns", 1, f"expected: {','.join(names)}")
        return [indexes[name.lower()] for name in names]

    def _lines(self, file: IO[str]) -> Iterator[tuple[int, str]]:
        try:
            for number, line in enumerate(file, 1):
                if not line.isspace():
                    yield number, line
        except UnicodeDecodeError as error:
            raise self.problem("the file is not UTF-8") from error

    def _json(self, kinds: Sequence[Type] | None) -> Iterator[Sequence[object]]:
        with self._open() as file:
            for number, line in self._lines(file):
                try:
                    row = json.loads(line)
                except (ValueError, RecursionError) as error:
                    raise self.problem(f"this is not JSON: {error}", number) from error
                if not isinstance(row, list):
                    raise self.problem("a row is a JSON array", number, 'one line a row, such as [1, "text", null]')
                if kinds is not None and len(row) != len(kinds):
                    raise self.problem(_wrong_width(len(row), len(kinds)), number)
                yield [Json(cell) for cell in row] if kinds is None else list(map(_from_json, row, kinds))

    def _parquet(self, names: Sequence[str] | None) -> Iterator[Sequence[object]]:
        arrow = import_pyarrow()
        try:
            with arrow.parquet.ParquetFile(self.path) as file:
                spelling = {name.lower(): name for name in file.schema_arrow.names}
                missing = [name for name in names or () if name.lower() not in spelling]
                if missing:
                    raise self.problem(
                        f"'{self.name}' has no column {', '.join(missing)}", hint=f"it has: {', '.join(spelling)}"
                    )
                chosen_names = None if names is None else [spelling[name.lower()] for name in names]
                for batch in file.iter_batches(columns=chosen_names):
                    columns = [values_from_arrow(batch.column(name)) for name in chosen_names or batch.schema.names]
                    yield from zip(*columns, strict=True)
        except (OSError, arrow.ArrowException) as error:
            raise self.problem(f"'{self.name}' cannot be read: {error}") from error


def _wrong_width(actual: int, expected: int) -> str:
    return f"{count(actual, 'value')} where {expected} {'is' if expected == 1 else 'are'} expected"


def _reader(kind: Type) -> Callable[[str], object]:
    """Return what makes a value of a cell of CSV; what it cannot read goes on as text, and is refused with its type."""
    convert: Callable[[str], object] = {"BIGINT": int, "DOUBLE": float}.get(kind.name, TypedText)
    if kind.name in _TEXT and kind.name != "BINARY":
        return lambda cell: None if cell == NULL else cell

    def value(cell: str) -> object:
        if cell in ("", NULL):
            return None
        try:
            return convert(cell)
        except ValueError:
            return TypedText(cell)

    return value


def _from_json(value: Any, kind: Type) -> object:
    is_plain = isinstance(value, str) if kind.name in _TEXT[:3] else isinstance(value, bool | int)
    return value if value is None or is_plain or (kind.name == "DOUBLE" and isinstance(value, float)) else Json(value)
