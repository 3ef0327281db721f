"""
The options that say which stack is meant, put into hints.

A command that a hint names gets the ``-f`` and ``--target`` of its `Invocation`: typed without them, it would be about
another stack.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reconciler.base.hints import Command

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.base.errors import Problem
    from reconciler.base.hints import Hint

WITHOUT_FILE = frozenset({"ci", "completion", "explain", "fmt", "libs", "render", "runtime", "schema"})
"""The commands that take no ``--file``: they are about no manifest, or take its path as it is."""

WITHOUT_TARGET = WITHOUT_FILE | {"init", "targets"}
"""The commands that take no ``--target``."""


@dataclass(frozen=True)
class Invocation:
    """The options as they are typed, each with a space before it."""

    file: str = ""
    target: str = ""

    def command(self, command: Command) -> str:
        """Return a command as it has to be typed."""
        file = "" if command.name in WITHOUT_FILE else self.file
        named = f" --target {shlex.quote(command.target)}" if command.target else self.target
        target = "" if command.name in WITHOUT_TARGET else named
        return f"udfs {command.name}{file}{target}{f' {command.arguments}' if command.arguments else ''}"

    def spell(self, hint: Hint | None) -> str:
        """Return a hint as text; empty for none."""
        parts = hint if isinstance(hint, tuple) else (hint or "",)
        return "".join(self.command(part) if isinstance(part, Command) else part for part in parts)

    def complete(self, problems: Iterable[Problem]) -> tuple[Problem, ...]:
        """Return problems with their hints spelled out."""
        return tuple(map(self._complete, problems))

    def _complete(self, problem: Problem) -> Problem:
        together = (problem.together[0], self.spell(problem.together[1])) if problem.together else None
        return replace(problem, hint=self.spell(problem.hint) or None, together=together)


AS_IT_IS = Invocation()
"""Without options."""
