"""
CRC-64/XZ (ECMA-182, reflected): by what the service tells one ZIP file from another.

Documented for ``codeChecksum``; that it is this variant is read in the vendor's tool, which compares it with a library of that name.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_POLYNOMIAL = 0xC96C5795D7870F42
_ALL = (1 << 64) - 1


def _make_table() -> tuple[int, ...]:
    entries = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ (_POLYNOMIAL if value & 1 else 0)
        entries.append(value)
    return tuple(entries)


_TABLE = _make_table()


def crc64_by_table(piece: bytes | memoryview, before: int = 0) -> int:
    """Return the checksum of what had `before` with a piece behind it; a thousand times slower than a library."""
    value = before ^ _ALL
    for byte in piece:
        value = (value >> 8) ^ _TABLE[(value ^ byte) & 0xFF]
    return value ^ _ALL


def _choose() -> Callable[[bytes | memoryview, int], int]:
    try:
        library = import_module("fastcrc")
    except ImportError:
        return crc64_by_table
    function = library.crc64.xz
    return lambda piece, before: int(function(bytes(piece), before))


class CodeChecksum:
    """The checksum of bytes that come in pieces."""

    def __init__(self) -> None:
        self._value = 0
        self._update = _choose()

    def update(self, piece: bytes | memoryview) -> None:
        """Add a piece."""
        self._value = self._update(piece, self._value)

    def __str__(self) -> str:
        """In decimal, as the service writes it."""
        return str(self._value)
