"""
Values as SQL writes them, by their types; and as SQL gives them back, in CSV.

What is written uses forms that the documentation has and that mean the same in every edition of the type system:
``CAST('…' AS TYPE)`` for what has no literal of its own, ``ARRAY``, ``MAP`` and ``NAMED_STRUCT``. Values are those of YAML, read by
the type as `call` reads arguments.
"""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reconciler.manifest.signature import Type

_TEXTS = ("STRING", "CHAR", "VARCHAR")
_WHOLE = ("TINYINT", "SMALLINT", "INT", "BIGINT")
_COMPLEX = ("ARRAY", "MAP", "STRUCT")
_PLAIN_DECIMAL = "DECIMAL(38,18)"
"""What DECIMAL means in the newer edition of types."""


class Unwritable(Exception):
    """A value that is none of its type."""


def literal(value: Any, kind: Type) -> str:
    """Return a value as SQL writes it."""
    if value is None:
        return f"CAST(NULL AS {_name(kind)})"
    if kind.name in _COMPLEX:
        return _nested(value, kind)
    if isinstance(value, list | dict):
        raise Unwritable(f"{json.dumps(value, ensure_ascii=False)} is no {kind}")
    if kind.name == "BOOLEAN":
        return _boolean(value, kind)
    text = value if isinstance(value, str) else repr(value)
    if kind.name in _TEXTS:
        if not isinstance(value, str):
            raise Unwritable(f"{text} is no {kind}")
        return _text(value) if kind.name == "STRING" else f"CAST({_text(value)} AS {_name(kind)})"
    if kind.name == "BINARY":
        return f"UNHEX('{text.encode().hex().upper()}')"
    return f"CAST({_text(text.strip())} AS {_name(kind)})"


def _boolean(value: Any, kind: Type) -> str:
    told = str(value).lower()
    if told not in ("true", "false"):
        raise Unwritable(f"{value!r} is no {kind}")
    return told.upper()


def _nested(value: Any, kind: Type) -> str:
    match kind.name, value:
        case "ARRAY", list():
            items = ", ".join(literal(item, kind.inner[0]) for item in value)
            return f"ARRAY({items})" if value else f"CAST(ARRAY() AS {_name(kind)})"
        case "MAP", dict():
            pairs = ", ".join(
                f"{literal(key, kind.inner[0])}, {literal(item, kind.inner[1])}" for key, item in value.items()
            )
            return f"MAP({pairs})" if value else f"CAST(MAP() AS {_name(kind)})"
        case "STRUCT", list() if len(value) == len(kind.fields):
            value = dict(zip(kind.fields, value, strict=True))
        case "STRUCT", dict() if sorted(value) == sorted(kind.fields):
            pass
        case _:
            raise Unwritable(f"{json.dumps(value, ensure_ascii=False)} is no {kind}")
    fields = [f"'{name}', {literal(value[name], inner)}" for name, inner in zip(kind.fields, kind.inner, strict=True)]
    return f"NAMED_STRUCT({', '.join(fields)})"


def _text(value: str) -> str:
    """
    Return a text in quotes.

    A character that XML, in which statements travel, cannot carry has no form: ``CHR`` makes the first of them.
    """
    escaped = (
        value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    )
    if any(one < " " for one in escaped):
        parts = [f"CHR({ord(one)})" if one < " " else one for one in _pieces(escaped)]
        return "CONCAT(" + ", ".join(one if one.startswith("CHR(") else f"'{one}'" for one in parts) + ")"
    return f"'{escaped}'"


def _pieces(text: str) -> list[str]:
    """Split a text so that each control character stands alone."""
    found = [""]
    for one in text:
        if one < " ":
            found += [one, ""]
        else:
            found[-1] += one
    return [one for one in found if one]


def _name(kind: Type) -> str:
    return _PLAIN_DECIMAL if kind.name == "DECIMAL" and not kind.parameters else str(kind)


def readable(expression: str, kind: Type) -> str:
    """Return what of an expression comes back whole in CSV: bytes in hex, and what has parts as JSON."""
    if kind.name == "BINARY":
        return f"HEX({expression})"
    return f"TO_JSON({expression})" if kind.name in _COMPLEX else expression


def read(cell: str | None, kind: Type) -> Any:
    """Return the value of a cell of what is `readable`; ValueError for what is none of the type."""
    if cell is None:
        return None
    if kind.name in _COMPLEX:
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
            return {_plain(name, key): _from_json(one, item) for name, one in value.items()}
        case "STRUCT", dict():
            folded = {name.lower(): one for name, one in value.items()}
            fields = zip(kind.fields, kind.inner, strict=True)
            return {name: _from_json(folded.get(name.lower()), inner) for name, inner in fields}
    return value if isinstance(value, bool | int | float) and kind.name != "DECIMAL" else _plain(str(value), kind)
