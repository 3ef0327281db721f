"""
Rows that a query gives, written to the files of a table's partitions.

They are converted to the types of the table's columns as CAST does; a value that does not fit is an error, and no NULL.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from reconciler.local.sql.built_ins.signatures import INTEGERS
from reconciler.local.sql.built_ins.table import NUMBER_MACROS
from reconciler.local.sql.catalog import TableColumn
from reconciler.local.sql.expression_types import is_assignable, read_type
from reconciler.local.sql.problems import SqlFailed, illegal_cast, null_in_column, semantic_failure
from reconciler.local.sql.row_files import arrow_schema, quote_name, write_parquet
from reconciler.local.sql.statements.targets import require_within_limits
from reconciler.local.sql.value_types import duckdb_type, require_days

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from reconciler.local.sql.catalog import PartitionValues, TableCatalog, TableDefinition, TableName, WrittenRows
    from reconciler.local.sql.engine import Columns, QueryRun
    from reconciler.local.sql.problems import SqlPosition
    from reconciler.local.sql.session import SqlSession

_REFUSED_VALUES = frozenset("#$%&'\"/\\:=?*[]{}<>|^`~\n\t\r")
"""What a dynamic partition's value cannot hold. The page says *special characters*, and lists few: in part a guess."""


def write_query(session: SqlSession, run: QueryRun, name: TableName, definition: TableDefinition) -> None:
    """Make a table of a query's rows, with its columns."""

    def consume(columns: Columns, open_batches: Callable[[], Any]) -> tuple[TableDefinition, WrittenRows]:
        described = replace(definition, columns=tuple(TableColumn(column.lower(), kind) for column, kind in columns))
        require_within_limits(name, described, None)
        schema = arrow_schema(described.columns)
        batches = _convert(open_batches(), schema)
        return described, session.catalog.write_rows((), lambda file: write_parquet(batches, schema, file))

    described, file = run.read(consume)
    session.catalog.create(name, described)
    session.catalog.put_rows(name, [file], ())


def write_batches(
    catalog: TableCatalog, values: PartitionValues, columns: Sequence[TableColumn], batches: Iterable[Any]
) -> WrittenRows:
    """Write batches in the types of a table's columns, to become a partition's rows later on; `SqlFailed` for one that misses."""
    schema = arrow_schema(columns)
    filled = map(partial(_require_filled, columns), batches)
    return catalog.write_rows(values, partial(write_parquet, _convert(filled, schema), schema))


def _convert(batches: Iterable[Any], schema: pa.Schema) -> Iterator[Any]:
    """Yield batches with a schema's types: what DuckDB makes of a SUM is wider than a BIGINT."""
    for batch in batches:
        for column in batch.columns:
            require_days(column)
        try:
            columns = [column.cast(field.type) for column, field in zip(batch.columns, schema, strict=True)]
        except pa.ArrowException as error:
            raise illegal_cast(str(error)) from None
        yield pa.RecordBatch.from_arrays(columns, schema=schema)


@dataclass(frozen=True)
class InsertTarget:
    """Where the rows of an INSERT go."""

    name: TableName
    definition: TableDefinition
    filled: tuple[TableColumn, ...]
    """The columns that the query fills, in its order; the others become NULL."""
    static: PartitionValues
    """The values of the first partition keys; the query's last columns give those of the others."""
    overwrites: bool

    @property
    def dynamic(self) -> tuple[TableColumn, ...]:
        """The partition keys whose values the query gives."""
        return self.definition.keys[len(self.static) :]


def insert_rows(session: SqlSession, run: QueryRun, target: InsertTarget, position: SqlPosition) -> None:
    """Write a query's rows to a table."""

    def say(sql: str, columns: Columns) -> str:
        sources = (*target.filled, *target.dynamic)
        if len(columns) != len(sources):
            message = f"column count mismatch: table {target.name} takes {len(sources)} columns, and the query has"
            raise semantic_failure(position, f"{message} {len(columns)}")
        for column, (_, kind) in zip(sources, columns, strict=True):
            if not is_assignable(read_type(kind), read_type(column.type)):
                message = f"a {kind.upper()} does not become {column.type.upper()} by itself, column {column.name}"
                raise semantic_failure(position, message)
        places = {
            column.name: _convert_value(f"c{index}", kind, column.type)
            for index, (column, (_, kind)) in enumerate(zip(sources, columns, strict=True))
        }
        values = [
            f"CAST({places.get(column.name) or _default(column)} AS {duckdb_type(column.type)}) AS {quote_name(column.name)}"
            for column in target.definition.columns
        ]
        values += [
            f"CAST(CAST({places[key.name]} AS {duckdb_type(key.type)}) AS VARCHAR) AS {quote_name(key.name)}"
            for key in target.dynamic
        ]
        return (
            f"SELECT {', '.join(values)} FROM ({sql}) AS q({', '.join(f'c{index}' for index in range(len(sources)))})"
        )

    files = run.read(lambda _, open_batches: list(_write(session, target, open_batches())), say)
    touched = [file.values for file in files] if target.dynamic else [target.static]
    if not target.dynamic and target.definition.keys and target.static not in session.catalog.partitions(target.name):
        session.catalog.add_partition(target.name, target.static)
    session.catalog.put_rows(target.name, files, touched if target.overwrites else ())


def _default(column: TableColumn) -> str:
    """Say what a column is that an INSERT leaves out [doc "CREATE TABLE", DEFAULT]."""
    if column.default is None:
        return "NULL"
    text = column.default if read_type(column.type) not in NUMBER_MACROS else column.default.rstrip("LlSsYyBbDd")
    return "'" + text.replace("'", "''") + "'"


def _require_filled(columns: Iterable[TableColumn], rows: Any) -> Any:
    """Return rows, refused where a column that is NOT NULL has none of a value."""
    for column in columns:
        if column.required and rows.column(column.name).null_count:
            raise null_in_column(column.name)
    return rows


def _convert_value(value: str, kind: str, wanted: str) -> str:
    """Say a value as what DuckDB's CAST reads by the rules of the service."""
    macro = NUMBER_MACROS.get(read_type(wanted))
    return f"{macro}({value})" if macro and read_type(kind) not in INTEGERS else value


def _write(session: SqlSession, target: InsertTarget, reader: Any) -> Iterator[WrittenRows]:
    columns = target.definition.columns
    schema = arrow_schema(columns)
    if not target.dynamic:
        filled = map(partial(_require_filled, columns), reader)
        yield session.catalog.write_rows(
            target.static, lambda file: write_parquet(_convert(filled, schema), schema, file)
        )
        return
    table = _require_filled(columns, reader.read_all())
    names = [key.name for key in target.dynamic]
    for values in table.select(names).group_by(names).aggregate([]).to_pylist():
        _require_value(values)
        chosen = [pc.equal(table.column(name), values[name]) for name in names]
        mask = chosen[0]
        for further in chosen[1:]:
            mask = pc.and_(mask, further)
        batches = _convert(table.filter(mask).drop_columns(names).to_batches(), schema)
        partition = (*target.static, *(values[name] for name in names))
        yield session.catalog.write_rows(partition, partial(write_parquet, batches, schema))


def _require_value(values: dict[str, Any]) -> None:
    # NULL is no value of a partition, and special characters are refused [doc "Dynamic partitions": ODPS-0123031].
    for name, value in values.items():
        if value is None or not value.isascii() or _REFUSED_VALUES & set(value):
            shown = "NULL" if value is None else repr(value)
            raise SqlFailed(f"ODPS-0123031:Partition exception - invalid dynamic partition value: {name}={shown}")
