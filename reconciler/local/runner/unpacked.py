"""
Archives unpacked once for all functions of a run that bring the same.

What a function finds is a folder of its own, with links in it: to each folder that holds code, as packages do, and to each file
of code beside them. What they lead to can only be read, by root too (a worker has no capabilities, see `base.barrier`), so that no
function meets what another one changed. Everything else is a copy, for a function may write to its own data.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.local.runner.layout import extract, is_extension, remove

if TYPE_CHECKING:
    from reconciler.local.runner.layout import Limits


@dataclass(frozen=True)
class _Folder:
    """What an archive holds, unpacked."""

    names: tuple[str, ...]
    """Of files and links."""
    linked: tuple[Path, ...]
    """Folders and files at the top with code in them: links in each function's folder."""
    copied: tuple[Path, ...]
    """What else is at the top."""


class UnpackedArchives:
    """Archives of one run; `lay` may be asked by several threads. What it keeps goes with it."""

    def __init__(self) -> None:
        self._folder = ""
        self._unpacked: dict[tuple[Path, str], _Folder] = {}
        self._busy: dict[tuple[Path, str], threading.Lock] = {}
        self._guard = threading.Lock()

    def lay(self, archive: Path, target: Path, *, name: str, limits: Limits | None = None) -> tuple[str, ...]:
        """Fill the new directory `target` as `extract` does, and return the same; raises what it raises."""
        key = archive, name
        with self._guard:
            busy = self._busy.setdefault(key, threading.Lock())
            if not self._folder:
                self._folder = tempfile.mkdtemp(prefix="udfs-")
                weakref.finalize(self, remove, Path(self._folder))
        with busy:
            if key not in self._unpacked:
                # A folder of its own for each try: what a failed one left half done is in nobody's way.
                folder = Path(tempfile.mkdtemp(dir=self._folder), "content")
                self._unpacked[key] = _unpack(archive, folder, name, limits)
        unpacked = self._unpacked[key]
        _lay(unpacked, target)
        return unpacked.names


def _unpack(archive: Path, folder: Path, name: str, limits: Limits | None) -> _Folder:
    names = extract(archive, folder, name=name, limits=limits)
    with_code = {member.partition("/")[0] for member in names if _is_code(member)}
    tops = list(folder.iterdir())
    linked = tuple(top for top in tops if top.name in with_code and not top.is_symlink())
    for top in linked:
        _protect(top)
    return _Folder(names, linked, tuple(top for top in tops if top not in linked))


_CODE = (".py", ".pyi", ".pyx", ".pxd", ".pxi", ".h", ".hpp", ".c", ".cpp", ".f", ".f90")


def _is_code(member: str) -> bool:
    return member.endswith(_CODE) or is_extension(member)


def _protect(top: Path) -> None:
    """Take away the right to write to it, and to all in it."""
    inside = [Path(parent, name) for parent, folders, files in os.walk(top) for name in (*folders, *files)]
    for path in (*inside, top):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & 0o555)


def _lay(unpacked: _Folder, target: Path) -> None:
    target.mkdir(parents=True)
    for top in unpacked.linked:
        (target / top.name).symlink_to(top)
    for top in unpacked.copied:
        if top.is_dir() and not top.is_symlink():
            shutil.copytree(top, target / top.name, symlinks=True)
        else:
            shutil.copy(top, target / top.name, follow_symlinks=False)
