"""A package for MaxFrame jobs as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from reconciler.engine.plan_file import (
    Model,
)
from reconciler.render.maxframe import maxframe_code

if TYPE_CHECKING:
    from reconciler.render.maxframe import MaxframeExport


class ExportDocument(Model):
    """What a MaxFrame job needs to use a package."""

    format: Literal["udfs.export/1"] = "udfs.export/1"
    stack: str
    package: str
    python: str
    resources: tuple[str, ...]
    requirements: tuple[str, ...]
    prefer_binary: bool
    pre_release: bool
    code: str = Field(description="A Python module.")


def export_document(exported: MaxframeExport) -> ExportDocument:
    return ExportDocument(
        stack=exported.stack,
        package=exported.package,
        python=exported.runtime.tag,
        resources=exported.resources,
        requirements=exported.requirements,
        prefer_binary=exported.prefer_binary,
        pre_release=exported.pre_release,
        code=maxframe_code(exported),
    )
