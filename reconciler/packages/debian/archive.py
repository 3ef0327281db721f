"""
Archive of a Debian package: its files, taken out without running anything of it.

[deb] is deb(5): an ``ar`` archive of ``debian-binary``, ``control.tar`` and ``data.tar``. What leads out of the folder, is a device, or
comes by way of a link is refused, as an archive of anybody's is; links are returned as values and never made. Scripts
of the package are read for what they would have done, and not run.
"""

from __future__ import annotations

import hashlib
import io
import lzma
import re
import stat
import tarfile
import zlib
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING

from reconciler.base.errors import PackageError
from reconciler.base.inputs import SHIPPED, open_input
from reconciler.packages.inspect.elf import Damaged, Elf, read_elf
from reconciler.packages.inspect.files import is_elf
from reconciler.packages.inspect.members import why_not_a_member
from reconciler.packages.inspect.xz import open_xz

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_FILES = 100_000
MAX_UNPACKED = 4 << 30
"""Bytes. The largest package of Debian 12 that holds a library unpacks to a third of it."""

_ARCHIVE = b"!<arch>\n"
_HEAD = re.compile(rb"(.{16})\d[\d ]{11}[\d ]{6}[\d ]{6}[\d ]{8}(\d[\d ]{9})`\n", re.DOTALL)
_MAX_CONTROL = 16 << 20
_BLOCK = 1 << 20
_LONGEST_PATH = 1024
_DEEDS = {
    "update-alternatives": "update-alternatives",
    "ldconfig": "ldconfig",
    "fc-cache": "a cache of fonts (fc-cache)",
    "update-mime-database": "a database of MIME types",
    "glib-compile-schemas": "compiled schemas of GLib",
    "gdk-pixbuf-query-loaders": "a list of loaders of gdk-pixbuf",
    "gtk-update-icon-cache": "a cache of icons",
    "update-ca-certificates": "a list of certificates",
    "gconftool": "settings of GConf",
    "adduser": "a user of the system",
    "useradd": "a user of the system",
    "systemctl": "a service of the system",
    "deb-systemd-helper": "a service of the system",
    "py3compile": "compiled Python",
    "locale-gen": "locales",
}
_UNREADABLE = (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, OSError, ValueError, OverflowError, RuntimeError)


@dataclass(frozen=True)
class DebFile:
    """A plain file of a package."""

    path: str
    """From the root of the system, without a slash before it: usr/lib/x86_64-linux-gnu/libz.so.1.2.13."""

    source: Path
    """Where its bytes lie: the file, or an archive that has it under its path."""

    size: int
    is_executable: bool
    sha256: str
    elf: Elf | None = None
    """What it needs and offers, if it is an ELF file that can be read."""


@dataclass(frozen=True)
class Deb:
    """A package, unpacked."""

    name: str
    files: tuple[DebFile, ...]
    links: tuple[tuple[str, str], ...]
    """Path and target of each link, the target from the root as well."""

    undone: tuple[str, ...]
    """What its scripts would have done: update-alternatives, ldconfig…"""


def unpack_deb(path: Path, name: str, folder: Path) -> Deb:
    """
    Unpack a package into `folder`, which is empty. Raises E455 with every member that is refused, and nothing of it is to be used then.
    """
    try:
        with open_input(path, SHIPPED) as file:
            parts = dict(_parts(file, path.stat().st_size))
            _require_form(name, parts, file)
            control = next(part for part in parts if part.startswith("control.tar"))
            data = next(part for part in parts if part.startswith("data.tar"))
            undone = _deeds(_open_tar(file, control, parts[control]))
            reader = _Reader(name, folder)
            reader.read(_open_tar(file, data, parts[data]))
    except _UNREADABLE as error:
        raise PackageError(
            "E455", f"the Debian package '{name}' is damaged: {error}", hint="nothing of it was used"
        ) from error
    if reader.refused:
        message = f"the Debian package '{name}' holds what is not unpacked"
        raise PackageError("E455", message, hint="nothing of it was used", detail=tuple(reader.refused[:20]))
    return Deb(name, tuple(reader.files.values()), tuple(sorted(reader.links.items())), undone)


