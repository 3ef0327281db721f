"""
Row files: a table's rows in Parquet, written once, and read by DuckDB as one data set with the partition keys as columns.

A file may have fewer columns than the table has by now; the others are NULL in its rows [doc "ALTER TABLE": ADD COLUMNS].
"""

from __future__ import annotations

import io
from functools import cache
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from reconciler.local.sql.value_types import duckdb_type, values_from_arrow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import BinaryIO

    from reconciler.local.sql.catalog import PartitionValues, TableColumn, TableDefinition


def open_scratch() -> Any:
    """Open a database for conversions alone; to be closed."""
    return duckdb.connect(":memory:")


@cache
def stored_type(kind: str) -> Any:
    """Return the Arrow type that DuckDB has for a type of the service's."""
    with open_scratch() as connection:
        return connection.sql(f"SELECT CAST(NULL AS {duckdb_type(kind)}) AS c").to_arrow_table().schema.field(0).type


def arrow_schema(columns: Sequence[TableColumn]) -> pa.Schema:
    """Return the Arrow schema of a table's columns."""
    return pa.schema([(column.name, stored_type(column.type)) for column in columns])


def quote_name(name: str) -> str:
    """Return a name as DuckDB takes it, whatever it is."""
    return '"' + name.replace('"', '""') + '"'


def dataset(definition: TableDefinition, files: Iterable[tuple[PartitionValues, BinaryIO]]) -> Any:
    """Return what DuckDB can read: the rows of all files, each with the values of its partition's keys."""
    schema, keys = arrow_schema(definition.all_columns), arrow_schema(definition.keys)
    parquet = ds.ParquetFileFormat()
    fragments = []
    for values, file in files:
        expression = None
        for value, key in zip(values, keys, strict=True):
            equal = ds.field(key.name) == pa.scalar(value).cast(key.type)
            expression = equal if expression is None else expression & equal
        fragments.append(parquet.make_fragment(pa.PythonFile(file, mode="r"), partition_expression=expression))
    return ds.FileSystemDataset(fragments, schema, parquet)


def read_batches(rows: Any, columns: Sequence[str]) -> Iterator[Any]:
    """Yield the batches of a `dataset`, in the columns asked for."""
    for batch in rows.scanner(columns=list(columns), use_threads=False).to_batches():
        if batch.num_rows:
            yield batch


def read_rows(
    batches: Iterable[Any], count: int, values: Callable[[Any], list[Any]] = values_from_arrow
) -> list[tuple[Any, ...]]:
    """Return the first rows of batches; `values` makes them of a column."""
    rows: list[tuple[Any, ...]] = []
    for batch in batches:
        columns = [values(column) for column in batch.slice(0, count - len(rows)).columns]
        rows += zip(*columns, strict=True)
        if len(rows) >= count:
            break
    return rows


class _Sink(io.RawIOBase):
    """What pyarrow writes to: a file that counts."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._position = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def write(self, content: Any) -> int:
        view = memoryview(content).cast("B")
        self._file.write(view)
        self._position += len(view)
        return len(view)


def write_parquet(batches: Iterable[Any], schema: pa.Schema, file: BinaryIO) -> int:
    """Write batches to a file and return how many rows they have."""
    count = 0
    with pq.ParquetWriter(_Sink(file), schema, compression="zstd") as writer:
        for batch in batches:
            writer.write_batch(batch)
            count += batch.num_rows
    return count
