"""A package for MaxFrame jobs as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from reconciler.engine.plan_file import (
    Model,
)
from reconciler.render.maxframe import code

if TYPE_CHECKING:
    from reconciler.render.maxframe import Exported


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


def export_document(one: Exported) -> ExportDocument:
    return ExportDocument(
        stack=one.stack,
        package=one.package,
        python=one.runtime.tag,
        resources=one.resources,
        requirements=one.requirements,
        prefer_binary=one.prefer_binary,
        pre_release=one.pre_release,
        code=code(one),
    )
