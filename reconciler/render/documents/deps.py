"""Dependencies of functions as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from reconciler.engine.plan_file import (
    Model,
    ProblemDocument,
    problem_document,
)
from reconciler.render.documents.build import LeftOutDocument, left_out_documents
from reconciler.render.documents.libs import NeedDocument, level_tag, need_document

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.base.errors import Problem
    from reconciler.packages.dependencies import Dependencies


class ShippedDocument(Model):
    """One resource of a function."""

    name: str
    size: int = Field(description="Bytes; 0 for what is not a file of this manifest.")
    package: str | None = None
    natives: int = 0
    level: str | None = None
    brings: tuple[str, ...] = Field((), description="SONAMEs of the libraries in it.")
    needs: tuple[NeedDocument, ...] = Field((), description="What is neither in it nor in the base system.")
    also_in: tuple[str, ...] = Field((), description="Other functions that list it.")
    wheels: tuple[str, ...] = Field((), description="Of an archive that was packed here: what it is made of.")
    left_out: tuple[LeftOutDocument, ...] = ()
    file: str | None = Field(
        None, description="Of a library that is uploaded under its SONAME: the file, if named otherwise."
    )


class DependenciesDocument(Model):
    """What one function ships."""

    function: str
    python: str
    platform: str
    size: int = Field(description="Bytes in all.")
    resources: tuple[ShippedDocument, ...]


class DepsDocument(Model):
    """What the functions of a stack ship."""

    format: Literal["udfs.deps/1"] = "udfs.deps/1"
    stack: str
    functions: tuple[DependenciesDocument, ...]
    warnings: tuple[ProblemDocument, ...] = ()


def deps_document(stack: str, functions: Iterable[Dependencies], warnings: Iterable[Problem]) -> DepsDocument:
    return DepsDocument(
        stack=stack, functions=tuple(map(_dependencies, functions)), warnings=tuple(map(problem_document, warnings))
    )


def _dependencies(function: Dependencies) -> DependenciesDocument:
    resources = (
        ShippedDocument(
            name=resource.name,
            size=resource.size,
            package=group.package,
            natives=resource.native,
            level=level_tag(resource.level),
            brings=resource.brings,
            needs=tuple(map(need_document, resource.leans_on)),
            also_in=resource.also_in,
            file=resource.file,
            wheels=resource.wheels,
            left_out=left_out_documents(resource.left_out),
        )
        for group in function.groups
        for resource in group.resources
    )
    return DependenciesDocument(
        function=function.function,
        python=function.runtime.tag,
        platform=function.runtime.platform.name,
        size=function.size,
        resources=tuple(resources),
    )
