"""Imported objects as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from reconciler.engine.plan_file import (
    Model,
    Open,
)

if TYPE_CHECKING:
    from reconciler.core.report import Imported


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


def import_document(imported: Imported) -> ImportDocument:
    return ImportDocument(
        manifest=imported.manifest,
        functions=tuple(ImportedDocument(**obj.fields) for obj in imported.functions),
        resources=tuple(ImportedDocument(**obj.fields) for obj in imported.resources),
        left_out=tuple(
            NotImportedDocument(kind=resource.key.kind, name=resource.key.name, reason=resource.reason)
            for resource in imported.left_out
        ),
        present=tuple(map(str, imported.present)),
    )
