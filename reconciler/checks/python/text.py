"""
Text of a source, decoded as its Python would, with positions, and its tree or the finding that says why there is none.

Python 3 takes UTF-8 unless a coding line says otherwise (PEP 3120); Python 2.7 takes ASCII unless one does (PEP 263), so
an accent in a comment is a SyntaxError there.

The parser is the standard library's ``ast``: it is the one that CPython itself uses, and with ``feature_version`` it
refuses most of the syntax that an older Python did not know (`newer_syntax` knows the rest). Python 2.7 is read as Python 3
where the two agree, and through `python27` where they do not.
"""

from __future__ import annotations

import ast
import re
import sys
import warnings
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from reconciler.checks import Finding
from reconciler.checks.python import python27 as legacy
from reconciler.checks.python.pythons import python_version, runtime_name

if TYPE_CHECKING:
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


_NEWER = re.compile(r"(.+?),? (?:is|are) only supported in Python (3\.\d+) and greater")


def parse_source(page: Page, runtime: str) -> tuple[ast.Module | None, Finding | None]:
    """
    Return the tree of a module, and the first thing that the runtime's Python would refuse.

    There is a tree all the same where only the version is too old, and `newer_syntax` then finds better words and places.
    """
    version = max(python_version(runtime), (3, 7))
    try:
        return _tree(page.text, version), None
    except SyntaxError as error:
        if _NEWER.match(error.msg):
            with suppress(*_FAILURES):
                tree = _tree(page.text, None)
                # Of `with` the parser says it too often: `with (a):` is as old as `with`. `newer_syntax` looks closer.
                return tree, None if "context managers" in error.msg else _refusal(page, error, runtime)
        if python_version(runtime) < (3,):
            return _second_reading(page, runtime)
        return None, _refusal(page, error, runtime)
    except _FAILURES as error:
        return None, _refusal(page, error, runtime)


def _second_reading(page: Page, runtime: str) -> tuple[ast.Module | None, Finding | None]:
    text, shifts = legacy.modern(page.text)
    try:
        tree = _tree(text, (3, 7))
    except _FAILURES as error:
        return None, _refusal(page, error, runtime)
    page.parsed, page.shifts = text.split("\n"), shifts
    return tree, None


_FAILURES = (SyntaxError, ValueError, RecursionError, MemoryError)
"""What ``ast.parse`` raises: the second over a NUL character, the others over too many brackets."""


def _tree(text: str, version: tuple[int, int] | None) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "invalid escape sequence" and its like are the author's to see elsewhere
        return ast.parse(text, feature_version=version)


def _refusal(page: Page, error: Exception, runtime: str) -> Finding:
    if (nul := page.text.find("\0")) >= 0:
        line = page.text.count("\n", 0, nul) + 1
        column = nul - page.starts[line - 1] + 1
        return page.spot(line, column, 1, "E801", f"{runtime_name(runtime)} cannot read this: a NUL character")
    if not isinstance(error, SyntaxError):
        # What is read is walked without recursion, or no deeper than the parser's own 100 blocks and 200 brackets.
        return page.spot(1, 1, 1, "E801", "the file is nested too deep to be read", "break the expression up")
    line, column = error.lineno or 1, error.offset or 1
    width = (error.end_offset or column) - column if error.end_lineno == error.lineno else 1
    if version := _NEWER.match(error.msg):
        message = f"{version[1][0].lower()}{version[1][1:]}: syntax of Python {version[2]}, and the runtime is {runtime_name(runtime)}"
        return page.spot(line, column, width, "E802", message, "write it in the older way")
    if sys.version_info[:2] < python_version(runtime):
        message = f"Python {sys.version_info[0]}.{sys.version_info[1]} refuses this: {error.msg}"
        hint = f"{runtime_name(runtime)} may take it; run udfs on a Python at least as new for the full checks"
        return page.spot(line, column, width, "E801", message, hint, "warning")
    is_older = error.msg.startswith("Missing parentheses in call to")
    older = "statements of Python 2: this function runs on Python 3 (`python:` in the manifest)"
    message = f"{runtime_name(runtime)} cannot read this: {error.msg}"
    return page.spot(line, column, width, "E801", message, older if is_older else None)
