"""
Styled lines: what a terminal shows in colour and anything else as plain text; and problems, which every command may have.

Nothing here knows a plan, so that a command without one imports none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from reconciler.base.hints import spell
from reconciler.base.words import safe

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.base.errors import Problem

Line: TypeAlias = tuple[tuple[str, str], ...]

STYLES = {
    "create": "green",
    "update": "yellow",
    "delete": "red",
    "adopt": "cyan",
    "release": "cyan",
    "record": "cyan",
    "error": "bold red",
    "warning": "bold yellow",
    "help": "cyan",
    "name": "bold",
    "quiet": "dim",
    "": "",
}
"""What a line's pieces may be, and the colour of each on a terminal."""


def plain_text(lines: Iterable[Line]) -> str:
    """Return lines without their styles, each ended by a newline."""
    return "".join("".join(text for _, text in line).rstrip() + "\n" for line in lines)


MAX_SHOWN_LINE = 2_000
"""A longer line, as programs write them, would bury the message."""


def problem_lines(problem: Problem) -> Iterator[Line]:
    """Yield ``place: error[CODE]: message``, the source line with a caret, and the hint."""
    place = f"{problem.at}: " if problem.at else ""
    yield (
        ("name", safe(place)),
        (problem.severity, f"{problem.severity}[{problem.code}]: "),
        ("", safe(problem.message)),
    )
    if problem.at and problem.source and len(problem.source) <= MAX_SHOWN_LINE:
        number = str(problem.at.line)
        source = safe(problem.source)
        # Characters that `safe` widens stand before the caret too.
        indent = len(safe(problem.source[: problem.at.column - 1]))
        yield ("quiet", f" {number} | "), ("", source)
        yield ("quiet", f" {' ' * len(number)} | "), (problem.severity, " " * indent + "^" * max(1, problem.width))
    for line in problem.detail:
        yield (("", f"  {safe(line)}"),)
    for index, line in enumerate(spell(problem.hint).splitlines()):
        yield ("help", "        " if index else "  help: "), ("", safe(line))


def problems_lines(problems: Iterable[Problem]) -> Iterator[Line]:
    """Yield all problems and, for several, how many there are."""
    errors = 0
    for problem in problems:
        yield from problem_lines(problem)
        errors += problem.severity == "error"
    if errors > 1:
        yield (("error", f"{errors} problems"),)
