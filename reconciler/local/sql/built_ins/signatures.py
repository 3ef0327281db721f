"""
Signatures of built-in functions, and which arguments they take: the documented types, and the documented conversions.

[doc "Data type conversion"] has the table of conversions that happen by themselves. The texts of refusals are recorded
(`dateadd` of a STRING) and documented ([doc "SQL errors (ODPS-01CCCCX)"]); that a function of one signature is refused by the
second and one of several by the first is inferred from the four that are published.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NUMBERS = ("TINYINT", "SMALLINT", "INT", "BIGINT", "FLOAT", "DOUBLE", "DECIMAL")
INTEGERS = NUMBERS[:4]
MOMENTS = ("DATE", "DATETIME", "TIMESTAMP", "TIMESTAMP_NTZ")
TEXTS = ("STRING", "VARCHAR", "CHAR")
NULL = "VOID"
"""The type of NULL, which fits everywhere."""

_CLASSES = {"N": NUMBERS, "I": INTEGERS, "M": MOMENTS}
"""Letters in signatures that stand for one of several types; any other single letter is a type like any other."""

_TO = {
    **{kind: (*NUMBERS[position + 1 :], "STRING", "VARCHAR") for position, kind in enumerate(NUMBERS)},
    "STRING": ("DOUBLE", "DECIMAL", "VARCHAR"),
    "VARCHAR": ("STRING", "DOUBLE", "DECIMAL"),
    "CHAR": ("STRING", "VARCHAR", "DOUBLE", "DECIMAL"),
    # A DATE as a moment, and one as a text, are in newer versions of the page only.
    "DATE": ("STRING", "VARCHAR", "DATETIME", "TIMESTAMP"),
    "DATETIME": ("STRING", "VARCHAR", "TIMESTAMP"),
    "TIMESTAMP": ("STRING", "VARCHAR"),
    "TIMESTAMP_NTZ": ("STRING", "VARCHAR"),
}
"""What a type becomes by itself, the nearest first [doc "Data type conversion"]; what is not here becomes nothing else."""

_OF_EDITION_1 = {"STRING": ("BIGINT", "DATETIME"), "DOUBLE": ("BIGINT",), "DECIMAL": ("BIGINT",)}
"""What is converted in the V1.0 data type edition besides [doc, the pages of the date functions]."""


@dataclass(frozen=True)
class FunctionForm:
    """What a built-in function takes and gives."""

    result: str
    parameters: tuple[str, ...]
    is_variadic: bool = False
    """The last parameter may come again, or all of them where `...` stands alone."""

    is_cyclic: bool = False

    @classmethod
    @lru_cache(None)
    def read(cls, text: str) -> FunctionForm:
        """Read ``RESULT(TYPE, TYPE...)``."""
        match = re.fullmatch(r"(\S+?)\((.*)\)", text)
        assert match, text
        kinds = split_types(match[2])
        is_variadic = bool(kinds) and kinds[-1].endswith("...")
        return cls(
            match[1], tuple(text for kind in kinds if (text := kind.removesuffix("..."))), is_variadic, "..." in kinds
        )

    def fits(self, count: int) -> bool:
        """Whether it takes so many arguments."""
        if self.is_cyclic:
            return True
        return count >= len(self.parameters) - 1 if self.is_variadic else count == len(self.parameters)

    def expand(self, count: int) -> tuple[str, ...]:
        """Return a parameter for each of `count` arguments."""
        again = self.parameters if self.is_cyclic else self.parameters[-1:]
        return (*self.parameters, *again * count)[:count]

    def candidates(self, name: str) -> str:
        """Return it as the service lists candidates."""
        letters = [kind for kind in _CLASSES if re.search(rf"\b{kind}\b", f"{self.result} {self.parameters}")]
        lines = [(self.result, self.parameters)]
        for letter in letters:
            spellings = ("BIGINT", "DOUBLE", "DECIMAL") if letter == "N" else _CLASSES[letter]
            lines = [
                (re.sub(rf"\b{letter}\b", kind, result), tuple(kind if p == letter else p for p in parameters))
                for result, parameters in lines
                for kind in spellings
            ]
        return "; ".join(
            f"{result} {name.upper()}({', '.join(f'{kind} arg{index}' for index, kind in enumerate(parameters))})"
            for result, parameters in lines
        )


@dataclass(frozen=True)
class Match:
    """How a signature takes the arguments that were given."""

    cost: int
    parameters: tuple[str, ...]
    """The parameters' types, with letters put for what they stand for; a letter that nothing tells stays."""
    result: str | None


