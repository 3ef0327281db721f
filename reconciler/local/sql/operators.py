"""
Operators: which types they take, and what becomes of a text beside them [doc "Data type conversion", "Operators"].

A type that is not known fits everywhere. The codes are those of arguments and of conditions; the texts are ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlglot import exp

from reconciler.local.sql.built_ins.signatures import MOMENTS, NULL, NUMBERS, TEXTS
from reconciler.local.sql.problems import invalid_type, semantic_failure

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reconciler.local.sql.refusals import Locator

Operand = tuple[Any, "str | None"]
"""A node and its type."""
Conversion = tuple[Any, str, "str | None"]
"""A node, the type that it becomes by itself, and the one that it has."""

COMPARISONS = (exp.EQ, exp.NEQ, exp.NullSafeEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.In, exp.Between)
PATTERNS = (exp.Like, exp.RegexpLike)
_CONDITIONS = (exp.Connector, exp.Not)
_SYMBOLS = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Mod: "%", exp.Div: "/", exp.IntDiv: "DIV", exp.Neg: "-"}


def numbers(locator: Locator, node: Any, operands: Sequence[Operand]) -> tuple[list[str | None], list[Conversion]]:
    """
    Return the types in which arithmetic is done, and what is converted for it: a text becomes a DOUBLE.

    A BOOLEAN takes no part in it, and a moment none with a number; spans of time beside moments are let through.
    """
    kinds = [kind for _, kind in operands]
    for index, (operand, kind) in enumerate(operands):
        beside_number = any(other in (*NUMBERS, *TEXTS) for other in kinds)
        if kind == "BOOLEAN" or (kind in MOMENTS and beside_number):
            message = (
                f"invalid type {kind} of argument {index + 1} for function {_SYMBOLS[type(node)]}, expect a number"
            )
            raise invalid_type(locator.of(operand) or locator.of(node), message)
    if any(kind in MOMENTS for kind in kinds):
        return kinds, []
    texts: list[Conversion] = [(operand, "DOUBLE", kind) for operand, kind in operands if kind in TEXTS]
    return ["DOUBLE" if kind in TEXTS else kind for kind in kinds], texts


def predicate(locator: Locator, node: Any, operands: Sequence[Operand]) -> list[Conversion]:
    """Return what is converted for a comparison, a pattern or a connective; others take what they get."""
    if isinstance(node, COMPARISONS):
        return _compare(locator, operands)
    if isinstance(node, PATTERNS):
        for index, (operand, kind) in enumerate(operands):
            if kind not in (None, NULL, *TEXTS):
                name = "LIKE" if isinstance(node, exp.Like) else "RLIKE"
                message = f"invalid type {kind} of argument {index + 1} for function {name}, expect STRING"
                raise invalid_type(locator.of(operand), message)
    if isinstance(node, _CONDITIONS):
        require_conditions(locator, operands)
    return []


def require_conditions(locator: Locator, operands: Iterable[Operand]) -> None:
    """Only a BOOLEAN is a condition, and nothing becomes one by itself."""
    for operand, kind in operands:
        if kind not in (None, NULL, "BOOLEAN"):
            raise semantic_failure(locator.of(operand), f"expect a BOOLEAN expression, and this is {kind}")


def _compare(locator: Locator, operands: Sequence[Operand]) -> list[Conversion]:
    """A text beside a number becomes a DOUBLE, as the number does, and a DATETIME beside one; a BOOLEAN is compared with its like."""
    kinds = {kind for _, kind in operands if kind is not None} - {NULL}
    moments, numeric = kinds.intersection(MOMENTS), kinds.intersection(NUMBERS)
    for family, strangers in (({"BOOLEAN"} & kinds, kinds - {"BOOLEAN"}), (moments, numeric)):
        if family and strangers:
            stranger = next(operand for operand, kind in operands if kind in strangers)
            message = f"{min(family)} and {min(strangers)} cannot be compared; CAST makes them one"
            raise invalid_type(locator.of(stranger), message)
    target = "DOUBLE" if numeric else max(moments - {"DATE"}, default=None)
    return [(operand, target, kind) for operand, kind in operands if target and kind in TEXTS]


def branches(locator: Locator, operands: Sequence[Operand]) -> list[Conversion]:
    """
    Return what is converted of the branches of a CASE: all to STRING where there is a text [doc "CASE WHEN"].

    A BOOLEAN becomes no text, and nothing else becomes another family's; numbers become the widest.
    """
    known = [(operand, kind) for operand, kind in operands if kind not in (None, NULL)]
    kinds = {kind for _, kind in known}
    has_text = not kinds.isdisjoint(TEXTS)
    families = {_family(str(kind)) for kind in kinds} - {"STRING"}
    if (len(families) > 1 and not has_text) or (has_text and not families <= {"NUMBER", "MOMENT"}):
        shown = ", ".join(sorted(str(kind) for kind in kinds))
        raise invalid_type(
            locator.of(known[-1][0]), f"the results of CASE or IF are of the types {shown}, and become none"
        )
    return [(operand, "STRING", kind) for operand, kind in known if has_text and (families or kind not in TEXTS)]


def _family(kind: str) -> str:
    families = (("NUMBER", NUMBERS), ("MOMENT", MOMENTS), ("STRING", TEXTS))
    return next((name for name, members in families if kind in members), kind.partition("<")[0])
