"""
Ignore comments: ``# udfs: ignore[E818]`` at the end of a line silences findings of that code on it.

An ignore that silences nothing is a finding itself, because it would hide the next real one on its line.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reconciler.base.hints import Command

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.base.hints import Hint
    from reconciler.checks import Finding
    from reconciler.checks.python.text import Page

_IGNORE = re.compile(r"#\s*udfs:\s*ignore(?:\[([^\]]*)\])?")


def apply_ignores(page: Page, findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings that no comment silences, and one for each comment that silences nothing."""
    ignores = dict(_find_ignores(page))
    if not ignores:
        return list(findings)
    kept: list[Finding] = []
    used: set[tuple[int, str]] = set()
    for finding in findings:
        if finding.code in ignores.get(finding.line, ({}, (0, 0)))[0]:
            used.add((finding.line, finding.code))
        else:
            kept.append(finding)
    for line, (codes, comment) in ignores.items():
        kept += _idle(page, line, codes, comment, used)
    return kept


def _find_ignores(page: Page) -> Iterator[tuple[int, tuple[dict[str, int], tuple[int, int]]]]:
    """Yield each line with an ignore: its codes with their columns, and the place of the comment."""
    if "udfs:" not in page.text:
        return
    for number, line in enumerate(page.lines, 1):
        comment = _IGNORE.search(line)
        if comment is None:
            continue
        codes = {}
        for word in re.finditer(r"[^\s,]+", comment[1] or ""):
            codes[word.group()] = comment.start(1) + word.start() + 1
        yield number, (codes, (comment.start() + 1, len(comment.group())))


def _idle(
    page: Page, line: int, codes: dict[str, int], comment: tuple[int, int], used: set[tuple[int, str]]
) -> Iterator[Finding]:
    if not codes:
        message = "an ignore without a code silences nothing"
        yield page.spot(line, *comment, "E820", message, "# udfs: ignore[E818]", "warning")
    for code, column in codes.items():
        if (line, code) in used:
            continue
        hint: Hint = "remove it"
        message = f"nothing is found here that ignore[{code}] would silence"
        from reconciler.base.explanations import load_explanations

        if code not in load_explanations() or not code.startswith(("E8", "E550")):
            message = f"'{code}' is not a code of the source checks"
            hint = ("they are E801 to E821 and E550: ", Command("explain"))
        yield page.spot(line, column, len(code), "E820", message, hint, "warning")
