"""Functions in a query: DuckDB hands over a vector of rows, the worker answers, DuckDB goes on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from reconciler.local.runner import wire
from reconciler.local.runner.calls import Columns, Forwarded
from reconciler.local.sql import problems
from reconciler.local.sql.value_types import duckdb_type, values_from_arrow, values_to_arrow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reconciler.local.runner import Description, Session
    from reconciler.local.runner.wire import Column

NO_ARGUMENT = "BOOLEAN"
"""What a function without arguments is given in SQL, for DuckDB says how many rows there are by their arguments."""


@dataclass
class QueryFunction:
    """A function of the statement, its class loaded in a worker."""

    name: str
    """As it is registered."""
    session: Session
    duckdb_name: str
    """What it is called in DuckDB."""

    _columns: Columns | None = field(default=None, init=False)
    _total: int | None = field(default=None, init=False)
    """How many rows a query before this one gave, the same query, where a UDTF forwarded rows after the last."""

    @property
    def description(self) -> Description:
        """What its class says of itself."""
        return self.session.description

    @property
    def kind(self) -> str:
        """``udf``, ``udtf`` or ``udaf``."""
        return self.description.kind

    def signature(self, names: int = 0) -> tuple[list[str] | None, list[str]]:
        """
        Return DuckDB's types of the arguments, None for any, and of the results.

        A table function without a signature gives STRINGs [doc "Python UDTFs"], as many as the statement has `names` for.
        """
        inputs, outputs = self.description.inputs, self.description.outputs
        results = ["VARCHAR"] * names if outputs is None else [duckdb_type(kind) for kind in outputs]
        return None if inputs is None else [duckdb_type(kind) for kind in inputs], results

    def values(self, result: Any) -> Callable[..., Any]:
        """Return what DuckDB calls for a UDF whose results are of an Arrow type."""

        def evaluate(*arguments: Any) -> Any:
            columns = [] if self.description.inputs == () else arguments
            count = len(arguments[0])
            codec, content = self._open().values([_outgoing(column) for column in columns], count)
            return self._incoming(codec, content, count, result)

        return evaluate

    def rows(self, result: Any) -> Callable[..., Any]:
        """Return what DuckDB calls for a UDTF of which each row's rows are wanted: a list of structs for each row."""
        fields = [result.value_type.field(index) for index in range(result.value_type.num_fields)]

        def process(*arguments: Any) -> Any:
            columns = [] if self.description.inputs == () else arguments
            count = len(arguments[0])
            open_columns = self._open()
            batch = open_columns.forward([_outgoing(field) for field in columns], count)
            if open_columns.count == self._total:
                batch = self._with_closing_rows(batch, open_columns.finish(), count - 1)
            self._require_width(len(batch.columns) or len(fields), len(fields))
            ends = [0] * (count + 1)
            for origin in batch.origins:
                ends[origin + 1] += 1
            for index in range(count):
                ends[index + 1] += ends[index]
            columns = batch.columns or [[] for _ in fields]
            items = [self._fitting(values, field.type) for values, field in zip(columns, fields, strict=True)]
            structs = pa.StructArray.from_arrays(items, fields=fields)
            return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), structs)

        return process

    def all_rows(self, result: Any) -> Callable[..., Any]:
        """Return what DuckDB calls for a UDTF that sees all rows of a query at once: a list of structs for each list."""
        fields = [result.value_type.field(index) for index in range(result.value_type.num_fields)]

        def process(groups: Any) -> Any:
            results = []
            for item in groups:
                rows = []
                for row in self.session.call(self._rows(item)):
                    self._require_width(len(row), len(fields))
                    rows.append(dict(zip((field.name for field in fields), row, strict=True)))
                results.append(rows)
            return self._fitting(results, result)

        return process

    def aggregate(self, result: Any) -> Callable[..., Any]:
        """Return what DuckDB calls for a UDAF: a value for each list of rows, which is a group."""

        def aggregate(groups: Any) -> Any:
            return self._fitting([list(self.session.call(self._rows(item)))[0] for item in groups], result)  # noqa: RUF015

        return aggregate

    @property
    def closes(self) -> bool:
        """Whether it is a UDTF that has a `close` of its own, which may forward rows."""
        return self.description.closes

    def count_rows(self) -> None:
        """
        End the call of a query that is going to be asked again, so that it is known then which row is the last.

        What a UDTF forwards in `close` comes, in a LATERAL VIEW, behind the rows of the last row and with its columns, as in Hive, whose
        operator keeps the row that it saw last (LateralViewJoinOperator.java); that MaxCompute does so is inferred.
        """
        if self._columns is not None:
            self._columns.finish()
            self._total, self._columns = self._columns.count, None

    def finish(self) -> None:
        """End the call at the end of a query."""
        if self._columns is not None and self._columns.finish().origins:
            raise problems.internal_failure(
                f"{self.name} forwarded rows in close() when the statement's rows were others before"
            )

    def _with_closing_rows(self, batch: Forwarded, more: Forwarded, last: int) -> Forwarded:
        self._columns = None
        columns = [
            [*old, *new] for old, new in zip(batch.columns or [[] for _ in more.columns], more.columns, strict=True)
        ]
        return Forwarded(batch.origins + [last] * len(more.origins), columns or batch.columns)

    def _open(self) -> Columns:
        if self._columns is None:
            self._columns = Columns(self.session)
        return self._columns

    def _incoming(self, codec: str, content: bytes | memoryview, count: int, result: Any) -> Any:
        fits = (codec == "i8" and pa.types.is_int64(result)) or (codec == "f8" and pa.types.is_float64(result))
        if fits:
            return pa.Array.from_buffers(result, count, [None, pa.py_buffer(content)])
        return self._fitting(wire.read_column(codec, content), result)

    def _fitting(self, values: list[Any], kind: Any) -> Any:
        try:
            return values_to_arrow(values, kind)
        except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
            # A DECIMAL with more digits than its type has, say. What the service does with it is not known.
            raise problems.script_failed(f"{self.name} returned what is no {kind}: {error}") from error

    def _rows(self, item: Any) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of one list of structs; none of NULL, which is what DuckDB makes of an empty group."""
        structs = item.values
        if structs is None:
            return
        step = 4096  # more at a time would hold a large group twice
        for start in range(0, len(structs), step):
            piece = structs[start : start + step]
            if self.description.inputs == ():
                yield from ((),) * len(piece)
            else:
                yield from zip(*(values_from_arrow(field) for field in piece.flatten()), strict=True)

    def _require_width(self, actual: int, named: int) -> None:
        if actual != named:
            raise problems.semantic_failure(None, f"{self.name} forwards {actual} columns, and AS names {named}")


def _outgoing(column: Any) -> Column:
    """Return a column as it travels; numbers without NULL are not looked at."""
    kind = column.type
    if column.null_count == 0 and (pa.types.is_int64(kind) or pa.types.is_float64(kind)):
        pieces = [_bytes(piece) for piece in column.chunks]
        codec = "i8" if pa.types.is_int64(kind) else "f8"
        return codec, pieces[0] if len(pieces) == 1 else b"".join(pieces)
    return wire.encode_column(values_from_arrow(column), "")


def _bytes(piece: Any) -> memoryview:
    return memoryview(piece.buffers()[1])[piece.offset * 8 : (piece.offset + len(piece)) * 8]
