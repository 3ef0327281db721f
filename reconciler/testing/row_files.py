"""
Files of rows and results: CSV, JSON Lines and Parquet, read for a function or for a table's fixture, and written.

What a cell means depends on the type of its column:

* CSV: text, read as `udfs call` reads its arguments. ``\\N`` is NULL, and so is an empty cell of any type but text.
* JSON Lines: one array a line, read as JSON: null, numbers, text for dates, arrays and objects for ARRAY, MAP and STRUCT.
* Parquet: the types of the file, by pyarrow, which comes with ``udfs[parquet]``.

A file is streamed: memory does not grow with its rows. A problem with a row names the line it is on.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from reconciler.base.errors import Position, UsageError, count
from reconciler.base.inputs import ROWS, FileRefused, open_named, read_lines
from reconciler.local.runner import Json, TypedText
from reconciler.local.sql.value_types import values_from_arrow, values_to_arrow
from reconciler.manifest.model import ROW_FILES
from reconciler.testing.expectations import format_value
from reconciler.testing.types import Type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from typing_extensions import Self


def import_pyarrow() -> Any:
    try:
        import pyarrow as pa
        import pyarrow.parquet
    except ImportError:
        raise UsageError(
            "E723", "Parquet needs pyarrow, which is not installed", hint="pip install 'udfs[parquet]'"
        ) from None
    return pa


def arrow_type(arrow: Any, kind: Type) -> Any:
    """Return pyarrow's name for a type."""
    inner = [arrow_type(arrow, part) for part in kind.inner]
    match kind.name:
        case "BIGINT":
            return arrow.int64()
        case "TINYINT" | "SMALLINT" | "INT":
            return {"TINYINT": arrow.int8, "SMALLINT": arrow.int16, "INT": arrow.int32}[kind.name]()
        case "DOUBLE":
            return arrow.float64()
        case "FLOAT":
            return arrow.float32()
        case "BOOLEAN":
            return arrow.bool_()
        case "BINARY":
            return arrow.binary()
        case "DATE":
            return arrow.date32()
        case "DATETIME" | "TIMESTAMP":
            return arrow.timestamp("us")
        case "DECIMAL":
            return arrow.decimal128(*(kind.parameters or (38, 18)))
        case "ARRAY":
            return arrow.list_(inner[0])
        case "MAP":
            return arrow.map_(*inner)
        case "STRUCT":
            return arrow.struct(list(zip(kind.fields, inner, strict=True)))
        case _:
            return arrow.string()


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

    def read_untyped(self) -> Iterator[Sequence[object]]:
        """Yield the rows where nobody knows the types of columns: text of CSV is `TypedText`, and an empty cell NULL."""
        rows = self.read(None)
        if self.path.suffix.lower() != ".csv":
            return rows
        return ([None if cell in (None, "") else TypedText(str(cell)) for cell in row] for row in rows)

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

    def problem(
        self, message: str, line: int | None = None, hint: str | None = None, column: int | None = None
    ) -> UsageError:
        """Return what is wrong with the file."""
        return UsageError("E722", message, at=Position(self.name, line, column or 1) if line else None, hint=hint)

    def _open(self) -> IO[str]:
        try:
            return io.TextIOWrapper(open_named(self.path, ROWS), encoding="utf-8-sig", newline="")
        except OSError as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: OSError) -> UsageError:
        return self.problem(f"'{self.name}' cannot be read: {error.strerror or error}")

    def _records(self, file: IO[str]) -> Iterator[tuple[int, list[str]]]:
        """Yield the records of CSV with the line each begins on; empty lines are none."""
        csv.field_size_limit(_LONGEST)
        reader, begins = csv.reader(read_lines(file, self.name), strict=True), 1
        try:
            for record in reader:
                if record:
                    yield begins, record
                begins = reader.line_num + 1
        except csv.Error as error:
            raise self.problem(f"this is not CSV: {error}", begins) from error
        except UnicodeDecodeError as error:
            raise self.problem("the file is not UTF-8", hint="convert it: iconv -f … -t utf-8") from error
        except FileRefused as error:
            raise self._unreadable(error) from error

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
            for number, line in enumerate(read_lines(file, self.name), 1):
                if not line.isspace():
                    yield number, line
        except UnicodeDecodeError as error:
            raise self.problem("the file is not UTF-8") from error
        except FileRefused as error:
            raise self._unreadable(error) from error

    def _json(self, kinds: Sequence[Type] | None) -> Iterator[Sequence[object]]:
        with self._open() as file:
            for number, line in self._lines(file):
                try:
                    row = json.loads(line)
                except (ValueError, RecursionError) as error:
                    raise self.problem(f"this is not JSON: {error}", number) from error
                if "\\u" in line and (half := _find_half(line, row)):
                    message = f"{half[0]} is one half of a character, which is no text"
                    raise self.problem(message, number, "a pair such as \\ud83d\\ude00 is one", half.start() + 1)
                if not isinstance(row, list):
                    raise self.problem("a row is a JSON array", number, 'one line a row, such as [1, "text", null]')
                if kinds is not None and len(row) != len(kinds):
                    raise self.problem(_wrong_width(len(row), len(kinds)), number)
                yield [Json(cell) for cell in row] if kinds is None else list(map(_from_json, row, kinds))

    def _parquet(self, names: Sequence[str] | None) -> Iterator[Sequence[object]]:
        arrow = import_pyarrow()
        try:
            with open_named(self.path, ROWS) as content, arrow.parquet.ParquetFile(content) as file:
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
        except OSError as error:
            raise self._unreadable(error) from error
        except arrow.ArrowException as error:
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
        # What Python alone takes, 1_000 and digits of other scripts, is refused where text is read by its type.
        if "_" in cell or not cell.isascii():
            return TypedText(cell)
        try:
            return convert(cell)
        except ValueError:
            return TypedText(cell)

    return value


