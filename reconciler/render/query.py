"""Rows of a query: a table for people, and CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.base.errors import count
from reconciler.base.words import safe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.core.target import QueryResult
    from reconciler.render.styled import Line

_LONGEST = 60
WHOLE = ("tinyint", "smallint", "int", "bigint")
_NUMBERS = (*WHOLE, "float", "double", "decimal")


def table_lines(answer: QueryResult) -> Iterator[Line]:
    """Yield a table: names, rows, and how many there are. Numbers stand at the right, NULL is pale."""
    cells_of_rows = [[_cell(cell) for cell in row] for row in answer.rows]
    names = [_cell(name) for name in answer.names]
    widths = [max(map(len, column)) for column in zip(names, *cells_of_rows, strict=True)]
    right = [kind.split("(")[0] in _NUMBERS for kind in answer.types or [""] * len(names)]
    yield tuple(("name", _pad(*column)) for column in zip(names, widths, right, strict=True))
    for row, cells in zip(answer.rows, cells_of_rows, strict=True):
        yield tuple(
            ("quiet" if value is None else "", _pad(cell, width, at_right))
            for value, cell, width, at_right in zip(row, cells, widths, right, strict=True)
        )
    yield (("quiet", count(len(answer.rows), "row")),)


def csv_rows(answer: QueryResult) -> Iterator[list[str]]:
    """Yield the names and the rows; NULL is ``\\N``, as in every file of rows."""
    yield list(answer.names)
    for row in answer.rows:
        yield ["\\N" if cell is None else cell for cell in row]


def _cell(value: str | None) -> str:
    text = "NULL" if value is None else safe(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _pad(text: str, width: int, at_right: bool) -> str:
    return f"{text:>{width}}  " if at_right else f"{text:<{width}}  "
