"""Rows of a query and imported objects, for people."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from reconciler.base.errors import count
from reconciler.base.words import safe, size
from reconciler.render.text import plan_summary

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.core.kind import Key
    from reconciler.core.plan import Plan
    from reconciler.core.report import Imported
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


_NAMED = 5
"""Of names in a sentence."""


def import_lines(imported: Imported, command: str | None = None) -> Iterator[Line]:
    """Yield what was written, what was left out and why, and `command` as the next step; without one, more follows."""
    for obj in (*imported.functions, *imported.resources):
        yield ("create", "  + "), ("name", safe(str(obj.key))), ("", safe(obj.text))
    if not imported.is_empty:
        yield ()
    yield from _left_out(imported)
    if imported.present:
        yield ("quiet", f"In the manifest already: {_names(imported.present)}"), ("", "")
    if imported.lost_comments:
        text = f"Comments that are not ASCII cannot be in a manifest, and go when it is adopted: {_names(imported.lost_comments)}"
        yield ("warning", text), ("", "")
    if imported.unproven:
        text = f"The service gives no MD5, so only the size was compared: {_names(imported.unproven)}"
        yield ("warning", text), ("", "")
    if imported.is_empty:
        reason = "" if imported.left_out or imported.present else ": there are no functions"
        yield (("name", f"Nothing to import, nothing was written{reason}"),)
        return
    pythons = Counter(imported.pythons)
    if pythons:
        text = ", ".join(f"{tag} for {number:,}" for tag, number in pythons.most_common())
        yield (("", f"Python is a guess from the sources, the service does not keep it: {text}"),)
    wrote = count(len(imported.functions), "function")
    # Only some services have resources beside functions.
    if imported.resources or imported.pythons:
        wrote += f" and {count(len(imported.resources), 'resource')}"
    total = sum(obj.size for obj in (*imported.functions, *imported.resources))
    yield (("name", f"Wrote {safe(imported.manifest)}: {wrote}, {size(total)} in files"),)
    if command is not None:
        yield ("help", "Next: "), ("", command)


def move_lines(plan: Plan, kept: Sequence[Key]) -> Iterator[Line]:
    """Yield that nothing is left to do, and what stays in the project for a way back."""
    yield ()
    yield (("name", plan_summary(plan)),)
    if kept:
        text = f"Stays in the project as it was, unmanaged, as a way back and for others who list it: {_names(kept)}"
        yield (("quiet", text),)


def _left_out(imported: Imported) -> Iterator[Line]:
    if imported.left_out:
        yield (("warning", "Left out:"),)
        for skipped in imported.left_out:
            yield ("warning", "  ! "), ("name", safe(str(skipped.key))), ("", f": {safe(skipped.reason)}")
        yield ()


def _names(keys: Sequence[Key]) -> str:
    more = f" and {len(keys) - _NAMED:,} more" if len(keys) > _NAMED else ""
    return ", ".join(safe(key.name) for key in keys[:_NAMED]) + more
