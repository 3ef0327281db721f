"""Job text: SET lines, and one statement behind them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconciler.local.sql.problems import SqlFailed, SqlPosition, parse_failure

if TYPE_CHECKING:
    from collections.abc import Iterator

_SET = re.compile(r"set\s+([\w.]+)\s*=(.*)", re.IGNORECASE | re.DOTALL)
_UNENDED = re.compile(r"Missing (\S+) from (\d+):(\d+)")


@dataclass(frozen=True)
class Script:
    """What is to be run."""

    settings: dict[str, str]
    statement: str
    """With blanks for what stood before it, so that places are those of the whole text."""


def parse_script(text: str) -> Script:
    """
    Split a job's text.

    The console client and DataWorks take SET lines off before they send a query; PyODPS does so unless told otherwise
    (`options.sql.parse_set_as_hints`). That the service would take them in the query is not known, and harmless here.
    """
    settings: dict[str, str] = {}
    statements: list[tuple[int, int]] = []
    for start, end in _pieces(text):
        match = _SET.fullmatch(text[start:end])
        if match and not statements:
            settings[match[1].lower()] = match[2].strip()
        else:
            statements.append((start, end))
    if not statements:
        raise parse_failure(None, "there is no statement")
    if len(statements) > 1:
        raise parse_failure(position_of(text, statements[1][0]), "the local service runs one statement at a time")
    [(start, end)] = statements
    return Script(settings, re.sub(r"[^\n]", " ", text[:start]) + text[start:end])


def _pieces(text: str) -> Iterator[tuple[int, int]]:
    """Yield where each statement begins and ends, without semicolons and comments around it."""
    first: int | None = None
    last = 0
    for token in tokens(text):
        if token.token_type.name == "SEMICOLON":
            if first is not None:
                yield first, last
            first = None
        else:
            first = token.start if first is None else first
            last = token.end + 1
    if first is not None:
        yield first, last


def tokens(text: str) -> list[Any]:
    """Return the tokens of SQL."""
    from sqlglot.dialects.hive import Hive
    from sqlglot.errors import TokenError

    try:
        return Hive().tokenize(text)
    except TokenError as error:
        raise _unended_failure(error) from None


def _unended_failure(error: Exception) -> SqlFailed:
    # sqlglot says where an unended text begins, in the error behind its error.
    match = _UNENDED.search(str(error.__cause__ or error))
    if match:
        # Its columns are counted from 0 up to and with the quote.
        return parse_failure(
            SqlPosition(int(match[2]), int(match[3]) + 1), f"what begins with {match[1]} here does not end"
        )
    return parse_failure(None, "a comment or a text does not end")


def position_of(text: str, offset: int) -> SqlPosition:
    """Return line and column of an offset."""
    before = text[:offset]
    return SqlPosition(before.count("\n") + 1, offset - before.rfind("\n"))
