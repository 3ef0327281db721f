"""
Functions of the type JSON [doc "JSON functions"].

A value is kept as its text without blanks, the keys of an object in their order; a path names keys and places, and what more it may be is missing here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.local.sql.built_ins.json_values import compact, load_json
from reconciler.local.sql.built_ins.makers import call, cast
from reconciler.local.sql.problems import invalid_arguments

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.local.sql.built_ins.makers import BuiltInCall

_STEPS = r"\$([.][A-Za-z_][A-Za-z0-9_]*|\[[0-9]+\])*"
_PATH = f"""CASE WHEN regexp_full_match(b, '{_STEPS}') OR b IS NULL THEN b
    WHEN regexp_full_match(b, '\\$([.\\[].*)?') THEN error('missing here: the JSON path ' || b)
    ELSE error('Param json path ' || b || ' is invalid') END""".replace("\n", " ")

ROWS = f"""
get_json_object | STRING(JSON, STRING) | mc_get_json_object(CAST(a AS VARCHAR), b)
json_array | JSON()                  | !json_array
json_array | JSON(ANY...)            | !json_array
json_exists | BOOLEAN(JSON, STRING)  | json_exists(a, {_PATH})
json_extract | JSON(JSON, STRING)    | json_extract(a, {_PATH})
json_format | STRING(JSON)           | CAST(a AS VARCHAR)
json_object | JSON(STRING, ANY...)  | !json_object
json_parse | JSON(STRING)            | mc_json(a)
json_pretty | STRING(JSON)           | mc_indented(CAST(a AS VARCHAR))
json_type  | STRING(JSON)            | CASE json_type(a) WHEN 'VARCHAR' THEN 'string' WHEN 'NULL' THEN 'null' WHEN 'ARRAY' THEN 'array' WHEN 'OBJECT' THEN 'object' WHEN 'BOOLEAN' THEN 'boolean' ELSE CASE WHEN a IS NOT NULL THEN 'number' END END
json_valid | BOOLEAN(STRING)         | mc_is_json(a)
"""
_MEMBERS = ("STRING", "BIGINT", "INT", "BOOLEAN")


def _members(node: BuiltInCall, first: int, step: int, kinds: tuple[str, ...]) -> None:
    for kind in node.types[first::step]:
        if kind is not None and kind not in kinds:
            raise node.refusal(f"a value is one of {', '.join(kinds)}, and not {kind}")


def _json_array(node: BuiltInCall) -> Any:
    _members(node, 0, 1, (*_MEMBERS, "JSON"))
    return call("mc_json", [cast(call("json_array", node.arguments), "VARCHAR")])


def _json_object(node: BuiltInCall) -> Any:
    if len(node.arguments) % 2:
        raise node.refusal("a value stands behind each key")
    _members(node, 0, 2, ("STRING",))
    _members(node, 1, 2, _MEMBERS)
    return call("mc_json", [cast(call("json_object", node.arguments), "VARCHAR")])


MAKERS: dict[str, Callable[[BuiltInCall], Any]] = {"json_array": _json_array, "json_object": _json_object}
"""What `!name` in the table says, by its name."""


def _in_order(value: Any) -> Any:
    if isinstance(value, list):
        return [_in_order(item) for item in value]
    if isinstance(value, dict):
        return {key: _in_order(value[key]) for key in sorted(value)}
    return value


def read_json(text: str) -> str:
    """Return JSON as the type keeps it."""
    try:
        return compact(_in_order(load_json(text)))
    except ValueError:
        raise invalid_arguments(f"{text[:100]!r} is no JSON") from None


def is_json(text: str) -> bool:
    """Whether a text is JSON."""
    try:
        load_json(text)
    except ValueError:
        return False
    return True


def indent_json(text: str) -> str:
    """Return JSON with a line for each element, and four blanks for each level [doc "JSON_PRETTY"]."""
    return _indent(load_json(text), "\n")


def _indent(value: Any, line: str) -> str:
    if not isinstance(value, list | dict) or not value:
        return compact(value)
    inner = line + "    "
    if isinstance(value, list):
        return f"[{inner}{f',{inner}'.join(_indent(item, inner) for item in value)}{line}]"
    entries = (f"{compact(key)}:{_indent(item, inner)}" for key, item in value.items())
    return "{" + inner + f",{inner}".join(entries) + line + "}"