def _from_json(value: Any, kind: Type) -> object:
    is_plain = isinstance(value, str) if kind.name in _TEXT[:3] else isinstance(value, bool | int)
    return value if value is None or is_plain or (kind.name == "DOUBLE" and isinstance(value, float)) else Json(value)


class ResultFile:
    """
    A file of results, by the end of its name: written beside it, and put in its place when all is there.

    ``with`` ends it; after an exception nothing is left, and what was at the place before still is.
    """

    def __init__(self, path: Path, name: str, types: Sequence[Type] | None) -> None:
        self._path = path
        suffix = path.suffix.lower()
        if suffix not in ROW_FILES:
            hint = f"the name ends in {' '.join(ROW_FILES)}"
            raise UsageError("E722", f"'{name}' is no file of rows", hint=hint)
        handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        os.close(handle)
        self._part = Path(part)
        self._part.chmod(0o644)
        try:
            self._sink = _SINKS[suffix](self._part, types)
        except BaseException:
            self._part.unlink()
            raise

    def write_rows(self, rows: Iterable[Sequence[object]]) -> None:
        """Write rows."""
        self._sink.write_rows(rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self._sink.close()
            if kind is None:
                self._part.replace(self._path)
        finally:
            self._part.unlink(missing_ok=True)


class _Csv:
    def __init__(self, path: Path, types: Sequence[Type] | None) -> None:
        self._file = path.open("w", encoding="utf-8", newline="")
        # A carriage return in a cell is quoted only where lines end in one, and ours do not.
        self._writer = csv.writer(self, lineterminator="\r\n")

    def write(self, line: str) -> None:
        self._file.write(line[:-2] + "\n")

    def write_rows(self, rows: Iterable[Sequence[object]]) -> None:
        self._writer.writerows([NULL if cell is None else format_value(cell) for cell in row] for row in rows)

    def close(self) -> None:
        self._file.close()


class _JsonLines:
    def __init__(self, path: Path, types: Sequence[Type] | None) -> None:
        self._file = path.open("w", encoding="utf-8")

    def write_rows(self, rows: Iterable[Sequence[object]]) -> None:
        self._file.writelines(format_value(list(row), as_json=True) + "\n" for row in rows)

    def close(self) -> None:
        self._file.close()


class _Parquet:
    def __init__(self, path: Path, types: Sequence[Type] | None) -> None:
        self._arrow = import_pyarrow()
        # A table function without a signature gives strings [doc "Python UDTFs"], and how many the first row says.
        self._types, self._path = types, path
        self._writer: Any = None

    def write_rows(self, rows: Iterable[Sequence[object]]) -> None:
        rows = list(rows)
        if not rows and self._types is None:
            return
        width = len(rows[0]) if self._types is None else len(self._types)
        columns = list(zip(*rows, strict=True)) or [()] * width
        if self._writer is None:
            types = self._types or [Type("STRING", 0, 0)] * width
            fields = [(f"c{index}", arrow_type(self._arrow, kind)) for index, kind in enumerate(types)]
            self._schema = self._arrow.schema(fields)
            self._writer = self._arrow.parquet.ParquetWriter(self._path, self._schema)
        arrays = [values_to_arrow(column, field.type) for column, field in zip(columns, self._schema, strict=True)]
        self._writer.write_batch(self._arrow.record_batch(arrays, schema=self._schema))

    def close(self) -> None:
        if self._writer is None:
            self.write_rows([])
        if self._writer is not None:
            self._writer.close()


_HALF = re.compile(r"\\u[dD][89abAB]\w\w(?!\\u[dD][c-fC-F]\w\w)|(?<!\\u[dD][89abAB]\w\w)\\u[dD][c-fC-F]\w\w")


def _find_half(line: str, row: object) -> re.Match[str] | None:
    """Return where a surrogate without its other stands in a line of JSON; it is no Unicode text, and no STRING."""
    try:
        json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return _HALF.search(line)
    return None


_SINKS: dict[str, type[_Csv | _JsonLines | _Parquet]] = {".csv": _Csv, ".jsonl": _JsonLines, ".parquet": _Parquet}
