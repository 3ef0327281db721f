"""
Environment archive: what a zip archive with an interpreter holds, read without unpacking it.

Unlike other archives (`inspect.members`) it has symbolic links and modes, and whoever unpacks it is to restore both: Flink does, for what a
zip says of Unix, and gives a file no x bit where it says nothing [run, Flink 1.20.5].
"""

from __future__ import annotations

import posixpath
import re
import stat
import tempfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, Literal, TypeAlias, cast
from zipfile import ZipFile, ZipInfo

from reconciler.base.inputs import SHIPPED, open_input
from reconciler.packages.fetch.cache import load_record, save_record
from reconciler.packages.inspect.contents import Native
from reconciler.packages.inspect.elf import Damaged, read_elf
from reconciler.packages.inspect.files import FileFinding, is_elf, is_library_name, shorten
from reconciler.packages.inspect.members import UNREADABLE, TooMuch, bound, why_not_a_member

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

VERSION = 2
"""Of what `read_environment` finds out. Facts of another version are found out again."""

ProgramKind: TypeAlias = Literal["elf", "script", "other"]

_UNIX = 3
_MAX_TEXT = 4_096
_MAX_LINKS = 40
"""That a path may lead over, as with the kernel [path_resolution(7)]."""

_DISTRIBUTION = re.compile(r"(?P<folder>.+)/(?P<name>[^/]+)-(?P<version>[^/-]+)\.dist-info/METADATA\Z")
_HOME = re.compile(r"^\s*home\s*=\s*(.*?)\s*$", re.MULTILINE)


class BrokenLink(ValueError):
    """A path in an archive that leads nowhere, or out of it; the message says where to."""


@dataclass(frozen=True)
class EnvironmentMember:
    """A file, or a symbolic link, of an archive."""

    mode: int
    """The permissions that the archive gives; 0 where it knows nothing of Unix."""

    target: str | None = None
    """Where a link leads."""

    program: ProgramKind | None = None
    """What a file of a ``bin`` folder is by its first bytes."""


@dataclass(frozen=True)
class EnvironmentArchive:
    """What an archive holds."""

    members: dict[str, EnvironmentMember] = field(default_factory=dict)
    natives: tuple[Native, ...] = ()
    homes: dict[str, str] = field(default_factory=dict)
    """Folder of a ``pyvenv.cfg`` → the folder with the interpreter that it is of."""

    faults: tuple[FileFinding, ...] = ()
    """Why it cannot be read, or must not be unpacked."""

    def follow(self, path: str) -> str:
        """Return the member that a path leads to over all links on the way, which may be a folder; or raise `BrokenLink`."""
        steps, rest = list[str](), path.split("/")
        links = 0
        while rest:
            step = rest.pop(0)
            if step in {"", "."}:
                continue
            if step == "..":
                if not steps:
                    raise BrokenLink(f"{path} leads out of the archive")
                steps.pop()
                continue
            here = "/".join((*steps, step))
            member = self.members.get(here)
            if member is None or member.target is None:
                steps.append(step)
                continue
            links += 1
            if member.target.startswith("/"):
                raise BrokenLink(f"{here} leads to {member.target}")
            if links > _MAX_LINKS:
                raise BrokenLink(f"{path} leads in circles")
            rest = [*member.target.split("/"), *rest]
        return "/".join(steps)

    def distributions(self, folder: str) -> dict[str, str]:
        """Return the distributions that are installed in a folder: normalised name → version."""
        from packaging.utils import canonicalize_name

        matches = filter(None, map(_DISTRIBUTION.match, self.members))
        return {str(canonicalize_name(of["name"])): of["version"] for of in matches if of["folder"] == folder}


def read_environment(path: Path, sha256: str, folder: Path | None = None) -> EnvironmentArchive:
    """Return what an archive with this hash holds, from `folder` if that is there, and keep it there if not."""
    record = folder / f"environment-v{VERSION}" / sha256[:2] / f"{sha256}.json" if folder is not None else None
    archive = load_record(record, EnvironmentArchive) if record is not None else None
    if archive is None:
        archive = _read(path)
        if record is not None:
            save_record(record, archive)
    return archive


