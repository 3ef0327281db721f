"""
File format of saved plans and dumps: the versioned JSON that engine writes and reads again.

The models here are the one source of the format and of its schema. A field is only ever added; anything else is a new
version. Readers should ignore fields they do not know.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - pydantic reads the annotation
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from reconciler.base.hints import spell
from reconciler.core.plan import uploaded
from reconciler.core.state import Resource

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.base.errors import Problem
    from reconciler.core.diff import Change, Difference
    from reconciler.core.plan import Plan
    from reconciler.core.state import Desired, Live, Object

Action: TypeAlias = Literal["create", "update", "delete", "adopt", "release", "record"]


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class ProblemDocument(Model):
    """One finding."""

    code: str
    severity: Literal["error", "warning"]
    message: str
    file: str | None = None
    line: int | None = Field(None, description="From 1.")
    column: int | None = Field(None, description="From 1, in characters.")
    hint: str | None = None
    detail: tuple[str, ...] = Field((), description="Lines that belong to the message: a traceback, places looked at.")


class ObjectDocument(Model):
    """A resource or a function, as far as it is compared."""

    name: str
    type: str | None = Field(None, description="Of a resource: py, file, archive, jar, table.")
    md5: str | None = None
    size: int | None = Field(None, description="Bytes.")
    comment: str | None = None
    table: str | None = None
    class_path: str | None = Field(None, description="Of a function: module.Class.")
    resources: tuple[str, ...] | None = Field(None, description="Of a function, in order.")


class DesiredDocument(ObjectDocument):
    """An object as it should be."""

    marker: str | None = Field(None, description="Of a resource: what is written at the end of its comment.")
    protected: bool | None = Field(None, description="true for what must not be deleted.")


class LiveDocument(ObjectDocument):
    """An object as it was seen in the project."""

    owner: str | None = None
    updater: str | None = None
    created: datetime | None = None
    modified: datetime | None = None
    stack: str | None = Field(None, description="Of a resource: the stack that marked it.")
    marker: str | None = Field(None, description="Of a resource: the mark itself, as it ends the comment.")
    schema_: str | None = Field(None, alias="schema")


class DifferenceDocument(Model):
    """One field that differs."""

    field: str
    old: str
    new: str


class ChangeDocument(Model):
    """One operation."""

    action: Action
    kind: Literal["function", "resource"]
    name: str
    cause: Literal[
        "new",
        "missing",
        "manifest",
        "outside",
        "both",
        "unknown",
        "removed",
        "unrecorded",
        "moved",
        "destroyed",
        "rolled back",
        "superseded",
        "none",
    ]
    file: str | None = None
    line: int | None = None
    column: int | None = None
    upload_bytes: int = 0
    differences: tuple[DifferenceDocument, ...] = ()
    desired: DesiredDocument | None = None
    live: LiveDocument | None = None


class KeptDocument(Model):
    """An object that is as it should be."""

    kind: Literal["function", "resource"]
    name: str
    file: str
    line: int
    column: int
    desired: DesiredDocument
    live: LiveDocument


class SharedDocument(Model):
    """A resource of another stack that functions of this one use."""

    name: str
    stack: str


class SavedDocument(Model):
    """What performing a plan later needs beside its operations."""

    epoch: int = Field(ge=0, description="The newest epoch of the stack's ledger; 0 when there was none.")
    manifest: str = Field(description="sha256 of the manifest's bytes.")
    allow_deletes: int = Field(ge=0, description="How many deletes are approved.")
    empty_manifest: bool
    kept: tuple[KeptDocument, ...] = Field(description="What needs no operation, as far as the plan relies on it.")
    shared: tuple[KeptDocument, ...] = Field((), description="What another stack manages, and the plan relies on.")
    checksum: str = Field(
        description="sha256 over the file without this field, as JSON with sorted keys and no spaces."
    )


class PlanDocument(Model):
    """What an apply would do, in this order."""

    format: Literal["udfs.plan/1"] = "udfs.plan/1"
    stack: str
    target: str
    project: str
    schema_: str | None = Field(None, alias="schema")
    changes: tuple[ChangeDocument, ...]
    unchanged: int
    shared: tuple[SharedDocument, ...] = ()
    foreign: int = Field(description="Objects in the project that the stack has nothing to do with.")
    superseded: int = Field(default=0, description="Versions no longer wanted, which stay until they are collected.")
    upload_bytes: int
    from_dump: bool = Field(default=False, description="Made against a dump; nobody has looked at the project itself.")
    refusals: tuple[ProblemDocument, ...] = Field((), description="Why the plan can never be applied.")
    warnings: tuple[ProblemDocument, ...] | None = Field(
        None, description="What may go wrong and need not; of the moment, so not in what `plan --out` writes."
    )
    digest: str = Field(description="sha256 over the operations and the observations they rest on.")
    saved: SavedDocument | None = Field(
        None, description="Only in what `plan --out` writes, and `apply FILE` performs."
    )


class DumpedDocument(Model):
    """One object of a dump."""

    kind: Literal["function", "resource"]
    live: LiveDocument


class DumpDocument(Model):
    """What a project holds, as far as planning a stack needs it."""

    format: Literal["udfs.dump/1"] = "udfs.dump/1"
    stack: str
    project: str
    schema_: str | None = Field(None, alias="schema")
    taken: datetime = Field(description="When, by the service's clock.")
    epochs: tuple[int, ...] = Field((), description="Of the stack's ledger.")
    last: dict[str, Any] | None = Field(None, description="The newest entry of the ledger, as it is in the project.")
    objects: tuple[DumpedDocument, ...]


def to_json(document: BaseModel) -> str:
    """Return a document as indented JSON text, ended by a newline; the order of keys is the model's."""
    return document.model_dump_json(indent=2, by_alias=True, exclude_none=True) + "\n"


