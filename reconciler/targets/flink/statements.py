"""SQL statements of a file: its text cut at semicolons, but for those in quotes, comments and identifiers. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.base.errors import InvalidManifest

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN = re.compile(
    r"""(?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`)|(?P<comment>--[^\n]*|/\*(?!\+).*?\*/)|(?P<end>;)""",
    re.DOTALL,
)
_OPEN = re.compile(r"['\"`]|/\*(?!\+)")
_SETTING = re.compile(r"SET\s+'(?P<key>(?:[^']|'')+)'\s*=\s*'(?P<value>(?:[^']|'')*)'\Z", re.IGNORECASE)
_FRAME = re.compile(r"(?:EXECUTE\s+STATEMENT\s+SET\s+BEGIN|BEGIN\s+STATEMENT\s+SET|END)\b\s*", re.IGNORECASE)
_INSERT = re.compile(r"(?:EXECUTE\s+)?(?=INSERT\s)", re.IGNORECASE)
_QUERY = re.compile(r"\(*\s*(?:SELECT|VALUES|WITH|SHOW|DESCRIBE|DESC|EXPLAIN)\b", re.IGNORECASE)


@dataclass(frozen=True)
class SqlStatement:
    """A statement, and where its text begins."""

    line: int
    text: str

    @property
    def setting(self) -> tuple[str, str] | None:
        """The option and its value, of ``SET 'option' = 'value'``."""
        match = _SETTING.match(self.text)
        return (match["key"].replace("''", "'"), match["value"].replace("''", "'")) if match else None

    @property
    def insert(self) -> str | None:
        """The INSERT that it is."""
        match = _INSERT.match(self.text)
        return self.text[match.end() :] if match else None


def read_statements(text: str, name: str) -> list[SqlStatement]:
    """Return the statements of a file of SQL; E489 where it cannot be cut, writes nothing, or asks for rows that go nowhere."""
    statements = [statement for part in _parts(text, name) if (statement := _without_frame(part)).text]
    for statement in statements:
        if _QUERY.match(statement.text):
            word = statement.text.split(None, 1)[0].upper()
            message = f"{name}:{statement.line}: the rows of {word} go nowhere in a job"
            raise InvalidManifest("E489", message, hint="write INSERT INTO table SELECT …")
    if not any(statement.insert for statement in statements):
        raise InvalidManifest(
            "E489", f"{name} has no INSERT, and so nothing to run", hint="a job's SQL ends in INSERT INTO"
        )
    return statements


def _parts(text: str, name: str) -> Iterator[SqlStatement]:
    """Yield the pieces between semicolons, without their comments."""
    kept: list[str] = []
    line, place = 1, 0
    for token in _TOKEN.finditer(text):
        between = text[place : token.start()]
        _refuse_open(between, name, text.count("\n", 0, place) + 1)
        kept.append(between)
        place = token.end()
        if token["end"]:
            yield _statement(kept, line)
            kept, line = [], text.count("\n", 0, place) + 1
        elif token["comment"]:
            kept.append("\n" * token["comment"].count("\n") or " ")
        else:
            kept.append(token[0])
    _refuse_open(text[place:], name, text.count("\n", 0, place) + 1)
    yield _statement([*kept, text[place:]], line)


def _refuse_open(between: str, name: str, line: int) -> None:
    if match := _OPEN.search(between):
        number = line + between.count("\n", 0, match.start())
        raise InvalidManifest("E489", f"{name}:{number}: {match[0]} is not closed", hint="close it")


def _statement(kept: list[str], line: int) -> SqlStatement:
    text = "".join(kept)
    start = len(text) - len(text.lstrip())
    return SqlStatement(line + text.count("\n", 0, start), text.strip())


def _without_frame(statement: SqlStatement) -> SqlStatement:
    """Leave out what makes one job of several INSERTs: those of a file are one job here anyway."""
    match = _FRAME.match(statement.text)
    if match is None:
        return statement
    line = statement.line + statement.text.count("\n", 0, match.end())
    return SqlStatement(line, statement.text[match.end() :])