def _read(path: Path) -> EnvironmentArchive:
    try:
        with open_input(path, SHIPPED) as file, ZipFile(file) as archive:
            infos = archive.infolist()
            bound(len(infos), sum(info.file_size for info in infos), path.stat().st_size)
            return _read_members(archive, infos)
    except TooMuch as error:
        return EnvironmentArchive(
            faults=(FileFinding("E422", f"expands too far: {error}", "an archive like this fills a worker's disk"),)
        )
    except UNREADABLE as error:
        reason = str(error) or type(error).__name__
        return EnvironmentArchive(faults=(FileFinding("E423", f"is not a zip archive: {reason}", "pack it anew"),))


def _read_members(archive: ZipFile, infos: list[ZipInfo]) -> EnvironmentArchive:
    members: dict[str, EnvironmentMember] = {}
    natives: list[Native] = []
    homes: dict[str, str] = {}
    unsafe: list[str] = []
    for info in infos:
        if reason := _why_not(info, members):
            unsafe.append(f"{info.filename!r} {reason}")
            continue
        if info.is_dir():
            continue
        mode = info.external_attr >> 16 if info.create_system == _UNIX else 0
        if stat.S_ISLNK(mode):
            target = _text(archive, info)
            members[info.filename] = EnvironmentMember(stat.S_IMODE(mode), target)
            continue
        members[info.filename] = EnvironmentMember(stat.S_IMODE(mode), program=_program(archive, info, natives))
        if posixpath.basename(info.filename) == "pyvenv.cfg" and (home := _HOME.search(_text(archive, info))):
            homes[posixpath.dirname(info.filename)] = home[1]
    links = {name for name, member in members.items() if member.target is not None}
    unsafe += (
        f"{info.filename!r} lies below a link, {link!r}"
        for info in infos
        if (link := next((folder for folder in _folders(info.filename) if folder in links), None))
    )
    hint = "pack it anew, without what is named"
    faults = (FileFinding("E421", "holds what must not be unpacked", hint, shorten(unsafe)),) if unsafe else ()
    return EnvironmentArchive(members, tuple(natives), homes, faults)


def _why_not(info: ZipInfo, members: Mapping[str, EnvironmentMember]) -> str | None:
    kind = stat.S_IFMT(info.external_attr >> 16) if info.create_system == _UNIX else 0
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK):
        return "is neither a file nor a folder nor a link"
    if info.flag_bits & 0x1:
        return "is encrypted"
    return "comes twice" if info.filename in members else why_not_a_member(info.filename)


def _folders(name: str) -> Iterator[str]:
    """Yield the folders that a member is in, the outermost first."""
    steps = name.rstrip("/").split("/")
    return ("/".join(steps[:end]) for end in range(1, len(steps)))


def _text(archive: ZipFile, info: ZipInfo) -> str:
    with archive.open(info) as stream:
        return stream.read(_MAX_TEXT).decode("utf-8", "replace")


def _program(archive: ZipFile, info: ZipInfo, natives: list[Native]) -> ProgramKind | None:
    """Return what a file that may be started is, and note native files on the way."""
    is_program = posixpath.basename(posixpath.dirname(info.filename)) == "bin"
    if not is_program and not is_library_name(posixpath.basename(info.filename)):
        return None
    with archive.open(info) as stream, tempfile.SpooledTemporaryFile(8 << 20) as copy:
        start = stream.read(1 << 16)
        if is_elf(start):
            block = start
            while block:
                copy.write(block)
                block = stream.read(1 << 20)
            copy.seek(0)
            try:
                natives.append(Native(info.filename, read_elf(cast("BinaryIO", copy))))
            except Damaged:
                return "other"
    if not is_program:
        return None
    return "elf" if is_elf(start) else "script" if start.startswith(b"#!") else "other"
