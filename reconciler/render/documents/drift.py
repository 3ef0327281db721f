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
    who: str | None = Field(None, description="As far as the service tells.")
    when: datetime | None = None
    file: str
    line: int
    column: int
    differences: tuple[DifferenceDocument, ...] = Field((), description="`old` is what is wanted, `new` what is there.")
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


def drift_document(found: Drift, made: Plan) -> DriftDocument:
    return DriftDocument(
        stack=made.stack,
        target=made.destination.target,
        **made.destination.parts,
        drifted=tuple(
            DriftedDocument(
                kind=one.key.kind,
                name=one.key.name,
                what=one.kind.value,
                who=one.who or None,
                when=one.when,
                file=one.origin.file,
                line=one.origin.line,
                column=one.origin.column,
                differences=difference_documents(found.turned for found in one.differences),
                restorable=not one.left,
                why_not=one.left or None,
            )
            for one in found.drifted
        ),
        waiting=found.waiting,
        unchanged=found.unchanged,
    )
