"""
Markup of Markdown: values as code spans, sentences, cells and folded parts, in which nothing of others is markup.

GitHub looks for names, numbers and addresses in finished HTML too, so what would call somebody or become a link is broken
by a character without width, outside of code spans.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

from reconciler.base.errors import count
from reconciler.base.hints import spell
from reconciler.base.words import safe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.base.errors import Problem


def code_span(text: str) -> str:
    """Return text as a code span."""
    # Of nothing at all a fence alone would be left, which opens a span that ends inside a later one.
    escaped = safe(text) or " "
    # Longer than any run of backticks in it.
    fence = "`" * (1 + max(map(len, re.findall("`+", escaped)), default=0))
    # One space is taken off on either side, if there is one on both.
    pad = " " if escaped.startswith(("`", " ")) or escaped.endswith(("`", " ")) else ""
    return f"{fence}{pad}{escaped}{pad}{fence}"


def sentence(text: str) -> str:
    """Return a sentence in which nothing is markup or a link, and nobody is addressed."""
    escaped = safe(text).replace("&", "&amp;").replace("<", "&lt;")
    for mark in "\\`*_[]~$":
        escaped = escaped.replace(mark, f"\\{mark}")
    return _unlink(escaped)


def table_row(*cells: str) -> str:
    """Return a row of a table."""
    # A table takes the backslash away before anything else reads the cell, in a code span too.
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def fold_markup(summary: str, content: str) -> str:
    """Return content that a reader opens by a click on the summary, which is text."""
    # Markdown is read between empty lines only.
    return f"<details><summary>{html.escape(_unlink(safe(summary)))}</summary>\n\n{content}\n\n</details>"


def problem_item(problem: Problem) -> str:
    """Return a refusal or a warning as an item of a list."""
    at = f"{code_span(str(problem.at))} " if problem.at else ""
    lines = [problem.message, *problem.detail, *spell(problem.hint).splitlines()]
    return f"- {at}**{problem.severity} {problem.code}** {'<br>'.join(map(sentence, lines))}"


def fit_names(names: Sequence[str], room: int) -> str:
    """Return names that fit into so many characters, and how many do not; nothing where that does not fit either."""
    spans = [code_span(name) for name in names]
    if sum(len(span) + 2 for span in spans) <= room:
        return ", ".join(spans)
    shown: list[str] = []
    room -= len(f"and {len(names):,} more")
    for span in spans:
        room -= len(span) + 2
        if room < 0:
            break
        shown.append(span)
    rest = f"{len(names) - len(shown):,} more" if shown else ""
    return f"{', '.join(shown)} and {rest}" if shown else ""


def count_kinds(numbers: dict[str, int]) -> str:
    """Return ``3 functions, 2 resources``."""
    return ", ".join(count(number, kind) for kind, number in numbers.items())


def _unlink(text: str) -> str:
    for mark in ("@", "#", "://", "www."):
        text = text.replace(mark, f"{mark[0]}\u200b{mark[1:]}")
    return text
