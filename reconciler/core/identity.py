"""
Identity of an object, and whose it is: key and mark.

Two descriptions with one key are of one object. A mark is what udfs leaves on an object, where the service keeps such a
thing; it names the stack, what was put there, and the objects without a mark of their own that it speaks for.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple


@dataclass(frozen=True, order=True)
class Key:
    """The identity of an object within one destination."""

    kind: str
    folded: str
    name: str = field(compare=False)
    """The spelling, for people."""

    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Each of tens of thousands of keys is looked up again and again.
        object.__setattr__(self, "_hash", hash((self.kind, self.folded)))

    def __hash__(self) -> int:
        return self._hash

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class Mark(NamedTuple):
    """Who manages an object, and what was last put there."""

    stack: str
    sha256: str | None = None
    """Of the content that udfs uploaded; None where there is none."""

    digest: str | None = None
    """The service's own checksum of the same content: a foreign edit shows as a difference from this."""

    names: frozenset[str] = frozenset()
    """Fingerprints of the objects without a mark that this one carries."""


@lru_cache(maxsize=1 << 16)
def fingerprint(folded: str) -> str:
    """Return the eight hex digits by which a mark names an object: marks are short, carried objects may be many."""
    return hashlib.sha256(folded.encode()).hexdigest()[:8]
