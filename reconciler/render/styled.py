"""
Styled lines: what a terminal shows in colour and anything else as plain text; and problems, which every command may have.

Nothing here knows a plan, so that a command without one imports none.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, TypeAlias

from reconciler.base.hints import spell
from reconciler.base.words import safe

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

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

    def count_errors() -> Iterator[Problem]:
        nonlocal errors
        for problem in problems:
            errors += problem.severity == "error"
            yield problem

    yield from chain.from_iterable(map(problem_lines, merge_alike(count_errors())))
    if errors > 1:
        yield (("error", f"{errors} problems"),)


_FEW = 5
"""So many problems of one kind are told each by itself."""


def merge_alike(problems: Iterable[Problem]) -> Iterator[Problem]:
    """Yield problems; many of one kind as one, which says how many there are, the first places, and the hint for all."""
    # One after the other, unless they can be told as one: a check may yield its findings as it goes.
    many: dict[tuple[str, str], list[Problem]] = {}
    for problem in problems:
        if problem.together:
            many.setdefault((problem.code, problem.together[0]), []).append(problem)
        else:
            yield problem
    for alike in many.values():
        if len(alike) > _FEW:
            yield _merge(alike)
        else:
            yield from alike


def _merge(problems: Sequence[Problem]) -> Problem:
    first = problems[0]
    assert first.together is not None
    words, hint = first.together
    detail = [f"{problem.at}: {problem.message}" if problem.at else problem.message for problem in problems[:_SHOWN]]
    more = f"and {len(problems) - _SHOWN:,} more; --format json has each"
    message = f"{len(problems):,} {words}"
    return replace(first, message=message, at=None, source=None, hint=hint, detail=(*detail, more))


_SHOWN = 3
