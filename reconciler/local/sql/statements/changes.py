"""
UPDATE, DELETE and MERGE: for transactional tables alone, as the service has it, and missing here for those.

A table is transactional by its property of that name, and by a primary key besides it is a Delta table [doc "UPDATE and DELETE"].
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from reconciler.local.sql.problems import internal_failure, semantic_failure
from reconciler.local.sql.statements.targets import existing_table

if TYPE_CHECKING:
    from reconciler.local.sql.session import SqlSession
    from reconciler.local.sql.words import Words


def change_rows(words: Words, session: SqlSession) -> NoReturn:
    """Refuse it: with the reason of the service, whose text is a guess, or as what is missing here."""
    position = words.position()
    name, definition = existing_table(words, session)
    if dict(definition.properties).get("transactional", "").lower() != "true":
        raise semantic_failure(
            position, f"{name} is no transactional table, and UPDATE, DELETE and MERGE are for those"
        )
    raise internal_failure("missing here: UPDATE, DELETE and MERGE; --target asks a project")