def _parts(file: IO[bytes], size: int) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield name, offset and bytes of the members of an ``ar`` archive."""
    if file.read(len(_ARCHIVE)) != _ARCHIVE:
        raise ValueError("it is no archive of ar")
    offset = len(_ARCHIVE)
    for _ in range(16):
        if offset >= size:
            return
        file.seek(offset)
        match = _HEAD.fullmatch(file.read(60))
        if match is None:
            raise ValueError("a member of the archive has no header")
        length = int(match[2])
        if offset + 60 + length > size:
            raise ValueError("the archive is cut off")
        yield match[1].decode("ascii").strip().rstrip("/"), (offset + 60, length)
        offset += 60 + length + length % 2
    raise ValueError("the archive has too many members")


def _require_form(name: str, parts: dict[str, tuple[int, int]], file: IO[bytes]) -> None:
    """Raise ValueError unless the members are those of a package, each once."""
    members = [*parts]
    if not members or members[0] != "debian-binary":
        raise ValueError("it does not begin with debian-binary")
    file.seek(parts["debian-binary"][0])
    if not file.read(min(parts["debian-binary"][1], 16)).startswith(b"2."):
        raise ValueError("it is of another format than 2.0")
    for part in ("control.tar", "data.tar"):
        if sum(member.startswith(part) for member in members) != 1:
            raise ValueError(f"it has not one {part}")


def _open_tar(file: IO[bytes], member: str, place: tuple[int, int]) -> tarfile.TarFile:
    """Open a part as a stream of tar members; ValueError for a compression that Debian does not use."""
    part = io.BufferedReader(_Part(file, *place), _BLOCK)  # type: ignore[type-var]
    compression = member.partition(".tar")[2]
    if compression == ".xz":
        return tarfile.open(fileobj=open_xz(part), mode="r|")
    if compression == ".gz":
        return tarfile.open(fileobj=part, mode="r|gz")
    if compression == "":
        return tarfile.open(fileobj=part, mode="r|")
    raise ValueError(f"{member} is packed as none of Debian's packages is (.zst is Ubuntu's)")


class _Part(io.RawIOBase):
    """A part of a file, as a file of its own."""

    def __init__(self, file: IO[bytes], offset: int, length: int) -> None:
        self._file, self._offset, self._end = file, offset, offset + length

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        self._file.seek(self._offset)
        content = self._file.read(min(len(buffer), self._end - self._offset))
        buffer[: len(content)] = content
        self._offset += len(content)
        return len(content)


def _deeds(archive: tarfile.TarFile) -> tuple[str, ...]:
    """Return what the scripts that run after unpacking would do, by the programs that they name."""
    deeds: dict[str, None] = {}
    for member in archive:
        if member.isfile() and PurePosixPath(member.name).name in {"postinst", "preinst", "triggers"}:
            script = archive.extractfile(member)
            text = script.read(_MAX_CONTROL).decode("utf-8", "replace") if script else ""
            code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
            deeds |= dict.fromkeys(deed for word, deed in _DEEDS.items() if re.search(rf"\b{word}\b", code))
    return tuple(deeds)


class _Reader:
    """Takes files and links out of a data.tar, and notes what is refused."""

    def __init__(self, name: str, folder: Path) -> None:
        self._folder = folder
        self.files: dict[str, DebFile] = {}
        self.links: dict[str, str] = {}
        self.refused: list[str] = []
        self._folders: set[str] = set()
        self._size = 0

    def read(self, archive: tarfile.TarFile) -> None:
        for count, member in enumerate(archive):
            if count >= MAX_FILES:
                raise ValueError(f"it has more than {MAX_FILES:,} members")
            path = member.name.removeprefix("./").rstrip("/")
            if path in {"", "."}:
                continue
            if (reason := self._why_not(path, member)) is not None:
                self.refused.append(f"{path[:200]!r}: {reason}")
            elif member.isdir():
                self._folders.add(path)
            elif member.issym():
                self.links[path] = _target(path, member.linkname)
            elif member.islnk():
                self.files[path] = replace(self.files[member.linkname.removeprefix("./")], path=path)
            else:
                self._take(archive, member, path)

    def _why_not(self, path: str, member: tarfile.TarInfo) -> str | None:
        return _why_no_path(path) or self._why_no_place(path, member) or self._why_no_kind(path, member)

    def _why_no_place(self, path: str, member: tarfile.TarInfo) -> str | None:
        parts = path.split("/")
        above = ["/".join(parts[:depth]) for depth in range(1, len(parts))]
        if any(folder in self.links for folder in above):
            return "it lies behind a link"
        if any(folder in self.files for folder in above):
            return "it lies below a file"
        if path in self.files or path in self.links:
            return "it is there twice"
        return "it takes a folder's place" if path in self._folders and not member.isdir() else None

    def _why_no_kind(self, path: str, member: tarfile.TarInfo) -> str | None:
        if member.issym():
            return None if _target(path, member.linkname) else f"its link leads out: {member.linkname[:100]!r}"
        if member.islnk():
            is_before = member.linkname.removeprefix("./") in self.files
            return None if is_before else f"it is another name of {member.linkname[:100]!r}, which is no file before it"
        if member.issparse():
            return "it is sparse"
        return None if member.isfile() or member.isdir() else "it is a device or pipe"

    def _take(self, archive: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
        self._size += member.size
        if self._size > MAX_UNPACKED:
            raise ValueError("it unpacks to more than any library needs")
        content = archive.extractfile(member)
        assert content is not None
        # By a number, not by its name: two names may be one on this machine's file system, and none is needed.
        source = self._folder / str(len(self.files))
        first = block = content.read(_BLOCK)
        digest = hashlib.sha256()
        with source.open("xb") as out:
            while block:
                digest.update(block)
                out.write(block)
                block = content.read(_BLOCK)
        elf = _read_elf(source) if is_elf(first) else None
        is_executable = bool(member.mode & stat.S_IXUSR)
        self.files[path] = DebFile(path, source, member.size, is_executable, digest.hexdigest(), elf)


def _read_elf(file: Path) -> Elf | None:
    with open_input(file, SHIPPED) as stream:
        try:
            return read_elf(stream)
        except Damaged:
            return None


def _why_no_path(path: str) -> str | None:
    if reason := why_not_a_member(path):
        return f"it {reason}"
    if any(part in {"", "."} for part in path.split("/")):
        return "its path is written in a way of its own"
    return "its path is too long" if len(path) > _LONGEST_PATH else None


def _target(path: str, link: str) -> str:
    """Return where a link leads, from the root; nothing if that is outside."""
    parts: list[str] = [] if link.startswith("/") else path.split("/")[:-1]
    for part in link.split("/"):
        if part == "..":
            if not parts:
                return ""
            parts.pop()
        elif part not in {"", "."}:
            parts.append(part)
    return "/".join(parts)
