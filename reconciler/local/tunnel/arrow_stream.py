"""
Arrow over the tunnel: record batches without their schema, cut into chunks that each end in their CRC32C.

The stream begins with the size of a chunk, and ends with the CRC32C of everything (PyODPS's `ArrowStreamReader` and
`ArrowWriter`). The schema does not travel: both sides know the columns. A TIMESTAMP that is a column is a struct of seconds and
nanoseconds on the way down from an instance (`timestamp_as_struct` of PyODPS). A preview is Arrow's own stream: with its schema, and
without chunks.
"""

from __future__ import annotations

import struct
import sys
from typing import TYPE_CHECKING, Any

from reconciler.local.tunnel.column_types import wire_type
from reconciler.local.tunnel.wire_times import instants, wall_clock

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from reconciler.local.tunnel.column_types import ColumnType

CHUNK_BYTES = 1 << 18
"""Bytes of a chunk. PyODPS sends 65536 and takes any size; the service's own is not known."""

_LARGEST_CHUNK = 64 << 20
_NUMBER = struct.Struct(">I")
_MOMENTS = ("timestamp", "timestamp_ntz")
_END = b"\xff\xff\xff\xff\0\0\0\0"
"""Of an Arrow stream [doc "Arrow IPC streaming format"]."""


class BrokenStream(ValueError):
    """What a client sent cannot be read, or was changed on the way."""


def encode_arrow(
    batches: Iterable[Any], kinds: Sequence[ColumnType], zone: str, *, timestamp_as_struct: bool
) -> Iterator[bytes | memoryview]:
    """Yield the stream of record batches, piece by piece."""
    travelling = _travelling(batches, kinds, zone, timestamp_as_struct)
    return _cut_into_chunks(batch.serialize() for batch in travelling)


def encode_preview(
    batches: Iterable[Any], names: Sequence[str], kinds: Sequence[ColumnType], zone: str
) -> Iterator[bytes | memoryview]:
    """Yield an Arrow stream with its schema, as a preview is; a TIMESTAMP is a struct in it (both SDKs expect that)."""
    import pyarrow as pa

    def arrow_type(kind: ColumnType) -> Any:
        return pa.struct([("sec", pa.int64()), ("nano", pa.int32())]) if kind.name in _MOMENTS else wire_type(kind)

    schema = pa.schema([(name, arrow_type(kind)) for name, kind in zip(names, kinds, strict=True)])
    yield memoryview(schema.serialize())
    for batch in _travelling(batches, kinds, zone, timestamp_as_struct=True):
        yield memoryview(batch.cast(schema).serialize())
    yield _END


def decode_arrow(
    pieces: Iterable[bytes | memoryview], names: Sequence[str], kinds: Sequence[ColumnType], zone: str
) -> Iterator[Any]:
    """Yield the record batches of a stream; BrokenStream where it is none, or its checksums differ."""
    import pyarrow as pa

    schema = pa.schema([(name, wire_type(kind)) for name, kind in zip(names, kinds, strict=True)])
    reader = _Concatenation(schema.serialize().to_pybytes(), _open_chunks(pieces))
    try:
        with pa.ipc.open_stream(pa.PythonFile(reader, mode="r")) as batches:
            for batch in batches:
                columns = [wall_clock(column, kind, zone) for column, kind in zip(batch.columns, kinds, strict=True)]
                yield pa.RecordBatch.from_arrays(columns, names=list(names))
    except (pa.ArrowInvalid, OSError) as error:
        raise BrokenStream(f"the Arrow stream cannot be read: {error}") from error


def _travelling(
    batches: Iterable[Any], kinds: Sequence[ColumnType], zone: str, timestamp_as_struct: bool
) -> Iterator[Any]:
    import pyarrow as pa

    for batch in batches:
        columns = [instants(column, kind, zone) for column, kind in zip(batch.columns, kinds, strict=True)]
        if timestamp_as_struct:
            columns = [
                _seconds(column) if kind.name in _MOMENTS else column
                for column, kind in zip(columns, kinds, strict=True)
            ]
        yield pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _seconds(column: Any) -> Any:
    """Return nanoseconds since 1970 as seconds and what is left, which is never negative."""
    import pyarrow as pa
    import pyarrow.compute as pc

    moments = column.cast(pa.int64())
    seconds = column.cast(pa.timestamp("s"), safe=False).cast(pa.int64())
    # Arrow rounds towards zero.
    seconds = pc.subtract(seconds, pc.greater(pc.multiply(seconds, 10**9), moments).cast(pa.int64()))
    nanoseconds = pc.subtract(moments, pc.multiply(seconds, 10**9)).cast(pa.int32())
    return pa.StructArray.from_arrays([seconds, nanoseconds], names=["sec", "nano"], mask=column.is_null())


def _cut_into_chunks(messages: Iterable[Any]) -> Iterator[bytes | memoryview]:
    from google_crc32c import extend

    yield _NUMBER.pack(CHUNK_BYTES)
    room, of_chunk, of_all = CHUNK_BYTES, 0, 0
    for message in messages:
        view = memoryview(message)
        while view:
            piece, view = view[:room], view[room:]
            content = bytes(piece)
            of_chunk, of_all = extend(of_chunk, content), extend(of_all, content)
            room -= len(content)
            yield content
            if not room:
                yield _NUMBER.pack(of_chunk)
                room, of_chunk = CHUNK_BYTES, 0
    yield _NUMBER.pack(of_all)


def _open_chunks(pieces: Iterable[bytes | memoryview]) -> Iterator[bytes]:
    """Yield what is in the chunks of a stream; all but the last are whole."""
    from google_crc32c import extend, value

    stream = _Concatenation(b"", pieces)
    [size] = _NUMBER.unpack(_exactly(stream, _NUMBER.size))
    if not 0 < size <= _LARGEST_CHUNK:
        raise BrokenStream(f"a chunk of {size} bytes")
    of_all = 0
    while True:
        chunk = stream.read(size + _NUMBER.size)
        if len(chunk) < _NUMBER.size:
            raise BrokenStream("the stream ends without its checksum")
        content, [checksum] = chunk[: -_NUMBER.size], _NUMBER.unpack(chunk[-_NUMBER.size :])
        of_all = extend(of_all, content)
        is_last = len(content) < size
        if checksum != (of_all if is_last else value(content)):
            raise BrokenStream("the checksum of the stream differs")
        yield content
        if is_last:
            return


def _exactly(stream: _Concatenation, count: int) -> bytes:
    content = stream.read(count)
    if len(content) < count:
        raise BrokenStream("the stream ends too early")
    return content


class _Concatenation:
    """File of pieces that come one after the other, as pyarrow reads one; a piece is valid until the next one is asked for."""

    def __init__(self, head: bytes, pieces: Iterable[bytes | memoryview]) -> None:
        self._pieces = iter(pieces)
        self._rest = memoryview(head)
        self.closed = False

    def read(self, count: int = -1) -> bytes:
        """Return `count` bytes, or what is left."""
        parts, missing = [], sys.maxsize if count < 0 else count
        while missing:
            if not self._rest:
                piece = next(self._pieces, None)
                if piece is None:
                    break
                self._rest = memoryview(piece)
            parts.append(bytes(self._rest[:missing]))
            self._rest = self._rest[len(parts[-1]) :]
            missing -= len(parts[-1])
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self.closed = True
