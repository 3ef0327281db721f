"""
Statements of the local service, by the words that they begin with; each kind has a module of its own.

A statement reads its own words and runs what it holds of queries by the session. What it changes is done when the job ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from reconciler.local.sql.statements import (
    changes,
    descriptions,
    functions,
    inserts,
    partitions,
    queries,
    tables,
    views,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.local.sql.engine import JobOutcome
    from reconciler.local.sql.session import SqlSession
    from reconciler.local.sql.words import Words


class StatementKind(NamedTuple):
    """How a statement is run, and whether it only shows something."""

    run: Callable[[Words, SqlSession], JobOutcome]
    shows: bool = False


_KINDS: dict[tuple[str, ...], StatementKind] = {
    ("create", "table"): StatementKind(tables.create_table),
    ("create", "or", "replace", "table"): StatementKind(tables.replace_table),
    ("drop", "table"): StatementKind(tables.drop_table),
    ("truncate", "table"): StatementKind(tables.truncate_table),
    ("alter", "table"): StatementKind(partitions.alter_table),
    ("create", "view"): StatementKind(views.create_view),
    ("create", "or", "replace", "view"): StatementKind(views.replace_view),
    ("alter", "view"): StatementKind(views.rename_view),
    ("drop", "view"): StatementKind(views.drop_view),
    ("insert",): StatementKind(inserts.insert),
    ("with",): StatementKind(inserts.insert_or_select),
    ("from",): StatementKind(inserts.insert_or_select),
    ("update",): StatementKind(changes.change_rows),
    ("delete", "from"): StatementKind(changes.change_rows),
    ("merge", "into"): StatementKind(changes.change_rows),
    ("@",): StatementKind(queries.assign),
    ("create", "function"): StatementKind(functions.register_function),
    ("drop", "function"): StatementKind(functions.drop_function),
    ("drop", "resource"): StatementKind(functions.drop_resource),
    ("add", "table"): StatementKind(functions.add_table),
    ("add",): StatementKind(functions.add_file),
    ("desc",): StatementKind(descriptions.describe, shows=True),
    ("describe",): StatementKind(descriptions.describe, shows=True),
    ("show",): StatementKind(descriptions.show_names, shows=True),
    ("list",): StatementKind(descriptions.show_names, shows=True),
}


def statement_kind(words: Words) -> StatementKind:
    """Go behind the words that a statement begins with, and return its kind; what is no other is a query."""
    for beginning in sorted(_KINDS, key=len, reverse=True):
        if words.before(*beginning):
            if beginning not in (("with",), ("from",)):
                words.take(*beginning)
            return _KINDS[beginning]
    return StatementKind(queries.show_rows)
