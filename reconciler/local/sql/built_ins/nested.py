"""Makers of calls with a lambda of several values, and of those that make a MAP, of which a policy says what a key twice means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlglot import exp

from reconciler.local.sql.built_ins.makers import call, fields, join_all

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reconciler.local.sql.built_ins.makers import BuiltInCall

_ROW = "mc_row"
_POLICIES = {"exception": "map_from_entries", "last_win": "mc_last_win"}


def _number(value: int) -> Any:
    return exp.Literal.number(value)


def _lambda(name: str, body: Any) -> Any:
    return exp.Lambda(this=body, expressions=[exp.to_identifier(name)])


def _item(value: Any, index: int) -> Any:
    return call("array_extract", [value, _number(index)])


def _apply(node: BuiltInCall, function: Any, values: Sequence[Any]) -> Any:
    """Return what a lambda gives of these values: DuckDB's takes one, so each name is that of the only element of a list."""
    node.require_lambda(function, len(values))
    result = function.this.copy()
    for name, value in reversed(list(zip(function.expressions, values, strict=True))):
        result = _item(call("list_transform", [call("list_value", [value]), _lambda(name.name, result)]), 1)
    return result


def _each(node: BuiltInCall, function: Any, lists: Sequence[Any]) -> tuple[Any, Any]:
    """Return the rows of lists side by side, the shorter ones filled with NULL, and what a lambda gives of one row."""
    values = [_item(exp.column(_ROW), index + 1) for index in range(len(lists))]
    return call("list_zip", lists), _apply(node, function, values)


def _entries(value: Any) -> list[Any]:
    return [call("map_keys", [value.copy()]), call("map_values", [value.copy()])]


def _pairs(lists: Sequence[Any], key: Any, value: Any) -> Any:
    entry = fields(["key", "value"], [key, value])
    return call("list_transform", [call("list_zip", lists), _lambda(_ROW, entry)])


def _where_set(values: Sequence[Any], result: Any) -> Any:
    """Return a result, NULL where one of the values is."""
    conditions = [exp.Not(this=exp.Is(this=value.copy(), expression=exp.null())) for value in values]
    return exp.case().when(exp.and_(*conditions), result)


def _map_of(entries: Callable[[BuiltInCall, list[Any]], Any]) -> Callable[[BuiltInCall], Any]:
    """Return a maker of a MAP of what entries these are, the policy before them or that of the session."""

    def make_map(node: BuiltInCall) -> Any:
        arguments, maker = node.arguments, "mc_make_map"
        if node.parameters[0] == "STRING":
            policy, *arguments = arguments
            if not policy.is_string or policy.name.lower() not in _POLICIES:
                raise node.refusal(f"the policy for a key twice is a constant: {', '.join(_POLICIES)}")
            maker = _POLICIES[policy.name.lower()]
        return call(maker, [entries(node, arguments)])

    return make_map


def _entries_of_maps(_: BuiltInCall, maps: list[Any]) -> Any:
    return join_all([call("map_entries", [source]) for source in maps])


def _entries_of_arrays(_: BuiltInCall, arrays: list[Any]) -> Any:
    return call("mc_zip_even", [fields(["keys", "values"], arrays)])


def _entries_as_they_are(_: BuiltInCall, arguments: list[Any]) -> Any:
    return arguments[0]


def _entries_with_keys(node: BuiltInCall, arguments: list[Any]) -> Any:
    source, function = arguments
    lists = _entries(source)
    return _where_set([source], _pairs(lists, _each(node, function, lists)[1], _item(exp.column(_ROW), 2)))


def _map_filter(node: BuiltInCall) -> Any:
    source, function = node.arguments
    rows, condition = _each(node, function, _entries(source))
    return _where_set([source], call("map_from_entries", [call("list_filter", [rows, _lambda(_ROW, condition)])]))


def _transform_values(node: BuiltInCall) -> Any:
    source, function = node.arguments
    lists = _entries(source)
    pairs = _pairs(lists, _item(exp.column(_ROW), 1), _each(node, function, lists)[1])
    return _where_set([source], call("map_from_entries", [pairs]))


def _zip_with(node: BuiltInCall) -> Any:
    *arrays, function = node.arguments
    rows, value = _each(node, function, arrays)
    return _where_set(arrays, call("list_transform", [rows, _lambda(_ROW, value)]))


def _map_zip_with(node: BuiltInCall) -> Any:
    *maps, function = node.arguments
    keys = call("mc_all_of", [exp.DPipe(this=call("map_keys", [maps[0]]), expression=call("map_keys", [maps[1]]))])
    key = exp.column(_ROW)
    values = [call("map_extract_value", [source.copy(), key.copy()]) for source in maps]
    entry = fields(["key", "value"], [key, _apply(node, function, [key.copy(), *values])])
    return _where_set(maps, call("map_from_entries", [call("list_transform", [keys, _lambda(_ROW, entry)])]))


def _arrays_zip(node: BuiltInCall) -> Any:
    values = [_item(exp.column(_ROW), index + 1) for index in range(len(node.arguments))]
    row = fields([str(index) for index in range(len(values))], values)
    return _where_set(node.arguments, call("list_transform", [call("list_zip", node.arguments), _lambda(_ROW, row)]))


def _array_reduce(node: BuiltInCall) -> Any:
    array, first, merge, final = node.arguments
    node.require_lambda(merge, 2)
    return _where_set([array], _apply(node, final, [call("list_reduce", [array, merge, first])]))


def _array_sort(node: BuiltInCall) -> Any:
    """The place of an element is how many stand before it; the comparator is asked for each two of them."""
    array, comparator = node.arguments
    other, row_index = exp.column("mc_other"), exp.column("mc_index")
    order = call("mc_no_null", [_apply(node, comparator, [other, exp.column(_ROW)])])
    earlier = exp.LT(this=exp.column("mc_other_index"), expression=row_index)
    before = exp.LT(this=order, expression=exp.cast(earlier, "int", dialect="duckdb"))
    counter = exp.Lambda(this=before, expressions=[exp.to_identifier("mc_other"), exp.to_identifier("mc_other_index")])
    count = call("len", [call("list_filter", [array.copy(), counter])])
    counts = exp.Lambda(this=count, expressions=[exp.to_identifier(_ROW), exp.to_identifier("mc_index")])
    places = call("list_grade_up", [call("list_transform", [array.copy(), counts])])
    return call("list_select", [array, places])


def _field(node: BuiltInCall) -> Any:
    value, name = node.arguments
    if not name.is_string:
        raise node.refusal("the name of a field is a constant")
    return call("struct_extract", [value, name])


MAKERS: dict[str, Callable[[BuiltInCall], Any]] = {
    "array_reduce": _array_reduce,
    "array_sort": _array_sort,
    "arrays_zip": _arrays_zip,
    "field": _field,
    "map_concat": _map_of(_entries_of_maps),
    "map_filter": _map_filter,
    "map_from_arrays": _map_of(_entries_of_arrays),
    "map_from_entries": _map_of(_entries_as_they_are),
    "map_zip_with": _map_zip_with,
    "transform_keys": _map_of(_entries_with_keys),
    "transform_values": _transform_values,
    "zip_with": _zip_with,
}
"""What `!name` in the table says, by its name."""
