"""
Result of a command: what it prints and the exit code, as one value.

A command returns it, and `output.print_result` is the one printer. Progress goes to stderr while a command works, and
lines of a test or of a plan that somebody is asked about go to stdout; everything else waits for the result.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

    from reconciler.base.errors import Problem
    from reconciler.render.sarif import SarifLog
    from reconciler.render.styled import Line

Output: TypeAlias = "BaseModel | SarifLog | str | bytes | tuple[Line, ...] | Iterator[Line]"
"""A document, text or bytes as they are, or styled lines."""


@dataclass(frozen=True)
class Result:
    """What a command came to."""

    output: Output = ()
    """What goes to stdout, in the format that was asked for."""

    code: int = 0
    """The exit code."""

    summary: str = ""
    """The outcome in one line, for a report on several targets."""

    problems: tuple[Problem, ...] = ()
    """What goes to stderr behind the output, each with its line of source."""

    notes: tuple[str, ...] = ()
    """Lines for stderr at the very end."""
