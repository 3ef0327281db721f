"""
CRC-64/XZ: the checksum that Function Compute tells of code and layers (`codeChecksum`), as a decimal number.

ECMA-182, reflected [doc "Layer"; the vendor's tool computes it so]. By it a change is seen without a download. It keeps nobody from
forging content: our own sha256 stands in the mark.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TYPE_CHECKING

from fastcrc import crc64

from reconciler.base.inputs import SHIPPED, open_input

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.packages.content import Content

_BLOCK = 1 << 20


def crc64_of_bytes(content: bytes) -> str:
    """Return the checksum of bytes as the service writes it."""
    return str(crc64.xz(content))


def crc64_of_file(path: Path) -> str:
    """Return the checksum of a file, read in blocks."""
    checksum = 0
    with open_input(path, SHIPPED) as stream:
        for block in iter(partial(stream.read, _BLOCK), b""):
            checksum = crc64.xz(block, checksum)
    return str(checksum)


def crc64_of(content: Content) -> str:
    """Return the checksum of content that is here; each is read once a process."""
    return _compute(content.sha256, content.path)


@lru_cache(maxsize=4096)
def _compute(sha256: str, path: Path) -> str:
    return crc64_of_file(path)
