"""
Values of JSON as FROM_JSON makes them of a text and a type [doc "FROM_JSON"].

A value whose kind is not the type's is left out: of an array the element, of a map the entry; a struct has NULL there. What the page does not
say is refused: a text that is no JSON, another outermost value than the type's, a fraction or too large a number for an integer.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError

from reconciler.local.sql.expression_types import type_name
from reconciler.local.sql.problems import internal_failure, invalid_arguments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.local.sql.problems import SqlFailed

_BITS = {"TINYINT": 8, "SMALLINT": 16, "INT": 32, "BIGINT": 64}
_TEXTS = ("STRING", "VARCHAR", "CHAR")
_MOMENTS = {"DATE": r"\d{4}-\d\d-\d\d", "DATETIME": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"}
_FRACTIONS = ("FLOAT", "DOUBLE", "DECIMAL")
_NESTED = ("ARRAY", "MAP", "STRUCT")
_PARTS = {"ARRAY": 1, "MAP": 2}
_KINDS = (*_BITS, *_TEXTS, *_MOMENTS, *_FRACTIONS, *_NESTED, "BOOLEAN")
_LEFT_OUT = object()


class _Number(str):
    """A number as it is written."""


@lru_cache(64)
def read_schema(text: str) -> Any:
    """Return the type of a schema, which is that of a column, or the fields of a struct; `SqlFailed` for what is none here."""
    if not re.match(rf"\s*({'|'.join(_NESTED)})\s*<", text, re.IGNORECASE):
        text = f"STRUCT<{text}>"
    try:
        cast = parse_one(f"CAST(NULL AS {text})", dialect="hive")
    except SqlglotError:
        raise invalid_arguments(f"FROM_JSON: {text} is no type") from None
    kind = cast.args.get("to")
    for inner in kind.find_all(exp.DataType) if isinstance(kind, exp.DataType) else ():
        name = type_name(inner)
        has_names = all(isinstance(part, exp.ColumnDef) for part in inner.expressions)
        if len(inner.expressions) != _PARTS.get(name, len(inner.expressions)) or (name == "STRUCT" and not has_names):
            raise invalid_arguments(f"FROM_JSON: {text} is no type")
        if name not in _KINDS or (name == "MAP" and type_name(inner.expressions[0]) != "STRING"):
            raise _missing(f"{text}, for its {name}")
    return kind


def load_json(text: str) -> Any:
    """Return what JSON says, numbers as they are written; ValueError for what is none."""
    return json.loads(
        text, parse_int=_Number, parse_float=_Number, parse_constant=_no_constant, object_pairs_hook=_read_object
    )


def fit_json(text: str, schema: str) -> str:
    """Return JSON in which each value is of the type that it becomes."""
    try:
        value = load_json(text)
    except ValueError:
        raise _missing("a text that is no JSON") from None
    fitting = _fit(value, read_schema(schema), text)
    if fitting is _LEFT_OUT:
        raise _missing("another value than the type's")
    return json.dumps(fitting, ensure_ascii=False)


def _missing(what: str) -> SqlFailed:
    return internal_failure(f"missing here: FROM_JSON of {what}; --target asks a project")


def _no_constant(text: str) -> Any:
    raise ValueError(text)


def _read_object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise internal_failure("missing here: JSON of an object with a key twice; --target asks a project")
    return dict(pairs)


def _fit(value: Any, kind: Any, source: str) -> Any:
    name = type_name(kind)
    if value is None:
        return None
    if name in _NESTED:
        return _fit_nested(value, kind, name, source)
    if name in _TEXTS:
        return _as_text(value, source)
    if name == "BOOLEAN":
        return value if isinstance(value, bool) else _LEFT_OUT
    if name in _MOMENTS:
        return _fit_moment(value, name)
    return _fit_number(value, name) if isinstance(value, _Number) else _LEFT_OUT


def _fit_nested(value: Any, kind: Any, name: str, source: str) -> Any:
    if name == "ARRAY" and isinstance(value, list):
        items = (_fit(item, kind.expressions[0], source) for item in value)
        return [item for item in items if item is not _LEFT_OUT]
    if name == "ARRAY" or not isinstance(value, dict):
        return _LEFT_OUT
    if name == "MAP":
        entries = {key: _fit(item, kind.expressions[1], source) for key, item in value.items()}
        return {key: item for key, item in entries.items() if item is not _LEFT_OUT}
    fields = {field.name: _fit(value.get(field.name), field.args["kind"], source) for field in kind.expressions}
    return {name: None if item is _LEFT_OUT else item for name, item in fields.items()}


def _as_text(value: Any, source: str) -> str:
    if isinstance(value, str):
        return str(value)
    text = "true" if value is True else "false" if value is False else compact(value)
    if text not in source:
        raise _missing("an array or object with blanks in it as a STRING")
    return text


def compact(value: Any) -> str:
    """Return a value as JSON without blanks."""
    if isinstance(value, list):
        return f"[{','.join(map(compact, value))}]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{compact(key)}:{compact(item)}" for key, item in value.items()) + "}"
    return str(value) if isinstance(value, _Number) else json.dumps(value, ensure_ascii=False)


def _fit_moment(value: Any, name: str) -> Any:
    if not isinstance(value, str) or isinstance(value, _Number):
        return _LEFT_OUT
    if not re.fullmatch(_MOMENTS[name], value):
        raise _missing(f"{value!r} as a {name}")
    return value


def _fit_number(value: _Number, name: str) -> Any:
    if name in _FRACTIONS:
        return float(value) if name != "DECIMAL" else str(value)
    if not re.fullmatch("-?[0-9]{1,19}", value) or not -(1 << _BITS[name] - 1) <= int(value) < 1 << _BITS[name] - 1:
        raise _missing(f"{value} as a {name}")
    return int(value)
