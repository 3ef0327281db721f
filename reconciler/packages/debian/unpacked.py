"""
Unpacked Debian packages, kept: each .deb once as an archive whose members lie as they will lie in a layer.

To decompress a .deb and to compress its files anew takes longer than all the rest of a layer. Both are done once a package, and a layer
copies the members, as it does those of wheels. What was seen on the way (links, ELF headers, what scripts would have done) is kept beside it.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, replace
from threading import BoundedSemaphore
from typing import TYPE_CHECKING
from zipfile import ZipFile

from reconciler.packages.debian.archive import Deb, DebFile, unpack_deb
from reconciler.packages.fetch.cache import load_record, record_path, save_record
from reconciler.packages.inspect.elf import Elf  # noqa: TC001 - what reads records asks for it
from reconciler.packages.pack.folders import FileMember, member_info

if TYPE_CHECKING:
    from reconciler.packages.content import Content
    from reconciler.packages.fetch.cache import Cache

VERSION = 1
"""Of what is seen in a package. With another number all are looked into again."""

_BLOCK = 1 << 20
_WORKING = BoundedSemaphore(os.cpu_count() or 1)
"""Both compressions keep a core busy: more threads at it than there are cores would only take memory."""


@dataclass(frozen=True)
class _File:
    path: str
    size: int
    is_executable: bool
    sha256: str
    elf: Elf | None


@dataclass(frozen=True)
class _DebRecord:
    archive: str
    files: tuple[_File, ...]
    links: tuple[tuple[str, str], ...]
    undone: tuple[str, ...]


def open_deb(deb: Content, name: str, cache: Cache) -> Deb:
    """Return a package of the cache, unpacked and packed again as its files are shipped; raises E455 for what is not unpacked."""
    path = record_path(cache.root, f"debian-packages-{VERSION}", deb.sha256)
    record = load_record(path, _DebRecord)
    archive = cache.get(record.archive) if record is not None else None
    if record is not None and archive is not None:
        files = tuple(
            DebFile(file.path, archive.path, file.size, file.is_executable, file.sha256, file.elf)
            for file in record.files
        )
        return Deb(name, files, record.links, record.undone)
    with cache.workspace() as folder, _WORKING:
        (folder / "files").mkdir()
        unpacked = unpack_deb(deb.path, name, folder / "files")
        members = [
            FileMember(file.path, file.source, file.is_executable, file.sha256, file.size)
            for file in sorted(unpacked.files, key=lambda file: file.path)
        ]
        with ZipFile(folder / "deb.zip", "x") as out:
            for member in members:  # ours, hashed a moment ago
                with member.path.open("rb") as file, out.open(member_info(member), "w") as packed:
                    shutil.copyfileobj(file, packed, _BLOCK)
        archive = cache.put(folder / "deb.zip")
    seen = tuple(_File(file.path, file.size, file.is_executable, file.sha256, file.elf) for file in unpacked.files)
    save_record(path, _DebRecord(archive.sha256, seen, unpacked.links, unpacked.undone))
    return replace(unpacked, files=tuple(replace(file, source=archive.path) for file in unpacked.files))
