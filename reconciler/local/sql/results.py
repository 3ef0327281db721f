"""
Result of a statement: all its rows, in a file of Arrow batches, of which a reader needs no more in memory than one.

As CSV it is at most as long as the service makes it; the tunnel reads any stretch of rows.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconciler.local.sql.problems import illegal_cast, internal_failure
from reconciler.local.sql.value_types import render_csv, render_table, require_days, shown_values
from reconciler.local.tunnel.column_types import parse_type, wire_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from reconciler.local.sql.control import StatementLimits

FILE = "result.arrow"
_TIMES_THE_MEMORY = 8
"""How many times the memory of a statement its result may take on disk; so much DuckDB may take beside it."""


@dataclass(frozen=True)
class StatementResult:
    """What came of a SELECT."""

    names: tuple[str, ...]
    types: tuple[str, ...]
    """As the service spells them."""
    path: Path
    starts: tuple[int, ...]
    """The first row of each batch in the file, and the number of all rows."""
    most: int
    """Rows of a result that is not read by tunnel."""
    zone: str
    """The time zone whose clocks its times are of."""

    @property
    def count(self) -> int:
        """The number of all rows."""
        return self.starts[-1]

    @property
    def is_cut(self) -> bool:
        """Whether there are more rows than the CSV has."""
        return self.count > self.most

    def batches(self, start: int, count: int) -> Iterator[Any]:
        """Yield the rows from `start` on, as many as there are of `count`; times are those of a clock in `zone`."""
        import pyarrow as pa

        with pa.memory_map(str(self.path)) as file, pa.ipc.open_file(file) as reader:
            end = min(start + count, self.count)
            for number in range(bisect_right(self.starts, start) - 1, len(self.starts) - 1):
                first = self.starts[number]
                if first >= end:
                    return
                batch = reader.get_batch(number)
                yield batch.slice(max(start - first, 0), end - max(start, first))

    @property
    def rows(self) -> list[tuple[Any, ...]]:
        """The first rows, as many as a result has that is not read by tunnel."""
        return [
            row for batch in self.batches(0, self.most) for row in zip(*map(shown_values, batch.columns), strict=True)
        ]

    def csv(self) -> str:
        """Return it as the service writes it."""
        return render_csv(self.names, self.types, self.rows)

    def table(self) -> str:
        """Return it as a table to be looked at."""
        return render_table(self.names, self.types, self.rows)


def write_result(
    path: Path, columns: Sequence[tuple[str, str]], batches: Iterable[Any], zone: str, bounds: StatementLimits
) -> StatementResult:
    """Write the batches of a query; `SqlFailed` where a value has no place in its type, or the result none on the disk."""
    import pyarrow as pa

    kinds = [parse_type(kind) for _, kind in columns]
    schema = pa.schema([(name, wire_type(kind)) for (name, _), kind in zip(columns, kinds, strict=True)])
    starts, most = [0], bounds.megabytes * _TIMES_THE_MEMORY << 20
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, schema) as writer:
        for batch in batches:
            fitting = [_fit(*column) for column in zip(batch.columns, schema, columns, strict=True)]
            writer.write_batch(pa.RecordBatch.from_arrays(fitting, schema=schema))
            starts.append(starts[-1] + batch.num_rows)
            if file.tell() > most:
                raise internal_failure(f"the result has more than the {most >> 20} MB that the local service keeps")
    names, types = (tuple(texts) for texts in zip(*columns, strict=True))
    return StatementResult(names, types, path, tuple(starts), bounds.rows, zone)


def _fit(column: Any, field: Any, declared: tuple[str, str]) -> Any:
    """Return a column in the type that the result has for it."""
    import pyarrow as pa

    require_days(column)
    if pa.types.is_interval(column.type) or pa.types.is_duration(column.type):
        raise internal_failure(f"missing here: a result of the type INTERVAL, column {declared[0]}")
    if column.type == field.type:
        return column
    try:
        # Only what a DATETIME has no place for is cut off, which is less than a millisecond.
        return column.cast(
            field.type, safe=not pa.types.is_timestamp(field.type) and not pa.types.is_nested(field.type)
        )
    except pa.ArrowInvalid:
        # A SUM of integers is a BIGINT [doc "Aggregate functions"], and has 128 bits in DuckDB.
        raise illegal_cast(f"column {declared[0]} is out of the range of {declared[1].upper()}") from None
    except pa.ArrowNotImplementedError:
        # What the service has no type for is shown as text.
        return pa.array([None if value is None else str(value) for value in column.to_pylist()], field.type)
