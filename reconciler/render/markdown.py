"""
Markdown for comments on pull requests and for tickets: a headline, a table, refusals.

GitHub takes 65,536 characters a comment; rows that do not fit are counted instead. Names stand in code spans, where no
character of theirs can be markup or address anybody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.errors import count
from reconciler.render import text
from reconciler.render.words import safe, typed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reconciler.drift import Drift
    from reconciler.errors import Problem
    from reconciler.plan import Plan

_MOST = 60_000
"""Characters; what a bot puts around a comment needs room too."""

_TABLE_HEAD = 200
"""Characters for the lines around the rows."""


def plan(made: Plan, refusals: Iterable[Problem], command: str | None) -> str:
    """Return a plan; `command` is the next step."""
    rows = [
        f"| {text.sign(change)} | {change.key.kind} {_code(change.key.name)} | {_cell(text.sentence(change))} | "
        f"{_code(str(change.desired.origin)) if change.desired else ''} |"
        for change in made.changes
    ]
    rows += [
        f"| . | {change.key.kind} {_code(change.key.name)} | shared: stack {change.live.marker.stack} manages it | |"
        for change in made.shared
        if change.live and change.live.marker
    ]
    below = [_refusal(problem) for problem in refusals]
    if made.from_dump:
        below.append("Made against a dump: the project itself was not looked at.")
    if made.changes and not made.refusals:
        below.append(f"Digest: `sha256:{made.digest}`")
    if command:
        below.append(f"Next: {_code(command)}")
    head = [f"**{_plain(text.summary(made))}**", _place(made)]
    return _document(head, "| | object | what | where |", rows, below)


def drift(found: Drift, made: Plan, command: str | None) -> str:
    """Return what was changed outside; `command` is the next step."""
    rows = [
        f"| {one.kind.value} | {one.key.kind} {_code(one.key.name)} | {_cell(one.told)} | {_code(str(one.origin))} |"
        for one in found.drifted
    ]
    below = [f"Next: {_code(command)}"] if command else []
    return _document([f"**{text.drift_summary(found)}**", _place(made)], "| | object | what | where |", rows, below)


def targets(parts: Sequence[tuple[str, str, str]]) -> str:
    """
    Return what was told of several targets: a line each, then their documents.

    `parts` has name, document and summary; a document that does not fit any more is cut between its rows.
    """
    head = "\n".join(f"- target {_code(name)}: {_plain(told)}" for name, _, told in parts)[: _MOST // 2]
    documents = [document.rstrip("\n") for _, document, _ in parts if document]
    share = (_MOST - len(head)) // max(1, len(documents)) - _TABLE_HEAD
    return "\n\n".join([head, *(_cut(one, share) for one in documents)]) + "\n"


def _cut(document: str, room: int) -> str:
    if len(document) <= room:
        return document
    kept = document[: document.rfind("\n", 0, room)]
    rest = document[len(kept) :].count("\n| ")
    return f"{kept}\n\n… and {count(rest, 'more object')}"


def _document(head: Sequence[str], columns: str, rows: Sequence[str], below: Sequence[str]) -> str:
    frame = "\n\n".join([*head, *below])
    room, shown = _MOST - len(frame) - _TABLE_HEAD, []
    for row in rows:
        room -= len(row) + 1
        if room < 0:
            break
        shown.append(row)
    table = ["\n".join([columns, "|---|---|---|---|", *shown])] if shown else []
    rest = [f"… and {count(len(rows) - len(shown), 'more object')}"] if len(shown) < len(rows) else []
    return "\n\n".join([*head, *table, *rest, *below])[:_MOST] + "\n"


def _place(made: Plan) -> str:
    place = made.destination
    schema = f", schema {_code(place.schema)}" if place.schema else ""
    return f"Stack {_code(made.stack)} → project {_code(place.project)}{schema} (target {_code(place.target)})"


def _refusal(problem: Problem) -> str:
    at = f"{_code(str(problem.at))} " if problem.at else ""
    told = f"<br>{_plain(typed(problem.hint))}" if problem.hint else ""
    return f"- {at}**{problem.code}** {_plain(problem.message)}{told}"


def _code(name: str) -> str:
    """Return a name as a code span that fits into a table."""
    return f"`{safe(name).replace('`', chr(39)).replace('|', '¦')}`"


def _cell(told: str) -> str:
    return _plain(told).replace("|", "\\|")


def _plain(told: str) -> str:
    """Return a sentence in which nothing is markup, and nobody is addressed."""
    shown = safe(told).replace("&", "&amp;").replace("<", "&lt;")
    for mark in "\\`*_[]":
        shown = shown.replace(mark, f"\\{mark}")
    return shown.replace("@", "@\u200b").replace("#", "#\u200b")
