"""
Column types by their names in MaxCompute: ``array<struct<a:bigint,b:decimal(10,2)>>`` as a tree, and as Arrow has them.

The Arrow types are those that PyODPS expects (`odps/tunnel/io/types.py`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN = re.compile(r"\s*(`[^`]*`|[\w$]+|[<>(),:])")
_NAMES = frozenset(
    (
        *("tinyint", "smallint", "int", "bigint", "float", "double", "decimal", "boolean", "string", "binary", "char"),
        *("varchar", "date", "datetime", "timestamp", "timestamp_ntz", "json", "array", "map", "struct"),
    )
)
_DECIMAL_WITHOUT_SIZE = (54, 18)
"""Of a DECIMAL without precision: what PyODPS takes it to have."""


@dataclass(frozen=True)
class ColumnType:
    """A type, those inside it, the names of a struct's fields, and the numbers in parentheses."""

    name: str
    inner: tuple[ColumnType, ...] = ()
    fields: tuple[str, ...] = ()
    sizes: tuple[int, ...] = ()


def parse_type(text: str) -> ColumnType:
    """Read a type; ValueError for what is none, or is none that a tunnel carries."""
    tokens = _tokens(text)
    try:
        kind = _parse(tokens)
    except StopIteration:
        raise ValueError(f"{text!r} is no type: it ends too early") from None
    if rest := next(tokens, None):
        raise ValueError(f"{text!r} is no type: nothing is expected at {rest!r}")
    return kind


class _Tokens:
    """Tokens of which the next can be looked at."""

    def __init__(self, texts: list[str]) -> None:
        self._texts = texts[::-1]

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if not self._texts:
            raise StopIteration
        return self._texts.pop()

    def skip(self, text: str) -> bool:
        """Step over `text` if it comes next."""
        if self._texts and self._texts[-1] == text:
            self._texts.pop()
            return True
        return False


def _tokens(text: str) -> _Tokens:
    position, texts = 0, []
    while text[position:].strip():
        match = _TOKEN.match(text, position)
        if match is None:
            raise ValueError(f"{text!r} is no type: nothing begins with {text[position:].strip()[0]!r}")
        texts.append(match[1])
        position = match.end()
    return _Tokens(texts)


def _parse(tokens: _Tokens) -> ColumnType:
    name = next(tokens).lower()
    if name not in _NAMES:
        raise ValueError(f"{name!r} is no type that a tunnel carries")
    if name in ("array", "map", "struct"):
        _require(tokens, "<")
        fields, inner = [], []
        while True:
            if name == "struct":
                fields.append(next(tokens).strip("`"))
                _require(tokens, ":")
            inner.append(_parse(tokens))
            if not tokens.skip(","):
                break
        _require(tokens, ">")
        if name != "struct" and len(inner) != (1 if name == "array" else 2):
            raise ValueError(f"{name} has {len(inner)} types inside it")
        return ColumnType(name, tuple(inner), tuple(fields))
    sizes: list[int] = []
    if tokens.skip("("):
        while not sizes or tokens.skip(","):
            sizes.append(int(next(tokens)))
        _require(tokens, ")")
    return ColumnType(name, sizes=tuple(sizes))


def _require(tokens: _Tokens, text: str) -> None:
    if not tokens.skip(text):
        raise ValueError(f"a type has no {text!r} where one belongs")


def wire_type(kind: ColumnType) -> Any:
    """Return how Arrow has a type; times are those of no zone."""
    import pyarrow as pa

    match kind.name:
        case "array":
            return pa.list_(wire_type(kind.inner[0]))
        case "map":
            return pa.map_(wire_type(kind.inner[0]), wire_type(kind.inner[1]))
        case "struct":
            return pa.struct([(name, wire_type(inner)) for name, inner in zip(kind.fields, kind.inner, strict=True)])
        case "decimal":
            precision, scale = (*kind.sizes, 0)[:2] if kind.sizes else _DECIMAL_WITHOUT_SIZE
            return (pa.decimal128 if precision <= 38 else pa.decimal256)(precision, scale)
        case "datetime":
            return pa.timestamp("ms")
        case "timestamp" | "timestamp_ntz":
            return pa.timestamp("ns")
        case name:
            simple = {
                "tinyint": pa.int8(),
                "smallint": pa.int16(),
                "int": pa.int32(),
                "bigint": pa.int64(),
                "float": pa.float32(),
                "double": pa.float64(),
                "boolean": pa.bool_(),
                "binary": pa.binary(),
                "date": pa.date32(),
            }
            # CHAR, VARCHAR and JSON are texts.
            return simple.get(name, pa.string())
