"""
Issue about the drift of one target: a title, a text that always says how it stands now, and what is worth a comment.

A hidden mark says which target it is and what had drifted; the fingerprint is the same as long as the same has drifted.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from reconciler.base.words import safe
from reconciler.render.forges.comment import compose_details
from reconciler.render.forges.reports import short
from reconciler.render.forges.sections import without_marks
from reconciler.render.markup import code_span, sentence

if TYPE_CHECKING:
    from reconciler.render.forges.reports import TargetReport

_MARK = re.compile(r"\A<!-- udfs:drift key=(?P<key>[0-9a-f]{32}) fingerprint=(?P<fingerprint>[0-9a-f]{0,64}) -->")
_ROOM, _NEWS_ROOM = 50_000, 10_000
_LONGEST_TITLE = 200
"""Characters; GitHub takes 256."""

IssueStep: TypeAlias = Literal["open", "reopen", "update", "close", "leave"]


class DriftMark(NamedTuple):
    """What the hidden mark of an issue says."""

    key: str
    fingerprint: str


def issue_key(target: TargetReport) -> str:
    """Return what tells the issue of one manifest and target from all others."""
    return hashlib.sha256(f"{target.manifest}\0{target.target}".encode()).hexdigest()[:32]


def issue_fingerprint(target: TargetReport) -> str:
    """Return what stays the same as long as the same has drifted."""
    fingerprint = (target.entry.fingerprint or "").removeprefix("sha256:")
    if re.fullmatch(r"[0-9a-f]{8,64}", fingerprint):
        return fingerprint
    lines = sorted(f"{step.kind}\0{step.name}\0{step.why}\0{','.join(step.fields)}" for step in target.steps)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def read_drift_mark(body: str) -> DriftMark | None:
    """Return the mark that an issue or a comment begins with."""
    match = _MARK.match(body)
    return DriftMark(match["key"], match["fingerprint"]) if match else None


def issue_title(target: TargetReport) -> str:
    """Return the title, which is plain text."""
    return short(safe(f"Drift: {target.title}"), _LONGEST_TITLE)


def issue_body(target: TargetReport, link: str) -> str:
    """Return how a target stands: of one without drift, that there is none."""
    lines = [f"At {code_span(short(target.title))}: {sentence(short(target.entry.summary))}"]
    details = compose_details(target, _ROOM)
    next_steps = (
        "Bring it back with `udfs apply --restore`, or take it over into the manifest. "
        "This text is kept up to date by `udfs ci publish`, and the issue is closed when there is no drift any more."
    )
    parts = [*lines, *([details, next_steps] if target.entry.outcome == "changes" else []), *_run_lines(link)]
    return _with_mark(target, [part for part in parts if part])


def issue_news(target: TargetReport, link: str) -> str:
    """Return the comment for when what has drifted is not the same any more."""
    if target.entry.outcome != "changes":
        return _with_mark(target, ["There is no drift any more.", *_run_lines(link)])
    parts = [f"What has drifted is not what it was: {sentence(short(target.entry.summary))}"]
    return _with_mark(target, [*parts, compose_details(target, _NEWS_ROOM), *_run_lines(link)])


def _run_lines(link: str) -> list[str]:
    return [f"Seen by [this run]({link})."] if link else []


def _with_mark(target: TargetReport, parts: list[str]) -> str:
    fingerprint = issue_fingerprint(target) if target.entry.outcome == "changes" else ""
    mark = f"<!-- udfs:drift key={issue_key(target)} fingerprint={fingerprint} -->"
    return "\n\n".join([mark, *map(without_marks, parts)])


def decide(target: TargetReport, mark: DriftMark | None, *, is_open: bool, is_dismissed: bool) -> IssueStep:
    """
    Return what is to be done with the issue of a target; `mark` is None where there is none yet.

    Only a verdict opens or closes anything: where somebody applies, or the service did not answer, the issue stays as it is.
    What a person closed as not planned stays closed as long as the same has drifted.
    """
    match target.entry.outcome:
        case "changes" if mark is None:
            return "open"
        case "changes" if not is_open:
            is_same = mark is not None and mark.fingerprint == issue_fingerprint(target)
            return "leave" if is_dismissed and is_same else "reopen"
        case "changes":
            return "leave" if mark and mark.fingerprint == issue_fingerprint(target) else "update"
        case "clean" if is_open:
            return "close"
        case _:
            return "leave"
