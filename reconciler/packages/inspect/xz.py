"""
Content of xz files, read within a bound of memory.

The head of such a file says how much the unpacker sets aside, up to four gigabytes, however small the file is. `xz -9`, the most that packers
ask for by a level, takes 65 MiB to unpack.
"""

from __future__ import annotations

import io
import lzma
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer

MAGIC = b"\xfd7zXZ\x00"
MEMORY = 256 << 20
_BLOCK = 1 << 16


class XzContent(io.RawIOBase):
    """The content of an xz file; reading raises LZMAError for what is damaged or takes too much memory, EOFError for what is cut off."""

    def __init__(self, packed: IO[bytes]) -> None:
        self._packed = packed
        self._unpacker = _new_unpacker()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int:
        room = memoryview(buffer)
        while True:
            packed = b""
            if self._unpacker.eof:
                packed = self._next_stream()
                if not packed:
                    return 0
                self._unpacker = _new_unpacker()
            elif self._unpacker.needs_input:
                packed = self._packed.read(_BLOCK)
                if not packed:
                    raise EOFError("it is cut off")
            if content := self._unpacker.decompress(packed, len(room)):
                room[: len(content)] = content
                return len(content)

    def _next_stream(self) -> bytes:
        """Return the beginning of what stands behind a stream: there may be another one, after zeros."""
        packed = self._unpacker.unused_data.lstrip(b"\0")
        while not packed and (block := self._packed.read(_BLOCK)):
            packed = block.lstrip(b"\0")
        return packed


def open_xz(packed: IO[bytes]) -> IO[bytes]:
    """Return the content of an xz file as a stream."""
    return io.BufferedReader(XzContent(packed), _BLOCK)


def _new_unpacker() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MEMORY)
