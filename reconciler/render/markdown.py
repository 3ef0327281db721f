"""
Markdown for comments on pull requests and for tickets: a headline, a table, refusals and warnings.

GitHub takes 65,536 characters a comment. What does not fit is counted, and loudly if an approval could depend on it:
deletions are the last to be left out, then changes; new objects go first. Names and values stand in code spans, where no
character of theirs can be markup or address anybody.
"""

from __future__ import annotations

import re
from collections import Counter
from textwrap import shorten
from typing import TYPE_CHECKING, NamedTuple

from reconciler.base.errors import count
from reconciler.base.hints import spell
from reconciler.base.invocation import AS_IT_IS
from reconciler.base.words import safe
from reconciler.core.diff import Action
from reconciler.core.drift import Deviation
from reconciler.render import text
from reconciler.render.differences import difference_texts
from reconciler.render.source_diff import diff_markdown

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from reconciler.base.errors import Problem
    from reconciler.base.invocation import Invocation
    from reconciler.core.diff import Change
    from reconciler.core.drift import Drift
    from reconciler.core.kind import Difference, Key
    from reconciler.core.plan import Plan
    from reconciler.core.report import SourceChange

MOST = 60_000
"""Characters; what a bot puts around a comment needs room too."""

_AROUND = 600
"""Characters for the lines around the rows, which say what was left out."""

_SUMMARY = 200
"""Characters of the summary of one of several targets."""

_LEFT_OUT = "Not shown, since it does not fit here: "

_DANGER = (Action.DELETE, Action.UPDATE, Action.RECORD, Action.ADOPT, Action.RELEASE, Action.CREATE)
"""What is done to objects, the worst first."""


class _Row(NamedTuple):
    """A row of a table, and what is left of it where there is no room."""

    whole: str
    brief: str
    kind: str
    matters: bool
    """Whether an approval could depend on it."""


def plan_markdown(plan: Plan, command: str | None, room: int = MOST, chosen: Collection[Key] | None = None) -> str:
    """Return a plan; `command` is the next step. Of `chosen` objects nothing else is shown."""
    changes = [change for change in plan.changes if chosen is None or change.key in chosen]
    rows = [_change(change) for change in sorted(changes, key=lambda change: _DANGER.index(change.action))]
    rows += [
        _row(".", change.key, f"shared: stack {_code(change.live.mark.stack)} manages it", kind="shared", matters=False)
        for change in plan.shared
        if change.live and change.live.mark and (chosen is None or change.key in chosen)
    ]
    below = []
    if chosen is not None:
        below.append(f"Shown: {len(changes)} of {count(len(plan.changes), 'change')}; the plan is the whole.")
    if plan.from_dump:
        below.append("Made against a dump: the project itself was not looked at.")
    if plan.changes and not plan.refusals:
        below.append(f"Digest: `sha256:{plan.digest}`")
    if command:
        below.append(f"{text.next_step(plan)}: {_code(command)}")
    head = [f"**{_plain(text.plan_summary(plan))}**", _place(plan)]
    return _document(head, rows, [*plan.refusals, *plan.warnings], below, room)


def drift_markdown(
    drift: Drift, plan: Plan, command: str | None, room: int = MOST, invocation: Invocation = AS_IT_IS
) -> str:
    """Return what was changed outside; `command` is the next step."""
    rows = [
        _row(
            deviation.kind.value,
            deviation.key,
            # What was taken is not brought back by any plan.
            f"{_plain(deviation.sentence)}{_before_and_after([difference.turned for difference in deviation.differences])}"
            f"{f'<br>{_plain(invocation.spell(deviation.problem.hint))}' if deviation.kind is Deviation.TAKEN else ''}",
            deviation.origin,
        )
        for deviation in drift.drifted
    ]
    below = [f"Next: {_code(command)}"] if command else []
    return _document([f"**{text.drift_summary(drift)}**", _place(plan)], rows, [], below, room)


