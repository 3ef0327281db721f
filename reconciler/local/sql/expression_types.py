"""Types of expressions, as signatures of built-in functions spell them: of what is written, of sums, of columns of a UNION."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlglot import exp

from reconciler.local.sql.built_ins.signatures import INTEGERS, NULL, NUMBERS, becomes, split_types

if TYPE_CHECKING:
    from collections.abc import Sequence


def type_name(kind: Any) -> str:
    """Return what a written type is called, without what is in it."""
    names = {
        "TEXT": "STRING",
        "NVARCHAR": "STRING",
        "VARBINARY": "BINARY",
        "TIMESTAMPNTZ": "TIMESTAMP_NTZ",
        "LIST": "ARRAY",
    }
    return str(names.get(kind.this.name, kind.this.name))


def name_of_type(kind: Any) -> str:
    """Return a type of the statement as signatures of built-in functions spell it."""
    parts = [part.args["kind"] if isinstance(part, exp.ColumnDef) else part for part in kind.expressions]
    inner = [name_of_type(part) for part in parts if isinstance(part, exp.DataType)]
    return f"{type_name(kind)}<{','.join(inner)}>" if inner else type_name(kind)


def read_type(kind: str) -> str:
    """Return a type as signatures of built-in functions spell it: without lengths, INT for INTEGER."""
    outer, bracket, inner = kind.strip().upper().partition("<")
    outer = outer.partition("(")[0].strip()
    outer = {"INTEGER": "INT", "TEXT": "STRING", "LONG": "BIGINT"}.get(outer, outer)
    if not bracket:
        return outer
    parts = [part.partition(":")[2] if outer == "STRUCT" else part for part in split_types(inner[:-1])]
    return f"{outer}<{','.join(read_type(part) for part in parts)}>"


def wider(first: str | None, second: str | None) -> str | None:
    """Return the type of a sum."""
    if first is None or second is None:
        return None
    if first in NUMBERS and second in NUMBERS:
        return NUMBERS[max(NUMBERS.index(first), NUMBERS.index(second))]
    return first if first == second and first != NULL else None


def common(kinds: Sequence[str | None]) -> str | None:
    """Return the type of the branches of a CASE, None if it is not known."""
    branches = [kind for kind in kinds if kind != NULL]
    widest = branches[0] if branches else None
    for kind in branches[1:]:
        widest = wider(widest, kind)
    return widest


def is_union(first: str, second: str) -> bool:
    """Whether columns of a UNION are of one type; whole numbers of different widths pass, which is a guess."""
    if first == second or NULL in (first, second) or "?" in first + second:
        return True
    if first in INTEGERS and second in INTEGERS:
        return True
    return "<" in first and "<" in second and becomes(first, second) is not None
