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

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reconciler.base.errors import Problem
    from reconciler.base.invocation import Invocation
    from reconciler.core.diff import Change
    from reconciler.core.drift import Drift
    from reconciler.core.identity import Key
    from reconciler.core.kind import Difference
    from reconciler.core.plan import Plan

MOST = 60_000
"""Characters; what a bot puts around a comment needs room too."""

_AROUND = 600
"""Characters for the lines around the rows, which say what was left out."""

_TOLD = 200
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


def plan(made: Plan, command: str | None, room: int = MOST) -> str:
    """Return a plan; `command` is the next step."""
    rows = [_change(change) for change in sorted(made.changes, key=lambda change: _DANGER.index(change.action))]
    rows += [
        _row(
            ".",
            change.key,
            f"shared: stack {_code(change.live.mark.stack)} manages it",
            kind="shared",
            matters=False,
        )
        for change in made.shared
        if change.live and change.live.mark
    ]
    below = []
    if made.from_dump:
        below.append("Made against a dump: the project itself was not looked at.")
    if made.changes and not made.refusals:
        below.append(f"Digest: `sha256:{made.digest}`")
    if command:
        below.append(f"{text.next_step(made)}: {_code(command)}")
    head = [f"**{_plain(text.summary(made))}**", _place(made)]
    return _document(head, rows, [*made.refusals, *made.warnings], below, room)


def drift(found: Drift, made: Plan, command: str | None, room: int = MOST, invocation: Invocation = AS_IT_IS) -> str:
    """Return what was changed outside; `command` is the next step."""
    rows = [
        _row(
            one.kind.value,
            one.key,
            # What was taken is not brought back by any plan.
            f"{_plain(one.told)}{_before_and_after([found.turned for found in one.differences])}"
            f"{f'<br>{_plain(invocation.spell(one.problem.hint))}' if one.kind is Deviation.TAKEN else ''}",
            one.origin,
        )
        for one in found.drifted
    ]
    below = [f"Next: {_code(command)}"] if command else []
    return _document([f"**{text.drift_summary(found)}**", _place(made)], rows, [], below, room)