def split_types(text: str) -> list[str]:
    """Split at the commas that are in no type."""
    depth, pieces = 0, [""]
    for character in text:
        depth += (character in "<(") - (character in ">)")
        if character == "," and not depth:
            pieces.append("")
        else:
            pieces[-1] += character
    return [piece.strip() for piece in pieces if piece.strip()]


def matching(signature: FunctionForm, arguments: Sequence[str | None], *, is_edition_1: bool = False) -> Match | None:
    """Return how a signature takes arguments of these types, None if it does not. A type that is not letter_type fits."""
    if not signature.fits(len(arguments)):
        return None
    bound: dict[str, str] = {}
    total = 0
    parameters = signature.expand(len(arguments))
    for parameter, argument in zip(parameters, arguments, strict=True):
        cost = 0 if argument is None else _cost(parameter, argument, bound, is_edition_1=is_edition_1)
        if cost is None:
            return None
        total += cost
    result = re.sub(r"\b(ANY|[A-Z])\b", "?", _put(signature.result, bound))
    return Match(total, tuple(_put(kind, bound) for kind in parameters), None if result == "?" else result)


def becomes(argument: str, parameter: str, *, is_edition_1: bool = False) -> int | None:
    """Return how far a type is from another that it becomes by itself, None if it does not."""
    if argument in (parameter, NULL):
        return 0
    if "?" in argument + parameter:
        return 0 if argument.partition("<")[0] == parameter.partition("<")[0] else None
    to = _TO.get(argument, ())
    if parameter in to:
        return to.index(parameter) + 1
    return 20 if is_edition_1 and parameter in _OF_EDITION_1.get(argument, ()) else None


def _cost(parameter: str, argument: str, bound: dict[str, str], *, is_edition_1: bool) -> int | None:
    if parameter == "ANY" or argument == NULL:
        return 0
    if "<" in parameter:
        return _nested_match(parameter, argument, bound, is_edition_1=is_edition_1)
    if len(parameter) > 1:
        return becomes(argument, parameter, is_edition_1=is_edition_1)
    letter_type = bound.setdefault(parameter, argument)
    members = _CLASSES.get(parameter, (letter_type,))
    if letter_type not in members:
        # What is no number or moment may become one.
        near = [(cost, kind) for kind in members if (cost := becomes(letter_type, kind, is_edition_1=is_edition_1))]
        if not near:
            return None
        bound[parameter] = min(near)[1]
        return min(near)[0]
    forward, back = becomes(argument, letter_type, is_edition_1=is_edition_1), becomes(letter_type, argument)
    if forward is None and back is not None:
        bound[parameter] = argument
    return forward if forward is not None else back


def _nested_match(parameter: str, argument: str, bound: dict[str, str], *, is_edition_1: bool) -> int | None:
    outer, _, inner = parameter.partition("<")
    its_outer, _, its_inner = argument.partition("<")
    if outer != its_outer:
        return None
    costs = [
        0 if kind is None else _cost(part, kind, bound, is_edition_1=is_edition_1)
        for part, kind in zip(split_types(inner[:-1]), _known_kind(its_inner[:-1]), strict=False)
    ]
    return None if None in costs else sum(cost or 0 for cost in costs)


def _known_kind(inner: str) -> Iterable[str | None]:
    return (None if kind == "?" else kind for kind in split_types(inner))


def _put(kind: str, bound: dict[str, str]) -> str:
    return re.sub(r"\b[A-Z]\b", lambda match: bound.get(match[0], match[0]), kind)
