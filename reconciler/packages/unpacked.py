"""
Archives of ours, unpacked into the cache to be run with: once each, by their sha256, whole or not at all.
"""

from __future__ import annotations

import shutil
import stat
from typing import TYPE_CHECKING
from zipfile import ZipFile

from reconciler.base.errors import PackageError
from reconciler.base.inputs import SHIPPED, open_input
from reconciler.packages.fetch.cache import cache_full
from reconciler.packages.inspect.members import why_not_a_member

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.packages.content import Content
    from reconciler.packages.fetch.cache import Cache

_FOLDER = "unpacked"
_BLOCK = 1 << 20


def unpack_once(cache: Cache, content: Content) -> Path:
    """Return the folder with a zip's files; raises E407 where the cache takes no more."""
    folder = cache.folder(_FOLDER) / content.sha256
    if folder.is_dir():
        return folder
    with cache.workspace() as work:
        draft = work / "files"
        draft.mkdir()
        try:
            with open_input(content.path, SHIPPED) as file, ZipFile(file) as archive:
                _unpack(archive, draft)
            draft.rename(folder)
        except OSError as error:
            if not folder.is_dir():  # unless another process was faster
                raise cache_full(cache.root, error) from error
    return folder


def _unpack(archive: ZipFile, folder: Path) -> None:
    for info in archive.infolist():
        if reason := why_not_a_member(info.filename):
            raise PackageError("E407", f"a member of the archive is not unpacked: it {reason}")
        mode = info.external_attr >> 16
        goal = folder / info.filename
        if info.is_dir():
            goal.mkdir(parents=True, exist_ok=True)
            continue
        goal.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(info) as member:
            if stat.S_ISLNK(mode):
                goal.symlink_to(member.read().decode("utf-8"))
                continue
            with goal.open("xb") as out:
                shutil.copyfileobj(member, out, _BLOCK)
        goal.chmod(0o755 if mode & stat.S_IXUSR else 0o644)
