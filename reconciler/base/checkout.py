"""
Checkout of a repository: what Git's index and the ``.gitattributes`` say of a file, read without starting Git.

It is a reading of gitformat-index(5) and gitattributes(5). What lies on one machine alone is not read, so that every checkout says the
same: no configuration, and neither ``info/attributes`` nor a user's own file of attributes.
"""

from __future__ import annotations

import hashlib
import os
import re
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from reconciler.base.inputs import ATTRIBUTES, INDEX, open_input, read_input, read_named, repository_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

Attributes: TypeAlias = "dict[str, str | bool | None]"
"""What is said of a file: set, unset, a value, or None for what is expressly unspecified."""

_Assignments: TypeAlias = "tuple[tuple[str, str | bool | None], ...]"

_NAME = re.compile(r"[A-Za-z0-9._][A-Za-z0-9._-]*\Z")
_LINE = re.compile(r'("(?:[^"\\]|\\.)*"|\S+)(.*)', re.DOTALL)
_ESCAPE = re.compile(rb'\\([0-7]{3}|["\\abfnrtv])')
_ESCAPED = {b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}

_FIXED = 40
"""Bytes of an entry of the index before the name of its blob."""

_EXTENDED = 0x4000
"""The flag of an entry that has two more bytes of them."""

_POINTER = 8_192
"""Bytes that a ``.git`` which is a file may have."""


class IndexEntry(NamedTuple):
    """A file in the index."""

    blob: str
    """The name of its content: sha1, or sha256 in a repository of that format."""

    is_executable: bool


class _Rule(NamedTuple):
    pattern: re.Pattern[str]
    is_of_name: bool
    """Whether the last part of a path is what it is about."""

    assignments: _Assignments


class Checkout:
    """The files below a folder: a repository's, or those of one that is in no repository and may have attributes all the same."""

    def __init__(self, top: Path) -> None:
        """Take a folder, absolute and without links; nothing is read before it is asked for."""
        self.top = top
        self._rules: dict[str, tuple[_Rule, ...]] = {}

    @cached_property
    def index(self) -> Mapping[str, IndexEntry]:
        """The files of the index by their paths; none where there is no index, or none of a form that is read here."""
        try:
            git = self.top / ".git"
            if git.is_file():  # of a worktree or a submodule
                with open_input(git, INDEX) as file:
                    git = self.top / os.fsdecode(file.read(_POINTER)).removeprefix("gitdir:").strip()
            return dict(_read_index(read_input(git / "index", INDEX)))
        except (OSError, ValueError, IndexError):
            return {}

    def name(self, path: Path) -> str:
        """Return how Git calls a file."""
        return path.relative_to(self.top).as_posix()

    def attributes(self, name: str) -> Attributes:
        """Return what is said of a file; who stands nearer, and later, has the last word."""
        values: Attributes = {}
        *folders, last = name.split("/")
        tops = ["", *accumulate(folders, "{}/{}".format)]
        macros = {"binary": (("diff", False), ("merge", False), ("text", False)), **self._macros}

        def fill(assignments: _Assignments) -> None:
            for attribute, value in reversed(assignments):
                if attribute not in values:
                    values[attribute] = value
                    if value is True:
                        fill(macros.get(attribute, ()))

        for top in reversed(tops):
            below = name[len(top) + 1 :] if top else name
            for rule in reversed(self._rules_in(top)):
                if rule.pattern.match(last if rule.is_of_name else below):
                    fill(rule.assignments)
        return values

    @cached_property
    def _macros(self) -> dict[str, _Assignments]:
        return dict(_read_macros(self._lines("")))

    def _rules_in(self, folder: str) -> tuple[_Rule, ...]:
        if folder not in self._rules:
            self._rules[folder] = tuple(_read_rules(self._lines(folder)))
        return self._rules[folder]

    def _lines(self, folder: str) -> Sequence[str]:
        path = self.top / folder / ".gitattributes"
        try:
            # As Git does: a link counts for nothing.
            return [] if path.is_symlink() else read_named(path, ATTRIBUTES).decode("utf-8-sig", "replace").split("\n")
        except OSError:
            return []


def checkout_of(folder: Path, otherwise: Path) -> Checkout:
    """Return the repository of a folder; where there is none, `otherwise` if the folder is in it. Absolute, without links."""
    return Checkout(repository_of(folder) or (otherwise if folder.is_relative_to(otherwise) else folder))


# --- Attributes -----------------------------------------------------------------------------------------------------------


def _read_rules(lines: Sequence[str]) -> Iterator[_Rule]:
    for line in map(str.strip, lines):
        match = _LINE.match(line)
        if match is None or line.startswith(("#", "[attr]")):
            continue
        pattern = _unquote(match[1])
        # One that excludes is forbidden, one of a folder names no file.
        if not pattern.startswith("!") and not pattern.endswith("/"):
            is_of_name = "/" not in pattern
            yield _Rule(re.compile(_translate(pattern.removeprefix("/")), re.DOTALL), is_of_name, _assign(match[2]))


