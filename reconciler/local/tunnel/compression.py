"""
Compression of what a tunnel carries, by the names that clients ask with.

Clients name exactly one in ``Accept-Encoding`` or ``Content-Encoding`` (PyODPS's `CompressOption`); a list of several is what an
HTTP library sends of itself, and asks for nothing. Snappy's frames are not known here: whoever asks for them gets bytes as they
are, which PyODPS takes.
"""

from __future__ import annotations

import io
import zlib
from typing import TYPE_CHECKING, Any

from reconciler.local.tunnel.arrow_stream import BrokenStream

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_ARROW_CODECS = {"zstd": "zstd", "x-lz4-frame": "lz4", "x-odps-lz4-frame": "lz4"}
_PIECE = 1 << 18


def coding_of(header: str | None) -> str | None:
    """Return the compression that a header asks for, None where it is none or none that is known."""
    name = (header or "").strip().lower()
    return name if name == "deflate" or name in _ARROW_CODECS else None


def compress(pieces: Iterable[bytes | memoryview], coding: str | None) -> Iterator[bytes | memoryview]:
    """Yield the pieces, compressed as `coding_of` says."""
    if coding is None:
        yield from pieces
    elif coding == "deflate":
        deflate = zlib.compressobj(1)
        for piece in pieces:
            yield deflate.compress(piece)
        yield deflate.flush()
    else:
        import pyarrow as pa

        sink = _Sink()
        with pa.CompressedOutputStream(pa.PythonFile(sink, mode="w"), _ARROW_CODECS[coding]) as stream:
            for piece in pieces:
                stream.write(piece)
                yield sink.drain()
        yield sink.drain()


def decompress(pieces: Iterable[bytes | memoryview], coding: str | None) -> Iterator[bytes | memoryview]:
    """Yield what `compress` was given; BrokenStream where it is no such thing."""
    if coding is None:
        yield from pieces
    elif coding == "deflate":
        inflate = zlib.decompressobj()
        try:
            for piece in pieces:
                rest: bytes | memoryview = piece
                while rest and not inflate.eof:
                    # No more at a time than a piece, however well it is compressed.
                    yield inflate.decompress(rest, _PIECE)
                    rest = inflate.unconsumed_tail
        except zlib.error as error:
            raise BrokenStream(f"the compressed stream cannot be read: {error}") from error
        yield inflate.flush()
    else:
        yield from _decompress_by_arrow(pieces, _ARROW_CODECS[coding])


def _decompress_by_arrow(pieces: Iterable[bytes | memoryview], codec: str) -> Iterator[bytes]:
    import pyarrow as pa

    try:
        with pa.CompressedInputStream(pa.PythonFile(io.BufferedReader(_Pieces(pieces)), mode="r"), codec) as stream:
            while content := stream.read(_PIECE):
                yield content
    except OSError as error:
        raise BrokenStream(f"the compressed stream cannot be read: {error}") from error


class _Sink(io.RawIOBase):
    """File that keeps what is written until somebody takes it."""

    def __init__(self) -> None:
        super().__init__()
        self._content = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        self._content += content
        return len(content)

    def drain(self) -> bytes:
        """Take what was written."""
        content = bytes(self._content)
        self._content.clear()
        return content


class _Pieces(io.RawIOBase):
    """File of pieces."""

    def __init__(self, pieces: Iterable[bytes | memoryview]) -> None:
        super().__init__()
        self._pieces = iter(pieces)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            # A piece of a body is valid until the next one is asked for.
            self._rest = memoryview(bytes(piece))
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count
