"""Sizes, moments, commands to type, and text that came from elsewhere, for people."""

from __future__ import annotations

import re
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

_COMMAND = re.compile(r"\budfs ([a-z][a-z-]*)(?![\w-])(?! (?:-f|--file|--target)\b)")
"""A command, where a hint names it without saying of which manifest."""

_arguments: ContextVar[Callable[[str], str]] = ContextVar("arguments")


def aim(arguments: Callable[[str], str]) -> None:
    """
    Let hints name commands with what `arguments` says of each from now on: ``-f`` and ``--target``, as they were given.

    Typed without them, a command would be about another stack. So it is here, where every hint is told in whatever format,
    and not left to those who print.
    """
    _arguments.set(arguments)


def typed(hint: str | None) -> str:
    """Return what to do now, with commands as they have to be typed."""
    arguments = _arguments.get(None)
    return _COMMAND.sub(lambda named: named[0] + arguments(named[1]), hint) if hint and arguments else hint or ""


def size(number: int) -> str:
    """Return bytes as ``412 B``, ``1.5 kB``, ``13.4 MB``; powers of 1,000, as the service's own limits are told."""
    if number < 1000:
        return f"{number} B"
    value = float(number)
    for unit in ("kB", "MB", "GB"):
        value /= 1000
        if value < 999.95 or unit == "GB":
            break
    return f"{value:.1f} {unit}"


def moment(when: datetime) -> str:
    """Return ``2026-11-20 17:04Z``."""
    return f"{when:%Y-%m-%d %H:%MZ}"


def safe(text: str) -> str:
    """Show characters that a terminal would obey as escapes: names and comments of a service are not ours."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text)
