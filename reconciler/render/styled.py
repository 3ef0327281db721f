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


def plain(lines: Iterable[Line]) -> str:
    """Return lines without their styles, each ended by a newline."""
    return "".join("".join(text for _, text in line).rstrip() + "\n" for line in lines)


MAX_SHOWN_LINE = 2_000
"""A longer line, as programs write them, would bury the message."""


def problem(found: Problem) -> Iterator[Line]:
    """Yield ``place: error[CODE]: message``, the source line with a caret, and the hint."""
    place = f"{found.at}: " if found.at else ""
    yield ("name", safe(place)), (found.severity, f"{found.severity}[{found.code}]: "), ("", safe(found.message))
    if found.at and found.source and len(found.source) <= MAX_SHOWN_LINE:
        number = str(found.at.line)
        shown = safe(found.source)
        # Characters that `safe` widens stand before the caret too.
        indent = len(safe(found.source[: found.at.column - 1]))
        yield ("quiet", f" {number} | "), ("", shown)
        yield ("quiet", f" {' ' * len(number)} | "), (found.severity, " " * indent + "^" * max(1, found.width))
    for line in found.detail:
        yield (("", f"  {safe(line)}"),)
    for index, line in enumerate(spell(found.hint).splitlines()):
        yield ("help", "        " if index else "  help: "), ("", safe(line))


def problems(found: Iterable[Problem]) -> Iterator[Line]:
    """Yield all problems and, for several, how many there are."""
    errors = 0
    for one in found:
        yield from problem(one)
        errors += one.severity == "error"
    if errors > 1:
        yield (("error", f"{errors} problems"),)
