"""Types of expressions, as signatures of built-in functions spell them: of what is written, of sums, of columns of a UNION."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from reconciler.local.sql.built_ins.signatures import INTEGERS, MOMENTS, NULL, NUMBERS, TEXTS, becomes, split_types

if TYPE_CHECKING:
    from collections.abc import Sequence


_DAY = re.compile(r"\d{4}-\d{1,2}-\d{1,2}", re.ASCII)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d( \d\d:\d\d:\d\d([.]\d+)?)?", re.ASCII)
_PLAIN_NUMBER = re.compile(r"[+-]?\d{1,18}([.]\d{1,18})?", re.ASCII)


def is_plain(text: str, kind: str) -> bool:
    """Whether a text has the form of a type, so that nothing has to be asked when it is converted."""
    if kind in (*MOMENTS, "TIMESTAMP_NS"):
        return bool((_DAY if kind == "DATE" else _MOMENT).fullmatch(text))
    return kind in ("FLOAT", "DOUBLE", "DECIMAL") and bool(_PLAIN_NUMBER.fullmatch(text))


_SIZES = {"VARCHAR": [(1, 65535)], "CHAR": [(1, 255)], "DECIMAL": [(1, 38), (0, 18)]}


def misfit_of_sizes(name: str, sizes: Sequence[int]) -> str:
    """Return what is wrong with the sizes of a type, nothing if they are right [doc "MaxCompute V2.0 data type edition"]."""
    ranges = _SIZES.get(name, [])
    if len(sizes) > len(ranges) or (ranges and name != "DECIMAL" and not sizes):
        return f"{name} has {len(ranges)} sizes" if ranges else f"{name} has no size"
    for size, (least, most) in zip(sizes, ranges, strict=False):
        if not least <= size <= most:
            return f"{name} has {' and '.join(f'{least} to {most}' for least, most in ranges)}, and no {size}"
    return "the scale of a DECIMAL is no more than its precision" if len(sizes) > 1 and sizes[1] > sizes[0] else ""


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


def is_assignable(kind: str, column: str) -> bool:
    """
    Whether INSERT writes a type to a column of another: a BOOLEAN and a moment become no number, nor does one become them.

    The table of conversions has fewer [doc "Data type conversion"], and the edition of types widens it; a text of NULL alone passes.
    """
    if kind in TEXTS or kind == column:
        return True
    families = ({"BOOLEAN"}, set(MOMENTS), set(NUMBERS))
    return not any((kind in family) != (column in family) for family in families) or (
        column in TEXTS and kind != "BOOLEAN"
    )


def is_union(first: str, second: str) -> bool:
    """Whether columns of a UNION are of one type; whole numbers of different widths pass, which is a guess."""
    if first == second or NULL in (first, second) or "?" in first + second:
        return True
    if first in INTEGERS and second in INTEGERS:
        return True
    return "<" in first and "<" in second and becomes(first, second) is not None
