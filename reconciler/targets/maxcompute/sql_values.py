"""
Values in MaxCompute's SQL: literals of what YAML has, written by their types, and the cells of a result read back.

The forms are those that the documentation has and that mean the same in every edition of the type system:
``CAST('…' AS TYPE)`` for what has no literal of its own, ``ARRAY``, ``MAP`` and ``NAMED_STRUCT``. What comes back in CSV is whole
because bytes are asked for in hex, and what has parts as JSON.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reconciler.testing.types import Type

COMPLEX = ("ARRAY", "MAP", "STRUCT")
_WHOLE = ("TINYINT", "SMALLINT", "INT", "BIGINT")
_CONTROL = r"([\x00-\x1f])"
_TEXTS = ("STRING", "CHAR", "VARCHAR")
_PLAIN_DECIMAL = "DECIMAL(38,18)"
"""What DECIMAL means in the newer edition of types."""


class NoLiteral(Exception):
    """A value that is none of its type."""


def sql_literal(value: Any, kind: Type) -> str:
    """Return a value as SQL writes it."""
    if value is None:
        return f"CAST(NULL AS {_name(kind)})"
    if kind.name in COMPLEX:
        return _nested(value, kind)
    if isinstance(value, list | dict):
        raise NoLiteral(f"{json.dumps(value, ensure_ascii=False)} is no {kind}")
    if kind.name == "BOOLEAN":
        return _boolean(value, kind)
    text = value if isinstance(value, str) else repr(value)
    if kind.name in _TEXTS:
        if not isinstance(value, str):
            raise NoLiteral(f"{text} is no {kind}")
        return _text(value) if kind.name == "STRING" else f"CAST({_text(value)} AS {_name(kind)})"
    if kind.name == "BINARY":
        return f"UNHEX('{text.encode().hex().upper()}')"
    return f"CAST({_text(text.strip())} AS {_name(kind)})"


def _boolean(value: Any, kind: Type) -> str:
    text = str(value).lower()
    if text not in ("true", "false"):
        raise NoLiteral(f"{value!r} is no {kind}")
    return text.upper()


def _nested(value: Any, kind: Type) -> str:
    match kind.name, value:
        case "ARRAY", list():
            items = ", ".join(sql_literal(item, kind.inner[0]) for item in value)
            return f"ARRAY({items})" if value else f"CAST(ARRAY() AS {_name(kind)})"
        case "MAP", dict():
            pairs = ", ".join(
                f"{sql_literal(key, kind.inner[0])}, {sql_literal(item, kind.inner[1])}" for key, item in value.items()
            )
            return f"MAP({pairs})" if value else f"CAST(MAP() AS {_name(kind)})"
        case "STRUCT", list() if len(value) == len(kind.fields):
            value = dict(zip(kind.fields, value, strict=True))
        case "STRUCT", dict() if sorted(value) == sorted(kind.fields):
            pass
        case _:
            raise NoLiteral(f"{json.dumps(value, ensure_ascii=False)} is no {kind}")
    fields = [
        f"'{name}', {sql_literal(value[name], inner)}" for name, inner in zip(kind.fields, kind.inner, strict=True)
    ]
    return f"NAMED_STRUCT({', '.join(fields)})"


def _text(value: str) -> str:
    """
    Return a text in quotes.

    A character that XML, in which statements travel, cannot carry has no form: ``CHR`` makes the first of them.
    """
    escaped = (
        value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    )
    if re.search(_CONTROL, escaped):
        parts = filter(None, re.split(_CONTROL, escaped))
        texts = (f"CHR({ord(part)})" if part < " " else f"'{part}'" for part in parts)
        return f"CONCAT({', '.join(texts)})"
    return f"'{escaped}'"


def _name(kind: Type) -> str:
    return _PLAIN_DECIMAL if kind.name == "DECIMAL" and not kind.parameters else str(kind)


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
