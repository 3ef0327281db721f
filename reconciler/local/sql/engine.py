"""One statement, from its text to its rows."""

from __future__ import annotations

import re
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Any, Protocol

from reconciler.local import runner

from . import builtins, problems
from .functions import NO_ARGUMENT, Loaded
from .problems import SqlFailed, Stopped, meaningless, unknown_function
from .script import read
from .translate import ARGUMENT, Statement
from .types import csv, signature_type

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from reconciler.local.runner import Interpreter, Job

    from .translate import Form

RUNTIMES = ("cp27", "cp37", "cp311")
DEFAULT_RUNTIME = "cp27"
"""What runs where nothing is set [doc "Python 2 UDFs", "Python 3 UDFs"]."""

UDF_SECONDS = 600.0
"""How long a batch may take [doc: odps.sql.udf.timeout, default]."""


class Project(Protocol):
    """What a statement needs of the service."""

    def functions(self) -> Collection[str]:
        """Return the names of the project's functions, folded."""

    def job(self, function: str, runtime: str, folder: Path) -> Job:
        """Return what runs a function; `folder` takes its resources. RunnerError where they are no good."""

    def table(self, name: tuple[str, ...], connection: Any) -> Any | None:
        """Return an Arrow table by the parts of its name, None if there is none."""

    def interpreter(self, job: Job) -> Interpreter:
        """Return the CPython that runs a job; RunnerError where there is none."""


@dataclass(frozen=True)
class Bounds:
    """How much one statement may take."""

    rows: int
    """Of the result; what is more is cut off, as the service does [doc "SQL limits": 10,000]."""
    seconds: float
    megabytes: int
    """Of memory, for DuckDB."""


@dataclass(frozen=True)
class Result:
    """What came of a statement."""

    names: tuple[str, ...]
    types: tuple[str, ...]
    rows: Sequence[Sequence[Any]]
    is_cut: bool

    def csv(self) -> str:
        """Return it as the service writes it."""
        return csv(self.names, self.types, self.rows)


@dataclass
class Control:
    """A way to end a statement from outside."""

    stopped: threading.Event = field(default_factory=threading.Event)
    timed_out: bool = False
    _connection: Any = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def stop(self) -> None:
        """End it soon."""
        self.stopped.set()
        with self._lock:
            if self._connection is not None:
                self._connection.interrupt()

    def time_out(self) -> None:
        """End it because its time is over."""
        self.timed_out = True
        self.stop()

    @contextmanager
    def watching(self, connection: Any) -> Iterator[None]:
        """Let `stop` interrupt a connection."""
        with self._lock:
            self._connection = connection
        try:
            if self.stopped.is_set():
                raise Stopped
            yield
        finally:
            with self._lock:
                self._connection = None


def run(
    text: str, settings: Mapping[str, str], project: Project, bounds: Bounds, folder: Path, control: Control
) -> Result:
    """Run the text of a job; `SqlFailed` says why not, `Stopped` that somebody ended it."""
    timer = threading.Timer(bounds.seconds, control.time_out)
    timer.daemon = True
    timer.start()
    try:
        return _run(text, settings, project, bounds, folder, control)
    except (Stopped, runner.Cancelled):
        if control.timed_out:
            raise problems.impossible(f"the statement took longer than {bounds.seconds:g} seconds") from None
        raise Stopped from None
    finally:
        timer.cancel()


def _run(
    text: str, settings: Mapping[str, str], project: Project, bounds: Bounds, folder: Path, control: Control
) -> Result:
    script = read(text)
    given = {name.lower(): value for name, value in settings.items()} | script.settings
    flags = Flags.of(given)
    statement = Statement(script.statement, project.functions())
    statement.require_names(given)
    with ExitStack() as stack:
        functions = {
            name: _load(name, at, number, statement, project, flags, folder, control, stack)
            for number, (name, at) in enumerate(statement.calls.items())
        }
        connection = _connect(bounds, folder)
        stack.callback(connection.close)
        with control.watching(connection):
            _use_tables(statement, project, connection)
            statement.name_columns({name for name, one in functions.items() if one.kind == "udtf"})
            statement.use_functions(functions)
            for macro in sorted(statement.macros):
                connection.execute(builtins.definition(macro))
            failures: list[Exception] = []
            for form in statement.forms:
                _declare(form, connection, failures)
            return _select(statement, connection, functions, bounds, failures, control)


@dataclass(frozen=True)
class Flags:
    """The settings of a session that matter here."""

    runtime: str
    isolated: bool
    pypy: bool | None
    seconds: float
    memory: int | None

    @classmethod
    def of(cls, settings: Mapping[str, str]) -> Flags:
        """Read them. All others are taken and do nothing, as unknown ones do on the service."""
        runtime = settings.get("odps.sql.python.version", DEFAULT_RUNTIME).lower()
        if runtime not in RUNTIMES:
            raise meaningless(None, f"there is no odps.sql.python.version {runtime}; there are {', '.join(RUNTIMES)}")
        seconds = settings.get("odps.sql.udf.timeout") or settings.get("odps.function.timeout")
        memory = settings.get("odps.sql.udf.python.memory", "")
        pypy = settings.get("odps.pypy.enabled", "").lower()
        return cls(
            runtime=runtime,
            isolated=settings.get("odps.isolation.session.enable", "").lower() == "true",
            pypy={"true": True, "false": False}.get(pypy),
            seconds=min(float(seconds), 3600.0) if seconds and seconds.isdigit() else UDF_SECONDS,
            memory=int(memory) * 1_000_000 if memory.isdigit() and int(memory) else None,
        )


