"""
INSERT INTO and INSERT OVERWRITE: of a query or of VALUES, behind WITH, and several behind one FROM.

The forms are those of the vendor's pages "Insert or overwrite data", "VALUES" and "Multi-output". The query that is run is the
statement's own text with blanks for what is no query, so that places in messages stay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.local.sql.engine import JobOutcome
from reconciler.local.sql.problems import semantic_failure
from reconciler.local.sql.statements.queries import show_rows
from reconciler.local.sql.statements.targets import existing_table, static_values
from reconciler.local.sql.statements.writing import InsertTarget, insert_rows
from reconciler.local.sql.words import Words, blank

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.local.sql.catalog import PartitionValues, TableColumn, TableDefinition
    from reconciler.local.sql.problems import SqlPosition
    from reconciler.local.sql.session import SqlSession

_MOST_INSERTS = 256
"""[doc "SQL limitations"]; code and text are guesses, here and of the other limits."""


def insert(words: Words, session: SqlSession, prefix: str = "") -> JobOutcome:
    """``INSERT INTO|OVERWRITE [TABLE] name [PARTITION (…)] [(column, …)] query``; `prefix` is what the query begins with."""
    overwrites = words.take("overwrite")
    if not overwrites:
        words.expect("into")
    words.take("table")
    position = words.position()
    name, definition = existing_table(words, session)
    static = _static_values(definition, words.partition() if words.take("partition") else {}, position)
    target = InsertTarget(name, definition, _filled_columns(words, definition), static, overwrites)
    query = words.remainder()
    insert_rows(session, session.query(prefix + query[len(prefix) :]), target, position)
    return JobOutcome()


def _static_values(
    definition: TableDefinition, written: Mapping[str, str | None], position: SqlPosition
) -> PartitionValues:
    keys = [key.name for key in definition.keys]
    if list(written) != keys:
        expected = f"PARTITION ({', '.join(keys)})" if keys else "no PARTITION"
        raise semantic_failure(position, f"invalid partition spec: the table takes {expected}")
    values = [value for value in written.values() if value is not None]
    if None in list(written.values())[: len(values)]:
        raise semantic_failure(position, "partition keys with a value stand before those without")
    return static_values(definition.keys, values)


def _filled_columns(words: Words, definition: TableDefinition) -> tuple[TableColumn, ...]:
    if not words.before("(") or any(words.before("(", begin) for begin in ("select", "with", "(", "from")):
        return definition.columns
    columns = {column.name: column for column in definition.columns}

    def column() -> TableColumn:
        position, name = words.position(), words.identifier().lower()
        if name not in columns:
            raise semantic_failure(position, f"column {name} cannot be resolved")
        return columns[name]

    return tuple(words.several(column))


def insert_or_select(words: Words, session: SqlSession) -> JobOutcome:
    """``WITH … INSERT … query``, ``FROM … INSERT … SELECT … INSERT … SELECT …``, or a query after all."""
    starts = words.starts("insert")
    if not starts:
        return show_rows(words, session)
    if len(starts) > _MOST_INSERTS:
        raise semantic_failure(
            words.position(), f"a statement has {_MOST_INSERTS} INSERTs at most, and this {len(starts)}"
        )
    text = words.text
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        part = Words(blank(text[:start]) + text[start:end])
        part.take("insert")
        insert(part, session, text[: starts[0]])
    return JobOutcome()
