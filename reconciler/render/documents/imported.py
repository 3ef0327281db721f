"""Imported objects as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from reconciler.engine.plan_file import (
    Model,
)
from reconciler.targets.maxcompute.objects import Function, Resource
from reconciler.targets.maxcompute.selection import is_file, path_of

if TYPE_CHECKING:
    from reconciler.targets.maxcompute.selection import Imported


class ImportedFunctionDocument(Model):
    """A function as it was written into the manifest."""

    name: str
    class_path: str
    python: str = Field(description="A guess from its source: the service does not keep it.")
    resources: tuple[str, ...]


class ImportedResourceDocument(Model):
    """A resource as it was written into the manifest."""

    name: str
    type: str
    file: str | None = Field(None, description="Relative to the manifest; a table has none.")
    size: int
    md5: str | None = None


class NotImportedDocument(Model):
    """What was asked for and is not in the manifest."""

    kind: str
    name: str
    reason: str


class ImportDocument(Model):
    """What `udfs import` wrote."""

    format: Literal["udfs.import/1"] = "udfs.import/1"
    manifest: str
    functions: tuple[ImportedFunctionDocument, ...]
    resources: tuple[ImportedResourceDocument, ...]
    left_out: tuple[NotImportedDocument, ...]
    present: tuple[str, ...] = Field(description="Functions and resources that the manifest had already.")


def import_document(imported: Imported) -> ImportDocument:
    functions = (
        ImportedFunctionDocument(
            name=live.object.name,
            class_path=live.object.class_path,
            python=python,
            resources=tuple(map(str, live.object.resources)),
        )
        for live, python in imported.functions
        if isinstance(live.object, Function)
    )
    resources = (
        ImportedResourceDocument(
            name=resource.name,
            type=resource.type,
            file=path_of(resource) if is_file(live) else None,
            size=resource.size,
            md5=resource.md5,
        )
        for live in imported.resources
        if isinstance(resource := live.object, Resource)
    )
    return ImportDocument(
        manifest=imported.manifest,
        functions=tuple(functions),
        resources=tuple(resources),
        left_out=tuple(
            NotImportedDocument(kind=resource.key.kind, name=resource.key.name, reason=resource.reason)
            for resource in imported.left_out
        ),
        present=tuple(map(str, imported.present)),
    )