def _load(
    name: str,
    at: Any,
    number: int,
    statement: Statement,
    project: Project,
    flags: Flags,
    folder: Path,
    control: Control,
    stack: ExitStack,
) -> Loaded:
    place = folder / str(number)
    place.mkdir()
    try:
        job = project.job(name, flags.runtime, place)
        session = runner.session(
            project.interpreter(job),
            job,
            timeout=flags.seconds,
            memory=flags.memory,
            cancelled=control.stopped.is_set,
            origins=True,
        )
    except runner.SignatureInvalid as error:
        raise problems.invalid_reference(at, error.message) from error
    except runner.FunctionNotLoadable as error:
        if error.traceback:
            raise problems.script_failed(error.traceback.rstrip()) from error
        raise unknown_function(at, name, error.message) from error
    except runner.Cancelled:
        raise
    except runner.RunnerError as error:
        raise told(error) from error
    stack.callback(session.close)
    if session.native:
        _require_native(session.native[0], flags)
    return Loaded(name, session, f"udf{number}")


def _require_native(what: str, flags: Flags) -> None:
    """Binary packages need a container, and no PyPy. That PyPy is only ever found behind Python 2 is a guess."""
    if not flags.isolated:
        raise problems.not_sandboxed(what)
    if flags.pypy or (flags.pypy is None and flags.runtime == "cp27"):
        raise problems.no_pypy(what)


def told(error: runner.RunnerError) -> SqlFailed:
    """Return an error of the runner as the service tells it."""
    log = getattr(error, "log", "")
    printed = f"\n{log.rstrip()}" if log else ""
    match error:
        case runner.WorkerTimedOut():
            return problems.took_too_long(error.message + printed)
        case runner.WorkerDied():
            return problems.worker_died(error.message + printed)
        case runner.FunctionRaised():
            return problems.script_failed(
                (error.traceback.rstrip() or error.exception) + f"\n{error.message}" + printed
            )
        case runner.FunctionError():
            return problems.script_failed(error.message + printed)
        case _:
            return problems.impossible(error.message + (f"; {error.hint}" if error.hint else ""))


def _connect(bounds: Bounds, folder: Path) -> Any:
    """Open a database of the statement's own, which sees no file and no other database."""
    import duckdb

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


def _use_tables(statement: Statement, project: Project, connection: Any) -> None:
    known: dict[tuple[str, ...], str] = {}

    def name(node: Any) -> str:
        parts = tuple(part.name.lower() for part in node.parts)
        if parts not in known:
            table = project.table(parts, connection)
            if table is None:
                raise problems.unknown_table(statement.place(node), ".".join(part.name for part in node.parts))
            known[parts] = f"table{len(known)}"
            connection.register(known[parts], table)
        return known[parts]

    statement.use_tables(name)


def _declare(form: Form, connection: Any, failures: list[Exception]) -> None:
    """Let DuckDB know a function in one of the ways it is called."""
    loaded = form.function
    inputs, outputs = loaded.signature(len(form.names))
    named = [name.replace('"', '""') for name in form.names]
    fields = ", ".join(f'"{name}" {kind}' for name, kind in zip(named, outputs, strict=bool(named)))
    result = f"STRUCT({fields})[]" if form.names else outputs[0]
    taken = [NO_ARGUMENT] if inputs == [] else inputs
    if form.way in ("aggregate", "all_rows"):
        given = taken and ", ".join(f"{ARGUMENT.format(index)} {kind}" for index, kind in enumerate(taken))
        taken = [f"STRUCT({given})[]"] if given else None
    arrow = connection.sql(f"SELECT CAST(NULL AS {result}) AS one").to_arrow_table().schema.field(0).type
    called = getattr(loaded, form.way)(arrow)

    def guarded(*given: Any) -> Any:
        if failures:
            # DuckDB calls with constants while it plans, and does not mind a failure then: it calls again.
            raise failures[0]
        try:
            return called(*given)
        except Exception as error:
            failures.append(error)
            raise

    if taken is not None:
        names = [ARGUMENT.format(index) for index in range(len(taken))]
        # DuckDB counts the parameters that a function says it has.
        guarded.__signature__ = Signature([Parameter(one, Parameter.POSITIONAL_ONLY) for one in names])  # type: ignore[attr-defined]
    connection.create_function(
        form.own, guarded, taken, result, type="arrow", null_handling="special", side_effects=inputs == []
    )


