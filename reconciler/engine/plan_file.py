"""
File format of saved plans and dumps: the versioned JSON that is written and read again.

The models here are the one source of the format and of its schema. A field is only ever added; anything else is a new
version. Readers should ignore fields they do not know. What is in an object, and what leads to it, a target says: those
fields are as its kinds write them down.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple, TypeAlias, get_args

import msgspec
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    create_model,
    model_serializer,
)

from reconciler.base.errors import UsageError
from reconciler.base.hints import spell
from reconciler.base.numbers import is_countable
from reconciler.core.plan import upload_size

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from pydantic import GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema
    from typing_extensions import Self

    from reconciler.base.errors import Position, Problem
    from reconciler.base.hints import Hint
    from reconciler.core.diff import Change
    from reconciler.core.drift import Toleration
    from reconciler.core.kind import Catalog, Difference
    from reconciler.core.plan import Plan
    from reconciler.core.state import Desired, Live, Object

Action: TypeAlias = Literal["create", "update", "delete", "adopt", "release", "record"]


def _require_countable(when: datetime) -> datetime:
    if not is_countable(when):
        raise ValueError("a time that no service has")
    return when


Moment: TypeAlias = Annotated[AwareDatetime, AfterValidator(_require_countable)]
"""A time with its zone, to which days may be added."""


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    @classmethod
    def of(cls, *values: object, **fields: Any) -> Self:
        """Return the document of some values: what `fields` do not say are their attributes of the same names."""
        for name in cls.model_fields.keys() - fields.keys() - {"format"}:
            for value in values:
                if hasattr(value, name):
                    fields[name] = getattr(value, name)
                    break
        return cls(**fields)


class Open(Model):
    """A document with fields that a target gives; they stand behind one of its own."""

    model_config = ConfigDict(frozen=True, extra="allow", defer_build=True)
    behind: ClassVar[str] = "name"

    @property
    def of_target(self) -> dict[str, Any]:
        """The fields that the target gave."""
        return self.__pydantic_extra__ or {}

    @model_serializer(mode="wrap")
    def _in_order(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = handler(self)
        given = self.of_target
        if not given:
            return written
        last = [name for name in written if name not in given]
        head = last.index(self.behind) + 1
        return {name: written[name] for name in (*last[:head], *(n for n in given if n in written), *last[head:])}

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        # The schema is that of the fields, in whatever order they are written.
        return handler({name: part for name, part in core_schema.items() if name != "serialization"})


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


class ObjectDocument(Open):
    """An object, as far as it is compared."""

    name: str


class DesiredDocument(ObjectDocument):
    """An object as it should be."""

    marker: str | None = Field(None, description="What is put on it, as text; absent where its kind keeps no mark.")
    protected: bool | None = Field(None, description="true for what must not be deleted.")
    part_of: str | None = Field(None, description="What of the manifest brings it, for several: ``package science``.")


class LiveDocument(ObjectDocument):
    """An object as it was seen in the project."""

    owner: str | None = None
    updater: str | None = None
    created: Moment | None = None
    modified: Moment | None = None
    stack: str | None = Field(None, description="The stack that marked it.")
    marker: str | None = Field(None, description="The mark itself, as text.")
    schema_: str | None = Field(None, alias="schema")


class DifferenceDocument(Model):
    """One field that differs."""

    field: str
    old: str
    new: str


class ChangeDocument(Model):
    """One operation."""

    action: Action
    kind: str
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

    kind: str
    name: str
    file: str
    line: int
    column: int
    desired: DesiredDocument
    live: LiveDocument


class SharedDocument(Model):
    """An object of another stack that this one uses."""

    name: str
    stack: str


class SavedDocument(Model):
    """What performing a plan later needs beside its operations."""

    target_kind: str | None = Field(
        None, description="As the manifest names it; absent in files of the versions that knew one kind."
    )
    epoch: int = Field(ge=0, description="The newest epoch of the stack's ledger; 0 when there was none.")
    manifest: str = Field(description="sha256 of the manifest's bytes.")
    allow_deletes: int = Field(ge=0, description="How many deletes are approved.")
    empty_manifest: bool
    kept: tuple[KeptDocument, ...] = Field(description="What needs no operation, as far as the plan relies on it.")
    shared: tuple[KeptDocument, ...] = Field((), description="What another stack manages, and the plan relies on.")
    checksum: str = Field(
        description="sha256 over the file without this field, as JSON with sorted keys and no spaces."
    )


class IgnoredDocument(Model):
    """An object that was changed outside, and is left so because the manifest says it."""

    kind: str
    name: str
    what: str
    reason: str
    until: str = Field(description="The last day, in UTC.")
    file: str
    line: int
    column: int


class PlanDocument(Open):
    """What an apply would do, in this order."""

    behind: ClassVar[str] = "target"

    format: Literal["udfs.plan/1"] = "udfs.plan/1"
    stack: str
    target: str
    changes: tuple[ChangeDocument, ...]
    unchanged: int
    shared: tuple[SharedDocument, ...] = ()
    foreign: int = Field(description="Objects in the project that the stack has nothing to do with.")
    superseded: int = Field(default=0, description="Versions no longer wanted, which stay until they are collected.")
    upload_bytes: int
    from_dump: bool = Field(default=False, description="Made against a dump; nobody has looked at the project itself.")
    ignored: tuple[IgnoredDocument, ...] | None = Field(
        None, description="What is left as somebody made it; of the day, so not in what `plan --out` writes."
    )
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

    kind: str
    live: LiveDocument


class DumpDocument(Open):
    """What a project holds, as far as planning a stack needs it."""

    behind: ClassVar[str] = "stack"

    format: Literal["udfs.dump/1"] = "udfs.dump/1"
    target_kind: str | None = Field(
        None, description="As the manifest names it; absent in files of the versions that knew one kind."
    )
    stack: str
    taken: Moment = Field(description="When, by the service's clock.")
    epochs: tuple[int, ...] = Field((), description="Of the stack's ledger.")
    last: dict[str, Any] | None = Field(None, description="The newest entry of the ledger, as it is in the project.")
    objects: tuple[DumpedDocument, ...]


def require_format(content: bytes, form: str, name: str, code: str, hint: Hint) -> dict[str, Any]:
    """Return the values of a file that says that it has the format `form`; raises `code`, or E517 for a newer one."""
    what = form.partition(".")[2].partition("/")[0]
    try:
        values = json.loads(content)
    except (ValueError, RecursionError) as cause:
        raise UsageError(code, f"the {what} '{name}' is not JSON", hint=hint) from cause
    said = values.get("format") if isinstance(values, dict) else None
    if isinstance(said, str) and said.startswith(form.rstrip("0123456789")) and said != form:
        raise UsageError("E517", f"the {what} '{name}' has the format '{said}'", hint="use the udfs that wrote it")
    if said != form:
        raise UsageError(code, f"the file '{name}' is not a {what}", hint=hint)
    result: dict[str, Any] = values
    return result


def explain_mismatch(cause: ValueError) -> str:
    """Return what in a file is not understood: of pydantic's errors the first, with its place."""
    if not isinstance(cause, ValidationError):
        return str(cause)
    first = cause.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


