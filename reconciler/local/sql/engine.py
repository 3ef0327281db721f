"""
Run of one query, from its text to its rows, in a DuckDB of its own.

The database sees no file; it has the statement's tables, and its functions in each way they are called.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import duckdb

from reconciler.local import runner
from reconciler.local.sql import problems
from reconciler.local.sql.built_ins.codecs import PYTHON
from reconciler.local.sql.built_ins.table import NUMBER_MACROS, by_macro, definitions
from reconciler.local.sql.error_translation import duckdb_failure, runner_failure
from reconciler.local.sql.problems import Stopped, unknown_function
from reconciler.local.sql.query_functions import NO_ARGUMENT, QueryFunction
from reconciler.local.sql.results import FILE, StatementResult, write_result
from reconciler.local.sql.translate import ARGUMENT, Form
from reconciler.local.sql.value_types import signature_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from reconciler.local.sql.control import Control, KnownTable, SqlProject, StatementLimits
    from reconciler.local.sql.reading import Flags
    from reconciler.local.sql.rules import SessionRules
    from reconciler.local.sql.translate import Statement

T = TypeVar("T")
Columns: TypeAlias = "tuple[tuple[str, str], ...]"
"""Names and types, these as the service spells them."""
_BATCH = 50_000
"""Rows that are handed on at a time."""


@dataclass(frozen=True)
class JobOutcome:
    """What came of a job: the rows of its SELECT, or a text."""

    result: StatementResult | None = None
    text: str = ""
    ends_script: bool = False
    """Whether a script has no statement behind it."""


@dataclass(frozen=True)
class QueryRun:
    """A query on its way, and what it may use."""

    statement: Statement
    flags: Flags
    rules: SessionRules
    project: SqlProject
    bounds: StatementLimits
    folder: Path
    control: Control

    def result(self) -> StatementResult:
        """Return its rows; `SqlFailed` says why not, `Stopped` that somebody ended it."""
        path, zone, bounds = self.folder / FILE, self.flags.zone, self.bounds
        return self.read(lambda columns, batches: write_result(path, columns, batches(), zone, bounds))

    def read(
        self,
        consume: Callable[[Columns, Callable[[], Any]], T],
        say: Callable[[str, Columns], str] = lambda sql, columns: sql,
    ) -> T:
        """
        Let `consume` have the names and types of the query's columns, and a way to read all its rows as Arrow batches.

        `say` makes another statement of the query as DuckDB has it.
        """
        with self._open() as query:
            sql = self.statement.sql()
            relation = query.connection.sql(sql)
            names = number_repeated(relation.columns)
            known = self.statement.types if len(self.statement.types) == len(names) else [None] * len(names)
            types = map(signature_type, map(str, relation.types), known)
            columns = tuple(zip(names, types, strict=True))
            sql = say(sql, columns)
            self._count_rows(query, sql)
            relation = query.connection.sql(sql)
            outcome = consume(columns, lambda: relation.to_arrow_reader(_BATCH))
            query.finish()
            return outcome

    def _count_rows(self, query: _OpenQuery, sql: str) -> None:
        """Ask once for the end alone where a UDTF has a `close`: what that forwards comes behind the last row, which shows at the end."""
        closing = [form.function for form in self.statement.forms if form.way == "rows" and form.function.closes]
        for function in closing:
            function.count_rows()  # what was asked for the names
        if closing:
            for _ in query.connection.sql(sql).to_arrow_reader(_BATCH):
                pass
        for function in closing:
            function.count_rows()

    @contextmanager
    def _open(self) -> Iterator[_OpenQuery]:
        """Load the functions, open a database, and tell failures as the service does; both end with the block."""
        statement = self.statement
        self.folder.mkdir(exist_ok=True)
        with ExitStack() as stack:
            # All are started before the first is waited for, and the database is opened meanwhile.
            sessions = {
                name: self._start(name, position, self.folder / str(number), stack)
                for number, (name, position) in enumerate(statement.calls.items())
            }
            connection = open_connection(self.bounds, self.folder)
            stack.callback(connection.close)
            functions = {
                name: self._load(name, position, sessions[name], f"udf{number}")
                for number, (name, position) in enumerate(statement.calls.items())
            }
            results = {
                name: None if loaded.kind == "udtf" else loaded.description.outputs or ()
                for name, loaded in functions.items()
            }
            inputs = {name: loaded.description.inputs for name, loaded in functions.items()}
            statement.analyse(self.rules, self._known_table, results, inputs)
            stack.enter_context(self.control.watching(connection))
            failures: list[Exception] = []
            stack.enter_context(self._translate_failures(failures))
            register_tables(statement, self.project, connection)
            statement.name_columns({name for name, function in functions.items() if function.kind == "udtf"})
            statement.use_functions(functions)
            macros = definitions(statement.callees() & {*by_macro()} | {*NUMBER_MACROS.values()}, self.rules)
            for name, (function, parameters, result) in PYTHON.items():
                if name in statement.callees() or any(f"{name}(" in macro for macro in macros):
                    connection.create_function(
                        name, keep_failure(function, failures, len(parameters)), parameters, result
                    )
            for macro in macros:
                connection.execute(macro)
            for form in statement.forms:
                declare_function(form, connection, failures)
            yield _OpenQuery(connection, functions)

    @contextmanager
    def _translate_failures(self, failures: list[Exception]) -> Iterator[None]:
        try:
            yield
        except duckdb.Error as error:
            if self.control.stopped.is_set():
                raise Stopped from None
            if not failures:
                raise duckdb_failure(error, self.statement) from None
            if isinstance(failures[0], runner.RunnerError) and not isinstance(failures[0], runner.Cancelled):
                raise runner_failure(failures[0]) from failures[0]
            raise failures[0] from None
        except runner.Cancelled:
            raise
        except runner.RunnerError as error:
            raise runner_failure(error) from error

    def _known_table(self, node: Any) -> KnownTable | None:
        return self.project.known_table(tuple(part.name.lower() for part in node.parts))

    def _start(self, name: str, position: Any, folder: Path, stack: ExitStack) -> runner.Session:
        folder.mkdir()
        with _translate_load(name, position):
            job = replace(
                self.project.job(name, self.flags.runtime, folder),
                isolated=self.flags.isolated or self.flags.image or None,
            )
            session = runner.start_session(
                self.project.interpreter(job),
                job,
                timeout=self.flags.seconds,
                memory=self.flags.memory,
                cancelled=self.control.stopped.is_set,
                origins=True,
            )
            stack.callback(session.close)
            return session

    def _load(self, name: str, position: Any, session: runner.Session, duckdb_name: str) -> QueryFunction:
        with _translate_load(name, position):
            session.load()
        if session.native and not self.flags.isolated:
            raise problems.not_sandboxed(session.native[0])
        # That PyPy, which takes no binary package, is only ever found behind Python 2 is a guess.
        if session.native and (self.flags.pypy or (self.flags.pypy is None and self.flags.runtime == "cp27")):
            raise problems.no_pypy(session.native[0])
        return QueryFunction(name, session, duckdb_name)


@contextmanager
def _translate_load(name: str, position: Any) -> Iterator[None]:
    """Tell why a function cannot be loaded as the service does."""
    try:
        yield
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


@dataclass(frozen=True)
class _OpenQuery:
    """A database in which the query can be asked, and the functions that it calls."""

    connection: Any
    functions: Mapping[str, QueryFunction]

    def finish(self) -> None:
        """End the calls of the functions when all rows were read."""
        for function in self.functions.values():
            function.finish()


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


def open_connection(bounds: StatementLimits, folder: Path) -> Any:
    """Open a database of the statement's own, which sees no file and no other database."""
    spill = folder / "spill"
    spill.mkdir()
    connection = duckdb.connect(
        ":memory:",
        config={
            # One thread: rows keep their order, and many statements at a time do not ask for every core each.
            "threads": 1,
            "memory_limit": f"{bounds.megabytes}MB",
            "temp_directory": str(spill),
            "max_temp_directory_size": f"{bounds.megabytes * 8}MB",
            "python_enable_replacements": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        },
    )
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def register_tables(statement: Statement, project: SqlProject, connection: Any) -> None:
    names: dict[tuple[str, ...], str] = {}

    def name(node: Any) -> str:
        parts = tuple(part.name.lower() for part in node.parts)
        if parts not in names:
            table = project.table(parts, connection)
            if table is None:
                written = tuple(part.name for part in node.parts)
                raise problems.unknown_table(statement.position(node), str(project.full_name(written)))
            names[parts] = f"table{len(names)}"
            connection.register(names[parts], table)
        return names[parts]

    statement.use_tables(name)


