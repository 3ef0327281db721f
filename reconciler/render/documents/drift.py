"""Drift as JSON."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - pydantic reads the annotation
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from reconciler.engine.plan_file import (
    DifferenceDocument,
    Model,
    Open,
    difference_documents,
)

if TYPE_CHECKING:
    from reconciler.core.drift import Drift
    from reconciler.core.plan import Plan


class DriftedDocument(Model):
    """One object that was changed outside."""

    kind: str
    name: str
    what: Literal["edited", "deleted", "recreated", "type changed", "list changed", "name taken"]
    who: str | None = Field(None, description="If the service says.")
    when: datetime | None = None
    file: str
    line: int
    column: int
    differences: tuple[DifferenceDocument, ...] = Field(
        (), description="`old` is what the manifest wants, `new` what the project has."
    )
    restorable: bool = Field(description="Whether `udfs apply --restore` brings it back.")
    why_not: str | None = Field(None, description="Why it does not.")


class DriftDocument(Open):
    """What was changed outside since the last apply."""

    behind: ClassVar[str] = "target"

    format: Literal["udfs.drift/1"] = "udfs.drift/1"
    stack: str
    target: str
    drifted: tuple[DriftedDocument, ...]
    waiting: int = Field(description="Objects that the manifest has changed since, and that no apply has brought yet.")
    unchanged: int


def drift_document(drift: Drift, plan: Plan) -> DriftDocument:
    return DriftDocument(
        stack=plan.stack,
        target=plan.destination.target,
        **plan.destination.parts,
        drifted=tuple(
            DriftedDocument(
                kind=deviation.key.kind,
                name=deviation.key.name,
                what=deviation.kind.value,
                who=deviation.who or None,
                when=deviation.when,
                file=deviation.origin.file,
                line=deviation.origin.line,
                column=deviation.origin.column,
                differences=difference_documents(drift.turned for drift in deviation.differences),
                restorable=not deviation.obstacle,
                why_not=deviation.obstacle or None,
            )
            for deviation in drift.drifted
        ),
        waiting=drift.waiting,
        unchanged=drift.unchanged,
    )
