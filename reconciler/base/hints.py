"""
Hints: what to do next, with the commands that they name held as values.

So no text is searched for commands when a hint is shown with the options that a command needs (`invocation`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Command:
    """A command of udfs, to be typed."""

    name: str
    arguments: str = ""
    """What follows the options that say which stack is meant."""

    target: str = ""
    """Where it is to be typed for another target than the command that hints at it."""

    def __str__(self) -> str:
        return f"udfs {self.name} {self.arguments}".rstrip()


Hint: TypeAlias = str | Command | tuple[str | Command, ...]
"""Text, a command, or parts of both that follow each other."""


def spell(hint: Hint | None) -> str:
    """Return a hint as text, its commands without options; empty for none."""
    return "".join(map(str, hint)) if isinstance(hint, tuple) else str(hint or "")
