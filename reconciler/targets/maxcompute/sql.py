"""
SQL: what a statement calls, what has to be SET for that, and its run by PyODPS, which reads the result as CSV and needs no tunnel.

The result is taken as the service writes it, not as PyODPS casts it: that has no form for BINARY and for parts of a second.
"""

from __future__ import annotations

import csv
import io
import re
import time
from contextlib import suppress
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import requests

from reconciler.base.activity import activity
from reconciler.base.errors import FunctionFailed, Position, Problem, ServiceError, UdfsError, UsageError
from reconciler.base.redaction import redact_foreign
from reconciler.core.target import QueryResult
from reconciler.targets.maxcompute.manifest import target_of
from reconciler.targets.maxcompute.refusal import ServiceRefusal
from reconciler.targets.maxcompute.target import MaxCompute
from reconciler.targets.powers import Query

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.core.target import Target
    from reconciler.manifest.load import Loaded
    from reconciler.targets.maxcompute.client import Client


_CALL = re.compile(r"`?(\w+)`?\s*\(")
_SILENT = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|--[^\n]*|/\*.*?\*/", re.DOTALL)
_SET = re.compile(r"\s*set\s+([\w.]+)\s*=([^;]*);", re.IGNORECASE)


def require_query(loaded: Loaded) -> None:
    """Raise unless the target runs SQL, with what is installed here: MaxCompute does, and the service built in needs DuckDB."""
    if target_of(loaded).endpoint != "local":
        return
    from reconciler.local import SQL_NEEDS

    if missing := [name for name in SQL_NEEDS if find_spec(name) is None]:
        message = f"SQL on the local service needs {', '.join(missing)}, not installed here"
        raise UsageError("E734", message, hint="pip install 'udfs[sql]'")


def read_query(text: str) -> Query:
    """Take the SET lines off the beginning of a text; what they took stays blank, so that places are those of the text."""
    settings: dict[str, str] = {}
    start = 0
    while match := _SET.match(text, start):
        settings[match[1].lower()] = match[2].strip()
        start = match.end()
    return Query(re.sub(r"[^\n]", " ", text[:start]) + text[start:], settings)


def called_functions(sql: str, names: Iterable[str]) -> tuple[str, ...]:
    """Return which of `names` are called, in the order of `names`. What looks like a call, and is none, does no harm."""
    names_called = {name.lower() for name in _CALL.findall(_SILENT.sub(" ", sql))}
    return tuple(name for name in names if name.lower() in names_called)


def settings_of(functions: Mapping[str, Iterable[tuple[str, str]]], stated: Mapping[str, str]) -> dict[str, str]:
    """
    Return what has to be SET for all of some functions, beside what is `stated`, which wins.

    One statement runs one Python [doc "Python 3 UDFs": a statement cannot use Python 2 and Python 3 UDFs].
    """
    merged: dict[str, str] = {}
    by: dict[str, str] = {}
    for function, settings in functions.items():
        for name, value in settings:
            if name in stated:
                continue
            if merged.setdefault(name, value) != value:
                message = f"'{by[name]}' needs {name}={merged[name]}, and '{function}' {name}={value}"
                raise UsageError("E731", message, hint="one statement runs one Python: use a statement for each")
            by.setdefault(name, function)
    return merged


_NULL = "\\N"
_LONGEST = 10_000_000
_FAILURE = re.compile(r"(ODPS-\d{7}):?(?:\[(\d+),(\d+)\])?\s*(.*)", re.DOTALL)
_IN_THE_TEXT = "ODPS-0130"
"""How the codes begin of what is wrong with a statement, rather than with its run [doc "SQL errors"]."""
_SCRIPT = "ODPS-0123055"


def run_query(target: Target, text: str, settings: Mapping[str, str], name: str) -> QueryResult:
    """Run a statement and return its rows; `name` is what errors call its text."""
    from odps import errors as odps_errors
    from odps import options

    assert isinstance(target, MaxCompute)
    client = target.client
    entry = client.entry()
    before = options.sql.parse_set_as_hints
    options.sql.parse_set_as_hints = False  # they are taken off already, and counted by their lines
    try:
        with activity(f"running SQL in {client.place}"):
            instance = entry.run_sql(text, hints=dict(settings))
            _wait(instance)
            return _answer(instance)
    except odps_errors.ODPSError as error:
        if error.instance_id is None:
            client.raise_refusal(_refusal(error), error)
        raise _failure(error, text, name, client) from None
    except requests.RequestException as error:
        client.unreachable(error)
    finally:
        options.sql.parse_set_as_hints = before


def _refusal(error: Any) -> ServiceRefusal:
    """Return an error of PyODPS's as the answer that it was made of."""
    code = str(error.code or "")
    message = str(error.args[0] if error.args else error)
    request = str(error.request_id or "")
    # Where the body has no code of the service's, PyODPS takes the status for one.
    return ServiceRefusal(error.status_code, "" if code == str(error.status_code) else code, message, request)


def _wait(instance: Any) -> None:
    """Wait for the end; who is interrupted leaves nothing running."""
    pause = 0.1
    try:
        while not instance.is_terminated(blocking=True):
            time.sleep(pause)
            pause = min(pause * 1.5, 2.0)
    except KeyboardInterrupt:
        with suppress(Exception):
            instance.stop()
        raise
    # It has ended: this says how, and asks nothing but that.
    instance.wait_for_success()


def _answer(instance: Any) -> QueryResult:
    [(task, content)] = instance.get_task_results().items()
    try:
        descriptor = instance.get_result_descriptor(task)
        if descriptor is None or descriptor.is_select is False:
            return QueryResult(instance.id, (), None, (), is_cut=False, text=content)
    except ValueError:
        descriptor = None  # PyODPS takes no two columns of one name; the rows are there all the same
    csv.field_size_limit(_LONGEST)
    lines = csv.reader(io.StringIO(content, newline=""))
    names = tuple(next(lines, []))
    rows = [tuple(None if cell == _NULL else cell for cell in line) for line in lines]
    columns = descriptor.schema.columns if descriptor is not None and descriptor.schema is not None else None
    types = None if columns is None else tuple(str(column.type).lower() for column in columns)
    is_cut = descriptor is not None and str(descriptor.select_result_status).upper() == "TRUNCATED"
    return QueryResult(instance.id, names, types, rows, is_cut)


def _failure(error: Any, sql: str, name: str, client: Client) -> UdfsError:
    """Return why an instance failed: what is wrong with the statement at its place, an exception with its traceback."""
    said = redact_foreign(str(error.args[0] if error.args else error))
    match = _FAILURE.search(said)
    if match is None:
        return ServiceError("E730", f"the statement failed: {said}")
    code, line, column, rest = match.groups()
    first, *more = rest.strip().splitlines() or [""]
    if code == _SCRIPT:
        # The traceback, and in the last line what it comes to.
        *traceback, last = rest.replace("User script exception - ", "", 1).strip().splitlines() or [""]
        failed = FunctionFailed("E702", f"the statement failed, {code}: {last}")
        failed.problems = tuple(replace(cause, detail=tuple(traceback)) for cause in failed.problems)
        return failed
    lines = sql.splitlines()
    position = Position(name, int(line), int(column)) if line else None
    source = lines[int(line) - 1] if line and 0 < int(line) <= len(lines) else None
    problem = Problem("E730", f"{code}: {first}", at=position, source=source, detail=tuple(more))
    kind = UsageError if code.startswith(_IN_THE_TEXT) else ServiceError
    return kind.of([problem])
