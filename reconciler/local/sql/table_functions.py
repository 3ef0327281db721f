"""
Table functions that are built in: how many columns they have, and what DuckDB is to make of each.

``EXPLODE(array)`` is one column, ``EXPLODE(map)`` two; which it is, the names behind AS tell where the type is not known.
[doc "EXPLODE", "POSEXPLODE", "INLINE", "JSON_EXPLODE", "JSON_TUPLE", "KEYVALUE_TUPLE", "PARSE_URL_TUPLE", "STACK", "TRANS_ARRAY", "TRANS_COLS"]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlglot import exp

from reconciler.base.numbers import whole_number
from reconciler.local.sql.built_ins.makers import call, fields
from reconciler.local.sql.built_ins.table import say_plainly
from reconciler.local.sql.problems import semantic_failure

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.local.sql.problems import SqlPosition


def columns(node: Any, names: int, position: SqlPosition | None) -> list[Any]:
    """Return what each column of a built-in table function is; `names` says how many AS names, 0 if it names none."""
    result = COLUMNS[node.name.lower()](list(node.expressions), names, lambda what: semantic_failure(position, what))
    if names and len(result) != names:
        raise semantic_failure(position, f"{node.name} has {len(result)} columns, and AS names {names}")
    return result


def _unnest(value: Any) -> Any:
    return call("unnest", [value])


def _explode(arguments: list[Any], names: int, _: Any) -> list[Any]:
    [value] = arguments
    if names == 2:
        return [_unnest(call("map_keys", [value])), _unnest(call("map_values", [value.copy()]))]
    return [_unnest(value)]


def _posexplode(arguments: list[Any], _: int, __: Any) -> list[Any]:
    [value] = arguments
    places = call("range", [exp.Literal.number(0), call("len", [value])])
    return [_unnest(places), _unnest(value.copy())]


def _inline(arguments: list[Any], names: int, _: Any) -> list[Any]:
    """Without AS the columns are called as the fields, which is what DuckDB makes of them."""
    [value] = arguments
    if not names:
        depth = exp.PropertyEQ(this=exp.to_identifier("max_depth"), expression=exp.Literal.number(2))
        return [call("unnest", [call("mc_structs", [value]), depth])]
    rows = call("mc_rows_of_fields", [fields(["rows", "count"], [value, exp.Literal.number(names)])])
    row = exp.to_identifier("mc_row")
    items = [call("struct_extract_at", [exp.column(row.copy()), exp.Literal.number(n + 1)]) for n in range(names)]
    return [_unnest(call("list_transform", [rows.copy(), exp.Lambda(this=i, expressions=[row.copy()])])) for i in items]


def _json_explode(arguments: list[Any], _: int, __: Any) -> list[Any]:
    [value] = arguments
    return [_unnest(call("mc_json_keys", [value])), _unnest(call("mc_json_items", [value.copy()]))]


def _json_tuple(arguments: list[Any], _: int, refuse: Any) -> list[Any]:
    text, *keys = arguments
    return [
        say_plainly("get_json_object", [text.copy(), exp.Literal.string("$." + _constant(key, refuse))]) for key in keys
    ]


def _keyvalue_tuple(arguments: list[Any], _: int, __: Any) -> list[Any]:
    (*parts,) = arguments[:3]
    return [say_plainly("keyvalue", [*(part.copy() for part in parts), key]) for key in arguments[3:]]


def _parse_url_tuple(arguments: list[Any], _: int, refuse: Any) -> list[Any]:
    url, *keys = arguments
    parts_of_keys = [_constant(key, refuse).split(":", 1) for key in keys]
    return [say_plainly("parse_url", [url.copy(), *map(exp.Literal.string, parts)]) for parts in parts_of_keys]


def _stack(arguments: list[Any], _: int, refuse: Any) -> list[Any]:
    count, *values = arguments
    rows = _constant_count(count, refuse)
    if rows < 1 or len(values) % rows:
        raise refuse(f"STACK takes a whole number of values for each of {rows} rows")
    width = len(values) // rows
    return [_unnest(call("list_value", values[column::width])) for column in range(width)]


def _trans_array(arguments: list[Any], _: int, refuse: Any) -> list[Any]:
    keys = _constant_count(arguments[0], refuse)
    separator, values = arguments[1], arguments[2:]
    split = [_unnest(call("string_split", [value, separator.copy()])) for value in values[keys:]]
    return [*values[:keys], *split]


def _trans_cols(arguments: list[Any], _: int, refuse: Any) -> list[Any]:
    keys = _constant_count(arguments[0], refuse)
    values = arguments[1:]
    places = call("range", [exp.Literal.number(n) for n in (1, len(values) - keys + 1)])
    return [_unnest(places), *values[:keys], _unnest(call("list_value", values[keys:]))]


def _constant(value: Any, refuse: Any) -> str:
    if not isinstance(value, exp.Literal):
        raise refuse("this argument of the table function is a constant")
    return str(value.name)


def _constant_count(value: Any, refuse: Any) -> int:
    number = whole_number(_constant(value, refuse))
    if number is None:
        raise refuse("this argument of the table function is a whole number")
    return number


DEFAULT_NAMES = {"json_explode": ["key", "value"], "posexplode": ["pos", "val"], "inline": []}
"""What the columns are called without AS, as the pages show; none where they have names of their own."""

COLUMNS: dict[str, Callable[[list[Any], int, Any], list[Any]]] = {
    "explode": _explode,
    "inline": _inline,
    "json_explode": _json_explode,
    "json_tuple": _json_tuple,
    "keyvalue_tuple": _keyvalue_tuple,
    "parse_url_tuple": _parse_url_tuple,
    "posexplode": _posexplode,
    "stack": _stack,
    "trans_array": _trans_array,
    "trans_cols": _trans_cols,
}
"""What makes the columns, by the function's name."""
