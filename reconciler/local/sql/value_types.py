"""
Types: as a signature spells them and as DuckDB has them; and values, as Arrow has them and as the CSV of a result shows them.

The forms of NULL, numbers, texts and dates in a result are those that PyODPS reads (`odps/readers.py`, `odps/types.py`).
"""

from __future__ import annotations

import datetime as dt
import json
import math
import struct
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from reconciler.local.runner import wire
from reconciler.local.sql.problems import illegal_cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

NULL = "\\N"

_DAYS = (
    dt.date.min.toordinal() - dt.date(1970, 1, 1).toordinal(),
    dt.date.max.toordinal() - dt.date(1970, 1, 1).toordinal(),
)
"""The first and the last day of a DATE, counted from 1970."""

_NAMES = {
    "TINYINT": "tinyint",
    "SMALLINT": "smallint",
    "INT": "int",
    "BIGINT": "bigint",
    # What DuckDB makes of SUM over integers; the service's SUM of BIGINT is a BIGINT [doc "Aggregate functions"].
    "INT128": "bigint",
    "FLOAT": "float",
    "DOUBLE": "double",
    "BOOLEAN": "boolean",
    "VARBINARY": "binary",
    "DATE": "date",
    # DuckDB's TIMESTAMP has microseconds, and is our DATETIME; that of the service has nanoseconds.
    "TIMESTAMPNTZ": "datetime",
    "TIMESTAMP": "datetime",
    "TIMESTAMP_NS": "timestamp",
}


_SAME_IN_DUCKDB: dict[tuple[str, str | None], str] = {
    ("timestamp", "TIMESTAMP_NTZ"): "timestamp_ntz",
    ("string", "JSON"): "json",
}


def duckdb_type(signature_type: str) -> str:
    """Return DuckDB's name for a type of a signature or of a table; ValueError for what is none."""
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    try:
        kind = exp.DataType.build(signature_type, dialect="hive")
    except SqlglotError as error:
        raise ValueError(f"{signature_type!r} is no type") from error
    for inner in kind.find_all(exp.DataType):
        make_duckdb_type(inner)
    return kind.sql("duckdb")


def make_duckdb_type(kind: Any) -> None:
    """
    Make a written type, without those in it, the one that DuckDB has for it.

    A TIMESTAMP has nanoseconds, and a DECIMAL of which nothing is said (38,18) [doc "MaxCompute V2.0 data type edition"].
    """
    from sqlglot import exp

    if kind.this.name in ("TIMESTAMP", "TIMESTAMPNTZ"):
        kind.set("this", exp.DataType.Type.TIMESTAMP_NS)
    if kind.this.name == "DECIMAL" and not kind.expressions:
        kind.set("expressions", [exp.DataTypeParam(this=exp.Literal.number(n)) for n in (38, 18)])


def signature_type(duckdb_type: str, known: str | None = None) -> str:
    """Return the service's name for a type of DuckDB's, which has the same for two of the service's; `known` says which it is."""
    from sqlglot import exp

    # Of nothing but NULL; the service has no such type in a table either.
    name = _type_name(exp.DataType.build(duckdb_type.replace('"NULL"', "VARCHAR"), dialect="duckdb"))
    return _SAME_IN_DUCKDB.get((name, known), name)


def _type_name(kind: Any) -> str:
    parts = kind.expressions
    match kind.this.name:
        case "ARRAY" | "LIST":
            return f"array<{_type_name(parts[0])}>"
        case "MAP":
            return f"map<{_type_name(parts[0])},{_type_name(parts[1])}>"
        case "STRUCT":
            fields = [f"{_field_name(field.name)}:{_type_name(field.args['kind'])}" for field in parts]
            return f"struct<{','.join(fields)}>"
        case "DECIMAL":
            return f"decimal({','.join(field.name for field in parts)})" if parts else "decimal(38,18)"
        case name:
            # What the service has no type for is shown as text.
            return _NAMES.get(name, "string")


def _field_name(name: str) -> str:
    # That the service quotes what is no word is a guess; PyODPS reads it, quoted alone.
    return name if name.isidentifier() else f"`{name}`"


