"""Views: CREATE [OR REPLACE] VIEW, ALTER VIEW … RENAME and DROP VIEW [doc "View operations"]."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.local.sql.catalog import TableColumn, TableDefinition
from reconciler.local.sql.engine import JobOutcome
from reconciler.local.sql.problems import semantic_failure, table_exists, unknown_view
from reconciler.local.sql.statements.targets import require_within_limits

if TYPE_CHECKING:
    from reconciler.local.sql.session import SqlSession
    from reconciler.local.sql.words import Words


def create_view(words: Words, session: SqlSession, *, replaces: bool = False) -> JobOutcome:
    """``CREATE VIEW [IF NOT EXISTS] name [(column [COMMENT text], …)] [COMMENT text] AS query``."""
    tolerant = words.take("if", "not", "exists")
    position = words.position()
    name = session.table_name(words.dotted_name())

    def column() -> tuple[str, str]:
        return words.identifier().lower(), words.literal() if words.take("comment") else ""

    columns = words.several(column) if words.before("(") else []
    comment = words.literal() if words.take("comment") else ""
    words.expect("as")
    text = words.remainder()
    types = session.query(text).read(lambda columns, _: columns)
    existing = session.catalog.definition(name)
    if existing is not None and (not replaces or not existing.view):
        if tolerant:
            return JobOutcome()
        raise table_exists(position, f"table or view {name}")
    session.catalog.require_place(name)
    if columns and len(columns) != len(types):
        raise semantic_failure(position, f"view {name} names {len(columns)} columns, and its query has {len(types)}")
    names = columns or [(column_name, "") for column_name, _ in types]
    described = (TableColumn(named, kind, note) for (named, note), (_, kind) in zip(names, types, strict=True))
    definition = TableDefinition(tuple(described), comment=comment, view=text.strip())
    require_within_limits(name, definition, position)
    if existing is not None:
        session.catalog.alter(name, definition)
    else:
        session.catalog.create(name, definition)
    return JobOutcome()


def replace_view(words: Words, session: SqlSession) -> JobOutcome:
    """``CREATE OR REPLACE VIEW``."""
    return create_view(words, session, replaces=True)


def rename_view(words: Words, session: SqlSession) -> JobOutcome:
    """``ALTER VIEW name RENAME TO new_name``; of its owner (CHANGEOWNER TO) nothing is kept here."""
    position = words.position()
    name = session.table_name(words.dotted_name())
    words.expect("rename")
    words.expect("to")
    new_position = words.position()
    new_name = replace(name, name=words.identifier())
    words.finish()
    definition = session.catalog.definition(name)
    if definition is None or not definition.view:
        raise unknown_view(position, str(name))
    if session.catalog.definition(new_name) is not None:
        raise table_exists(new_position, f"table or view {new_name}")
    require_within_limits(new_name, definition, new_position)
    session.catalog.alter(name, definition, new_name.name)
    return JobOutcome()


def drop_view(words: Words, session: SqlSession) -> JobOutcome:
    """``DROP VIEW [IF EXISTS] name``."""
    tolerant = words.take("if", "exists")
    position = words.position()
    name = session.table_name(words.dotted_name())
    words.finish()
    definition = session.catalog.definition(name)
    if definition is None or not definition.view:
        if tolerant and definition is None:
            return JobOutcome()
        raise unknown_view(position, str(name))
    session.catalog.drop(name)
    return JobOutcome()
