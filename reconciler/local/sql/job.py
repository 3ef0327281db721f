"""Run of a job, from its text to its outcome: settings, then one statement."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from reconciler.local import runner
from reconciler.local.sql import problems
from reconciler.local.sql.engine import QueryRun
from reconciler.local.sql.problems import Stopped
from reconciler.local.sql.reading import Flags, parse_script
from reconciler.local.sql.translate import Statement

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from reconciler.local.sql.control import Control, SqlProject, StatementLimits
    from reconciler.local.sql.results import StatementResult


def run_job(
    text: str, settings: Mapping[str, str], project: SqlProject, bounds: StatementLimits, folder: Path, control: Control
) -> StatementResult:
    """Run the text of a job; `SqlFailed` says why not, `Stopped` that somebody ended it."""
    timer = threading.Timer(bounds.seconds, control.time_out)
    timer.daemon = True
    timer.start()
    try:
        own_settings, statement_text = parse_script(text)
        session_settings = {name.lower(): value for name, value in settings.items()} | own_settings
        flags = Flags.of(session_settings)
        statement = Statement(statement_text, project.functions())
        statement.require_names(session_settings)
        return QueryRun(statement, flags, project, bounds, folder, control).result()
    except (Stopped, runner.Cancelled):
        if control.timed_out:
            raise problems.internal_failure(f"the statement took longer than {bounds.seconds:g} seconds") from None
        raise Stopped from None
    finally:
        timer.cancel()
