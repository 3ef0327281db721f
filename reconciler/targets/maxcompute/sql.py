"""
SQL by PyODPS: its entry object runs a statement and reads the result as CSV, which needs no tunnel.

The result is taken as the service writes it, not as PyODPS casts it: that has no form for BINARY and for parts of a second.
"""

from __future__ import annotations

import csv
import io
import re
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import requests

from reconciler.base.errors import FunctionFailed, Position, Problem, ServiceError, UdfsError, UsageError
from reconciler.core.target import QueryResult
from reconciler.targets.maxcompute.refusal import ServiceRefusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.targets.maxcompute.client import Client

_NULL = "\\N"
_LONGEST = 10_000_000
_FAILURE = re.compile(r"(ODPS-\d{7}):?(?:\[(\d+),(\d+)\])?\s*(.*)", re.DOTALL)
_IN_THE_TEXT = "ODPS-0130"
"""How the codes begin of what is wrong with a statement, rather than with its run [doc "SQL errors"]."""
_SCRIPT = "ODPS-0123055"


def run(client: Client, sql: str, settings: Mapping[str, str], name: str) -> QueryResult:
    """Run a statement and return its rows; `name` is what errors call its text."""
    from odps import errors as odps_errors
    from odps import options

    entry = client.entry()
    before = options.sql.parse_set_as_hints
    options.sql.parse_set_as_hints = False  # they are taken off already, and counted by their lines
    try:
        instance = entry.run_sql(sql, hints=dict(settings))
        _wait(instance)
        return _answer(instance)
    except odps_errors.ODPSError as error:
        if error.instance_id is None:
            client.raise_refusal(_refusal(error), error)
        raise _failure(error, sql, name, client) from None
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
    said = client.redact(str(error.args[0] if error.args else error))
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
