"""What PyODPS writes for a tunnel is read, and what is written here PyODPS reads: values, checksums, compression, any cut."""

from __future__ import annotations

import datetime as dt
import io
import random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import odps.tunnel.io.writer
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from odps.config import option_context
from odps.models import Record, TableSchema
from odps.tunnel.io.reader import TunnelArrowReader, TunnelRecordReader
from odps.tunnel.io.stream import CompressOption, SimpleInputStream, get_compress_stream, get_decompress_stream
from odps.tunnel.io.writer import BaseArrowWriter, BaseRecordWriter

from reconciler.local.tunnel.arrow_stream import BrokenStream, decode_arrow, encode_arrow
from reconciler.local.tunnel.column_types import parse_type, wire_type
from reconciler.local.tunnel.compression import coding_of, compress, decompress
from reconciler.local.tunnel.records import decode_records, encode_records

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.local.tunnel.column_types import ColumnType

ZONE = "Asia/Shanghai"
LONG = st.integers(-(2**63), 2**63 - 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
DATETIMES = st.integers(7 * 10**11, 7 * 10**12).map(
    lambda ms: dt.datetime.fromtimestamp(0, dt.timezone.utc).replace(tzinfo=None) + dt.timedelta(milliseconds=ms)
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "tinyint": st.integers(-128, 127),
    "smallint": st.integers(-(2**15), 2**15 - 1),
    "int": st.integers(-(2**31), 2**31 - 1),
    "bigint": LONG,
    "float": st.floats(width=32, allow_nan=False),
    "double": st.floats(allow_nan=False),
    "boolean": st.booleans(),
    "string": TEXTS,
    "binary": st.binary(max_size=20),
    "decimal(20,4)": st.decimals(-(10**15), 10**15, places=4),
    "date": st.dates(dt.date(1, 1, 1), dt.date(9999, 12, 31)),
    "datetime": DATETIMES,
    "array<string>": st.lists(st.none() | TEXTS, max_size=4),
    "map<string,bigint>": st.dictionaries(TEXTS, st.none() | LONG, max_size=4),
    "struct<a:bigint,b:array<double>>": st.fixed_dictionaries(
        {"a": st.none() | LONG, "b": st.none() | st.lists(st.none() | st.floats(allow_nan=False), max_size=3)}
    ),
    "array<map<string,struct<at:datetime>>>": st.lists(
        st.dictionaries(TEXTS, st.fixed_dictionaries({"at": st.none() | DATETIMES}), max_size=2), max_size=2
    ),
}
"""By type. Times stay in years where the clocks of `ZONE` show no hour twice."""


@st.composite
def tables(draw: st.DrawFn, kinds: Iterable[str] = tuple(VALUES)) -> tuple[list[str], list[list[Any]]]:
    types = draw(st.lists(st.sampled_from(tuple(kinds)), min_size=1, max_size=6))
    return types, draw(st.lists(st.tuples(*(st.none() | VALUES[kind] for kind in types)).map(list), max_size=8))


def as_batch(types: list[str], rows: list[list[Any]]) -> Any:
    arrays = []
    for index, kind in enumerate(types):
        values = [row[index] for row in rows]
        arrays.append(
            pa.array(
                [_pairs(value) if kind.startswith(("map", "array<map")) else value for value in values],
                wire_type(parse_type(kind)),
            )
        )
    return pa.RecordBatch.from_arrays(arrays, names=names_of(types))


def _pairs(value: Any) -> Any:
    if isinstance(value, list):
        return [_pairs(item) for item in value]
    return list(value.items()) if isinstance(value, dict) else value


def as_rows(batches: Iterable[Any]) -> list[list[Any]]:
    return [[_plain(value) for value in row.values()] for batch in batches for row in batch.to_pylist()]


def _plain(value: Any) -> Any:
    """Return a value as `VALUES` has it, whoever read it: a map as a dict, a struct as a dict."""
    if isinstance(value, list):
        if value and all(isinstance(item, tuple) for item in value):
            return {key: _plain(item) for key, item in value}
        return [_plain(item) for item in value]
    if hasattr(value, "_asdict"):
        return _plain(value._asdict())
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


def normal(value: Any) -> Any:
    # Arrow has an empty map as an empty list.
    if isinstance(value, dict):
        return {key: normal(item) for key, item in value.items()} or []
    return [normal(item) for item in value] if isinstance(value, list) else value


def cut(content: bytes, seed: int) -> Iterator[bytes]:
    """Cut a stream anywhere, as a network does."""
    where = random.Random(seed)
    while content:
        size = where.choice((1, 2, 7, 100, 5000))
        yield content[:size]
        content = content[size:]


def names_of(types: list[str]) -> list[str]:
    return [f"c{index}" for index in range(len(types))]


def kinds_of(types: list[str]) -> list[ColumnType]:
    return [parse_type(kind) for kind in types]


def schema_of(types: list[str]) -> Any:
    return TableSchema.from_lists(names_of(types), types)


@pytest.fixture(autouse=True, scope="module")
def same_zone() -> Iterator[None]:
    with option_context() as options:
        options.local_timezone = ZONE
        yield


def naive(value: Any) -> Any:
    """Return a value of PyODPS's without the zone that it gives to times."""
    if isinstance(value, dt.datetime):
        return value.replace(tzinfo=None)
    if isinstance(value, dict):
        return {key: naive(item) for key, item in value.items()}
    return [naive(item) for item in value] if isinstance(value, list) else value


@settings(max_examples=25, deadline=None)
@given(tables())
def test_pyodps_reads_our_records(table: tuple[list[str], list[list[Any]]]) -> None:
    types, rows = table
    content = b"".join(encode_records([as_batch(types, rows)], kinds_of(types), ZONE))
    reader = TunnelRecordReader(schema_of(types), lambda *_, **__: SimpleInputStream(io.BytesIO(content)))
    read = [[naive(_plain(value)) for value in record.values] for record in reader]
    assert list(map(normal, read)) == list(map(normal, rows))


@settings(max_examples=25, deadline=None)
@given(tables(), st.integers(0, 99))
def test_we_read_the_records_of_pyodps(table: tuple[list[str], list[list[Any]]], seed: int) -> None:
    types, rows = table
    schema, sink = schema_of(types), io.BytesIO()
    writer = BaseRecordWriter(schema, sink)
    for row in rows:
        writer.write(Record(schema=schema, values=row))
    writer.close()
    batches = decode_records(cut(sink.getvalue(), seed), names_of(types), kinds_of(types), ZONE)
    assert list(map(normal, as_rows(batches))) == list(map(normal, rows))


WITHOUT_TIMES_INSIDE = [kind for kind in VALUES if "at:datetime" not in kind]
"""PyODPS shows a time inside an array, map or struct that came by Arrow in UTC."""


@settings(max_examples=20, deadline=None)
@given(tables(WITHOUT_TIMES_INSIDE))
def test_pyodps_reads_our_arrow(table: tuple[list[str], list[list[Any]]]) -> None:
    types, rows = table
    content = b"".join(encode_arrow([as_batch(types, rows)], kinds_of(types), ZONE, timestamp_as_struct=True))
    reader = TunnelArrowReader(
        schema_of(types), lambda *_, **__: SimpleInputStream(io.BytesIO(content)), timestamp_as_struct=True
    )
    read = as_rows(iter(reader.read_next_batch, None))
    assert list(map(normal, map(naive, read))) == list(map(normal, rows))


@settings(max_examples=20, deadline=None)
@given(tables(WITHOUT_TIMES_INSIDE), st.integers(0, 99), st.sampled_from([64, 65536]))
def test_we_read_the_arrow_of_pyodps(table: tuple[list[str], list[list[Any]]], seed: int, chunk: int) -> None:
    types, rows = table
    sink = io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        # It asks whether it was given a DataFrame, even where there are none.
        patch.setattr(odps.tunnel.io.writer, "pd", SimpleNamespace(DataFrame=()))
        with BaseArrowWriter(schema_of(types), sink, chunk_size=chunk) as writer:
            writer.write(as_batch(types, rows))
    batches = decode_arrow(cut(sink.getvalue(), seed), names_of(types), kinds_of(types), ZONE)
    assert list(map(normal, as_rows(batches))) == list(map(normal, rows))


@settings(max_examples=25, deadline=None)
@given(tables(), st.booleans(), st.sampled_from([None, "deflate", "zstd", "x-lz4-frame"]), st.data())
def test_what_changed_on_the_way_is_never_read_as_something_else(
    table: tuple[list[str], list[list[Any]]], is_arrow: bool, coding: str | None, data: st.DataObject
) -> None:
    types, rows = table
    batch, kinds = as_batch(types, rows), kinds_of(types)
    pieces = (
        encode_arrow([batch], kinds, ZONE, timestamp_as_struct=False)
        if is_arrow
        else encode_records([batch], kinds, ZONE)
    )
    sent = bytearray(b"".join(compress(pieces, coding)))
    where = data.draw(st.none() | st.integers(0, len(sent) - 1))
    if where is not None:
        sent[where] ^= data.draw(st.sampled_from([1, 64, 128]))
    decode = decode_arrow if is_arrow else decode_records
    try:
        read = as_rows(decode(decompress(cut(bytes(sent), 0), coding), names_of(types), kinds, ZONE))
    except BrokenStream:
        assert where is not None
    else:
        assert list(map(normal, read)) == list(map(normal, rows))


def test_times_are_instants_on_the_way_and_an_hour_that_comes_twice_is_the_first() -> None:
    half_past_two_on_the_last_sunday_of_october = 1_698_546_600_123_456_789
    moments = [0, half_past_two_on_the_last_sunday_of_october, -1, None]
    column = pa.array(moments, pa.int64()).cast(pa.timestamp("ns"))
    batch = pa.RecordBatch.from_arrays([column, column], names=["c0", "c1"])
    kinds = kinds_of(["timestamp", "timestamp_ntz"])
    sent = encode_records([batch], kinds, "Europe/Berlin")
    hour = 3600 * 10**9
    in_utc = [-hour, half_past_two_on_the_last_sunday_of_october - 2 * hour, -1 - hour, None]
    assert as_moments(decode_records(sent, ["c0", "c1"], kinds, "UTC")) == [in_utc, moments]
    structs = encode_arrow([batch], kinds, "Europe/Berlin", timestamp_as_struct=True)
    with_seconds = kinds_of(["struct<sec:bigint,nano:int>"] * 2)
    [read] = decode_arrow(structs, ["c0", "c1"], with_seconds, "UTC")
    assert [
        [value and value["sec"] * 10**9 + value["nano"] for value in column.to_pylist()] for column in read.columns
    ] == [in_utc, moments]


def as_moments(batches: Iterable[Any]) -> list[list[Any]]:
    [batch] = batches
    return [column.cast(pa.int64()).to_pylist() for column in batch.columns]


@pytest.mark.parametrize(
    "text",
    ["", "number", "array<>", "array<bigint", "map<string>", "struct<a bigint>", "bigint bigint", "decimal(10", "a;b"],
)
def test_what_is_no_type_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="type"):
        parse_type(text)


def test_a_list_of_compressions_is_what_a_library_sends_and_asks_for_none() -> None:
    assert [coding_of(header) for header in ("gzip, deflate", "deflate", "X-LZ4-Frame", "x-snappy-framed", None)] == [
        None,
        "deflate",
        "x-lz4-frame",
        None,
        None,
    ]


def test_pyodps_and_we_compress_alike() -> None:
    sink, content = io.BytesIO(), b"row " * 1000
    stream = get_compress_stream(sink, CompressOption())
    stream.write(content)
    stream.flush()
    assert b"".join(decompress(cut(sink.getvalue(), 0), "deflate")) == content
    ours = io.BytesIO(b"".join(compress([content], "deflate")))
    assert get_decompress_stream(ours, CompressOption(), requests=False).read() == content