def to_json(document: BaseModel) -> str:
    """Return a document as indented JSON text, ended by a newline; the order of keys is the model's."""
    return document.model_dump_json(indent=2, by_alias=True, exclude_none=True) + "\n"


def plan_document(plan: Plan) -> PlanDocument:
    return PlanDocument(
        stack=plan.stack,
        target=plan.destination.target,
        **plan.destination.parts,
        changes=tuple(map(_change_document, plan.changes)),
        unchanged=len(plan.unchanged),
        shared=tuple(
            SharedDocument(name=change.key.name, stack=change.live.mark.stack)
            for change in plan.shared
            if change.live and change.live.mark
        ),
        foreign=plan.foreign,
        superseded=plan.superseded,
        upload_bytes=plan.upload_bytes,
        from_dump=plan.from_dump,
        ignored=ignored_documents(plan.tolerations) or None,
        refusals=tuple(map(problem_document, plan.refusals)),
        warnings=tuple(map(problem_document, plan.warnings)),
        digest=f"sha256:{plan.digest}",
    )


def ignored_documents(tolerations: Iterable[Toleration]) -> tuple[IgnoredDocument, ...]:
    return tuple(
        IgnoredDocument(
            kind=each.deviation.key.kind,
            name=each.deviation.key.name,
            what=each.deviation.kind.value,
            reason=each.exemption.reason,
            until=each.exemption.until,
            **_place(each.exemption.origin),
        )
        for each in tolerations
    )


