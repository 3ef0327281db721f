"""Rows of a query as JSON."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.core.plan import Destination
    from reconciler.core.target import QueryResult

from typing import ClassVar, Literal

from pydantic import Field

from reconciler.engine.plan_file import (
    Model,
    Open,
)
from reconciler.render.query import WHOLE


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