def _read_macros(lines: Sequence[str]) -> Iterator[tuple[str, _Assignments]]:
    for line in map(str.strip, lines):
        name, _, rest = line.removeprefix("[attr]").strip().partition(" ")
        if line.startswith("[attr]") and _NAME.match(name):
            yield name, _assign(rest)


def _assign(text: str) -> _Assignments:
    assignments: list[tuple[str, str | bool | None]] = []
    for word in text.split():
        name, equals, value = word.lstrip("-!").partition("=")
        if _NAME.match(name):
            sign = {"-": False, "!": None}.get(word[0], True)
            assignments.append((name, value if equals and sign else sign))
    return tuple(assignments)


def _unquote(text: str) -> str:
    if not text.startswith('"') or len(text) < 2:
        return text
    raw = text[1:-1].encode()
    return _ESCAPE.sub(
        lambda match: bytes([int(match[1], 8) & 255]) if len(match[1]) == 3 else _ESCAPED.get(match[1], match[1]), raw
    ).decode("utf-8", "replace")


_WILD = re.compile(
    r"(?P<above>\A\*\*/)|(?P<between>/\*\*(?=/))|(?P<below>/\*\*\Z)|(?P<any>\*+)|(?P<single>\?)"
    r"|(?P<set>\[[!^]?\]?(?:\\.|\[:\w+:\]|[^\]\\])*\])|\\(?P<plain>.)|(?P<rest>.)",
    re.DOTALL,
)
_MEANING = {"above": "(?:.*/)?", "between": "(?:/.*)?", "below": "/.*", "any": "[^/]*", "single": "[^/]"}
_IN_SET = re.compile(r"\[:(?P<name>\w+):\]|\\(?P<plain>.)|(?P<rest>.)", re.DOTALL)
_CLASSES = {
    "alpha": "a-zA-Z",
    "digit": "0-9",
    "alnum": "a-zA-Z0-9",
    "upper": "A-Z",
    "lower": "a-z",
    "xdigit": "0-9a-fA-F",
    "space": r"\s",
    "blank": r" \t",
    "punct": r"!-/:-@\[-`{-~",
    "cntrl": r"\0-\x1f\x7f",
    "print": " -~",
    "graph": "!-~",
}


def _translate(pattern: str) -> str:
    """Return a pattern of Git's (wildmatch, which keeps folders apart) as a regular expression."""
    parts = []
    for match in _WILD.finditer(pattern):
        kind, text = str(match.lastgroup), match[str(match.lastgroup)]
        if kind == "set":
            negates = text[1] in "!^"
            inside = (
                _CLASSES.get(m["name"] or "") or _escape_in_set(m) for m in _IN_SET.finditer(text[1 + negates : -1])
            )
            parts.append(f"(?!/)[{'^' if negates else ''}{''.join(inside)}]")
        else:
            parts.append(_MEANING.get(kind) or re.escape(text))
    return f"{''.join(parts)}\\Z"


def _escape_in_set(match: re.Match[str]) -> str:
    character = match["plain"] or match["rest"] or ""
    return f"\\{character}" if character in {"]", "[", "\\", "^", "&", "~", "|"} or match["plain"] else character


# --- Index ----------------------------------------------------------------------------------------------------------------


def _read_index(data: bytes) -> Iterator[tuple[str, IndexEntry]]:
    """Yield the files of an index; raises ValueError or IndexError for what is none, or is split."""
    version, count = int.from_bytes(data[4:8], "big"), int.from_bytes(data[8:12], "big")
    if data[:4] != b"DIRC" or version not in {2, 3, 4}:
        raise ValueError("not an index")
    hashed = _hash_size(data)
    offset, name = 12, b""
    for _ in range(count):
        start = offset
        mode = int.from_bytes(data[offset + 24 : offset + 28], "big")
        blob = data[offset + _FIXED : offset + _FIXED + hashed].hex()
        offset += _FIXED + hashed
        flags = int.from_bytes(data[offset : offset + 2], "big")
        offset += 4 if flags & _EXTENDED else 2
        if version == 4:
            dropped, offset = _read_number(data, offset)
            name = name[: len(name) - dropped]
        else:
            name = b""
        end = data.index(b"\0", offset)
        name += data[offset:end]
        # Before the fourth version, entries are filled up to a multiple of eight bytes, by one byte at least.
        offset = end + 1 if version == 4 else start + (end - start + 8) // 8 * 8
        yield os.fsdecode(name), IndexEntry(blob, bool(mode & 0o100))
    if data[offset : offset + 4] == b"link":
        raise ValueError("a split index")


def _hash_size(data: bytes) -> int:
    """Return how many bytes a name of an object has: the index ends with its own hash, or with zeros in its place."""
    is_sha256 = data[-32:] in {hashlib.sha256(data[:-32]).digest(), bytes(32)}
    return 32 if is_sha256 else 20


def _read_number(data: bytes, offset: int) -> tuple[int, int]:
    """Return a number of the form that packs have for offsets, and where it ends."""
    value = data[offset] & 0x7F
    while data[offset] & 0x80:
        offset += 1
        value = (value + 1) << 7 | data[offset] & 0x7F
    return value, offset + 1
