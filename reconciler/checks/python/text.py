"""
Decoding a source as its Python would, and positions in its text.

Python 3 takes UTF-8 unless a coding line says otherwise (PEP 3120); Python 2.7 takes ASCII unless one does (PEP 263), so
an accent in a comment is a SyntaxError there.
"""

from __future__ import annotations

import re
import warnings
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from reconciler.checks import Finding
from reconciler.checks.python.pythons import python_version, runtime_name

if TYPE_CHECKING:
    import ast

    from reconciler.base.hints import Hint

_COOKIE = re.compile(rb"[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_BLANK = re.compile(rb"[ \t\f]*(#.*)?\Z", re.DOTALL)
_CODING_LINE = "# -*- coding: utf-8 -*-"


class Page:
    """The text of one file, by lines, and findings on it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lines = text.split("\n")
        self.shifts: dict[int, int] = {}
        """Line → by how much a parsed column lies to the right of the written one (`python27` widens tabs)."""

        self.parsed: list[str] = self.lines
        """The lines that were parsed, if they are not the ones that were written."""

    def position(self, node: ast.AST) -> tuple[int, int]:
        """Return the line and the column of a node, from 1 and in characters; the parser counts bytes."""
        line: int = node.lineno  # type: ignore[attr-defined]
        return line, self._column(line, node.col_offset)  # type: ignore[attr-defined]

    def _column(self, line: int, offset: int) -> int:
        written = self.parsed[line - 1]
        characters = offset if written.isascii() else len(written.encode()[:offset].decode("utf-8", "ignore"))
        return max(1, characters + 1 - self.shifts.get(line, 0))

    def width(self, node: ast.AST) -> int:
        """Return how many characters of its first line a node takes."""
        line, column = self.position(node)
        if node.end_lineno != line:  # type: ignore[attr-defined]
            return max(1, len(self.lines[line - 1].rstrip()) - column + 1)
        return max(1, self._column(line, node.end_col_offset) - column)  # type: ignore[attr-defined]

    def end(self, node: ast.AST) -> int:
        """Return how many characters of its last line a node and all before it take."""
        return self._column(node.end_lineno, node.end_col_offset) - 1  # type: ignore[attr-defined]

    def segment(self, node: ast.AST) -> str:
        """Return the text of a node that stands on one line, else what stands of it on its first line."""
        line, column = self.position(node)
        return self.lines[line - 1][column - 1 : column - 1 + self.width(node)]

    def finding(
        self,
        node: ast.AST,
        code: str,
        message: str,
        hint: Hint | None = None,
        severity: Literal["error", "warning"] = "error",
    ) -> Finding:
        """Make a finding that underlines a node."""
        line, column = self.position(node)
        return self.spot(line, column, self.width(node), code, message, hint, severity)

    def spot(
        self,
        line: int,
        column: int,
        width: int,
        code: str,
        message: str,
        hint: Hint | None = None,
        severity: Literal["error", "warning"] = "error",
    ) -> Finding:
        """Make a finding at a place, drawn into the text if it lies outside."""
        line = min(max(1, line), len(self.lines))
        shown = self.lines[line - 1]
        column = min(max(1, column), len(shown) + 1)
        width = min(max(1, width), max(1, len(shown) - column + 1))
        return Finding(line, column, code, message, hint, width, shown, severity)

    def keyword(self, node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> tuple[int, int, int]:
        """Return the place and width of the name of a class or function: behind its keyword, not its decorators."""
        line, column = self.position(node)
        shown = self.lines[line - 1]
        match = re.compile(rf"\b{re.escape(node.name)}\b").search(shown, column - 1)
        return (line, match.start() + 1, len(node.name)) if match else (line, column, 1)

    @cached_property
    def starts(self) -> list[int]:
        """The offset at which each line begins."""
        offsets = [0]
        for line in self.lines:
            offsets.append(offsets[-1] + len(line) + 1)
        return offsets


def decode(raw: bytes, runtime: str) -> tuple[Page, Finding | None]:
    """Return a file's text, and what is wrong with its encoding."""
    encoding, line = _declared_encoding(raw)
    spot = None
    if encoding is None and python_version(runtime) < (3,) and not raw.startswith(b"\xef\xbb\xbf"):
        spot = _needs_a_coding_line(raw)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            text = raw.removeprefix(b"\xef\xbb\xbf").decode(encoding or "utf-8")
    except UnicodeDecodeError as error:
        page = Page(_normal(raw.decode("latin-1")))
        before = _normal(raw[: error.start].decode("latin-1"))
        start = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        message = f"the file is not {encoding or 'UTF-8'}: {error.reason}"
        return page, page.spot(*start, 1, "E803", message, f"save it as UTF-8, or name its encoding: {_CODING_LINE}")
    except (LookupError, ValueError, OverflowError):
        page = Page(_normal(raw.decode("latin-1")))
        message = f"there is no text encoding '{encoding}'"
        return page, page.spot(line, 1, 999, "E803", message, f"write {_CODING_LINE}")
    page = Page(_normal(text))
    if spot is None:
        return page, None
    message = f"a character outside ASCII, and no coding line: {runtime_name(runtime)} refuses the file"
    return page, page.spot(*spot, 1, "E803", message, f"make this the first line: {_CODING_LINE}")


def _declared_encoding(raw: bytes) -> tuple[str | None, int]:
    """Return the encoding that one of the first two lines declares, and the number of that line."""
    for number, line in enumerate(raw.replace(b"\r", b"\n").split(b"\n", 2)[:2], 1):
        if match := _COOKIE.match(line.removeprefix(b"\xef\xbb\xbf")):
            return match[1].decode("ascii", "replace"), number
        if not _BLANK.match(line):
            break
    return None, 1


def _needs_a_coding_line(raw: bytes) -> tuple[int, int] | None:
    """Return the place of the first byte that is not ASCII."""
    if raw.isascii():
        return None
    first = next(index for index, byte in enumerate(raw) if byte > 127)
    before = _normal(raw[:first].decode("ascii"))
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def _normal(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
