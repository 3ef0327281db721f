"""
Parsing a source: a tree, or the finding that says why there is none.

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
from typing import TYPE_CHECKING

from reconciler.checks.python import python27 as legacy
from reconciler.checks.python.pythons import python_version, runtime_name

if TYPE_CHECKING:
    from reconciler.checks import Finding
    from reconciler.checks.python.text import Page

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
    return page.spot(
        line, column, width, "E801", f"{runtime_name(runtime)} cannot read this: {error.msg}", _syntax_hint(error)
    )


def _syntax_hint(error: SyntaxError) -> str | None:
    if error.msg.startswith("Missing parentheses in call to"):
        return "statements of Python 2: this function runs on Python 3 (`python:` in the manifest)"
    return None
