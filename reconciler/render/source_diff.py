"""Source changes as unified diffs: lines for people, and blocks of Markdown."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

from reconciler.base.words import safe
from reconciler.render.markup import fold_markup

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from reconciler.core.report import SourceChange
    from reconciler.render.styled import Line

_STYLES = {"+": "create", "-": "delete", "@": "help"}


def diff_lines(sources: Iterable[SourceChange]) -> Iterator[Line]:
    """Yield each change as a unified diff, with an empty line behind it."""
    for source in sources:
        for line in hunk_lines(source):
            yield ((_STYLES.get(line[:1], "quiet"), f"  {line}"),)
        yield ()


def diff_markdown(sources: Iterable[SourceChange]) -> list[str]:
    """Return each change folded, as a block of code whose fence no line of it can end."""
    blocks = []
    for source in sources:
        lines = [*hunk_lines(source)]
        text = "\n".join(lines)
        fence = "`" * (1 + max(2, *map(len, re.findall("`+", text)), 2))
        blocks.append(fold_markup(f"{source.name}: {count_lines(lines)}", f"{fence}diff\n{text}\n{fence}"))
    return blocks


def count_lines(lines: Sequence[str]) -> str:
    """Return how many lines a unified diff adds and takes away."""
    signs = [line[:1] for line in lines[2:]]
    return f"+{signs.count('+')} -{signs.count('-')} lines"


def hunk_lines(source: SourceChange) -> Iterator[str]:
    """Yield the lines of a unified diff, as a terminal may show them."""
    lines = difflib.unified_diff(
        source.old.splitlines(), source.new.splitlines(), f"a/{source.name}", f"b/{source.name}", lineterm=""
    )
    return ("".join(char if char == "\t" else safe(char) for char in line) for line in lines)
