"""One statement, from its text to its rows."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconciler.local import runner
from reconciler.local.sql import builtins, problems
from reconciler.local.sql.connection import declare_function, open_connection, register_tables
from reconciler.local.sql.error_translation import WIDE_INTEGERS, duckdb_failure, runner_failure
from reconciler.local.sql.flags import Flags
from reconciler.local.sql.problems import SqlFailed, Stopped, unknown_function
from reconciler.local.sql.query_functions import QueryFunction
from reconciler.local.sql.script import parse_script
from reconciler.local.sql.translate import Statement
from reconciler.local.sql.value_types import render_csv, signature_type

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from reconciler.local.sql.control import Control
    from reconciler.local.sql.project import SqlProject, StatementLimits


@dataclass(frozen=True)
class StatementResult:
    """What came of a statement."""

    names: tuple[str, ...]
    types: tuple[str, ...]
    rows: Sequence[Sequence[Any]]
    is_cut: bool

    def csv(self) -> str:
        """Return it as the service writes it."""
        return render_csv(self.names, self.types, self.rows)


def run_statement(
    text: str, settings: Mapping[str, str], project: SqlProject, bounds: StatementLimits, folder: Path, control: Control
) -> StatementResult:
    """Run the text of a job; `SqlFailed` says why not, `Stopped` that somebody ended it."""
    timer = threading.Timer(bounds.seconds, control.time_out)
    timer.daemon = True
    timer.start()
    try:
        return _run_script(text, settings, project, bounds, folder, control)
    except (Stopped, runner.Cancelled):
        if control.timed_out:
            raise problems.internal_failure(f"the statement took longer than {bounds.seconds:g} seconds") from None
        raise Stopped from None
    finally:
        timer.cancel()


def _run_script(
    text: str, settings: Mapping[str, str], project: SqlProject, bounds: StatementLimits, folder: Path, control: Control
) -> StatementResult:
    script = parse_script(text)
    session_settings = {name.lower(): value for name, value in settings.items()} | script.settings
    flags = Flags.of(session_settings)
    statement = Statement(script.statement, project.functions())
    statement.require_names(session_settings)
    with ExitStack() as stack:
        functions = {
            name: _load(name, position, number, statement, project, flags, folder, control, stack)
            for number, (name, position) in enumerate(statement.calls.items())
        }
        connection = open_connection(bounds, folder)
        stack.callback(connection.close)
        with control.watching(connection):
            register_tables(statement, project, connection)
            statement.name_columns({name for name, function in functions.items() if function.kind == "udtf"})
            statement.use_functions(functions)
            for macro in sorted(statement.macros):
                connection.execute(builtins.definition(macro))
            failures: list[Exception] = []
            for form in statement.forms:
                declare_function(form, connection, failures)
            return _select(statement, connection, functions, bounds, failures, control)


def _load(
    name: str,
    position: Any,
    number: int,
    statement: Statement,
    project: SqlProject,
    flags: Flags,
    folder: Path,
    control: Control,
    stack: ExitStack,
) -> QueryFunction:
    subfolder = folder / str(number)
    subfolder.mkdir()
    try:
        job = project.job(name, flags.runtime, subfolder)
        session = runner.session(
            project.interpreter(job),
            job,
            timeout=flags.seconds,
            memory=flags.memory,
            cancelled=control.stopped.is_set,
            origins=True,
        )
    except runner.SignatureInvalid as error:
        raise problems.invalid_reference(position, error.message) from error
    except runner.FunctionNotLoadable as error:
        if error.traceback:
            raise problems.script_failed(error.traceback.rstrip()) from error
        raise unknown_function(position, name, error.message) from error
    except runner.Cancelled:
        raise
    except runner.RunnerError as error:
        raise runner_failure(error) from error
    stack.callback(session.close)
    if session.native:
        _require_native(session.native[0], flags)
    return QueryFunction(name, session, f"udf{number}")


def _require_native(what: str, flags: Flags) -> None:
    # Binary packages need a container, and no PyPy. That PyPy is only ever found behind Python 2 is a guess.
    if not flags.isolated:
        raise problems.not_sandboxed(what)
    if flags.pypy or (flags.pypy is None and flags.runtime == "cp27"):
        raise problems.no_pypy(what)


def _select(
    statement: Statement,
    connection: Any,
    functions: Mapping[str, QueryFunction],
    bounds: StatementLimits,
    failures: list[Exception],
    control: Control,
) -> StatementResult:
    import duckdb

    try:
        cursor = connection.execute(statement.sql())
        columns = cursor.description
        rows = cursor.fetchmany(bounds.rows + 1)
        for loaded in functions.values():
            loaded.finish()
    except duckdb.Error as error:
        if control.stopped.is_set():
            raise Stopped from None
        if failures and isinstance(failures[0], runner.RunnerError):
            if isinstance(failures[0], runner.Cancelled):
                raise failures[0] from None
            raise runner_failure(failures[0]) from failures[0]
        if failures:
            raise failures[0] from None
        raise duckdb_failure(error, statement) from None
    except runner.Cancelled:
        raise
    except runner.RunnerError as error:
        raise runner_failure(error) from error
    types = tuple(signature_type(str(column[1])) for column in columns)
    _require_bigint(columns, rows)
    return StatementResult(
        number_repeated([column[0] for column in columns]), types, rows[: bounds.rows], len(rows) > bounds.rows
    )


def _require_bigint(columns: Sequence[Any], rows: Sequence[Sequence[Any]]) -> None:
    # A SUM of integers is a BIGINT [doc "Aggregate functions"], and has 128 bits in DuckDB.
    for index, column in enumerate(columns):
        if str(column[1]) in WIDE_INTEGERS and any(
            row[index] is not None and not -(2**63) <= row[index] < 2**63 for row in rows
        ):
            raise SqlFailed(f"ODPS-0123091:Illegal type cast - column {column[0]} is out of the range of BIGINT")


def number_repeated(names: Sequence[str]) -> tuple[str, ...]:
    """
    Number names that come again, as the service does: ``shop_name2`` [doc "JOIN", the examples' results].

    PyODPS takes no result with two columns of one name.
    """
    used: set[str] = set()
    numbered = []
    for name in names:
        unique = next(
            unique for unique in (name, *(f"{name}{n}" for n in range(2, len(names) + 2))) if unique.lower() not in used
        )
        used.add(unique.lower())
        numbered.append(unique)
    return tuple(numbered)