def values_to_arrow(values: Sequence[Any], kind: Any) -> Any:
    """Return values as a column of an Arrow type; ArrowInvalid or ArrowTypeError for what does not fit."""
    import pyarrow as pa

    return pa.array([_to_arrow(value, kind) for value in values] if pa.types.is_nested(kind) else values, kind)


def _to_arrow(value: Any, kind: Any) -> Any:
    """Return a value as pyarrow takes it: a map as a list of pairs."""
    from pyarrow import types

    if value is None:
        return None
    if types.is_map(kind):
        return [(_to_arrow(key, kind.key_type), _to_arrow(item, kind.item_type)) for key, item in value.items()]
    if types.is_list(kind):
        return [_to_arrow(item, kind.value_type) for item in value]
    if types.is_struct(kind):
        # Names compare without case in SQL, and with it in Arrow.
        fields = zip(value._fields, value, strict=True) if isinstance(value, wire.Struct) else value.items()
        folded = {name.lower(): item for name, item in fields}
        return {field.name: _to_arrow(folded[field.name.lower()], field.type) for field in kind}
    return value


def values_from_arrow(column: Any, make_struct: Callable[[dict[str, Any]], Any] = wire.Struct.of) -> list[Any]:
    """Return the values of a column; a map, which Arrow has as pairs, as a dict, and what Arrow has as a dict as a struct."""
    from pyarrow import types

    require_days(column)
    # What Python has no place for is cut off.
    column = column.cast(_with_moments(column.type, lambda _: "us"), safe=False)
    values: list[Any] = column.to_pylist()
    if not types.is_nested(column.type):
        return values
    return [_from_arrow(value, column.type, make_struct) for value in values]


class _Moment(str):
    """A TIMESTAMP as text: without quotes where it stands in an array, a map or a struct."""


def _with_moments(kind: Any, unit: Callable[[str], str | None]) -> Any:
    """Return an Arrow type in which a time of each unit is one of another; of None, a text."""
    import pyarrow as pa
    from pyarrow import types

    if types.is_timestamp(kind):
        return pa.timestamp(other) if (other := unit(kind.unit)) else pa.string()
    if types.is_map(kind):
        return pa.map_(_with_moments(kind.key_type, unit), _with_moments(kind.item_type, unit))
    if types.is_list(kind):
        return pa.list_(_with_moments(kind.value_type, unit))
    if types.is_struct(kind):
        return pa.struct([(field.name, _with_moments(field.type, unit)) for field in kind])
    return kind


def shown_values(column: Any) -> list[Any]:
    """Return the values of a column; a TIMESTAMP as text, for as a value of Python's it loses what is below a microsecond."""
    kind = _with_moments(column.type, lambda unit: None if unit == "ns" else unit)
    if kind == column.type:
        return values_from_arrow(column, dict)
    require_days(column)
    return [_from_arrow(value, column.type, dict) for value in column.cast(kind).to_pylist()]


def require_days(column: Any) -> None:
    """
    Refuse a column with a day before the year 1 or after 9999, in its values or inside of them; DuckDB counts on.

    The service has the year 0 besides [doc "MaxCompute V2.0 data type edition"], for which neither Python nor PyODPS has a value.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import types

    kind = column.type
    if isinstance(column, pa.ChunkedArray):
        inner = column.chunks
    elif types.is_map(kind):
        inner = [column.keys, column.items]
    elif types.is_nested(kind):
        inner = column.flatten() if types.is_struct(kind) else [column.flatten()]
    else:
        inner = []
    for part in inner:
        require_days(part)
    if inner:
        return
    if types.is_temporal(kind) and not types.is_interval(kind) and column.null_count < len(column):
        days = {"s": 86_400, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}
        each = days[kind.unit] if types.is_timestamp(kind) else 1
        numbers = column.cast(pa.int64() if types.is_timestamp(kind) else pa.int32())
        ends = [number // each for number in pc.min_max(numbers).as_py().values()]
        if ends[0] < _DAYS[0] or ends[1] > _DAYS[1]:
            raise illegal_cast("a date is out of the range that the local service has, 0001-01-01 to 9999-12-31")


def _from_arrow(value: Any, kind: Any, make_struct: Callable[[dict[str, Any]], Any]) -> Any:
    from pyarrow import types

    if value is None:
        return None
    if types.is_map(kind):
        return {
            _from_arrow(key, kind.key_type, make_struct): _from_arrow(item, kind.item_type, make_struct)
            for key, item in value
        }
    if types.is_list(kind) or types.is_large_list(kind):
        return [_from_arrow(item, kind.value_type, make_struct) for item in value]
    if types.is_struct(kind):
        return make_struct({field.name: _from_arrow(value[field.name], field.type, make_struct) for field in kind})
    if types.is_timestamp(kind) and isinstance(value, str):
        return _Moment(value.rstrip("0").rstrip("."))
    return value


def render_csv(names: Sequence[str], types: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a result as the service writes it: names in the first line, texts in quotes."""
    lines = [",".join(map(_quote, names))]
    lines += [",".join(map(render_cell, row, types)) for row in rows]
    return "\n".join(lines) + "\n"


