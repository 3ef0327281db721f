"""
ALTER TABLE: partitions, columns, name, comment and lifecycle.

The forms are those of the vendor's pages "Partition operations" and "Table operations", and of what PyODPS writes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.local.sql.engine import JobOutcome
from reconciler.local.sql.problems import partition_exists, semantic_failure, table_exists, unknown_partition
from reconciler.local.sql.statements.targets import (
    existing_table,
    partition_values,
    require_types,
    require_within_limits,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.local.sql.catalog import PartitionValues, TableDefinition, TableName
    from reconciler.local.sql.session import SqlSession
    from reconciler.local.sql.words import Words


def alter_table(words: Words, session: SqlSession) -> JobOutcome:
    """``ALTER TABLE name …``."""
    name, definition = existing_table(words, session)
    action = next((run for begin, run in _ACTIONS.items() if words.take(*begin.split())), None)
    if action is None:
        missing = next((begin for begin in _MISSING if words.before(*begin.split())), "")
        raise words.syntax_failure(
            f"missing here: ALTER TABLE … {missing.upper()}; --target asks a project" if missing else ""
        )
    action(words, session, name, definition)
    words.finish()
    return JobOutcome()


def _named_partitions(words: Words, definition: TableDefinition) -> list[PartitionValues]:
    named = []
    while words.take("partition"):
        position = words.position()
        named.append(partition_values(definition, words.partition(), position))
        words.take(",")
    return named


def _add(words: Words, session: SqlSession, name: TableName, definition: TableDefinition) -> None:
    tolerant = words.take("if", "not", "exists")
    if words.take("columns") or words.take("column"):
        _add_columns(words, session, name, definition, tolerant=tolerant)
        return
    if not words.before("partition"):
        raise words.syntax_failure()
    existing = session.catalog.partitions(name)
    for values in _named_partitions(words, definition):
        if values not in existing:
            session.catalog.add_partition(name, values)
        elif not tolerant:
            raise partition_exists(", ".join(values))


def _add_columns(
    words: Words, session: SqlSession, name: TableName, definition: TableDefinition, *, tolerant: bool
) -> None:
    tolerant = words.take("if", "not", "exists") or tolerant
    position = words.position()
    names = {column.name for column in definition.all_columns}
    added = []
    for column in words.several(words.column):
        if column.name not in names:
            added.append(column)
        elif not tolerant:
            raise semantic_failure(position, f"column {column.name} already exists in table {name}")
    require_types(session, added, position)
    changed = replace(definition, columns=(*definition.columns, *added))
    require_within_limits(name, changed, position)
    session.catalog.alter(name, changed)


def _drop(words: Words, session: SqlSession, name: TableName, definition: TableDefinition) -> None:
    tolerant = words.take("if", "exists")
    position = words.position()
    if not words.before("partition"):
        raise words.syntax_failure(
            "missing here: ALTER TABLE … DROP of anything but partitions; --target asks a project"
        )
    existing = session.catalog.partitions(name)
    for values in _named_partitions(words, definition):
        if values in existing:
            session.catalog.drop_partition(name, values)
        elif not tolerant:
            raise unknown_partition(position, str(name))


def _rename(words: Words, session: SqlSession, name: TableName, definition: TableDefinition) -> None:
    position, new_name = words.position(), replace(name, name=words.identifier())
    if session.catalog.definition(new_name) is not None:
        raise table_exists(position, f"table {new_name}")
    require_within_limits(new_name, definition, position)
    session.catalog.alter(name, definition, new_name.name)


def _set_comment(words: Words, session: SqlSession, name: TableName, definition: TableDefinition) -> None:
    position = words.position()
    changed = replace(definition, comment=words.literal())
    require_within_limits(name, changed, position)
    session.catalog.alter(name, changed)


def _set_lifecycle(words: Words, session: SqlSession, name: TableName, definition: TableDefinition) -> None:
    session.catalog.alter(name, replace(definition, lifecycle=words.number()))


def _touch(words: Words, session: SqlSession, name: TableName, definition: TableDefinition) -> None:
    if words.take("partition"):
        words.partition()
    session.catalog.put_rows(name, (), ())


_ACTIONS: dict[str, Callable[[Words, SqlSession, TableName, TableDefinition], None]] = {
    "add": _add,
    "drop": _drop,
    "rename to": _rename,
    "set comment": _set_comment,
    "set lifecycle": _set_lifecycle,
    "touch": _touch,
}
_MISSING = (
    "change",
    "changeowner",
    "partition",
    "merge",
    "not clustered",
    "clustered by",
    "set tblproperties",
    "enable",
    "disable",
)
"""What the service does besides [doc "Table operations", "Partition operations", "Column operations"]."""