def targets(parts: Sequence[tuple[str, str, str]]) -> str:
    """
    Return what was told of several targets: a line each, then their documents.

    `parts` has name, document and summary; a document is made to fit into the `share` of its target.
    """
    lines = (f"- target {_code(name)}: {_plain(shorten(told, _TOLD, placeholder=' …'))}" for name, _, told in parts)
    told = "\n".join(_as_many(lines, MOST // 2, "target"))
    documents = (document.rstrip("\n") for _, document, _ in parts if document)
    return "\n\n".join([told, *_as_many(documents, MOST - len(told), "target")]) + "\n"


def share(targets: int) -> int:
    """Return how many characters the document of each of several targets may have."""
    return MOST // targets - (2 * _TOLD if targets > 1 else 0)


def _document(
    head: Sequence[str], rows: Sequence[_Row], problems: Sequence[Problem], below: Sequence[str], room: int
) -> str:
    room -= len("\n\n".join([*head, *below])) + _AROUND
    found = "\n".join(_as_many(map(_problem, problems), room // 2, "refusal or warning", "refusals and warnings"))
    parts = [*head, *_table(rows, room - len(found)), *([found] if found else []), *below]
    return "\n\n".join(parts) + "\n"


def _table(rows: Sequence[_Row], room: int) -> list[str]:
    """Return what there is no room for, in words, and a table; what does not matter takes the room that is left."""
    first, then = [row for row in rows if row.matters], [row for row in rows if not row.matters]
    told = _placed(first, room)
    told += _placed(then, room - sum(len(one) + 1 for one in told))
    placed = list(zip([*first, *then], told, strict=True))
    said = []
    if lost := [row for row, one in placed if not one]:
        kinds = ", ".join(f"{number:,} {kind}" for kind, number in Counter(row.kind for row in lost).items())
        left_out = f"{_LEFT_OUT}{count(len(lost), 'object')} ({kinds})"
        said.append(f"**{left_out}**" if any(row.matters for row in lost) else left_out)
    if brief := sum(row.matters and one == row.brief for row, one in placed):
        said.append(f"**{count(brief, 'object')} named without what changes, since that does not fit here**")
    shown = [one for one in told if one]
    return [*said, "\n".join(["| | object | what | where |", "|---|---|---|---|", *shown])] if shown else said


def _placed(rows: Sequence[_Row], room: int) -> list[str]:
    """Return each row, whole, brief or empty: every object is named before one is told at length."""
    fits = _fitting((len(row.brief) + 1 for row in rows), room)
    told = [row.brief if fit else "" for row, fit in zip(rows, fits, strict=True)]
    more = [len(row.whole) - len(one) if one else 0 for row, one in zip(rows, told, strict=True)]
    fits = _fitting(more, room - sum(len(one) + 1 for one in told if one))
    return [row.whole if one and fit else one for row, one, fit in zip(rows, told, fits, strict=True)]


def _fitting(lengths: Iterable[int], room: int) -> list[bool]:
    """Say of each length whether there is room for it, after those before it."""
    fits = []
    for length in lengths:
        fits.append(length <= room)
        room -= length if fits[-1] else 0
    return fits


def _as_many(parts: Iterable[str], room: int, noun: str, plural: str = "") -> list[str]:
    """Return the parts that fit, and how many do not."""
    given = list(parts)
    fits = _fitting((len(part) + 2 for part in given), room)
    told = [part for part, fit in zip(given, fits, strict=True) if fit]
    lost = len(given) - len(told)
    what = f"{lost:,} {plural}" if plural and lost > 1 else count(lost, noun)
    return [*told, f"**{_LEFT_OUT}{what}**"] if lost else told


def _change(change: Change) -> _Row:
    told = f"{_plain(text.sentence(change))}{_before_and_after(change.differences)}"
    return _row(
        text.sign(change),
        change.key,
        told,
        change.desired.origin if change.desired else None,
        kind=f"to {change.action.value}",
        matters=change.action is not Action.CREATE or bool(text.from_elsewhere(change)),
    )


def _row(sign: str, key: Key, told: str, where: object = None, *, kind: str = "", matters: bool = True) -> _Row:
    name = f"{key.kind} {_code(key.name)}"
    whole = _cells(sign, name, told, _code(str(where)) if where else "")
    return _Row(whole, _cells(sign, name, "…", ""), kind or sign, matters)


def _cells(*cells: str) -> str:
    # A table takes the backslash away before anything else reads the cell, in a code span too.
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _before_and_after(found: Sequence[Difference]) -> str:
    return "".join(f"<br>{field} {_code(told)}" for field, told in text.differences(found))


def _place(made: Plan) -> str:
    parts = ", ".join(f"{label} {_code(part)}" for label, part in made.destination.parts.items())
    return f"Stack {_code(made.stack)} → {parts} (target {_code(made.destination.target)})"


def _problem(problem: Problem) -> str:
    at = f"{_code(str(problem.at))} " if problem.at else ""
    lines = [problem.message, *problem.detail, *spell(problem.hint).splitlines()]
    return f"- {at}**{problem.severity} {problem.code}** {'<br>'.join(map(_plain, lines))}"


def _code(told: str) -> str:
    """Return text as a code span; its fence is longer than any run of backticks in it."""
    shown = safe(told)
    fence = "`" * (1 + max(map(len, re.findall("`+", shown)), default=0))
    # One space is taken off on either side, if there is one on both.
    pad = " " if shown.startswith(("`", " ")) or shown.endswith(("`", " ")) else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def _plain(told: str) -> str:
    """Return a sentence in which nothing is markup or a link, and nobody is addressed."""
    shown = safe(told).replace("&", "&amp;").replace("<", "&lt;")
    for mark in "\\`*_[]~$":
        shown = shown.replace(mark, f"\\{mark}")
    for mark in ("@", "#", "://", "www."):
        shown = shown.replace(mark, f"{mark[0]}\u200b{mark[1:]}")
    return shown
