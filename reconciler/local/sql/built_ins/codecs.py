"""
Functions of bytes for which DuckDB has no expression [doc "Other functions", "String functions"]: gzip, CRC-32, character sets.

DuckDB calls what is written in Python, a row at a time; NULL gives NULL.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from reconciler.local.sql.built_ins.json_type import indent_json, is_json, read_json
from reconciler.local.sql.built_ins.json_values import fit_json
from reconciler.local.sql.built_ins.texts import MOST_BYTES
from reconciler.local.sql.problems import internal_failure, invalid_arguments

if TYPE_CHECKING:
    from collections.abc import Callable

_HEADER = b"\x1f\x8b\x08" + bytes(6) + b"\x03"
"""Of gzip, without a time, and made on Unix [doc "COMPRESS", the examples]."""
_CHARSETS = ("UTF-8", "UTF-16", "UTF-16LE", "UTF-16BE", "ISO-8859-1", "US-ASCII", "GB2312", "GBK", "GB18030")
_MODES = ("NONE", "TRANSLIT", "IGNORE")

ROWS = """
compress   | BINARY(STRING)         | mc_compressed(encode(a))
compress   | BINARY(BINARY)         | mc_compressed(a)
crc32      | BIGINT(STRING)         | mc_checksum(encode(a))
crc32      | BIGINT(BINARY)         | mc_checksum(a)
decompress | BINARY(BINARY)         | mc_decompressed(a)
from_charset | STRING(BINARY, STRING) | mc_decoded(a, b, 'NONE')
from_charset | STRING(BINARY, STRING, STRING) | mc_decoded(a, b, c)
"""


def _compress(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    content = packer.compress(data) + packer.flush()
    return _HEADER + content + zlib.crc32(data).to_bytes(4, "little") + len(data).to_bytes(4, "little")


def _decompress(data: bytes) -> bytes:
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        content = unpacker.decompress(data, MOST_BYTES + 1)
    except zlib.error as error:
        raise invalid_arguments(f"DECOMPRESS: {error}") from None
    if len(content) > MOST_BYTES or not unpacker.eof:
        raise invalid_arguments("DECOMPRESS: the bytes are cut off, or make more than the 8 MB of a value")
    return content


def _checksum(data: bytes) -> int:
    return zlib.crc32(data)


def _decode(data: bytes, charset: str, mode: str) -> str:
    name = charset.upper()
    if not data or name not in _CHARSETS or mode.upper() not in _MODES:
        raise invalid_arguments(f"FROM_CHARSET takes bytes, one of {', '.join(_CHARSETS)}, and {', '.join(_MODES)}")
    if name == "UTF-16" and data[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        raise internal_failure("missing here: FROM_CHARSET of UTF-16 that does not begin with its byte order")
    try:
        return data.decode(name, "ignore" if mode.upper() == "IGNORE" else "strict")
    except UnicodeDecodeError:
        if mode.upper() == "TRANSLIT":  # what a similar character is depends on the library that looks for it
            raise internal_failure("missing here: TRANSLIT of FROM_CHARSET") from None
        raise invalid_arguments(f"FROM_CHARSET: these bytes are no {name}") from None


PYTHON: dict[str, tuple[Callable[..., object], list[str], str]] = {
    "mc_checksum": (_checksum, ["BLOB"], "BIGINT"),
    "mc_compressed": (_compress, ["BLOB"], "BLOB"),
    "mc_decoded": (_decode, ["BLOB", "VARCHAR", "VARCHAR"], "VARCHAR"),
    "mc_decompressed": (_decompress, ["BLOB"], "BLOB"),
    "mc_indented": (indent_json, ["VARCHAR"], "VARCHAR"),
    "mc_is_json": (is_json, ["VARCHAR"], "BOOLEAN"),
    "mc_json": (read_json, ["VARCHAR"], "JSON"),
    "mc_fitting": (fit_json, ["VARCHAR", "VARCHAR"], "JSON"),
}
"""What macros and makers call, by its name in DuckDB: the function, DuckDB's types of its arguments, and that of its result."""
