"""
Styled lines: what a terminal shows in colour and anything else as plain text; and problems, which every command may have.

Nothing here knows a plan, so that a command without one imports none.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, TypeAlias

from reconciler.base.hints import spell
from reconciler.base.words import cut, safe, terminal_width

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
    "gutter": "dim",
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
        # Characters that `safe` widens stand before the caret too, and those that take two columns.
        begin = problem.at.column - 1
        indent = terminal_width(safe(problem.source[:begin]))
        carets = (
            problem.width if source.isascii() else terminal_width(safe(problem.source[begin : begin + problem.width]))
        )
        yield ("gutter", f" {number} | "), ("", source)
        yield ("gutter", f" {' ' * len(number)} | "), (problem.severity, " " * indent + "^" * max(1, carets))
    for line in problem.detail:
        yield (("", f"  {safe(line)}"),)
    for index, line in enumerate(spell(problem.hint).splitlines()):
        yield ("help", "        " if index else "  help: "), ("", safe(line))


def fit_sources(lines: Iterable[Line], width: int) -> Iterator[Line]:
    """Yield lines; of one of source that is wider than the terminal, the part that its caret points at."""
    waiting = iter(lines)
    for line in waiting:
        caret = next(waiting, None) if line and line[0][0] == "gutter" else None
        if caret is None:
            yield line
            continue
        (gutter, (style, source)), (margin, (severity, carets)) = line, caret
        room = width - terminal_width(gutter[1])
        indent = len(carets) - len(carets.lstrip())
        wide = terminal_width(source)
        if wide > room > 0:
            begin = max(0, min(indent - room // 3, wide - room))
            source = _window(source, begin, room)
            carets = " " * (indent - begin) + carets.strip()[: room - (indent - begin)]
        yield gutter, (style, source)
        yield margin, (severity, carets)


def _window(text: str, begin: int, room: int) -> str:
    """Return the part of a text between two columns, with … where it goes on."""
    before = cut(text, begin + 1) if begin else ""
    if begin and terminal_width(before) == begin:  # a wide character lies across the edge
        before = text[: len(before) + 1]
    rest = text[len(before) :]
    left = "…" + " " * (terminal_width(before) - begin - 1) if begin else ""
    space = room - terminal_width(left)
    return left + (rest if terminal_width(rest) <= space else cut(rest, space - 1) + "…")


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
