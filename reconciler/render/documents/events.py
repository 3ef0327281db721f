"""
Events: what a command does, a line of JSON each, as it happens.

The first line of a run is ``started``, the last ``finished``; a run that was killed has no last one. Lines of several runs
may stand in one file, and are told apart by ``run``. No content, no address and no value of the environment is in them.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - pydantic looks at annotations
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import Field, TypeAdapter

from reconciler.engine.plan_file import Action, Model

if TYPE_CHECKING:
    from reconciler.core.diff import Change
    from reconciler.core.drift import Drift
    from reconciler.core.plan import Plan
    from reconciler.core.report import EntryEnded, StepEnded
    from reconciler.testing.trials import Trial


class EventDocument(Model):
    """What every line has."""

    format: Literal["udfs.events/1"] = "udfs.events/1"
    run: str = Field("", description="The same on all lines of one command, and on no others.")
    at: datetime | None = Field(None, description="By the clock of this machine, in UTC.")
    seconds: float = Field(0.0, description="Since the command began.")


class StartedEvent(EventDocument):
    """The command begins."""

    event: Literal["started"] = "started"
    command: str
    version: str = Field(description="Of udfs.")
    manifest: str = Field(description="As it was named; of `udfs ci` all that were, empty for each of the repository.")
    targets: tuple[str, ...] = Field((), description="As they were named; empty for the default.")


class EntryBegunEvent(EventDocument):
    """`udfs ci` turns to a manifest and target; what follows is about it, up to its end."""

    event: Literal["entry-begun"] = "entry-begun"
    command: str = Field(description="An apply is planned first, for all, and then applied.")
    manifest: str = Field(description="From the top of the repository.")
    target: str | None = None


class EntryEndedEvent(EventDocument):
    """What came of a manifest and target."""

    event: Literal["entry-ended"] = "entry-ended"
    command: str
    manifest: str
    target: str | None = None
    outcome: Literal["clean", "changes", "refused", "failed", "unknown", "skipped"]
    exit_code: int = Field(description="As the command alone ends with.")


class ActivityBegunEvent(EventDocument):
    """Something begins that may take long."""

    event: Literal["activity-begun"] = "activity-begun"
    activity: str


class ActivityEndedEvent(EventDocument):
    """It is over, well or not."""

    event: Literal["activity-ended"] = "activity-ended"
    activity: str
    took: float = Field(description="Seconds.")
    counts: dict[str, int] = Field(default_factory=dict, description="What was counted, by noun.")


class PlanEvent(EventDocument):
    """A plan is made."""

    event: Literal["plan"] = "plan"
    stack: str
    target: str
    place: dict[str, str]
    digest: str
    counts: dict[str, int] = Field(description="Operations by action.")
    unchanged: int
    upload_bytes: int
    refusals: tuple[str, ...] = Field((), description="Codes.")
    warnings: tuple[str, ...] = Field((), description="Codes.")


class DriftedObject(Model):
    """An object that was changed outside."""

    kind: str
    name: str
    deviation: str
    who: str | None = None
    when: datetime | None = None


class DriftEvent(EventDocument):
    """A project was looked at for what others did."""

    event: Literal["drift"] = "drift"
    drifted: tuple[DriftedObject, ...]
    unchanged: int
    waiting: int = Field(description="Changes of the manifest that are not applied yet.")


class OperationBegunEvent(EventDocument):
    """A change is being made."""

    event: Literal["operation-begun"] = "operation-begun"
    action: Action
    kind: str
    name: str
    upload_bytes: int = 0


class OperationEndedEvent(EventDocument):
    """What became of a change."""

    event: Literal["operation-ended"] = "operation-ended"
    action: Action
    kind: str
    name: str
    outcome: Literal["done", "failed", "not tried"]
    took: float | None = Field(None, description="Seconds; absent for what was not tried.")
    codes: tuple[str, ...] = Field((), description="Of what went wrong.")


class TestEvent(EventDocument):
    """A test was run in the project, or not."""

    event: Literal["test"] = "test"
    function: str
    number: int = Field(description="Among the function's tests, from 1.")
    verdict: str
    took: float


class FinishedProblem(Model):
    """Why a command ended as it did."""

    code: str
    message: str


class FinishedEvent(EventDocument):
    """The command is over."""

    event: Literal["finished"] = "finished"
    exit_code: int
    problems: tuple[FinishedProblem, ...] = ()


Event: TypeAlias = Annotated[
    StartedEvent
    | EntryBegunEvent
    | EntryEndedEvent
    | ActivityBegunEvent
    | ActivityEndedEvent
    | PlanEvent
    | DriftEvent
    | OperationBegunEvent
    | OperationEndedEvent
    | TestEvent
    | FinishedEvent,
    Field(discriminator="event"),
]


def entry_ended_event(ended: EntryEnded) -> EntryEndedEvent:
    return EntryEndedEvent.model_validate(ended._asdict())


def plan_event(plan: Plan) -> PlanEvent:
    return PlanEvent(
        stack=plan.stack,
        target=plan.destination.target,
        place=plan.destination.parts,
        digest=f"sha256:{plan.digest}",
        counts={action.value: number for action, number in plan.counts.items()},
        unchanged=len(plan.unchanged),
        upload_bytes=plan.upload_bytes,
        refusals=tuple(problem.code for problem in plan.refusals),
        warnings=tuple(problem.code for problem in plan.warnings),
    )


def drift_event(drift: Drift) -> DriftEvent:
    drifted = (
        DriftedObject(
            kind=deviation.key.kind,
            name=deviation.key.name,
            deviation=deviation.kind.value,
            who=deviation.who or None,
            when=deviation.when,
        )
        for deviation in drift.drifted
    )
    return DriftEvent(drifted=tuple(drifted), unchanged=drift.unchanged, waiting=drift.waiting)


def step_begun_event(change: Change, upload_bytes: int) -> OperationBegunEvent:
    return OperationBegunEvent(
        action=change.action.value, kind=change.key.kind, name=change.key.name, upload_bytes=upload_bytes
    )


def step_ended_event(step: StepEnded, took: float | None) -> OperationEndedEvent:
    change = step.change
    return OperationEndedEvent(
        action=change.action.value,
        kind=change.key.kind,
        name=change.key.name,
        outcome=step.outcome.value,
        took=took,
        codes=tuple(problem.code for problem in step.error.problems) if step.error else (),
    )


def trial_event(trial: Trial) -> TestEvent:
    case = trial.case
    return TestEvent(function=case.function, number=case.number, verdict=trial.verdict.value, took=trial.seconds)


def events_schema() -> dict[str, Any]:
    """Return the JSON Schema of a line of events."""
    adapter: TypeAdapter[Event] = TypeAdapter(Event)
    schema = adapter.json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "urn:udfs:events:1", **schema}