def targets_markdown(parts: Sequence[tuple[str, str, str]]) -> str:
    """
    Return the results of several targets: a line each, then their documents.

    `parts` has name, document and summary; a document is made to fit into the `target_share` of its target.
    """
    lines = (
        f"- target {_code(name)}: {_plain(shorten(summary, _SUMMARY, placeholder=' …'))}" for name, _, summary in parts
    )
    summary = "\n".join(_as_many(lines, MOST // 2, "target"))
    documents = (document.rstrip("\n") for _, document, _ in parts if document)
    return "\n\n".join([summary, *_as_many(documents, MOST - len(summary), "target")]) + "\n"


def target_share(targets: int) -> int:
    """Return how many characters the document of each of several targets may have."""
    return MOST // targets - (2 * _SUMMARY if targets > 1 else 0)


def add_sources(document: str, sources: Sequence[SourceChange], room: int = MOST) -> str:
    """Return a document with the changes of sources behind it, as many as there is room for."""
    blocks = _as_many(diff_markdown(sources), room - len(document) - _AROUND, "source change")
    return "\n".join([document, *(f"{block}\n" for block in blocks)]) if blocks else document


def _document(
    head: Sequence[str], rows: Sequence[_Row], problems: Sequence[Problem], below: Sequence[str], room: int
) -> str:
    room -= len("\n\n".join([*head, *below])) + _AROUND
    problem_list = "\n".join(
        _as_many(map(_problem, problems), room // 2, "refusal or warning", "refusals and warnings")
    )
    parts = [*head, *_table(rows, room - len(problem_list)), *([problem_list] if problem_list else []), *below]
    return "\n\n".join(parts) + "\n"


def _table(rows: Sequence[_Row], room: int) -> list[str]:
    """Return what there is no room for, in words, and a table; what does not matter takes the room that is left."""
    first, then = [row for row in rows if row.matters], [row for row in rows if not row.matters]
    lines = _row_lines(first, room)
    lines += _row_lines(then, room - sum(len(line) + 1 for line in lines))
    notes = _missing([*first, *then], lines)
    table = [line for line in lines if line]
    if not table:
        return notes
    return [*notes, "\n".join(["| | object | what | where |", "|---|---|---|---|", *table])]


def _missing(rows: Sequence[_Row], lines: Sequence[str]) -> list[str]:
    """Return sentences about the rows that are left out or cut short, loud if an approval could depend on them."""
    notes = []
    if lost := [row for row, line in zip(rows, lines, strict=True) if not line]:
        kinds = ", ".join(f"{number:,} {kind}" for kind, number in Counter(row.kind for row in lost).items())
        left_out = f"{_LEFT_OUT}{count(len(lost), 'object')} ({kinds})"
        notes.append(f"**{left_out}**" if any(row.matters for row in lost) else left_out)
    if brief := sum(row.matters and line == row.brief for row, line in zip(rows, lines, strict=True)):
        notes.append(f"**{count(brief, 'object')} named without what changes, since that does not fit here**")
    return notes


def _row_lines(rows: Sequence[_Row], room: int) -> list[str]:
    """Return each row, whole, brief or empty: every object is named before one is described at length."""
    fits = _fitting((len(row.brief) + 1 for row in rows), room)
    lines = [row.brief if fit else "" for row, fit in zip(rows, fits, strict=True)]
    more = [len(row.whole) - len(line) if line else 0 for row, line in zip(rows, lines, strict=True)]
    fits = _fitting(more, room - sum(len(line) + 1 for line in lines if line))
    return [row.whole if line and fit else line for row, line, fit in zip(rows, lines, fits, strict=True)]


def _fitting(lengths: Iterable[int], room: int) -> list[bool]:
    """Say of each length whether there is room for it, after those before it."""
    fits = []
    for length in lengths:
        fits.append(length <= room)
        room -= length if fits[-1] else 0
    return fits


def _as_many(parts: Iterable[str], room: int, noun: str, plural: str = "") -> list[str]:
    """Return the parts that fit, and how many do not."""
    texts = list(parts)
    fits = _fitting((len(text) + 2 for text in texts), room)
    fitting = [text for text, fit in zip(texts, fits, strict=True) if fit]
    lost = len(texts) - len(fitting)
    what = f"{lost:,} {plural}" if plural and lost > 1 else count(lost, noun)
    return [*fitting, f"**{_LEFT_OUT}{what}**"] if lost else fitting


def _change(change: Change) -> _Row:
    sentence = f"{_plain(text.change_sentence(change))}{_before_and_after(change.differences)}"
    return _row(
        text.change_sign(change),
        change.key,
        sentence,
        change.desired.origin if change.desired else None,
        kind=f"to {change.action.value}",
        matters=change.action is not Action.CREATE or bool(text.from_elsewhere(change)),
    )


def _row(sign: str, key: Key, sentence: str, where: object = None, *, kind: str = "", matters: bool = True) -> _Row:
    name = f"{key.kind} {_code(key.name)}"
    whole = _cells(sign, name, sentence, _code(str(where)) if where else "")
    return _Row(whole, _cells(sign, name, "…", ""), kind or sign, matters)


def _cells(*cells: str) -> str:
    # A table takes the backslash away before anything else reads the cell, in a code span too.
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _before_and_after(differences: Sequence[Difference]) -> str:
    return "".join(f"<br>{field} {_code(values)}" for field, values in difference_texts(differences))


def _place(plan: Plan) -> str:
    parts = ", ".join(f"{label} {_code(part)}" for label, part in plan.destination.parts.items())
    return f"Stack {_code(plan.stack)} → {parts} (target {_code(plan.destination.target)})"


def _problem(problem: Problem) -> str:
    at = f"{_code(str(problem.at))} " if problem.at else ""
    lines = [problem.message, *problem.detail, *spell(problem.hint).splitlines()]
    return f"- {at}**{problem.severity} {problem.code}** {'<br>'.join(map(_plain, lines))}"


def _code(text: str) -> str:
    """Return text as a code span."""
    escaped = safe(text)
    # Longer than any run of backticks in it.
    fence = "`" * (1 + max(map(len, re.findall("`+", escaped)), default=0))
    # One space is taken off on either side, if there is one on both.
    pad = " " if escaped.startswith(("`", " ")) or escaped.endswith(("`", " ")) else ""
    return f"{fence}{pad}{escaped}{pad}{fence}"


def _plain(text: str) -> str:
    """Return a sentence in which nothing is markup or a link, and nobody is addressed."""
    escaped = safe(text).replace("&", "&amp;").replace("<", "&lt;")
    for mark in "\\`*_[]~$":
        escaped = escaped.replace(mark, f"\\{mark}")
    for mark in ("@", "#", "://", "www."):
        escaped = escaped.replace(mark, f"{mark[0]}\u200b{mark[1:]}")
    return escaped
