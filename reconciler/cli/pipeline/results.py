"""Result of an entry: its outcome, exit code and problems, and how it is written in each format."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from reconciler.base.errors import LeaseHeld, MachineError, Refused, ServiceError, UdfsError, count
from reconciler.base.words import safe
from reconciler.cli.support.output import findings_output, with_source
from reconciler.render.findings import without_lines
from reconciler.render.styled import problems_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.base.errors import Problem
    from reconciler.cli.support.output import Output
    from reconciler.render.styled import Line
    from reconciler.testing.trials import Trial
    from reconciler.workflow.ci.index import EntryOutcome

Rendering: TypeAlias = Callable[[str], "Output"]
"""Returns what came of an entry in a format."""


@dataclass(frozen=True)
class EntryResult:
    """What came of one manifest and target."""

    outcome: EntryOutcome
    code: int
    summary: str
    render: Rendering
    formats: tuple[str, ...]
    stack: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    fingerprint: str | None = None
    digest: str | None = None
    problems: tuple[Problem, ...] = ()
    trials: tuple[Trial, ...] = ()
    """Tests that were run; what went wrong in them is among `problems`."""

    saved: bytes | None = None
    """The plan as `udfs apply --approved` reads it."""

    notes: tuple[str, ...] = ()

    @property
    def other_problems(self) -> tuple[Problem, ...]:
        """Those that no test is about."""
        places = {trial.case.at for trial in self.trials}
        return tuple(problem for problem in self.problems if problem.at is None or problem.at not in places)


SAID_FORMATS = ("text", "json", "markdown")
"""Of what is no verdict: where findings are collected, a document without them would say that there are none."""

PROBLEM_FORMATS = (*SAID_FORMATS, "sarif", "github")


_NO_VERDICT = (ServiceError, LeaseHeld, MachineError)
"""Errors of the service, of who is at work there, and of this machine."""


def failure_result(error: UdfsError) -> EntryResult:
    """
    Return the result of an entry that an error ended.

    Where it says nothing of what was to be judged, collectors get no document: in one with that error alone they would close
    what they know, and open it again with the next run.
    """
    problems = tuple(with_source(error.problems))
    first, others = problems[0], len(problems) - 1
    return EntryResult(
        "refused" if isinstance(error, Refused) else "failed",
        error.exit_code,
        f"{first.code}: {first.message}{f' and {others} more' if others else ''}",
        functools.partial(problems_output, problems),
        (*SAID_FORMATS, "github") if isinstance(error, _NO_VERDICT) else PROBLEM_FORMATS,
        counts={"problems": len(problems)},
        fingerprint=fingerprint_of(problems),
        problems=problems,
    )


def skipped_result(why: str) -> EntryResult:
    """Return the result of an entry that was not begun."""
    return EntryResult("skipped", 0, why, lambda form: problems_output((), form, why), SAID_FORMATS)


def problems_output(problems: tuple[Problem, ...], form: str, headline: str = "") -> Output:
    """Return problems in any of `PROBLEM_FORMATS`."""
    if form == "text":
        lines: list[Line] = [(("name", safe(headline)),)] if headline else []
        return (*lines, *problems_lines(problems))
    if form == "markdown":
        from reconciler.render.markdown import problems_markdown

        return problems_markdown(headline or count(len(problems), "problem"), problems)
    return findings_output(problems, form)


def fingerprint_of(problems: Sequence[Problem], *more: object) -> str:
    """Return a sha256 of what was said, whatever the lines on which it stands."""
    said = sorted((problem.code, without_lines(problem.message)) for problem in problems)
    return hashlib.sha256(json.dumps([said, *more], default=str).encode()).hexdigest()
