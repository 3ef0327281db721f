"""
Publishing of a run: what was told to a forge, and what could not be.

A forge that does not answer, or says no, is told of and ends nothing: a plan stands without its comment.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from reconciler.base.errors import Problem, count
from reconciler.base.words import safe
from reconciler.cli.forges.comments import keep_comment
from reconciler.cli.forges.connection import ForgeFailure
from reconciler.render.forges.comment import compose_section
from reconciler.render.forges.sections import ROOM, place_section

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.cli.forges.comments import Discussions
    from reconciler.cli.forges.surroundings import Surroundings
    from reconciler.render.forges.reports import PipelineReport

Forge: TypeAlias = Literal["github", "gitlab", "codeup"]


@dataclass(frozen=True)
class PublishOptions:
    """Where to publish."""

    to: Forge
    request: int | None
    repository: str
    organization: str
    author: str


@dataclass
class Publishing:
    """What was published, and what was not."""

    report: PipelineReport
    around: Surroundings
    options: PublishOptions
    env: Mapping[str, str]
    done: list[str] = field(default_factory=list)
    """Lines for the log."""

    problems: list[Problem] = field(default_factory=list)

    def note(self, sentence: str) -> None:
        """Keep a line for the log."""
        self.done.append(_disarm(sentence))

    def warn(self, code: str, message: str, hint: str | None = None, detail: tuple[str, ...] = ()) -> None:
        """Keep what could not be done."""
        lines = tuple(f"- {_disarm(line)}" for line in detail)
        self.problems.append(Problem(code, _disarm(message), hint=hint, severity="warning", detail=lines))

    def attempt(self, what: str, act: Callable[[], str | None]) -> None:
        """Do one thing, and note what came of it: a sentence, None for nothing, or why it could not be."""
        try:
            sentence = act()
        except ForgeFailure as failure:
            hint = _HINTS.get(failure.status or 0, "what was checked, planned or applied stands without it")
            may_be = "; it may be there all the same" if failure.outcome == "unknown" else ""
            message = f"{what}; {FORGES[self.options.to]}: {failure}{may_be}"
            self.warn("E571", message, hint)
        else:
            if sentence:
                self.note(sentence)


def _disarm(text: str) -> str:
    """Return text in one line that no runner takes for a command: GitHub's obeys ``##[…]`` wherever it stands."""
    return safe(text).replace("##[", "##\u200b[")


FORGES = {"github": "GitHub", "gitlab": "GitLab", "codeup": "Codeup"}
_HINTS = {
    401: "is the token there, and still valid?",
    403: "the token of a run for a fork may write nothing, nor may a job without `permissions:` for it (documentation, A pull-request pipeline)",
    404: "is it the right repository, and may the token see it?",
}


def keep_comments(publishing: Publishing, numbers: list[int], forge: Discussions, noun: str) -> None:
    """Bring the one comment of each pull request up to date."""
    report, number = publishing.report, publishing.around.number
    if len(report.targets) == 0 and report.command == "check":
        return
    if not numbers:
        publishing.note(f"No {noun} is known, so there is no comment.")
        return
    text = compose_section(report, ROOM[report.command])
    for request in numbers:

        def write(request: int = request) -> str:
            outcome = keep_comment(forge, request, lambda body: place_section(body, report.command, number, text))
            if outcome == "left":
                return f"Comment on {noun} {request}: a later run has written it, so it stays."
            return f"Comment on {noun} {request}: {outcome}."

        publishing.attempt(f"the comment on {noun} {request} is not up to date", write)


def status_of(report: PipelineReport) -> tuple[bool, str]:
    """Return whether a run came to a good end, and a line about it."""
    bad = sum(target.entry.outcome in {"refused", "failed", "unknown"} for target in report.targets)
    number = count(len(report.targets), "target")
    return not bad, f"{bad} of {number} refused, failed or not known" if bad else f"{number}, none refused or failed"
