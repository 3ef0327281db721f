"""
Archive members: every one looked at, none unpacked, of an archive that may be anything.

A service unpacks archives on its workers, so what an archive may do to a folder it may do there: write outside it, put a
link where a file is expected, fill the disk. `zip_members` and `tar_members` let through what is a plain file under a
plain relative name, and give a finding for everything else. Bounds on the number and the size of members are checked
before any content is read, and reading stops where an archive holds more than it says.
"""

from __future__ import annotations

import gzip
import io
import lzma
import re
import stat
import struct
import tarfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Literal
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from reconciler.base.inputs import SHIPPED, open_input

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

MAX_MEMBERS = 200_000
MAX_UNPACKED = 16 << 30
"""
Bytes of everything in one archive. The service publishes no such limit; the largest real sets of wheels (a deep learning
framework) unpack to about a quarter of it.
"""

_MAX_RATIO = 200
_HARMLESS = 256 << 20
"""An archive that unpacks to less than this may be packed as tightly as it likes."""

UNREADABLE = (
    *(BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError),
    *(RuntimeError, ValueError, LookupError, OverflowError),
)
"""What the standard library raises over archives that are none: found by fuzzing, each of them."""

_ONE_READ = 64 << 20
_DRIVE = re.compile(r"[A-Za-z]:")


DATA_PARTS: Mapping[str, Literal["scripts", "headers"] | None] = {
    "purelib": None,
    "platlib": None,
    "data": None,
    "scripts": "scripts",
    "headers": "headers",
}
"""Part of a ``.data`` folder → None where it goes to the top, else why it is left out."""


class TooMuch(ValueError):
    """An archive holds more than any real one."""


@dataclass(frozen=True)
class Member:
    """A plain file in an archive."""

    name: str
    size: int
    open: Callable[[], AbstractContextManager[IO[bytes]]]
    """Valid until the next member is asked for."""


def zip_members(path: Path, unsafe: list[str]) -> Iterator[Member]:
    """Yield the files of a zip archive; what must not be unpacked is added to `unsafe` instead."""
    with open_input(path, SHIPPED) as file, ZipFile(file) as archive:
        infos = archive.infolist()
        bound(len(infos), sum(info.file_size for info in infos), path.stat().st_size)
        names = _Names(unsafe)
        files = [info for info in infos if names.takes(info.filename, _why_not_zip(info)) and not info.is_dir()]
        for info in files if not unsafe else ():
            yield Member(info.filename, info.file_size, lambda info=info: archive.open(info))  # type: ignore[misc]


def tar_members(path: Path, unsafe: list[str]) -> Iterator[Member]:
    """Yield the files of a tar archive, compressed with gzip or not; the rest as with `zip_members`."""
    with open_input(path, SHIPPED) as raw, _unzip(raw) as stream, tarfile.open(fileobj=stream, mode="r:") as archive:
        names, total, packed = _Names(unsafe), 0, path.stat().st_size
        for count, info in enumerate(iter(archive.next, None), 1):
            total += max(info.size, 0)
            bound(count, total, packed)
            archive.members.clear()  # type: ignore[attr-defined] # a list of all it has seen, which nothing here needs
            if names.takes(info.name, _why_not_tar(info)) and info.isfile():
                yield Member(info.name, info.size, lambda info=info: _extract(archive, info))  # type: ignore[misc]


def bound(count: int, unpacked: int, packed: int) -> None:
    """Raise `TooMuch` over so many files with so many bytes, from an archive of `packed` bytes."""
    if count > MAX_MEMBERS:
        raise TooMuch(f"it holds more than {MAX_MEMBERS:,} files")
    if unpacked > MAX_UNPACKED or (unpacked > _HARMLESS and unpacked > _MAX_RATIO * packed):
        raise TooMuch(f"it unpacks to {unpacked / 1e9:,.1f} GB, from {packed / 1e6:,.1f} MB")


class _Names:
    """The names seen so far: each may come once, in one spelling, and lie below the folder."""

    def __init__(self, unsafe: list[str]) -> None:
        self._unsafe, self._seen = unsafe, dict[str, str]()

    def takes(self, name: str, obstacle: str | None) -> bool:
        reason = obstacle or why_not_a_member(name) or self._twin(name)
        if reason:
            self._unsafe.append(f"{name!r} {reason}")
        return reason is None

    def _twin(self, name: str) -> str | None:
        if name.endswith("/"):
            return None
        other = self._seen.get(name.lower())
        self._seen.setdefault(name.lower(), name)
        if other is None:
            return None
        return "comes twice" if other == name else f"differs from {other!r} only in case"


def why_not_a_member(name: str) -> str | None:
    """Return what is wrong with the path of a member, or None."""
    parts = name.removesuffix("/").split("/")
    if name.startswith("/") or _DRIVE.match(name):
        return "is an absolute path"
    if ".." in parts:
        return "leads out of its folder"
    if "\\" in name or not name.isprintable():
        return "holds characters that mean different files to different systems"
    return "is no name" if not name else None


def _why_not_zip(info: ZipInfo) -> str | None:
    mode = info.external_attr >> 16
    if info.create_system == 3 and stat.S_IFMT(mode) and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        return "is a symbolic link" if stat.S_ISLNK(mode) else "is neither a file nor a folder"
    if info.flag_bits & 0x1:
        return "is encrypted"
    if info.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        return f"is packed by method {info.compress_type}, which not every unpacker knows"
    return None


def _why_not_tar(info: tarfile.TarInfo) -> str | None:
    if info.isfile() or info.isdir():
        return None
    return "is a link" if info.issym() or info.islnk() else "is neither a file nor a folder"


@contextmanager
def _extract(archive: tarfile.TarFile, info: tarfile.TarInfo) -> Iterator[IO[bytes]]:
    stream = archive.extractfile(info)
    assert stream is not None  # it is a file
    with stream:
        yield stream


@contextmanager
def _unzip(raw: IO[bytes]) -> Iterator[IO[bytes]]:
    is_gzip = raw.read(2) == b"\x1f\x8b"
    raw.seek(0)
    if not is_gzip:
        yield raw
        return
    with gzip.GzipFile(fileobj=raw) as packed:
        yield _InSteps(packed)  # type: ignore[misc]


class _InSteps(io.RawIOBase):
    """An unpacking stream of which nobody takes too much at once: a tar header may ask for gigabytes."""

    def __init__(self, stream: gzip.GzipFile) -> None:
        super().__init__()
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _ONE_READ:
            raise TooMuch("a header in it is larger than any real one")
        return self._stream.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()


# --- Where the members of a wheel belong ----------------------------------------------------------------------------------


def data_part(path: str) -> str | None:
    """Return in which part of a ``.data`` folder a wheel's member lies: ``purelib``, ``scripts``, …"""
    folder, _, rest = path.partition("/")
    part, inside, _ = rest.partition("/")
    return part if folder.endswith(".data") and inside and part in DATA_PARTS else None


def packed_path(path: str) -> str:
    """Return where a wheel's member lies once it is packed: what is in ``.data`` goes to the top."""
    return path if data_part(path) is None else path.split("/", 2)[2]
