"""
Records over the tunnel: a row as protobuf fields without a message around them, with a CRC32C a row and one of those at the end.

A column that is NULL has no field. Every value is summed as the little-endian bytes of its type behind the number of its
column; lengths and the NULLs inside arrays, maps and structs are not (PyODPS's `TunnelRecordReader`, `BaseRecordWriter`).
"""

from __future__ import annotations

import struct
from decimal import Decimal, InvalidOperation
from itertools import repeat
from typing import TYPE_CHECKING, Any, TypeAlias

from reconciler.local.tunnel.arrow_stream import BrokenStream
from reconciler.local.tunnel.column_types import wire_type
from reconciler.local.tunnel.wire_times import instants, wall_clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from reconciler.local.tunnel.column_types import ColumnType

Pair: TypeAlias = tuple[Any, bytes]
"""A value, or how it travels; and what of it is summed."""

END_OF_ROW, COUNT, CHECKSUM = 33553408, 33554430, 33554431
"""Numbers of fields that no column has (`odps/tunnel/wireconstants.py`)."""

ROWS = 10_000
"""Rows that are made of a batch at a time, or read before they become one."""

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_INT, _LONG = struct.Struct("<i"), struct.Struct("<q")
_FLOAT, _DOUBLE = struct.Struct("<f"), struct.Struct("<d")
_BILLION = 10**9
_LONGEST = 256 << 20
"""Bytes of a value. The service takes 8 MB [doc "Limits of MaxCompute SQL"], more where a setting says so."""

_INTEGERS = ("tinyint", "smallint", "int", "bigint", "datetime", "date")
_MOMENTS = ("timestamp", "timestamp_ntz")
_WIRE_TYPES = {"float": _FIXED32, "double": _FIXED64} | dict.fromkeys(("boolean", *_INTEGERS), _VARINT)


def encode_records(batches: Iterable[Any], kinds: Sequence[ColumnType], zone: str) -> Iterator[bytes]:
    """Yield the stream of record batches, a batch at a time."""
    from google_crc32c import extend, value

    encoders = [_encoder(kind) for kind in kinds]
    heads = [
        (_tag(number, _WIRE_TYPES.get(kind.name, _LENGTH)), _INT.pack(number)) for number, kind in enumerate(kinds, 1)
    ]
    end, count, of_all = _tag(END_OF_ROW, _VARINT), 0, 0
    for batch in _small(batches):
        columns = [
            _fields(_plain_values(instants(column, kind, zone), kind), encode, *head)
            for column, kind, encode, head in zip(batch.columns, kinds, encoders, heads, strict=True)
        ]
        pieces = []
        for row in zip(*columns, strict=True):
            checksum = value(b"".join([summed for _, summed in row]))
            of_all = extend(of_all, checksum.to_bytes(4, "little"))
            pieces += [content for content, _ in row]
            pieces += (end, _varint(checksum))
        count += batch.num_rows
        yield b"".join(pieces)
    yield _tag(COUNT, _VARINT) + _zigzag(count) + _tag(CHECKSUM, _VARINT) + _varint(of_all)


def _small(batches: Iterable[Any]) -> Iterator[Any]:
    return (batch.slice(start, ROWS) for batch in batches for start in range(0, batch.num_rows, ROWS))


def _fields(values: Iterable[Any], encode: Callable[[Any], Pair], tag: bytes, number: bytes) -> list[Pair]:
    """Return the fields of a column, each with what is summed."""
    fields = []
    for value in values:
        if value is None:
            fields.append((b"", b""))
        else:
            content, summed = encode(value)
            fields.append((tag + content, number + summed))
    return fields


def _plain_values(column: Any, kind: ColumnType) -> list[Any]:
    """Return values without classes for times: milliseconds, nanoseconds or days since 1970."""
    values: list[Any] = column.cast(_plain_type(kind)).to_pylist()
    return values


def _plain_type(kind: ColumnType) -> Any:
    import pyarrow as pa

    match kind.name:
        case "array":
            return pa.list_(_plain_type(kind.inner[0]))
        case "map":
            return pa.map_(_plain_type(kind.inner[0]), _plain_type(kind.inner[1]))
        case "struct":
            return pa.struct([(name, _plain_type(inner)) for name, inner in zip(kind.fields, kind.inner, strict=True)])
        case "datetime" | "timestamp" | "timestamp_ntz":
            return pa.int64()
        case "date":
            return pa.int32()
        case _:
            return wire_type(kind)


