"""
Workflow commands of GitHub Actions: one line a problem, which the run shows beside the line of the file.

``::error file=udfs/f.py,line=3,col=5,endColumn=9,title=E805::message``. What a command is made of must not end it: in the
message ``%``, carriage return and line feed are escaped, in the properties also ``:`` and ``,`` [docs.github.com, "Workflow
commands"; the escapes are those of its own toolkit, packages/core/src/command.ts].
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.base.hints import spell
from reconciler.base.words import safe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.base.errors import Problem


def workflow_commands(problems: Iterable[Problem]) -> str:
    """Return the problems as commands, each ended by a newline."""
    return "".join(f"{_command(problem)}\n" for problem in problems)


def _command(problem: Problem) -> str:
    properties: dict[str, object] = {}
    if problem.at:
        end = problem.at.column + max(1, problem.width)
        properties = {
            "file": problem.at.file,
            "line": problem.at.line,
            "endLine": problem.at.line,
            "col": problem.at.column,
            "endColumn": end,
        }
    properties["title"] = problem.code
    pairs = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items())
    lines = [problem.message, *problem.detail, *(f"help: {line}" for line in spell(problem.hint).splitlines())]
    return f"::{problem.severity} {pairs}::{_message(lines)}"


def _message(lines: list[str]) -> str:
    return "%0A".join(safe(line).replace("%", "%25") for line in lines)


def _property(value: str) -> str:
    return safe(value).replace("%", "%25").replace(":", "%3A").replace(",", "%2C")
