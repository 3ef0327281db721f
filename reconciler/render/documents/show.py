"""Deployed functions as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from reconciler.engine.plan_file import (
    LiveDocument,
    Model,
    Open,
    live_document,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.core.plan import Destination
    from reconciler.core.report import Deployed


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