def _encoder(kind: ColumnType) -> Callable[[Any], Pair]:
    inner = [_encoder(part) for part in kind.inner]
    match kind.name:
        case "array":
            return lambda values: _encode_items(values, inner[0])
        case "map":
            return lambda pairs: _join(
                [_encode_items([pair[index] for pair in pairs], encode) for index, encode in enumerate(inner)]
            )
        case "struct":
            return lambda fields: _join(map(_inside, fields.values(), inner))
        case name if name in _INTEGERS:
            return lambda value: (_zigzag(value), _LONG.pack(value))
        case name:
            return _ENCODERS.get(name, lambda text: _text(text.encode()))


def _encode_items(values: Sequence[Any], encode: Callable[[Any], Pair]) -> Pair:
    return _join([(_varint(len(values)), b""), *map(_inside, values, repeat(encode))])


def _inside(value: Any, encode: Callable[[Any], Pair]) -> Pair:
    """Return a value inside another: whether it is NULL goes before it."""
    if value is None:
        return b"\1", b""
    content, summed = encode(value)
    return b"\0" + content, summed


def _join(pairs: Iterable[Pair]) -> Pair:
    contents, summed = zip(*pairs, strict=True)
    return b"".join(contents), b"".join(summed)


def _text(content: bytes) -> Pair:
    return _varint(len(content)) + content, content


def _timestamp(nanoseconds: int) -> Pair:
    seconds, rest = divmod(nanoseconds, _BILLION)
    return _zigzag(seconds) + _zigzag(rest), _LONG.pack(seconds) + _INT.pack(rest)


_ENCODERS: Mapping[str, Callable[[Any], Pair]] = {
    "boolean": lambda value: (b"\1", b"\1") if value else (b"\0", b"\0"),
    "float": lambda value: (_FLOAT.pack(value),) * 2,
    "double": lambda value: (_DOUBLE.pack(value),) * 2,
    "decimal": lambda value: _text(format(value, "f").encode()),
    "binary": _text,
} | dict.fromkeys(_MOMENTS, _timestamp)


def _tag(number: int, form: int) -> bytes:
    return _varint(number << 3 | form)


def _zigzag(value: int) -> bytes:
    return _varint(value << 1 ^ value >> 63)


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    if value < 0x80:
        return bytes((value,))
    content = bytearray()
    while value >= 0x80:
        content.append(value & 0x7F | 0x80)
        value >>= 7
    content.append(value)
    return bytes(content)


def decode_records(
    pieces: Iterable[bytes | memoryview], names: Sequence[str], kinds: Sequence[ColumnType], zone: str
) -> Iterator[Any]:
    """Yield record batches of a stream; BrokenStream where it is none, or its counts or checksums differ."""
    import pyarrow as pa

    def batch(rows: Sequence[Sequence[Any]]) -> Any:
        columns = zip(*rows, strict=True)
        arrays = [
            wall_clock(pa.array(column, _plain_type(kind)).cast(wire_type(kind)), kind, zone)
            for column, kind in zip(columns, kinds, strict=True)
        ]
        return pa.RecordBatch.from_arrays(arrays, names=list(names))

    rows = []
    try:
        for row in _rows(_Source(pieces), [_decoder(kind) for kind in kinds]):
            rows.append(row)
            if len(rows) == ROWS:
                yield batch(rows)
                rows = []
        if rows:
            yield batch(rows)
    except (UnicodeDecodeError, InvalidOperation, pa.ArrowInvalid, OverflowError) as error:
        raise BrokenStream(f"a value cannot be read: {error}") from error


def _rows(source: _Source, decoders: Sequence[Callable[[_Source], Pair]]) -> Iterator[list[Any]]:
    from google_crc32c import extend, value

    count = of_all = 0
    row: list[Any] = [None] * len(decoders)
    summed: list[bytes] = []
    while (number := source.varint() >> 3) != COUNT:
        if 0 < number <= len(decoders):
            row[number - 1], content = decoders[number - 1](source)
            summed += (_INT.pack(number), content)
        elif number == END_OF_ROW:
            checksum = value(b"".join(summed))
            if source.checksum() != checksum:
                raise BrokenStream(f"the checksum of row {count + 1} differs")
            of_all = extend(of_all, checksum.to_bytes(4, "little"))
            count += 1
            yield row
            row, summed = [None] * len(decoders), []
        else:
            raise BrokenStream(f"row {count + 1} has a field {number}, and there are {len(decoders)} columns")
    if source.zigzag() != count:
        raise BrokenStream(f"the stream says another number of rows than the {count} in it")
    if source.varint() >> 3 != CHECKSUM or source.checksum() != of_all:
        raise BrokenStream("the checksum of the stream differs")


