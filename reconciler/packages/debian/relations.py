"""
Versions of Debian packages, and the relations that stanzas state between them.

[policy] is Debian Policy: 5.6.12 orders versions, 7.1 has the syntax of relations.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

Key: TypeAlias = tuple[int, tuple[tuple[tuple[int, ...], int], ...], tuple[tuple[tuple[int, ...], int], ...]]

_PARTS = re.compile(r"([^0-9]*)([0-9]*)")
_VERSION = re.compile(r"(?:(?P<epoch>[0-9]+):)?(?P<upstream>[0-9A-Za-z.+~:-]+?)(?:-(?P<revision>[0-9A-Za-z.+~]+))?")
_RELATION = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9+.-]*)(?::(?P<architecture>[a-z0-9-]+))?"
    r"\s*(?:\(\s*(?P<operator><<|<=|=|>=|>>)\s*(?P<version>[^\s)]+)\s*\))?"
)
_OPERATORS: dict[str, Callable[[int], bool]] = {
    "<<": lambda sign: sign < 0,
    "<=": lambda sign: sign <= 0,
    "=": lambda sign: sign == 0,
    ">=": lambda sign: sign >= 0,
    ">>": lambda sign: sign > 0,
}


@dataclass(frozen=True)
class Relation:
    """A package by its name, of any version or of some."""

    name: str
    operator: str | None = None
    version: str | None = None

    def __str__(self) -> str:
        return self.name if self.operator is None else f"{self.name} ({self.operator} {self.version})"

    def admits(self, version: str | None) -> bool:
        """Say whether a version will do; None is that of a name that is provided without one, and only does if any does."""
        if self.operator is None or self.version is None:
            return True
        return version is not None and _OPERATORS[self.operator](compare_versions(version, self.version))


@lru_cache(4096)
def parse_relations(text: str) -> tuple[tuple[Relation, ...], ...]:
    """
    Return what a field asks for: all of these, each by one of its alternatives. Raises ValueError where it is no such field.

    The architecture in ``python3:any`` is dropped: of one suite and one architecture there is only one.
    """
    return tuple(
        tuple(_parse_relation(alternative.strip()) for alternative in group.split("|"))
        for group in text.split(",")
        if group.strip()
    )


def _parse_relation(text: str) -> Relation:
    match = _RELATION.fullmatch(text)
    if match is None:
        raise ValueError(f"no relation of a Debian package: {text[:80]!r}")
    return Relation(match["name"], match["operator"], match["version"])


def compare_versions(first: str, second: str) -> int:
    """Return a number below, at or above zero, as the first version is older than, equal to or newer than the second; ValueError."""
    keys = _key(first), _key(second)
    return (keys[0] > keys[1]) - (keys[0] < keys[1])


@lru_cache(8192)
def _key(text: str) -> Key:
    match = _VERSION.fullmatch(text)
    if match is None:
        raise ValueError(f"no version of a Debian package: {text[:80]!r}")
    return int(match["epoch"] or 0), _parts(match["upstream"]), _parts(match["revision"] or "0")


def _parts(text: str) -> tuple[tuple[tuple[int, ...], int], ...]:
    """Return alternately what compares as text and as a number; what ends compares as the end, before which only ~ sorts."""
    parts = [(tuple(map(_rank, letters)), int(digits or 0)) for letters, digits in _PARTS.findall(text)]
    return tuple(((*ranks, 0), number) for ranks, number in parts)


def _rank(letter: str) -> int:
    return -1 if letter == "~" else ord(letter) if letter.isalpha() else ord(letter) + 256
