"""Results of SQL: expressions that come back whole in CSV, and the values of their cells."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reconciler.targets.maxcompute.signature import Type

_WHOLE = ("TINYINT", "SMALLINT", "INT", "BIGINT")
COMPLEX = ("ARRAY", "MAP", "STRUCT")


def csv_expression(expression: str, kind: Type) -> str:
    """Return what of an expression comes back whole in CSV: bytes in hex, and what has parts as JSON."""
    if kind.name == "BINARY":
        return f"HEX({expression})"
    return f"TO_JSON({expression})" if kind.name in COMPLEX else expression


def read_cell(cell: str | None, kind: Type) -> Any:
    """Return the value of a cell of a `csv_expression`; ValueError for what is none of the type."""
    if cell is None:
        return None
    if kind.name in COMPLEX:
        return _from_json(json.loads(cell), kind)
    return _plain(cell, kind)


def _plain(cell: str, kind: Type) -> Any:
    if kind.name in _WHOLE:
        return int(cell)
    match kind.name:
        case "FLOAT" | "DOUBLE":
            return float(cell)
        case "BOOLEAN":
            return cell.lower() == "true"
        case "DECIMAL":
            return Decimal(cell)
        case "BINARY":
            return bytes.fromhex(cell)
        case "DATE":
            return dt.date.fromisoformat(cell)
        case "DATETIME" | "TIMESTAMP" | "TIMESTAMP_NTZ":
            return dt.datetime.fromisoformat(cell)
        case _:
            return cell


def _from_json(value: Any, kind: Type) -> Any:
    if value is None:
        return None
    match kind.name, value:
        case "ARRAY", list():
            return [_from_json(item, kind.inner[0]) for item in value]
        case "MAP", dict():
            key, item = kind.inner
            return {_plain(name, key): _from_json(part, item) for name, part in value.items()}
        case "STRUCT", dict():
            folded = {name.lower(): part for name, part in value.items()}
            fields = zip(kind.fields, kind.inner, strict=True)
            return {name: _from_json(folded.get(name.lower()), inner) for name, inner in fields}
    return value if isinstance(value, bool | int | float) and kind.name != "DECIMAL" else _plain(str(value), kind)