def keep_failure(function: Callable[..., T], failures: list[Exception], parameters: int | None) -> Callable[..., T]:
    """Return a function that DuckDB may call, with so many parameters or any, and whose failure is told as it is."""

    def checked_call(*arguments: Any) -> T:
        if failures:
            # DuckDB calls with constants while it plans, and does not mind a failure then: it calls again.
            raise failures[0]
        try:
            return function(*arguments)
        except Exception as error:
            failures.append(error)
            raise

    if parameters is not None:
        names = [ARGUMENT.format(index) for index in range(parameters)]
        # DuckDB counts the parameters that a function says it has.
        checked_call.__signature__ = Signature([Parameter(name, Parameter.POSITIONAL_ONLY) for name in names])  # type: ignore[attr-defined]
    return checked_call


def declare_function(form: Form, connection: Any, failures: list[Exception]) -> None:
    """Let DuckDB know a function in one of the ways it is called."""
    loaded = form.function
    inputs, outputs = loaded.signature(len(form.names))
    named = [name.replace('"', '""') for name in form.names]
    fields = ", ".join(f'"{name}" {kind}' for name, kind in zip(named, outputs, strict=bool(named)))
    result = f"STRUCT({fields})[]" if form.names else outputs[0]
    parameters = [NO_ARGUMENT] if inputs == [] else inputs
    if form.way in ("aggregate", "all_rows"):
        fields_text = parameters and ", ".join(
            f"{ARGUMENT.format(index)} {kind}" for index, kind in enumerate(parameters)
        )
        parameters = [f"STRUCT({fields_text})[]"] if fields_text else None
    arrow = connection.sql(f"SELECT CAST(NULL AS {result}) AS one").to_arrow_table().schema.field(0).type
    called = getattr(loaded, form.way)(arrow)

    count = None if parameters is None else len(parameters)
    connection.create_function(
        form.duckdb_name,
        keep_failure(called, failures, count),
        parameters,
        result,
        type="arrow",
        null_handling="special",
        side_effects=inputs == [],
    )
