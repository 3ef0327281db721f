"""Tables that statements change: found by their names, and judged whether they can be changed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reconciler.local.sql.problems import semantic_failure, unknown_table
from reconciler.local.sql.refusals import DECIMAL_WITH_PLACES, TYPE_OF_EDITION_2, TYPES_2
from reconciler.local.sql.rules import SessionRules

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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


def partition_values(
    definition: TableDefinition, written: Mapping[str, str | None], position: SqlPosition
) -> PartitionValues:
    """Return the values of one whole partition, in the order of the keys."""
    values = [written.get(key.name) for key in definition.keys]
    if len(written) != len(values) or not all(value is not None for value in values):
        keys = ", ".join(key.name for key in definition.keys) or "none"
        raise semantic_failure(position, f"invalid partition spec: the partition keys are {keys}")
    return tuple(value for value in values if value is not None)
