"""Contents of a project, and settings of its targets, as JSON: deployed and listed functions, rows of a query, imported objects."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from reconciler.engine.plan_file import LiveDocument, Model, ObjectDocument, Open, live_document, object_fields
from reconciler.render.documents.applies import ReportDocument  # noqa: TC001 - pydantic reads the annotation
from reconciler.render.project import WHOLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reconciler.core.plan import Destination
    from reconciler.core.report import Deployed, Imported
    from reconciler.core.target import QueryResult
    from reconciler.manifest.effective import TargetSetting
    from reconciler.workflow.standing import FunctionStanding


class FunctionDocument(Model):
    """One function as `show` tells it."""

    function: LiveDocument
    resources: tuple[LiveDocument, ...]
    absent: tuple[str, ...] = Field((), description="Listed by the function and not in the project.")
    settings: dict[str, str] = Field(description="SET lines that an SQL script needs before it calls the function.")
    description: str | None = None


class ShowDocument(Open):
    """What a stack has in a project."""

    behind: ClassVar[str] = "target"

    format: Literal["udfs.show/1"] = "udfs.show/1"
    stack: str
    target: str
    functions: tuple[FunctionDocument, ...]


def show_document(stack: str, destination: Destination, functions: Iterable[Deployed]) -> ShowDocument:
    return ShowDocument(
        stack=stack,
        target=destination.target,
        **destination.parts,
        functions=tuple(
            FunctionDocument(
                function=live_document(function.function),
                resources=tuple(map(live_document, function.resources)),
                absent=function.absent,
                settings=dict(function.settings),
                description=function.description or None,
            )
            for function in functions
        ),
    )


class StandingDocument(Model):
    """One function as `list` tells it."""

    name: str
    standing: Literal["applied", "changed", "not applied", "not in the manifest", "somebody else's"]
    function: ObjectDocument | None = Field(
        description="As the manifest has it, or the project where the manifest has it no more; null for somebody else's."
    )


class ListDocument(Open):
    """What a stack is to have in a project, and has."""

    behind: ClassVar[str] = "target"

    format: Literal["udfs.list/1"] = "udfs.list/1"
    stack: str
    target: str
    functions: tuple[StandingDocument, ...]


def list_document(stack: str, destination: Destination, standings: Iterable[FunctionStanding]) -> ListDocument:
    return ListDocument(
        stack=stack,
        target=destination.target,
        **destination.parts,
        functions=tuple(
            StandingDocument(
                name=standing.name,
                standing=standing.standing,
                function=ObjectDocument(**object_fields(standing.object)) if standing.object is not None else None,
            )
            for standing in standings
        ),
    )


class ColumnDocument(Model):
    """One column of a result."""

    name: str
    type: str | None = Field(description="null where the service does not say.")


class QueryDocument(Open):
    """What `udfs sql --format json` prints."""

    behind: ClassVar[str] = "target"

    format: Literal["udfs.query/1"] = "udfs.query/1"
    target: str
    instance: str
    settings: dict[str, str] = Field(description="What was SET for the functions that are called.")
    columns: tuple[ColumnDocument, ...]
    rows: tuple[tuple[str | int | float | bool | None, ...], ...] = Field(
        description="Numbers and booleans as such; all else as text, as the service writes it."
    )
    truncated: bool = Field(description="Whether there are more rows than the service gives out.")


def query_document(answer: QueryResult, settings: Mapping[str, str], destination: Destination) -> QueryDocument:
    """Return what a program reads: numbers and booleans as such where JSON has them, all else as text."""
    types = answer.types or (None,) * len(answer.names)
    return QueryDocument(
        target=destination.target,
        **destination.parts,
        instance=answer.instance,
        settings=dict(settings),
        columns=tuple(ColumnDocument(name=name, type=kind) for name, kind in zip(answer.names, types, strict=True)),
        rows=tuple(tuple(map(_value, row, types)) for row in answer.rows),
        truncated=answer.is_cut,
    )


def _value(cell: str | None, kind: str | None) -> str | int | float | bool | None:
    if cell is None or kind is None:
        return cell
    if kind in WHOLE:
        return int(cell)
    if kind in ("float", "double"):
        number = float(cell)
        return number if math.isfinite(number) else cell
    return cell == "true" if kind == "boolean" else cell


class ImportedDocument(Open):
    """An object as it was written into the manifest."""

    name: str


class NotImportedDocument(Model):
    """What was asked for and is not in the manifest."""

    kind: str
    name: str
    reason: str


class ImportDocument(Model):
    """What `udfs import` wrote."""

    format: Literal["udfs.import/1"] = "udfs.import/1"
    manifest: str
    functions: tuple[ImportedDocument, ...]
    resources: tuple[ImportedDocument, ...]
    left_out: tuple[NotImportedDocument, ...]
    present: tuple[str, ...] = Field(description="Functions and resources that the manifest had already.")
    reports: tuple[ReportDocument, ...] = Field(
        (), description="With --adopt: what each step did, adopting and then applying; none for what was done before."
    )


def import_document(imported: Imported, reports: Sequence[ReportDocument] = ()) -> ImportDocument:
    return ImportDocument(
        reports=tuple(reports),
        manifest=imported.manifest,
        functions=tuple(ImportedDocument(**obj.fields) for obj in imported.functions),
        resources=tuple(ImportedDocument(**obj.fields) for obj in imported.resources),
        left_out=tuple(
            NotImportedDocument(kind=resource.key.kind, name=resource.key.name, reason=resource.reason)
            for resource in imported.left_out
        ),
        present=tuple(map(str, imported.present)),
    )


class ValueDocument(Model):
    """One value as a target has it."""

    key: str
    value: str | None = Field(
        None, description="Absent for what the environment does not set, and for variables from it."
    )
    written: str | None = None
    at: str | None = Field(None, description="file:line:column; absent for a default.")
    instead_of: str | None = Field(None, description="Where the top level has another value of this variable.")


class EffectiveDocument(Model):
    """What one target comes to."""

    target: str
    values: tuple[ValueDocument, ...]
    variables: tuple[ValueDocument, ...]


class EffectiveTargetsDocument(Model):
    """What each target of a manifest comes to."""

    format: Literal["udfs.effective/1"] = "udfs.effective/1"
    targets: tuple[EffectiveDocument, ...]


def effective_document(targets: Mapping[str, Iterable[TargetSetting]]) -> EffectiveTargetsDocument:
    return EffectiveTargetsDocument(
        targets=tuple(
            EffectiveDocument(
                target=name,
                values=tuple(_value_document(value) for value in values if not value.is_variable),
                variables=tuple(_value_document(value) for value in values if value.is_variable),
            )
            for name, values in ((name, tuple(values)) for name, values in targets.items())
        )
    )


def _value_document(value: TargetSetting) -> ValueDocument:
    return ValueDocument(
        key=value.key,
        value=value.shown,
        written=value.written,
        at=str(value.at) if value.at else None,
        instead_of=str(value.instead_of[1]) if value.instead_of else None,
    )