def render_table(names: Sequence[str], types: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """
    Return a result as odpscmd shows it: the frame of the documentation's examples, whose columns have ten places at least.

    How wider and longer texts are wrapped is not known; here a column is as wide as its widest.
    """
    cells = [list(names), *([_shown_cell(*cell) for cell in zip(row, types, strict=True)] for row in rows)]
    widths = [max(10, *map(len, column)) for column in zip(*cells, strict=True)]
    rule = "+" + "+".join("-" * (width + 2) for width in widths) + "+"
    lines = [
        "|" + "|".join(f" {text:<{width}} " for text, width in zip(row, widths, strict=True)) + "|" for row in cells
    ]
    return "\n".join([rule, lines[0], rule, *lines[1:], rule]) + "\n"


def _shown_cell(value: Any, kind: str) -> str:
    if value is None:
        return "NULL"
    return _shortest(value) if kind == "float" else _format_value(value)


def render_cell(value: Any, kind: str) -> str:
    """Return one value as a result in CSV has it."""
    if value is None:
        return NULL
    if kind == "float":
        return _shortest(value)
    if kind in ("timestamp", "timestamp_ntz"):
        return str(value)
    text = _format_value(value)
    return _quote(text) if isinstance(value, str | list | dict | bytes) else text


def _quote(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _format_value(value: Any) -> str:
    """
    Return a value as text.

    DATETIME without fractions: PyODPS reads no other form. Bytes are as the pages of ENCODE and COMPRESS show them; texts inside arrays, maps and structs as JSON
    has them, are a guess; PyODPS refuses bytes, and takes such texts with and without quotes.
    """
    match value:
        case bool():
            return "true" if value else "false"
        case float():
            return repr(value) if math.isfinite(value) else str(value).replace("inf", "Infinity").replace("nan", "NaN")
        case Decimal():
            return format(value, "f")
        case bytes():
            return "".join(chr(byte) if 32 < byte < 127 and byte != ord("=") else f"={byte:02X}" for byte in value)
        case dt.datetime():
            return f"{value:%Y-%m-%d %H:%M:%S}" if value.year >= 1000 else value.isoformat(" ", "seconds")
        case list():
            return f"[{','.join(map(_inner, value))}]"
        case dict():
            return "{" + ",".join(f"{_inner(key)}:{_inner(item)}" for key, item in value.items()) + "}"
        case _:
            return str(value)


def _inner(value: Any) -> str:
    if value is None:
        return NULL
    is_text = isinstance(value, str) and not isinstance(value, _Moment)
    return json.dumps(value, ensure_ascii=False) if is_text else _format_value(value)


def _shortest(value: float) -> str:
    """Return a FLOAT with no more digits than its 32 bits need."""
    if not math.isfinite(value):
        return _format_value(value)
    for digits in range(6, 9):
        if struct.pack("f", float(f"{value:.{digits}g}")) == struct.pack("f", value):
            return repr(float(f"{value:.{digits}g}"))
    return repr(float(f"{value:.9g}"))
