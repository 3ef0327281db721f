"""SQL that calls functions: which ones it calls, what has to be SET for them, and what comes back."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.base.errors import Problem, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_CALL = re.compile(r"`?(\w+)`?\s*\(")
_SILENT = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|--[^\n]*|/\*.*?\*/", re.DOTALL)
_SET = re.compile(r"\s*set\s+([\w.]+)\s*=([^;]*);", re.IGNORECASE)


@dataclass(frozen=True)
class Query:
    """A statement, and the settings that come with it."""

    sql: str
    settings: Mapping[str, str]


def read(text: str) -> Query:
    """Take the SET lines off the beginning of a text; what they took stays blank, so that places are those of the text."""
    settings: dict[str, str] = {}
    at = 0
    while found := _SET.match(text, at):
        settings[found[1].lower()] = found[2].strip()
        at = found.end()
    return Query(re.sub(r"[^\n]", " ", text[:at]) + text[at:], settings)


def called(sql: str, names: Iterable[str]) -> tuple[str, ...]:
    """Return which of `names` are called, in the order of `names`. What looks like a call, and is none, does no harm."""
    found = {name.lower() for name in _CALL.findall(_SILENT.sub(" ", sql))}
    return tuple(name for name in names if name.lower() in found)


def settings_of(functions: Mapping[str, Iterable[tuple[str, str]]], given: Mapping[str, str]) -> dict[str, str]:
    """
    Return what has to be SET for all of some functions, beside what is `given`, which wins.

    One statement runs one Python [doc "Python 3 UDFs": a statement cannot use Python 2 and Python 3 UDFs].
    """
    wanted: dict[str, str] = {}
    by: dict[str, str] = {}
    for function, settings in functions.items():
        for name, value in settings:
            if name in given:
                continue
            if wanted.setdefault(name, value) != value:
                raise UsageError.of(
                    [
                        Problem(
                            "E731",
                            f"'{by[name]}' needs {name}={wanted[name]}, and '{function}' {name}={value}",
                            hint="one statement runs one Python: use a statement for each",
                        )
                    ]
                )
            by.setdefault(name, function)
    return wanted
