"""Applies of the ledger as JSON."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime  # noqa: TC003 - pydantic reads the annotation
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from reconciler.engine.plan_file import (
    Model,
    ObjectDocument,
    object_fields,
)
from reconciler.render.documents.report import OutcomeDocument

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.core.record import Entry


class PersonDocument(Model):
    """Who ended a lease, and where."""

    user: str
    host: str
    pipeline: str


class RunDocument(Model):
    """One apply, as the ledger keeps it."""

    format: Literal["udfs.run/1"] = "udfs.run/1"
    epoch: int
    outcome: Literal["running", "committed", "failed", "interrupted"]
    user: str
    host: str
    pipeline: str
    commit: str
    dirty: bool
    run: str = Field("", description="A random name of the run.")
    started: datetime
    expires: datetime = Field(description="When the lease ends, or when the run ended.")
    digest: str
    back_to: int | None = Field(None, description="The epoch that a rollback went back to.")
    ended_by: PersonDocument | None = Field(None, description="Who ended the lease by unlock.")
    steps: tuple[OutcomeDocument, ...]
    objects: tuple[ObjectDocument, ...] | None = Field(
        None, description="What the stack managed afterwards; of one run."
    )


class HistoryDocument(Model):
    """The last applies of a stack, the newest first."""

    format: Literal["udfs.history/1"] = "udfs.history/1"
    runs: tuple[RunDocument, ...]


def history_document(entries: Iterable[Entry]) -> HistoryDocument:
    return HistoryDocument(runs=tuple(run_document(entry, objects=False) for entry in entries))


def run_document(entry: Entry, *, objects: bool = True) -> RunDocument:
    by = entry.ended_by
    return RunDocument(
        epoch=entry.epoch,
        outcome=entry.outcome,
        **asdict(entry.holder),
        started=entry.started,
        expires=entry.expires,
        digest=f"sha256:{entry.digest}",
        back_to=entry.back_to,
        ended_by=by and PersonDocument(user=by.user, host=by.host, pipeline=by.pipeline),
        steps=tuple(OutcomeDocument.model_validate(asdict(step)) for step in entry.steps),
        objects=tuple(ObjectDocument(**object_fields(record.object)) for record in entry.objects.values())
        if objects
        else None,
    )
