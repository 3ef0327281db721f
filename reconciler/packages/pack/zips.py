"""
Reproducible zip archives: the same bytes everywhere.

What is compressed stays compressed, and everything that could differ is fixed: order, dates, system, permissions, extra fields.

``zipfile`` reads here and cannot write this way: it knows no member that is compressed already.
"""

from __future__ import annotations

import stat
import struct
import zlib
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile

from reconciler.base.inputs import SHIPPED, open_input

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s4B4H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64 = struct.Struct("<4sLQL")
_UNIX, _ZIP_20, _ZIP_45, _UTF8 = 3, 20, 45, 0x800
_DATE = (0 << 9) | (1 << 5) | 1
"""1980-01-01, at midnight: the first that zip knows."""

_FULL, _FULL_COUNT = 0xFFFFFFFF, 0xFFFF
"""What stands where a number is too large and follows in a zip64 field."""

_LARGE, _MANY = _FULL, _FULL_COUNT
"""From here on a number is too large."""

_BLOCK = 1 << 20
_LEVEL = 6


@dataclass(frozen=True)
class Packed:
    """A member whose data are at hand, compressed or not."""

    name: str
    size: int
    """Bytes, unpacked."""

    packed: int
    """Bytes, as they lie here."""

    crc: int
    method: int
    executable: bool
    source: Path | bytes
    """The archive that it is in, or the data themselves."""

    header: int = 0
    """Where its local header begins in the archive."""

    is_link: bool = False
    """Whether its content is the path that a symbolic link leads to."""

    def read(self) -> bytes:
        """Return the unpacked content."""
        if isinstance(self.source, bytes):
            data = self.source
        else:
            with open_input(self.source, SHIPPED) as archive:
                data = b"".join(_data(self, archive))
        return zlib.decompress(data, -zlib.MAX_WBITS) if self.method == ZIP_DEFLATED else data

    def holds_the_same_as(self, other: Packed) -> bool:
        """Compare contents, whatever they are packed as."""
        if isinstance(self.source, Path) and (self.source, self.header) == (other.source, other.header):
            return True
        return (self.size, self.crc) == (other.size, other.crc) and self.read() == other.read()


def make_entry(name: str, content: bytes) -> Packed:
    """Return a member made here. It is not compressed: what zlib would make of it is not the same on every machine."""
    return Packed(name, len(content), len(content), zlib.crc32(content), ZIP_STORED, executable=False, source=content)


def make_link(name: str, target: str) -> Packed:
    """Return a symbolic link made here; services that keep links restore it [Info-ZIP's extension of the external attributes]."""
    return replace(make_entry(name, target.encode()), is_link=True)


def deflate_entry(name: str, content: bytes, *, executable: bool) -> Packed:
    """Return a member made here and compressed, as zip does by default: for what is too large to lie there as it is."""
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = packer.compress(content) + packer.flush()
    return Packed(name, len(content), len(packed), zlib.crc32(content), ZIP_DEFLATED, executable, source=packed)


def zip_entries(path: Path) -> Iterator[Packed]:
    """Yield the files of a zip archive that `inspect.contents` has found sound; folders are made from names when it is unpacked."""
    with open_input(path, SHIPPED) as file, ZipFile(file) as archive:
        for info in archive.infolist():
            if not info.is_dir():
                executable = bool((info.external_attr >> 16) & stat.S_IXUSR)
                sizes = info.file_size, info.compress_size
                yield Packed(info.filename, *sizes, info.CRC, info.compress_type, executable, path, info.header_offset)


def write_zip(out: BinaryIO, entries: Iterable[Packed]) -> None:
    """Write an archive of these members, sorted by name, which must differ."""
    directory: list[bytes] = []
    with ExitStack() as opened:
        sources: dict[Path, BinaryIO] = {}
        for entry in sorted(entries, key=lambda member: member.name):
            directory.append(_central(entry, out.tell()))
            out.write(_local(entry))
            if isinstance(entry.source, bytes):
                out.write(entry.source)
                continue
            if entry.source not in sources:
                sources[entry.source] = opened.enter_context(open_input(entry.source, SHIPPED))
            # Copied as it lies there: thirty times faster than deflating anew, and no matter which zlib this machine has.
            out.writelines(_data(entry, sources[entry.source]))
    start = out.tell()
    out.writelines(directory)
    out.write(_end(len(directory), start, out.tell() - start))


def _data(entry: Packed, archive: BinaryIO) -> Iterator[bytes]:
    """Yield a member's data as they lie in an archive. The directory says how much; the local header only where."""
    archive.seek(entry.header)
    header = archive.read(_LOCAL.size)
    if len(header) < _LOCAL.size or header[:4] != b"PK\3\4":
        raise BadZipFile(f"the data of {entry.name} do not lie where its directory says")
    *_, name, extra = _LOCAL.unpack(header)
    archive.seek(name + extra, 1)
    remaining = entry.packed
    while remaining:
        block = archive.read(min(remaining, _BLOCK))
        if not block:
            raise BadZipFile(f"the data of {entry.name} end before their time")
        remaining -= len(block)
        yield block


def _local(entry: Packed) -> bytes:
    name, flags = _encode(entry.name)
    sizes = (entry.packed, entry.size)
    extra = b""
    if max(sizes) >= _LARGE:  # a local header has both or none [APPNOTE 4.5.3]
        extra = struct.pack("<2H2Q", 1, 16, entry.size, entry.packed)
        sizes = (_FULL, _FULL)
    version = _ZIP_45 if extra else _ZIP_20
    fixed = (b"PK\3\4", version, flags, entry.method, 0, _DATE, entry.crc, *sizes, len(name), len(extra))
    return _LOCAL.pack(*fixed) + name + extra


def _central(entry: Packed, offset: int) -> bytes:
    name, flags = _encode(entry.name)
    large = [number for number in (entry.size, entry.packed, offset) if number >= _LARGE]
    extra = struct.pack(f"<2H{len(large)}Q", 1, 8 * len(large), *large) if large else b""
    version = _ZIP_45 if large else _ZIP_20
    # As pip sets them; of a link nobody asks for permissions.
    mode = stat.S_IFLNK | 0o777 if entry.is_link else stat.S_IFREG | (0o755 if entry.executable else 0o644)
    return (
        _CENTRAL.pack(
            *(b"PK\1\2", version, _UNIX, version, 0, flags, entry.method, 0, _DATE, entry.crc),
            *(_short(entry.packed), _short(entry.size), len(name), len(extra), 0, 0, 0),
            *(mode << 16, _short(offset)),
        )
        + name
        + extra
    )


def _end(count: int, start: int, size: int) -> bytes:
    short = count if count < _MANY else _FULL_COUNT
    end = _END.pack(b"PK\5\6", 0, 0, short, short, _short(size), _short(start), 0)
    if count < _MANY and max(start, size) < _LARGE:
        return end
    versions = (_UNIX << 8) | _ZIP_45, _ZIP_45
    record = _END_64.pack(b"PK\6\6", _END_64.size - 12, *versions, 0, 0, count, count, size, start)
    return record + _LOCATOR_64.pack(b"PK\6\7", 0, start + size, 1) + end


def _short(number: int) -> int:
    return number if number < _LARGE else _FULL


def _encode(name: str) -> tuple[bytes, int]:
    return name.encode(), 0 if name.isascii() else _UTF8
