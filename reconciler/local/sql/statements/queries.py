"""Queries: a SELECT whose rows are shown, and a variable of a script."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.local.sql.engine import JobOutcome
from reconciler.local.sql.problems import parse_failure

if TYPE_CHECKING:
    from reconciler.local.sql.session import SqlSession
    from reconciler.local.sql.words import Words


def show_rows(words: Words, session: SqlSession) -> JobOutcome:
    """Run a query and show its rows."""
    return JobOutcome(session.query(words.remainder()).result())


def assign(words: Words, session: SqlSession) -> JobOutcome:
    """``@name := query`` [doc "SQL in script mode"]; it is read here, and run where it is named."""
    position, name = words.position(), f"@{words.identifier().lower()}"
    if session.settings.get("odps.sql.submit.mode", "").lower() != "script":
        raise parse_failure(position, f"variable {name} is for scripts: SET odps.sql.submit.mode=script")
    words.expect(":=")
    text = words.remainder()
    session.query(text)
    session.variables[name] = text
    return JobOutcome()
