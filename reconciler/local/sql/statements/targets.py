"""Tables that statements change: found by their names, and judged whether they can be changed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reconciler.local.sql.catalog import partition_value
from reconciler.local.sql.problems import SqlFailed, semantic_failure, unknown_table
from reconciler.local.sql.refusals import DECIMAL_WITH_PLACES, TYPE_OF_EDITION_2, TYPES_2
from reconciler.local.sql.rules import SessionRules

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reconciler.local.sql.catalog import PartitionValues, TableColumn, TableDefinition, TableName
    from reconciler.local.sql.problems import SqlPosition
    from reconciler.local.sql.session import SqlSession
    from reconciler.local.sql.words import Words


def existing_table(words: Words, session: SqlSession) -> tuple[TableName, TableDefinition]:
    """Read a table's name; it has to be there, and no view, and not one that the manifest provides."""
    position = words.position()
    name = session.table_name(words.dotted_name())
    definition = session.catalog.definition(name)
    if definition is None:
        raise unknown_table(position, str(name))
    require_changeable(name, session, position)
    if definition.view:
        raise semantic_failure(position, f"{name} is a view, and holds no rows")
    return name, definition


def require_changeable(name: TableName, session: SqlSession, position: SqlPosition) -> None:
    """Refuse to change a table whose rows come from whoever runs the local service."""
    if session.catalog.is_provided(name):
        raise semantic_failure(
            position, f"{name} stands under tables: in the manifest, and no statement changes it here"
        )


def require_types(session: SqlSession, columns: Iterable[TableColumn], position: SqlPosition) -> None:
    """Refuse columns of types that the session's edition does not have, in the words for expressions (a guess)."""
    rules = SessionRules.of(session.settings, session.flags.zone, session.bounds.data_types)
    for column in columns:
        kinds = {kind.upper() for kind in re.findall(r"\w+(?![\w:])", column.type)}
        missing = sorted(kinds & TYPES_2)
        if missing and not rules.has_types_2:
            raise semantic_failure(position, TYPE_OF_EDITION_2.format(missing[0]))
        if re.search(r"\bdecimal\(", column.type) and not rules.has_decimal_2:
            raise semantic_failure(position, DECIMAL_WITH_PLACES)


_TABLE_NAME, _COLUMN_NAME = re.compile(r"[A-Za-z]\w{0,127}", re.ASCII), re.compile(r"[A-Za-z0-9_\u4e00-\u9fff]+")
_KEY_TYPES = ("tinyint", "smallint", "int", "bigint", "varchar", "string")
"""[doc "Partition"]."""
_MOST_NAME, _MOST_COMMENT, _MOST_COLUMNS, _MOST_KEYS = 128, 1024, 1200, 6


def require_within_limits(name: TableName, definition: TableDefinition, position: SqlPosition | None) -> None:
    """Refuse a table or view that is larger than the service has them [doc "SQL limitations"]; codes and texts are guesses."""
    columns = definition.all_columns
    why = ""
    if not _TABLE_NAME.fullmatch(name.name):
        why = f"a table's name has letters, digits and _, a letter first, and {_MOST_NAME} bytes at most: {name.name[:140]}"
    elif len(definition.columns) > _MOST_COLUMNS:
        why = f"a table has {_MOST_COLUMNS} columns at most, and {name} would have {len(definition.columns)}"
    elif len(definition.keys) > _MOST_KEYS:
        why = f"a table has {_MOST_KEYS} partition keys at most, and {name} would have {len(definition.keys)}"
    elif any(key.type.partition("(")[0] not in _KEY_TYPES for key in definition.keys):
        why = f"a partition key is of one of the types {', '.join(_KEY_TYPES).upper()}"
    elif any(len(comment.encode()) > _MOST_COMMENT for comment in (definition.comment, *(c.comment for c in columns))):
        why = f"a comment has {_MOST_COMMENT} bytes at most"
    else:
        for column in columns:
            if not _COLUMN_NAME.fullmatch(column.name) or len(column.name.encode()) > _MOST_NAME:
                why = f"a column's name has letters, digits and _, and {_MOST_NAME} bytes at most: {column.name[:140]}"
    if why:
        raise semantic_failure(position, why)


def partition_values(
    definition: TableDefinition, written: Mapping[str, str | None], position: SqlPosition
) -> PartitionValues:
    """Return the values of one whole partition, in the order of the keys."""
    values = [written.get(key.name) for key in definition.keys]
    if len(written) != len(values) or not all(value is not None for value in values):
        keys = ", ".join(key.name for key in definition.keys) or "none"
        raise semantic_failure(position, f"invalid partition spec: the partition keys are {keys}")
    return static_values(definition.keys, [value for value in values if value is not None])


def static_values(keys: Sequence[TableColumn], values: Sequence[str]) -> PartitionValues:
    """Return the values that a statement has for the first keys, as they are kept."""
    try:
        return tuple(partition_value(key, value) for key, value in zip(keys, values, strict=False))
    except ValueError as error:
        raise SqlFailed(f"ODPS-0123031:Partition exception - invalid partition value: {error}") from None
