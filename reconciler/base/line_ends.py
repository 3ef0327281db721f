"""
Line ends: whether a text is shipped with those that it has here, or with the line feeds that Git stores.

A checkout turns line feeds into CRLF where Git is told to (``core.autocrlf``, ``eol=crlf``), so one commit is many bytes. What
counts is what Git stores, as gitattributes(5) has it and its ``convert.c`` does it: a file that is as it was committed has the bytes
of its blob, by the name of that blob in the index. One that was changed since, or that Git does not know, has line feeds, as with
``* text=auto``. Nothing else of a text is touched, and a lone CR is no line end.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from reconciler.base.inputs import SHIPPED, open_input

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from reconciler.base.checkout import Attributes, Checkout, IndexEntry

Rule: TypeAlias = Literal["git", "lf", "keep"]

_BLOCK = 1 << 20
_UNPRINTABLE = bytes(code for code in range(32) if code not in b"\b\t\n\r\x1b\x0c") + b"\x7f"
_REST = bytes(code for code in range(256) if code not in _UNPRINTABLE)


class Census(NamedTuple):
    """What Git counts in a file to know a text."""

    size: int
    crlf: int
    """Line ends of two characters."""

    is_binary: bool


class LineEnds:
    """The rule for the texts of one manifest. Files are read when they are asked for; what is known of Git's is kept."""

    def __init__(self, folder: Path | None = None, rule: Rule = "git") -> None:
        """Take the manifest's folder, absolute and without links, which counts as a checkout where there is no repository."""
        self._folder, self._rule = folder, rule
        self._checkouts: dict[Path, Checkout] = {}

    def are_changed(self, path: Path, rule: Rule | None = None) -> bool:
        """Say whether a file that has CRLF is shipped with line feeds; `rule` is its own. Raises OSError."""
        rule = rule or self._rule
        if rule == "keep":
            return False
        if rule == "lf":
            return not take_census(path).is_binary
        path = path.resolve()
        checkout = self._checkout(path.parent)
        name = checkout.name(path)
        is_text = _text_attribute(checkout.attributes(name))
        if is_text is not None:
            return is_text
        census = take_census(path)
        if census.is_binary or not census.crlf:
            return False
        tracked = checkout.index.get(name)
        # Of a text, Git keeps the line ends that it once took in.
        return tracked is None or not _is_blob(path, census.size, tracked)

    def is_executable(self, path: Path) -> bool:
        """Say whether a file may be executed, as Git has it; some file systems say so of every file."""
        path = path.resolve()
        checkout = self._checkout(path.parent)
        tracked = checkout.index.get(checkout.name(path))
        return tracked.is_executable if tracked else bool(path.stat().st_mode & 0o100)

    def _checkout(self, folder: Path) -> Checkout:
        if folder not in self._checkouts:
            from reconciler.base.checkout import checkout_of

            checkout = checkout_of(folder, self._folder or folder)
            self._checkouts[folder] = self._checkouts.setdefault(checkout.top, checkout)
        return self._checkouts[folder]


def take_census(path: Path) -> Census:
    """Count what is in a file; raises OSError."""
    size = crlf = returns = feeds = zeros = unprintable = 0
    last = b""
    with open_input(path, SHIPPED) as file:
        for block in _whole_lines(file):
            size, last = size + len(block), block[-1:] or last
            crlf += block.count(b"\r\n")
            returns, feeds, zeros = returns + block.count(b"\r"), feeds + block.count(b"\n"), zeros + block.count(b"\0")
            unprintable += len(block.translate(None, _REST))
    printable = size - returns - feeds - unprintable
    unprintable -= last == b"\x1a"
    return Census(size, crlf, bool(zeros) or returns > crlf or printable >> 7 < unprintable)


def with_line_feeds(file: BinaryIO) -> Iterator[bytes]:
    """Yield the blocks of a text, with line feeds for CRLF."""
    return (block.replace(b"\r\n", b"\n") for block in _whole_lines(file))


def with_crlf(file: BinaryIO) -> Iterator[bytes]:
    """Yield the blocks of a text, with CRLF for every line end."""
    return (block.replace(b"\n", b"\r\n") for block in with_line_feeds(file))


def _whole_lines(file: BinaryIO) -> Iterator[bytes]:
    """Yield a file in blocks that part no CRLF."""
    kept = b""
    while block := file.read(_BLOCK):
        block = kept + block
        kept = b"\r" if block.endswith(b"\r") else b""
        yield block[: len(block) - len(kept)]
    if kept:
        yield kept


def _text_attribute(attributes: Attributes) -> bool | None:
    """Return whether attributes say that a file is text, or not; None where its content is to tell."""
    # `crlf` is what `text` was called once.
    for value in (attributes.get("text"), attributes.get("crlf")):
        if isinstance(value, bool) or value == "input":
            return bool(value)
        if value == "auto":
            return None
    return True if attributes.get("eol") in {"lf", "crlf"} else None


def _is_blob(path: Path, size: int, tracked: IndexEntry) -> bool:
    """Say whether a file has the very bytes that Git stores."""
    digest = (hashlib.sha256 if len(tracked.blob) == 64 else hashlib.sha1)(b"blob %d\0" % size)
    with open_input(path, SHIPPED) as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest() == tracked.blob
