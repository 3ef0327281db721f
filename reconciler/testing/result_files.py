"""
Files of results, in the formats of `row_files`.

A file is written beside the old one and replaces it when all is there; after an error the old one is unchanged.
"""

from __future__ import annotations

import csv
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.base.errors import UsageError
from reconciler.local.sql.value_types import values_to_arrow
from reconciler.manifest.model import ROW_FILES
from reconciler.testing.arrow_values import arrow_type, import_pyarrow
from reconciler.testing.row_files import NULL
from reconciler.testing.types import Type
from reconciler.testing.values import format_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from typing_extensions import Self


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


_SINKS: dict[str, type[_Csv | _JsonLines | _Parquet]] = {
    ".csv": _Csv,
    ".jsonl": _JsonLines,
    ".parquet": _Parquet,
}
