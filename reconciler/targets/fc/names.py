"""
Names and marks of Function Compute: how objects within a function are called, and what udfs writes behind a description.

A version, an alias and a trigger belong to a function and are called ``function/name`` here; a slash stands in no name of the service.
Names are compared as they are written: whether the service folds case is not published, and two names taken for one would be worse than
one taken for two, which the service then refuses.

A mark stands at the end of a description, the one free text that functions, layer versions, versions, aliases and triggers all have and
that is written by the very request that writes the rest. Tags, the other place, are a request of their own after an update, and layers
have none (DECISIONS, 94).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from reconciler.core.kind import Key, Mark, fingerprint

SEPARATOR = "/"

LONGEST_NAME = 64
"""Characters of a function's name [SDK 4.8.3, CreateFunctionInput]; a layer's is taken for the same, which is a guess."""

LONGEST_TEXT = 80
"""
Characters that a user's own description may have, so that every mark fits behind it.

With the mark it has 256 at the most: a guess by the limit that API 2.0 documents; nothing is published for 3.0.
"""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*\Z")

_MARK = re.compile(
    r"(?P<text>.*?)\s*\[udfs/1 (?P<stack>[a-z][a-z0-9-]*) on=(?P<name>[0-9a-f]{8})"
    r"(?: sha256=(?P<sha256>[0-9a-f]{64}))?(?: crc64=(?P<crc64>[0-9]{1,20}))?(?: for=(?P<names>[0-9a-f,]+))?"
    r"(?: set=(?P<set>[0-9a-f]+))?(?: of=(?P<of>[0-9a-f]{8}))?(?: at=(?P<at>[0-9A-Za-z:,]+))?(?: layers=(?P<layers>[0-9a-f,]+))?\]\Z",
    re.DOTALL,
)


def inner_name(function: str, name: str) -> str:
    """Return how a version, an alias or a trigger of a function is called."""
    return f"{function}{SEPARATOR}{name}"


def split_name(name: str) -> tuple[str, str]:
    """Return the function's name, and what comes within it; nothing where the name is of the function itself."""
    function, _, inner = name.partition(SEPARATOR)
    return function, inner


@lru_cache(maxsize=1 << 16)
def key_of(kind: str, name: str) -> Key:
    return Key(kind, name, name)


def why_not_a_name(name: str) -> str | None:
    """Return what is wrong with the name of a function, a layer, an alias or a trigger, or None."""
    if not _NAME.match(name):
        return "a name holds letters, digits, _ and - only, and begins with a letter or _"
    if len(name) > LONGEST_NAME:
        return f"a name has at most {LONGEST_NAME} characters"
    if name.startswith("udfs-"):
        return "names that begin with 'udfs-' are kept for the ledger"
    return None


class Note(NamedTuple):
    """What a mark tells beside whose the object is and what was put there."""

    settings: str = ""
    """Of a function: which settings udfs has written, as hex digits of a set of bits."""

    written: str = ""
    """Of a trigger: the digest of its configuration as udfs wrote it."""

    versions: tuple[tuple[str, str], ...] = ()
    """Of an alias: the service's numbers of the versions that it was led to, each with ours."""

    layers: tuple[str, ...] = ()
    """Of a version: fingerprints of the layers that were in it."""


def write_mark(mark: Mark, name: str) -> str:
    """Return the mark of the object of this name as text."""
    return write_description("", mark, name)


def parse_mark(text: str, name: str) -> Mark:
    """Return the mark that is all of a text; ValueError for anything else."""
    before, mark, note = read_description(text, name)
    if before or mark is None or note != Note():
        raise ValueError("a mark that udfs does not write")
    return mark


def write_description(text: str, mark: Mark, name: str, note: Note | None = None) -> str:
    """Return the description that goes to the service: the user's text, then the mark."""
    note = note or Note()
    parts = (
        ("sha256", mark.sha256 or ""),
        ("crc64", mark.digest or ""),
        ("for", ",".join(sorted(mark.names))),
        ("set", note.settings),
        ("of", note.written),
        ("at", ",".join(f"{number}:{version}" for number, version in note.versions)),
        ("layers", ",".join(note.layers)),
    )
    words = "".join(f" {label}={value}" for label, value in parts if value)
    return f"{text} {_head(mark, name)}{words}]".lstrip()


def _head(mark: Mark, name: str) -> str:
    return f"[udfs/1 {mark.stack} on={fingerprint(name)}"


def read_description(description: str, name: str) -> tuple[str, Mark | None, Note]:
    """
    Split the description of the object of this name into the user's text, the mark, if there is one, and what it notes.

    A mark that names another object was copied there with its description, and marks nothing.
    """
    match = _MARK.match(description)
    if match is None or match["name"] != fingerprint(name):
        return description, None, Note()
    mark = Mark(match["stack"], match["sha256"], match["crc64"], frozenset(_list(match["names"])))
    versions = tuple(
        (number, version) for number, _, version in (pair.partition(":") for pair in _list(match["at"])) if version
    )
    return match["text"], mark, Note(match["set"] or "", match["of"] or "", versions, _list(match["layers"]))


def _list(text: str | None) -> tuple[str, ...]:
    return tuple(filter(None, text.split(","))) if text else ()
