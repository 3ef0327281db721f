"""
Run of a job, from its text to its outcome: settings, then one statement, or several of a script.

What a job changes of tables and functions is done at its end, in one transaction.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from reconciler.local import runner
from reconciler.local.sql import problems
from reconciler.local.sql.catalog import SessionNames
from reconciler.local.sql.engine import JobOutcome
from reconciler.local.sql.problems import Stopped, parse_failure, semantic_failure
from reconciler.local.sql.reading import Flags, split_script
from reconciler.local.sql.session import SqlSession
from reconciler.local.sql.statements import statement_kind
from reconciler.local.sql.words import Words

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from reconciler.local.sql.control import Control, SqlProject, StatementLimits

_MOST_TEXT = 2 << 20
"""[doc "SQL limitations"]."""


def run_job(
    text: str, settings: Mapping[str, str], project: SqlProject, bounds: StatementLimits, folder: Path, control: Control
) -> JobOutcome:
    """Run the text of a job; `SqlFailed` says why not, `Stopped` that somebody ended it."""
    timer = threading.Timer(bounds.seconds, control.time_out)
    timer.daemon = True
    timer.start()
    try:
        if len(text.encode()) > _MOST_TEXT:
            raise parse_failure(None, f"a statement has {_MOST_TEXT >> 20} MB at most")
        own_settings, statements = split_script(text)
        all_settings = {name.lower(): value for name, value in settings.items()} | own_settings
        project = project.in_session(_read_names(all_settings))
        session = SqlSession(project, all_settings, Flags.of(all_settings), bounds, folder, control)
        outcome = _run_statements(session, [Words(statement) for statement in statements])
        if control.stopped.is_set():
            raise Stopped
        project.catalog.commit()
        return outcome
    except RecursionError:
        raise parse_failure(None, problems.TOO_DEEP) from None
    except (Stopped, runner.Cancelled):
        if control.timed_out:
            raise problems.internal_failure(f"the statement took longer than {bounds.seconds:g} seconds") from None
        raise Stopped from None
    finally:
        timer.cancel()


def _read_names(settings: Mapping[str, str]) -> SessionNames:
    three_levels = settings.get("odps.namespace.schema", "").lower() == "true"
    return SessionNames(settings.get("odps.default.schema", ""), three_levels)


def _run_statements(session: SqlSession, statements: list[Words]) -> JobOutcome:
    """
    Run one statement, or those of a script.

    A script shows the rows of one SELECT at most, makes a table from a query in its last statement alone, and has no
    statement that shows anything else [doc "SQL in script mode"].
    """
    is_script = session.settings.get("odps.sql.submit.mode", "").lower() == "script"
    if len(statements) > 1 and not is_script:
        message = "a job is one statement; SET odps.sql.submit.mode=script makes a script of several"
        raise parse_failure(statements[1].position(), message)
    shown = JobOutcome()
    selects, is_over = 0, False
    for words in statements:
        position, kind = words.position(), statement_kind(words)
        if is_over:
            raise semantic_failure(position, "CREATE TABLE … AS is the last statement of a script")
        if is_script and kind.shows:
            raise semantic_failure(position, "a script has no statement such as DESC and SHOW")
        outcome = kind.run(words, session)
        is_over = outcome.ends_script
        if is_script and session.settings.get("odps.sql.step.script.mode", "").lower() == "true":
            session.catalog.commit()  # serially, for a table that is written and then read [doc "SQL in script mode"]
        if outcome.result is not None:
            selects += 1
            shown = outcome
        elif len(statements) == 1:
            shown = outcome
        if selects > 1:
            raise semantic_failure(position, "a script shows the result of one SELECT")
    return shown