def kept_document(change: Change) -> KeptDocument:
    """Return an object that needs no operation; both of its sides are there."""
    assert change.desired is not None
    assert change.live is not None
    return KeptDocument(
        kind=change.key.kind,
        name=change.key.name,
        **_place(change.desired.origin),
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
        stack=have.mark.stack if have.mark else None,
        marker=have.object.kind.write_mark(have.mark, have.object.name) if have.mark else None,
        schema=have.schema,
    )


def problem_document(problem: Problem) -> ProblemDocument:
    return ProblemDocument(
        code=problem.code,
        severity=problem.severity,
        message=problem.message,
        **_place(problem.at),
        hint=spell(problem.hint) or None,
        detail=problem.detail,
    )


def _place(position: Position | None) -> dict[str, Any]:
    return {"file": position.file, "line": position.line, "column": position.column} if position else {}


def _change_document(change: Change) -> ChangeDocument:
    return ChangeDocument(
        action=change.action.value,
        kind=change.key.kind,
        name=change.key.name,
        cause=change.cause.value,
        **_place(change.desired.origin if change.desired else None),
        upload_bytes=upload_size(change),
        differences=difference_documents(change.differences),
        desired=_desired_document(change.desired) if change.desired else None,
        live=live_document(change.live) if change.live else None,
    )


def difference_documents(differences: Iterable[Difference]) -> tuple[DifferenceDocument, ...]:
    return tuple(
        DifferenceDocument(field=difference.field, old=difference.old, new=difference.new) for difference in differences
    )


def _desired_document(want: Desired) -> DesiredDocument:
    marker = want.object.kind.write_mark(want.mark, want.object.name) if want.mark else None
    return DesiredDocument(
        **object_fields(want.object),
        marker=marker,
        protected=want.protected or None,
        part_of=want.part_of or None,
    )


def object_fields(obj: Object) -> dict[str, Any]:
    """Return the fields of an object as every document has them."""
    return obj.kind.write_down(obj)


def plan_schema(catalog: Catalog) -> dict[str, Any]:
    """Return the JSON Schema of a plan for a kind of target."""
    schema = PlanDocument.model_json_schema(by_alias=True, mode="serialization")
    place = {label: _TargetField(str if must else str | None, must) for label, must in catalog.place.items()}
    _insert(schema, "target", place)
    for name, definition in schema["$defs"].items():
        if name in {"DesiredDocument", "LiveDocument"}:
            _insert(definition, "name", _object_fields(catalog))
        if "kind" in definition["properties"]:
            definition["properties"]["kind"] = {"enum": list(catalog.kinds), **definition["properties"]["kind"]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "urn:udfs:plan:1", **schema}


class _TargetField(NamedTuple):
    """A field that a target gives."""

    form: Any
    must: bool = False
    description: str | None = None


def _object_fields(catalog: Catalog) -> dict[str, _TargetField]:
    """Return the fields of objects of all kinds; no object has all of them."""
    fields: dict[str, _TargetField] = {}
    for kind in reversed([*catalog.kinds.values()]):
        for info in msgspec.structs.fields(kind.record)[1:]:
            notes = (getattr(note, "description", None) for note in get_args(info.type)[1:])
            fields.setdefault(info.name, _TargetField(info.type | None, description=next(filter(None, notes), None)))
    return fields


def _insert(schema: dict[str, Any], behind: str, fields: Mapping[str, _TargetField]) -> None:
    """Put the fields that a target gives into the schema of a document."""
    definitions: Any = {
        f"{name}_": (
            field.form,
            Field(
                ... if field.must else None,
                alias=name,
                title=name.replace("_", " ").title(),
                description=field.description,
            ),
        )
        for name, field in fields.items()
    }
    model: type[BaseModel] = create_model("Given", **definitions)
    shape = model.model_json_schema(by_alias=True, mode="serialization")
    properties = {}
    for name, definition in schema["properties"].items():
        properties[name] = definition
        if name == behind:
            properties |= shape["properties"]
    schema["properties"] = properties
    schema["required"] = [name for name in properties if name in {*schema["required"], *shape.get("required", ())}]
    schema["additionalProperties"] = False
