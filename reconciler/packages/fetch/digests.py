"""
Hash cache keyed by file status: a file that has not changed is not read again.

A file is as it was if its size, inode, device, time of modification and time of change are those seen when it was read.
The last of them is the file system's own: who writes to a file, replaces it or sets its times back gets a new one.

One file a manifest, with what its last run asked for; whatever cannot be read or does not look right is forgotten.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING, TypeAlias

from reconciler.base import files as whole
from reconciler.packages.content import Content, read_content

if TYPE_CHECKING:
    from pathlib import Path

_Status: TypeAlias = tuple[int, int, int, int, int]
_AT_REST = 2_000_000_000
"""Nanoseconds since the last change after which the next one will show."""


class Digests:
    """The hashes that one manifest's last run asked for."""

    def __init__(self, root: Path, name: str) -> None:
        """Take the file for `name`, which is the manifest's place, in the folder of caches."""
        self._path = root / "digests" / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.json"
        self._known = _load(self._path)
        self._asked: dict[str, tuple[_Status, str, str]] = {}
        self._began = _now(self._path.parent)

    def read(self, path: Path) -> Content:
        """Return what `read_content` returns, from memory if the file has not changed. Safe in several threads."""
        name, before = str(path), _status(path)
        entry = self._known.get(name)
        if entry is not None and entry[0] == before:
            self._asked[name] = entry
            return Content(path, entry[1], entry[2], before[0])
        content = read_content(path)
        _, modified, changed, *_ = before
        # Clocks of file systems tick, at worst every two seconds (FAT), and two writes within one tick leave the same times. As
        # with git's index, only a file that was at rest when reading began is remembered.
        if self._began is not None and max(modified, changed) + _AT_REST < self._began and _status(path) == before:
            self._asked[name] = before, content.sha256, content.md5
        return content

    def save(self) -> None:
        """Write what was asked for, if it is not what is there."""
        if self._asked == self._known:
            return
        with suppress(OSError):
            whole.replace_file(self._path, json.dumps(self._asked).encode())


def _status(path: Path) -> _Status:
    status = path.stat()
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_dev


def _now(folder: Path) -> int | None:
    """Return the file system's time; None, with which nothing is remembered, where nothing can be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # By a file made for it: the file system's clock counts, not the machine's.
        with tempfile.TemporaryFile(dir=folder) as file:
            return os.fstat(file.fileno()).st_mtime_ns
    except OSError:
        return None


def _load(path: Path) -> dict[str, tuple[_Status, str, str]]:
    try:
        kept = json.loads(path.read_bytes())
        return {name: _entry(*row) for name, row in kept.items()}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return {}


def _entry(status: list[int], sha256: str, md5: str) -> tuple[_Status, str, str]:
    size, modified, changed, inode, device = status
    if not (len(sha256) == 64 and len(md5) == 32):
        raise ValueError("not a hash")
    return (size, modified, changed, inode, device), sha256, md5
