"""
Tables: CREATE, CREATE … AS, CREATE … LIKE, DROP and TRUNCATE.

The clauses are those of the vendor's page "Table operations" and of what PyODPS writes (`Table.gen_create_table_sql`). What
says how rows are stored (CLUSTERED BY, STORED AS, TBLPROPERTIES) is taken, and means nothing here; external tables are refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from reconciler.local.sql.catalog import TableColumn, TableDefinition
from reconciler.local.sql.engine import JobOutcome
from reconciler.local.sql.problems import (
    parse_failure,
    semantic_failure,
    table_exists,
    unknown_partition,
    unknown_table,
)
from reconciler.local.sql.statements.targets import (
    existing_table,
    partition_values,
    require_changeable,
    require_types,
    require_within_limits,
)
from reconciler.local.sql.statements.writing import write_query

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.local.sql.problems import SqlPosition
    from reconciler.local.sql.session import SqlSession
    from reconciler.local.sql.words import Words


@dataclass
class _Clauses:
    """What CREATE TABLE says, as far as it was read."""

    columns: list[TableColumn] = field(default_factory=list)
    keys: list[TableColumn] = field(default_factory=list)
    comment: str = ""
    lifecycle: int | None = None
    properties: list[tuple[str, str]] = field(default_factory=list)
    query: str = ""
    like: tuple[str, ...] = ()
    like_position: SqlPosition | None = None


def create_table(words: Words, session: SqlSession, *, replaces: bool = False) -> JobOutcome:
    """``CREATE TABLE [IF NOT EXISTS] name …``; a query after AS is run even if the table is there, for its errors [doc]."""
    tolerant = words.take("if", "not", "exists")
    position = words.position()
    name = session.table_name(words.dotted_name())
    clauses = _read_clauses(words)
    existing = session.catalog.definition(name)
    if existing is not None and not replaces:
        if tolerant:
            if clauses.query:
                session.query(clauses.query).read(lambda columns, _: columns)
            return JobOutcome()
        raise table_exists(position, f"table {name}")
    require_types(session, (*clauses.columns, *clauses.keys), position)
    session.catalog.require_place(name)
    if existing is not None:
        require_changeable(name, session, position)
        session.catalog.drop(name)
    definition = _definition(clauses, session, position)
    require_within_limits(name, definition, position)
    if not clauses.query:
        session.catalog.create(name, definition)
        return JobOutcome()
    if clauses.columns:
        raise parse_failure(position, "CREATE TABLE … AS takes names and types from the query, and lists no columns")
    write_query(session, session.query(clauses.query), name, definition)
    return JobOutcome(ends_script=True)


def replace_table(words: Words, session: SqlSession) -> JobOutcome:
    """``CREATE OR REPLACE TABLE`` [doc "CREATE TABLE"]."""
    return create_table(words, session, replaces=True)


def _definition(clauses: _Clauses, session: SqlSession, position: SqlPosition) -> TableDefinition:
    definition = TableDefinition(
        tuple(clauses.columns),
        tuple(clauses.keys),
        clauses.comment,
        clauses.lifecycle,
        properties=tuple(clauses.properties),
    )
    if clauses.like:
        # Columns, keys and comments are those of the other table; its lifecycle is not [doc "CREATE TABLE … LIKE"].
        pattern = session.catalog.definition(session.table_name(clauses.like))
        if pattern is None or pattern.view:
            raise unknown_table(clauses.like_position, str(session.table_name(clauses.like)))
        return replace(pattern, lifecycle=clauses.lifecycle, properties=())
    names = [column.name for column in definition.all_columns]
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise semantic_failure(position, f"column {repeated} is defined twice")
    if not clauses.columns and not clauses.query:
        raise semantic_failure(position, "a table has at least one column")
    return definition


def _read_clauses(words: Words) -> _Clauses:
    clauses = _Clauses()
    if words.before("("):
        words.expect("(")
        while True:
            if words.take("primary", "key"):
                words.several(words.identifier)
            else:
                clauses.columns.append(words.column())
            if not words.take(","):
                break
        words.expect(")")
    while not words.is_over():
        clause = next((read for begin, read in _CLAUSES.items() if words.take(*begin.split())), None)
        if clause is None:
            raise words.syntax_failure()
        clause(words, clauses)
    return clauses


def _read_comment(words: Words, clauses: _Clauses) -> None:
    clauses.comment = words.literal()


def _read_keys(words: Words, clauses: _Clauses) -> None:
    clauses.keys = words.several(words.column)


def _read_lifecycle(words: Words, clauses: _Clauses) -> None:
    clauses.lifecycle = words.number()


def _read_properties(words: Words, clauses: _Clauses) -> None:
    def pair() -> tuple[str, str]:
        name = words.literal()
        words.expect("=")
        return name, words.literal()

    clauses.properties = words.several(pair)


def _read_like(words: Words, clauses: _Clauses) -> None:
    clauses.like_position = words.position()
    clauses.like = words.dotted_name()


def _read_query(words: Words, clauses: _Clauses) -> None:
    clauses.query = words.remainder()


def _skip_storage(words: Words, clauses: _Clauses) -> None:
    while not words.is_over() and not any(words.before(*begin.split()) for begin in _CLAUSES):
        words.skip()


_CLAUSES: dict[str, Callable[[Words, _Clauses], None]] = {
    "comment": _read_comment,
    "partitioned by": _read_keys,
    "lifecycle": _read_lifecycle,
    "tblproperties": _read_properties,
    "like": _read_like,
    "as": _read_query,
    "clustered by": _skip_storage,
    "range clustered by": _skip_storage,
    "stored as": _skip_storage,
}


def drop_table(words: Words, session: SqlSession) -> JobOutcome:
    """``DROP TABLE [IF EXISTS] name``; one that is not there is ODPS-0130131, as in other statements [recorded answers]."""
    tolerant = words.take("if", "exists")
    position, parts = words.position(), words.dotted_name()
    words.take("purge")
    words.finish()
    name = session.table_name(parts)
    definition = session.catalog.definition(name)
    if definition is None:
        if tolerant:
            return JobOutcome()
        raise unknown_table(position, str(name))
    if definition.view:
        raise semantic_failure(position, f"{name} is a view: DROP VIEW removes it")
    require_changeable(name, session, position)
    session.catalog.drop(name)
    return JobOutcome()


def truncate_table(words: Words, session: SqlSession) -> JobOutcome:
    """``TRUNCATE TABLE name [PARTITION (…), …]`` [doc "Table operations"]; a partitioned table needs partitions named."""
    position = words.position()
    name, definition = existing_table(words, session)
    emptied: list[tuple[str, ...]] = []
    while words.take("partition"):
        position = words.position()
        values = partition_values(definition, words.partition(), position)
        if values not in session.catalog.partitions(name):
            raise unknown_partition(position, str(name))
        emptied.append(values)
        words.take(",")
    words.finish()
    if definition.keys and not emptied:
        raise semantic_failure(position, f"table {name} is partitioned: TRUNCATE names the partitions")
    session.catalog.put_rows(name, (), emptied or [()])
    return JobOutcome()
