"""
Report of one manifest and target, as far as forges tell people of it, read from the document that a command printed as JSON.

The document may come from a job that ran somebody else's code: what does not fit is left out and said, and every text in it is
foreign.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import msgspec

from reconciler.base.errors import Position, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from reconciler.workflow.ci.index import CiCommand, EntryDocument

_LONGEST = 300
"""Characters of a name or a value that anybody reads."""

_CAUSES = {
    "new": "new",
    "missing": "missing in the project",
    "manifest": "the manifest changed",
    "outside": "changed outside",
    "both": "changed in the manifest and outside",
    "unknown": "it differs",
    "removed": "no longer in the manifest",
    "unrecorded": "it is in no record",
    "moved": "it has another name now",
    "destroyed": "the stack is destroyed",
    "rolled back": "back to what it was",
    "superseded": "nothing lists it any more",
    "none": "",
}


class ReportStep(NamedTuple):
    """What is done to one object, or what somebody else did to it."""

    action: str
    kind: str
    name: str
    why: str
    fields: tuple[str, ...] = ()
    """What differs."""

    outcome: str = ""
    """What became of it, in an apply: *done*, *failed*, *not tried*, *unknown*."""


@dataclass(frozen=True)
class TargetReport:
    """What came of one manifest and target."""

    entry: EntryDocument
    steps: tuple[ReportStep, ...] = ()
    problems: tuple[Problem, ...] = ()
    shortfall: str = ""
    """Why the document could not be read, if so: then there is only what the index says."""

    @property
    def manifest(self) -> str:
        return self.entry.manifest

    @property
    def target(self) -> str:
        return self.entry.target or ""

    @property
    def title(self) -> str:
        """Return which target of which manifest it is about, as text."""
        return f"{self.target} of {self.manifest}" if self.target else self.manifest


@dataclass(frozen=True)
class PipelineReport:
    """What came of a run for all its manifests and targets."""

    command: CiCommand
    commit: str
    targets: tuple[TargetReport, ...]
    unchanged: int = 0
    """Manifests of which nothing changed, and that were not looked at."""

    link: str = ""
    """Where the run and its files can be looked at."""


class _Difference(msgspec.Struct):
    field: str


class _Change(msgspec.Struct):
    action: Literal["create", "update", "delete", "adopt", "release", "record"]
    kind: str
    name: str
    cause: str = ""
    differences: list[_Difference] = []


class _Problem(msgspec.Struct):
    code: Annotated[str, msgspec.Meta(pattern=r"^E\d{3}$")]
    severity: Literal["error", "warning"]
    message: str
    file: str | None = None
    line: int | None = None
    column: int | None = None
    hint: str | None = None
    detail: list[str] = []


class _Plan(msgspec.Struct):
    changes: list[_Change] = []
    refusals: list[_Problem] = []
    warnings: list[_Problem] | None = None


class _Outcome(msgspec.Struct):
    kind: str
    name: str
    action: str
    outcome: Literal["done", "failed", "not tried", "unknown"]


class _Trial(msgspec.Struct):
    function: str
    title: str
    verdict: Literal["passed", "failed", "not run", "left out"]
    file: str = ""
    line: int = 1
    column: int = 1
    reason: str | None = None


class _Trials(msgspec.Struct):
    tests: list[_Trial] = []


class _Apply(msgspec.Struct):
    plan: _Plan
    outcomes: list[_Outcome] = []
    problems: list[_Problem] = []
    verification: _Trials | None = None


class _Deviation(msgspec.Struct):
    kind: str
    name: str
    what: str
    who: str | None = None
    when: str | None = None
    file: str = ""
    line: int = 1
    column: int = 1
    differences: list[_Difference] = []


class _Drift(msgspec.Struct):
    drifted: list[_Deviation] = []
    problems: list[_Problem] | None = None


class _Problems(msgspec.Struct):
    problems: list[_Problem] = []


class _Contents(NamedTuple):
    steps: tuple[ReportStep, ...] = ()
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class _Reader:
    form: type[msgspec.Struct]
    read: Callable[[Any], _Contents] = field(repr=False)


def read_report(entry: EntryDocument, content: bytes) -> TargetReport:
    """Return the report of an entry from its document; one that is not understood gives a report that says so."""
    try:
        name = msgspec.json.decode(content, type=dict[str, msgspec.Raw]).get("format")
        form = msgspec.json.decode(name or b"null")
        reader = _READERS.get(form) if isinstance(form, str) else None
        if reader is None:
            return TargetReport(entry, shortfall="its document has a format that this udfs does not know")
        steps, problems = reader.read(msgspec.json.decode(content, type=reader.form))
    except (ValueError, RecursionError, msgspec.MsgspecError):
        return TargetReport(entry, shortfall="its document is not what udfs writes")
    return TargetReport(entry, steps, problems)


def _plan(plan: _Plan) -> _Contents:
    steps = (
        ReportStep(
            change.action,
            short(change.kind),
            short(change.name),
            _CAUSES.get(change.cause, ""),
            tuple(short(difference.field) for difference in change.differences),
        )
        for change in plan.changes
    )
    return _Contents(tuple(steps), _problems([*plan.refusals, *(plan.warnings or ())]))


def _apply(report: _Apply) -> _Contents:
    steps, problems = _plan(report.plan)
    outcomes = {(step.action, short(step.kind), short(step.name)): step.outcome for step in report.outcomes}
    steps = tuple(step._replace(outcome=outcomes.get((step.action, step.kind, step.name), "")) for step in steps)
    trials = _trials(report.verification).problems if report.verification else ()
    return _Contents(steps, (*problems, *_problems(report.problems), *trials))


def _drift(drift: _Drift) -> _Contents:
    steps = []
    for deviation in drift.drifted:
        who = f" by {short(deviation.who)}" if deviation.who else ""
        when = f" at {short(deviation.when)}" if deviation.when else ""
        fields = tuple(short(difference.field) for difference in deviation.differences)
        what = short(deviation.what)
        steps.append(ReportStep(what, short(deviation.kind), short(deviation.name), f"{what}{who}{when}", fields))
    return _Contents(tuple(steps), _problems(drift.problems or ()))


def _trials(trials: _Trials) -> _Contents:
    problems = (
        Problem(
            "E721",
            f"a test of {short(trial.function)} {'failed' if trial.verdict == 'failed' else 'was not run'}: {short(trial.title)}",
            Position(short(trial.file), max(1, trial.line), max(1, trial.column)) if trial.file else None,
            detail=(short(trial.reason),) if trial.reason else (),
        )
        for trial in trials.tests
        if trial.verdict in {"failed", "not run"}
    )
    return _Contents((), tuple(problems))


def _problems(documents: Iterable[_Problem]) -> tuple[Problem, ...]:
    return tuple(
        Problem(
            document.code,
            short(document.message, 2 * _LONGEST),
            Position(short(document.file), max(1, document.line or 1), max(1, document.column or 1))
            if document.file
            else None,
            hint=short(document.hint, 2 * _LONGEST) if document.hint else None,
            severity=document.severity,
            detail=tuple(short(line) for line in document.detail[:20]),
        )
        for document in documents
    )


def short(text: str, most: int = _LONGEST) -> str:
    """Return as much of a text as anybody reads: a name may have a million characters."""
    return text if len(text) <= most else f"{text[:most]}…"


_READERS = {
    "udfs.plan/1": _Reader(_Plan, _plan),
    "udfs.report/1": _Reader(_Apply, _apply),
    "udfs.drift/1": _Reader(_Drift, _drift),
    "udfs.test/1": _Reader(_Trials, _trials),
    "udfs.verify/1": _Reader(_Trials, _trials),
    "udfs.problems/1": _Reader(_Problems, lambda document: _Contents((), _problems(document.problems))),
}