def _decoder(kind: ColumnType) -> Callable[[_Source], Pair]:
    inner = [_decoder(part) for part in kind.inner]
    match kind.name:
        case "array":
            return lambda source: _read_items(source, inner[0])
        case "map":
            return lambda source: _read_map(source, *inner)
        case "struct":
            return lambda source: _read_struct(source, kind.fields, inner)
        case name if name in _INTEGERS:
            return _read_integer
        case name:
            return _DECODERS.get(name, _read_string)


def _read_items(source: _Source, decode: Callable[[_Source], Pair]) -> Pair:
    pairs = [_read_inside(source, decode) for _ in range(source.varint())]
    return [value for value, _ in pairs], b"".join([summed for _, summed in pairs])


def _read_inside(source: _Source, decode: Callable[[_Source], Pair]) -> Pair:
    return (None, b"") if source.varint() else decode(source)


def _read_map(source: _Source, key: Callable[[_Source], Pair], item: Callable[[_Source], Pair]) -> Pair:
    (keys, of_keys), (items, of_items) = _read_items(source, key), _read_items(source, item)
    if len(keys) != len(items):
        raise BrokenStream("a map has not as many keys as values")
    return list(zip(keys, items, strict=True)), of_keys + of_items


def _read_struct(source: _Source, names: Sequence[str], decoders: Sequence[Callable[[_Source], Pair]]) -> Pair:
    pairs = [_read_inside(source, decode) for decode in decoders]
    fields = dict(zip(names, (value for value, _ in pairs), strict=True))
    return fields, b"".join([summed for _, summed in pairs])


def _read_integer(source: _Source) -> Pair:
    value = source.zigzag()
    return value, _LONG.pack(value)


def _read_boolean(source: _Source) -> Pair:
    value = bool(source.varint())
    return value, b"\1" if value else b"\0"


def _read_bytes(source: _Source) -> Pair:
    content = source.take(source.varint())
    return content, content


def _read_string(source: _Source) -> Pair:
    content = source.take(source.varint())
    return content.decode(), content


def _read_decimal(source: _Source) -> Pair:
    text, content = _read_string(source)
    return Decimal(text.strip()), content


def _read_timestamp(source: _Source) -> Pair:
    seconds, nanoseconds = source.zigzag(), source.zigzag()
    if not 0 <= nanoseconds < _BILLION:
        raise BrokenStream(f"a time has {nanoseconds} nanoseconds")
    return seconds * _BILLION + nanoseconds, _LONG.pack(seconds) + _INT.pack(nanoseconds)


def _read_packed(form: struct.Struct) -> Callable[[_Source], Pair]:
    def read(source: _Source) -> Pair:
        content = source.take(form.size)
        return form.unpack(content)[0], content

    return read


_DECODERS: Mapping[str, Callable[[_Source], Pair]] = {
    "boolean": _read_boolean,
    "float": _read_packed(_FLOAT),
    "double": _read_packed(_DOUBLE),
    "decimal": _read_decimal,
    "binary": _read_bytes,
} | dict.fromkeys(_MOMENTS, _read_timestamp)


class _Source:
    """Stream of bytes that is read number by number."""

    def __init__(self, pieces: Iterable[bytes | memoryview]) -> None:
        self._pieces = iter(pieces)
        self._buffer = b""
        self._position = 0

    def varint(self) -> int:
        """Return an unsigned number."""
        value = shift = 0
        while shift < 70:
            if self._position == len(self._buffer):
                self._fill(1)
            byte = self._buffer[self._position]
            self._position += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value & (1 << 64) - 1
            shift += 7
        raise BrokenStream("a number has no end")

    def zigzag(self) -> int:
        """Return a number in zigzag."""
        value = self.varint()
        return value >> 1 ^ -(value & 1)

    def checksum(self) -> int:
        """Return a number of 32 bits, of which PyODPS sends 64 when the first is set."""
        return self.varint() & 0xFFFFFFFF

    def take(self, count: int) -> bytes:
        """Return the next `count` bytes."""
        if count > _LONGEST:
            raise BrokenStream(f"a value of {count} bytes")
        self._fill(count)
        start, self._position = self._position, self._position + count
        return self._buffer[start : self._position]

    def _fill(self, count: int) -> None:
        """Make sure that `count` bytes are there."""
        have = len(self._buffer) - self._position
        if have >= count:
            return
        parts = [self._buffer[self._position :]]
        while have < count:
            piece = next(self._pieces, None)
            if piece is None:
                raise BrokenStream("the stream ends too early")
            parts.append(bytes(piece))
            have += len(piece)
        self._buffer, self._position = b"".join(parts), 0
