"""
Encoding of rows and values in frames between this process and the worker.

Frames are those of `conversation`. A batch of rows travels by columns, because a column of one type needs no word per
value: integers and floats as the machine writes them (`i8`, `f8`; both ends are the same machine), everything else as a
JSON list (`json`). The header says how many rows there are and how each column is written, the body is the columns one
after another.

JSON says null, true, numbers and strings. For the rest a cell is `[tag, what]`:

    f  a float JSON has no word for: "nan", "inf", "-inf"      l  a list of cells (ARRAY)
    b  bytes in base64 (BINARY)                                m  a list of [key, value] (MAP)
    t  [y, m, d, h, min, s, microsecond] (DATETIME)            s  [names, cells] (STRUCT)
    d  [y, m, d] (DATE)                                        x  text to be read by the signature's type
    n  a decimal as text (DECIMAL)                             j  JSON to be read by the signature's type

`worker/cells.py` holds the same table for its end; it cannot import this module.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import math
import struct
from array import array
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from operator import itemgetter
from typing import Any, SupportsIndex, TypeAlias

from reconciler.local.conversation import encode_frame

Column: TypeAlias = tuple[str, bytes | memoryview]
"""How a column is written, and its bytes."""

_PLAIN = frozenset({type(None), bool, int, str})


@dataclass(frozen=True)
class TypedText:
    """
    An argument as a person types it, to be read by the type in the function's signature.

    `TypedText("1")` is 1 for BIGINT, 1.0 for DOUBLE, "1" for STRING; dates are written `2024-05-01`, times
    `2024-05-01 12:30:00`, arrays, maps and structs as JSON.
    """

    text: str


@dataclass(frozen=True)
class Json:
    """
    An argument as JSON or YAML has it, to be read by the type in the function's signature.

    Text is read as `TypedText` where the type is no text; a list is an ARRAY or a STRUCT, a mapping a MAP or a STRUCT. A number is
    one for DECIMAL too, and never text.
    """

    value: object


class Struct(tuple[Any, ...]):
    """The fields of a STRUCT, whose names may be any; a function gets a named tuple."""

    _fields: tuple[str, ...]

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Struct:
        """Return the struct with these fields, in their order."""
        struct = cls(fields.values())
        struct._fields = tuple(fields)
        return struct


def rows_frame(rows: Sequence[Sequence[object]], types: Sequence[str] | None) -> bytes:
    """
    Return the message that carries rows of one width; raises `ValueError` for a value with no place in it.

    `types` are those of the signature, which spare looking at each value of a BIGINT column; None when it has none.
    """
    width = len(rows[0]) if rows else 0
    kinds = types or [""] * width
    # A column at a time: `zip(*rows)` would hold one iterator a row, and jumps through memory with every value.
    columns = [encode_column(list(map(itemgetter(number), rows)), kinds[number]) for number in range(width)]
    return columns_frame(columns, len(rows))


def columns_frame(columns: Sequence[Column], count: int) -> bytes:
    """Return the message that carries rows whose columns are written already."""
    layout = [[codec, len(content)] for codec, content in columns]
    header = {"kind": "rows", "count": count, "columns": layout}
    return encode_frame(header, b"".join(content for _, content in columns))


def cells(row: Sequence[object]) -> list[object]:
    """Return a row in a form that JSON can say; raises `ValueError` for a value with no place in it."""
    return [_write_cell(value) for value in row]


def unwritable(row: Sequence[object]) -> str:
    """Return why a row cannot travel, empty when it can."""
    try:
        rows_frame([row], None)
    except ValueError as error:
        return str(error)
    return ""


def read_columns(layout: Sequence[tuple[str, int]], body: memoryview) -> list[list[Any]]:
    """Return the columns of a body."""
    return [read_column(codec, content) for codec, content in split_columns(layout, body)]


def split_columns(layout: Sequence[tuple[str, int]], body: memoryview) -> list[tuple[str, memoryview]]:
    """Return the columns of a body as they are written."""
    columns = []
    start = 0
    for codec, length in layout:
        columns.append((codec, body[start : start + length]))
        start += length
    return columns


def encode_column(column: Sequence[Any], kind: str) -> Column:
    """Return values of one type as they travel; raises `ValueError` for a value with no place in it."""
    if kind == "bigint":
        with suppress(struct.error):
            return "i8", struct.pack(f"{len(column)}q", *column)
    types = set(map(type, column))
    if types == {int}:
        with suppress(struct.error):
            return "i8", struct.pack(f"{len(column)}q", *column)
    elif types == {float}:
        return "f8", struct.pack(f"{len(column)}d", *column)
    cells = column if types <= _PLAIN else [_write_cell(value) for value in column]
    return "json", json.dumps(cells, separators=(",", ":")).encode("ascii")


def read_column(codec: str, content: bytes | memoryview) -> list[Any]:
    """Return the values of a column."""
    if codec == "json":
        cells: list[Any] = json.loads(bytes(content))
        # A cell that needs reading is a list; a column without one is done.
        return [_read_cell(cell) for cell in cells] if list in set(map(type, cells)) else cells
    numbers: array[Any] = array("q" if codec == "i8" else "d")
    numbers.frombytes(content)
    return numbers.tolist()


def _write_cell(value: object) -> object:
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return float(value) if math.isfinite(value) else ["f", repr(float(value))]
        case bytes() | bytearray():
            return ["b", base64.b64encode(value).decode("ascii")]
        case dt.datetime():
            if value.tzinfo is not None:
                raise ValueError(f"{value!r} has a time zone; DATETIME has none")
            parts = (value.year, value.month, value.day, value.hour, value.minute, value.second, value.microsecond)
            return ["t", parts]
        case dt.date():
            return ["d", (value.year, value.month, value.day)]
        case Decimal():
            return ["n", str(value)]
        case TypedText():
            return ["x", value.text]
        case Json():
            return ["j", value.value]
        case _:
            return _write_nested(value)


def _write_nested(value: object) -> object:
    match value:
        case tuple() if hasattr(value, "_fields"):
            return ["s", [list(value._fields), [_write_cell(item) for item in value]]]
        case list() | tuple():
            return ["l", [_write_cell(item) for item in value]]
        case Mapping():
            return ["m", [[_write_cell(key), _write_cell(item)] for key, item in value.items()]]
        case SupportsIndex():
            return value.__index__()
        case _:
            raise ValueError(f"a {type(value).__name__} is no value of a MaxCompute type: {value!r:.80}")


def _read_cell(cell: Any) -> Any:
    if type(cell) is not list:
        return cell
    tag, what = cell
    match tag:
        case "f":
            return float(what)
        case "b":
            return base64.b64decode(what)
        case "t":
            return dt.datetime(*what)  # noqa: DTZ001 -- DATETIME has no time zone
        case "d":
            return dt.date(*what)
        case "n":
            return Decimal(what)
        case "l":
            return [_read_cell(item) for item in what]
        case "m":
            return {_read_cell(key): _read_cell(item) for key, item in what}
        case "s":
            names, items = what
            return dict(zip(names, map(_read_cell, items), strict=True))
        case _:
            raise ValueError(f"unknown tag {tag!r}")