def _select(
    statement: Statement,
    connection: Any,
    functions: Mapping[str, Loaded],
    bounds: Bounds,
    failures: list[Exception],
    control: Control,
) -> Result:
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
            raise told(failures[0]) from failures[0]
        if failures:
            raise failures[0] from None
        raise _of_duckdb(error, statement) from None
    except runner.Cancelled:
        raise
    except runner.RunnerError as error:
        raise told(error) from error
    types = tuple(signature_type(str(one[1])) for one in columns)
    _require_bigint(columns, rows)
    return Result(distinct([one[0] for one in columns]), types, rows[: bounds.rows], len(rows) > bounds.rows)


def _require_bigint(columns: Sequence[Any], rows: Sequence[Sequence[Any]]) -> None:
    """A SUM of integers is a BIGINT [doc "Aggregate functions"], and has 128 bits in DuckDB."""
    for index, column in enumerate(columns):
        if str(column[1]) in _WIDE and any(
            row[index] is not None and not -(2**63) <= row[index] < 2**63 for row in rows
        ):
            raise SqlFailed(f"ODPS-0123091:Illegal type cast - column {column[0]} is out of the range of BIGINT")


def distinct(names: Sequence[str]) -> tuple[str, ...]:
    """
    Number names that come again, as the service does: ``shop_name2`` [doc "JOIN", the examples' results].

    PyODPS takes no result with two columns of one name.
    """
    taken: set[str] = set()
    found = []
    for name in names:
        one = next(one for one in (name, *(f"{name}{n}" for n in range(2, len(names) + 2))) if one.lower() not in taken)
        taken.add(one.lower())
        found.append(one)
    return tuple(found)


_NO_FUNCTION = re.compile(r"Function with name \"?(\w+)\"? does not exist")
_NO_COLUMN = re.compile(
    r"(?:Referenced column|have a column named|Referenced table) \"?([^\"\n]+?)\"?(?: not found|\n|$)"
)
_WIDE = ("HUGEINT", "INT128")
_ROWS = re.compile(r"STRUCT\((c0 .*)\)\[\]", re.DOTALL)
_NO_GROUP = re.compile(r"column \"([^\"\n]+)\" must appear in the GROUP BY")
_NO_MATCH = re.compile(r"No function matches the given name and argument types '(\w+)\((.*?)\)'", re.DOTALL)


def _of_duckdb(error: Exception, statement: Statement) -> SqlFailed:
    """Return what DuckDB refuses as the service would tell it, at the place of the name that it is about."""
    import duckdb

    text = str(error).replace(builtins.PREFIX, "")
    # What follows in further lines speaks of DuckDB's functions and of the statement as it was said to DuckDB.
    what = (
        text.partition(":")[2]
        .strip()
        .split("\n")[0]
        .partition(" when casting from")[0]
        .partition(" Use TRY(")[0]
        .rstrip(". ")
    )
    what = what.replace("INT64", "BIGINT").replace("INT32", "INT")
    if found := _NO_FUNCTION.search(text):
        return unknown_function(statement.find_name(found[1]), found[1].lower())
    if found := _NO_MATCH.search(text):
        return _no_match(found[1], found[2], statement)
    match error:
        case duckdb.BinderException() if found := _NO_COLUMN.search(text):
            return meaningless(statement.find_name(found[1]), f"column {found[1]} cannot be resolved")
        case duckdb.ParserException() | duckdb.SyntaxException():
            return problems.unreadable(None, f"{what}; said as {statement.sql()}")
        case duckdb.BinderException() if found := _NO_GROUP.search(text):
            told = f"column {found[1]} has to be in GROUP BY or in an aggregate function"
            return meaningless(statement.find_name(found[1]), told)
        case duckdb.BinderException() | duckdb.CatalogException():
            named = (statement.find_name(name) for name in re.findall(r"(\w+)\(", what))
            return meaningless(next(filter(None, named), None), what)
        case duckdb.OutOfMemoryException():
            return problems.impossible(f"the statement needs more memory than it may have: {what.splitlines()[0]}")
        case duckdb.ConversionException() | duckdb.OutOfRangeException():
            return SqlFailed(f"ODPS-0123091:Illegal type cast - {what}")
        case _:
            return problems.impossible(what)


def _no_match(own: str, given: str, statement: Statement) -> SqlFailed:
    """The text is that of recorded answers for built-in functions."""
    if rows := _ROWS.fullmatch(given):
        given = re.sub(r"(^|, )c\d+ ", r"\1", rows[1])  # the list of a group's rows
    types = given.replace("INTEGER_LITERAL", "INT").replace("STRING_LITERAL", "STRING").replace("VARCHAR", "STRING")
    for form in statement.forms:
        if form.own == own.lower():
            description, name = form.function.description, form.function.name
            taken = ", ".join(f"{kind.upper()} arg{index}" for index, kind in enumerate(description.inputs or ()))
            result = ", ".join(description.outputs or ()).upper()
            if any(wide in types for wide in _WIDE):
                types += ": a SUM of integers is wider here, CAST(… AS BIGINT) makes it one"
            said = f"candidates are {result} {name.upper()}({taken})"
            where = statement.calls[name.lower()]
            return meaningless(where, f"function {name} cannot match any overloaded functions with ({types}), {said}")
    return meaningless(
        statement.find_name(own), f"function {own.lower()} cannot match any overloaded functions with ({types})"
    )
