"""A package for jobs that are not functions, as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from reconciler.engine.plan_file import (
    Model,
)

if TYPE_CHECKING:
    from reconciler.core.report import PackageExport


class ExportDocument(Model):
    """What a job needs to use a package."""

    format: Literal["udfs.export/1"] = "udfs.export/1"
    stack: str
    package: str
    python: str
    resources: tuple[str, ...]
    requirements: tuple[str, ...]
    prefer_binary: bool
    pre_release: bool
    code: str = Field(description="A Python module.")


def export_document(exported: PackageExport) -> ExportDocument:
    return ExportDocument(**asdict(exported))
