"""
Prompt: a question to whoever types at the terminal.

Nobody is asked who cannot see the question or answer it; the error then names the option to give instead.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, TextIO

from reconciler.base.errors import Refused
from reconciler.base.words import safe

if TYPE_CHECKING:
    from reconciler.base.hints import Hint


def require_consent(question: str, answer: str = "yes", *, unseen: str = "", hint: Hint) -> None:
    """Ask for consent, and raise `Refused` unless the `answer` is typed; `unseen` leads the message if nobody can be asked."""
    if why := _why_nobody_answers():
        raise Refused("E507", f"{unseen}udfs cannot ask for confirmation: {why}", hint=hint)
    out = _visible_stream() or sys.stderr
    out.write(f"{safe(question)} ")
    out.flush()
    if sys.stdin.readline().strip() != answer:
        raise Refused("E507", "not confirmed; nothing was changed")


def _why_nobody_answers() -> str | None:
    """Return why nobody can be asked; None if somebody types at a terminal and sees the question on one."""
    if os.environ.get("CI"):
        # Some CI systems give their jobs a terminal; a question there would wait for an answer until the job is killed.
        return "the environment variable CI is set"
    if _visible_stream() is None:
        return "there is no terminal to ask on"
    return None if sys.stdin.isatty() else "standard input is no terminal"


def _visible_stream() -> TextIO | None:
    """Return the stream that a question is seen on: results and errors may each have been led into a file."""
    return next((stream for stream in (sys.stderr, sys.stdout) if stream.isatty()), None)