def plan_document(made: Plan) -> PlanDocument:
    return PlanDocument(
        stack=made.stack,
        target=made.destination.target,
        project=made.destination.project,
        schema=made.destination.schema,
        changes=tuple(map(_change_document, made.changes)),
        unchanged=len(made.unchanged),
        shared=tuple(
            SharedDocument(name=change.key.name, stack=change.live.marker.stack)
            for change in made.shared
            if change.live and change.live.marker
        ),
        foreign=made.foreign,
        superseded=made.superseded,
        upload_bytes=made.upload_bytes,
        from_dump=made.from_dump,
        refusals=tuple(map(problem_document, made.refusals)),
        warnings=tuple(map(problem_document, made.warnings)),
        digest=f"sha256:{made.digest}",
    )


def kept_document(change: Change) -> KeptDocument:
    """Return an object that needs no operation; both of its sides are there."""
    assert change.desired is not None
    assert change.live is not None
    origin = change.desired.origin
    return KeptDocument(
        kind=change.key.kind,
        name=change.key.name,
        file=origin.file,
        line=origin.line,
        column=origin.column,
        desired=_desired_document(change.desired),
        live=live_document(change.live),
    )


def live_document(have: Live) -> LiveDocument:
    return LiveDocument(
        **object_fields(have.object),
        owner=have.owner or None,
        updater=have.updater or None,
        created=have.created,
        modified=have.modified,
        stack=have.marker.stack if have.marker else None,
        marker=have.marker.on(have.object.name) if have.marker else None,
        schema=have.schema,
    )


def problem_document(found: Problem) -> ProblemDocument:
    place = found.at
    return ProblemDocument(
        code=found.code,
        severity=found.severity,
        message=found.message,
        file=place.file if place else None,
        line=place.line if place else None,
        column=place.column if place else None,
        hint=spell(found.hint) or None,
        detail=found.detail,
    )


def _change_document(change: Change) -> ChangeDocument:
    origin = change.desired.origin if change.desired else None
    return ChangeDocument(
        action=change.action.value,
        kind=change.key.kind,
        name=change.key.name,
        cause=change.cause.value,
        file=origin.file if origin else None,
        line=origin.line if origin else None,
        column=origin.column if origin else None,
        upload_bytes=uploaded(change),
        differences=difference_documents(change.differences),
        desired=_desired_document(change.desired) if change.desired else None,
        live=live_document(change.live) if change.live else None,
    )


def difference_documents(found: Iterable[Difference]) -> tuple[DifferenceDocument, ...]:
    return tuple(DifferenceDocument(field=one.field, old=one.old, new=one.new) for one in found)


def _desired_document(want: Desired) -> DesiredDocument:
    marker = want.marker.on(want.object.name) if want.marker else None
    return DesiredDocument(**object_fields(want.object), marker=marker, protected=want.protected or None)


def object_fields(obj: Object) -> dict[str, Any]:
    if isinstance(obj, Resource):
        return {
            "name": obj.name,
            "type": obj.type,
            "md5": obj.md5,
            "size": obj.size,
            "comment": obj.comment,
            "table": obj.table,
        }
    return {"name": obj.name, "class_path": obj.class_path, "resources": tuple(map(str, obj.resources))}
