"""The digest of a project's folder: what a build of it may read, and nothing that builds and editors leave there."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from reconciler.artifacts import content

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LEFT_OUT = frozenset((
    *(".git", ".hg", ".svn", ".udfs", ".venv", "venv", ".tox", ".nox", "__pycache__", "build", "dist"),
    *(".mypy_cache", ".pytest_cache", ".ruff_cache", ".idea", ".vscode"),
))  # fmt: skip


def tree_digest(folder: Path) -> str:
    """
    Return the sha256 of the names and the bytes of all files below `folder`.

    Raises OSError where something cannot be read. A symbolic link counts as the path that it holds.
    """
    digest = hashlib.sha256()
    for path in _files(folder):
        name = path.relative_to(folder).as_posix().encode("utf-8", "surrogateescape")
        inside = str(path.readlink()) if path.is_symlink() else content.read(path).sha256
        digest.update(b"%d %b %b\n" % (len(name), name, inside.encode("utf-8", "surrogateescape")))
    return digest.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            if path.name not in _LEFT_OUT and not path.name.endswith(".egg-info"):
                yield from _files(path)
        elif path.suffix not in (".pyc", ".pyo"):
            yield path
