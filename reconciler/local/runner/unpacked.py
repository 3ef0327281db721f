"""
Archives unpacked once for all functions of a run that bring the same.

What a function finds is a folder of its own. Code, which is most of an archive, is shared as links to a file that may only be read;
everything else is a copy, for a function may write to it. As root even code can be written to: whoever does it in a test
harms the other tests of that run, never an archive.
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

from reconciler.local.runner.layout import extract, is_extension

if TYPE_CHECKING:
    from reconciler.local.runner.layout import Limits


@dataclass(frozen=True)
class _Folder:
    """What an archive holds, unpacked."""

    path: str
    names: tuple[str, ...]
    """Of files and links."""
    directories: tuple[str, ...]
    """All of them, each after the one that it is in."""
    shared: tuple[str, ...]
    copied: tuple[str, ...]


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
                weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        with busy:
            if key not in self._unpacked:
                # A folder of its own for each try: what a failed one left half done is in nobody's way.
                folder = Path(tempfile.mkdtemp(dir=self._folder), "content")
                self._unpacked[key] = _unpack(archive, folder, name, limits)
        unpacked = self._unpacked[key]
        _copy(unpacked, str(target))
        return unpacked.names


def _unpack(archive: Path, folder: Path, name: str, limits: Limits | None) -> _Folder:
    names = extract(archive, folder, name=name, limits=limits)
    shared = tuple(member for member in names if _is_code(member) and not (folder / member).is_symlink())
    for member in shared:
        path = folder / member
        path.chmod(path.stat().st_mode & 0o555)
    inside = tuple(os.path.relpath(parent, folder) for parent, _, _ in os.walk(folder))
    return _Folder(str(folder), names, inside, shared, tuple(set(names) - set(shared)))


_CODE = (".py", ".pyi", ".pyx", ".pxd", ".pxi", ".h", ".hpp", ".c", ".cpp", ".f", ".f90")


def _is_code(member: str) -> bool:
    return member.endswith(_CODE) or is_extension(member)


def _copy(unpacked: _Folder, target: str) -> None:
    for inside in unpacked.directories:
        Path(target, inside).mkdir(parents=True, exist_ok=True)
    for member in unpacked.shared:
        _link(f"{unpacked.path}/{member}", f"{target}/{member}")
    for member in unpacked.copied:
        shutil.copy(f"{unpacked.path}/{member}", f"{target}/{member}", follow_symlinks=False)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without links, or with too many to this file
        shutil.copy(source, target)
