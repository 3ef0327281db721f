"""SQL that calls functions: which ones it calls, what has to be SET for them, and what comes back."""

from __future__ import annotations

import re
from importlib.util import find_spec
from typing import TYPE_CHECKING

from reconciler.base.errors import UsageError
from reconciler.targets.maxcompute.manifest import target_of
from reconciler.targets.maxcompute.target import MaxCompute
from reconciler.targets.powers import Query

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.core.target import QueryResult, Target
    from reconciler.manifest.load import Loaded

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


def run_query(target: Target, text: str, settings: Mapping[str, str], name: str) -> QueryResult:
    """Run a statement of SQL in a project."""
    assert isinstance(target, MaxCompute)
    return target.query(text, settings, name)


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
