"""
Manifests of a repository: those that stand in its list of files, or that names and patterns of a command line mean.

Each comes once: in the order in which they are named, those of a folder or pattern by their names.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from glob import glob, has_magic
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.base.errors import InvalidManifest
from reconciler.base.inputs import repository_of
from reconciler.base.words import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

MANIFEST = "udfs.yaml"
_LISTED = 5
_PASSED_OVER = frozenset({".git", ".udfs", ".venv", "venv", "node_modules", "__pycache__", ".tox", ".nox"})
"""Folders that hold what others made, and no manifest of this repository."""


@dataclass(frozen=True, order=True)
class ManifestFile:
    """A manifest, and how reports call it."""

    name: str
    """From the top of the repository, with slashes."""

    path: Path
    """As the user named it, or relative to the working directory."""


@dataclass(frozen=True)
class Repository:
    """The files of a checkout, or of a folder that is in none."""

    top: Path
    """Absolute, without links."""

    working: Path
    """The working directory; absolute, without links."""

    list_files: Callable[[], Sequence[str] | None]
    """Return the names of its files, as Git has them; None where Git knows nothing of it."""

    def manifests(self, names: Sequence[Path] = ()) -> tuple[ManifestFile, ...]:
        """Return the manifests that `names` mean: files, folders and patterns; without one, all of them. Raises E567."""
        if not names:
            if everything := sorted(self._below(self.top)):
                return tuple(everything)
            hint = "name one with -f, or write a starter with `udfs init`"
            raise InvalidManifest("E567", f"there is no {MANIFEST} in {quote(str(self.top))}", hint=hint)
        files: dict[str, ManifestFile] = {}
        for name in names:
            for file in self._find(name):
                files.setdefault(file.name, file)
        return tuple(files.values())

    def _find(self, name: Path) -> Iterator[ManifestFile]:
        text = str(name)
        if not name.exists() and has_magic(text):
            yield from self._expand(text)
        elif name.is_dir():
            files = sorted(self._below(name.resolve()))
            if not files:
                raise InvalidManifest("E567", f"there is no {MANIFEST} in {quote(text)}", hint="name another folder")
            yield from files
        else:
            # What is not there is told when it is read, as with every command.
            yield ManifestFile(self.label(Path(os.path.normpath(name.absolute()))), name)

    def _expand(self, pattern: str) -> Iterator[ManifestFile]:
        # Not `Path.glob`, which takes no absolute pattern.
        paths = [Path(match) for match in sorted(glob(pattern, recursive=True))]  # noqa: PTH207
        files = [path for path in paths if path.is_file() and path.suffix in {".yaml", ".yml"}]
        if not files:
            other = [quote(str(path)) for path in paths if path.is_file()][:_LISTED]
            hint = (
                f"it fits {', '.join(other)}, which are no .yaml" if other else "quote it, so that the shell leaves it"
            )
            raise InvalidManifest("E567", f"no manifest fits the pattern {quote(pattern)}", hint=hint)
        for path in files:
            yield ManifestFile(self.label(Path(os.path.normpath(path.absolute()))), path)

    def _below(self, folder: Path) -> Iterator[ManifestFile]:
        """Yield the manifests of a folder and those below it; `folder` is absolute, without links."""
        names = self.list_files() if folder.is_relative_to(self.top) else None
        paths = (self.top / name for name in names) if names is not None else _walk(folder)
        for path in paths:
            # The index still has what was deleted.
            if path.name == MANIFEST and path.is_relative_to(folder) and path.is_file():
                yield ManifestFile(self.label(path), Path(os.path.relpath(path, self.working)))

    def label(self, path: Path) -> str:
        """Return how reports call an absolute path."""
        for candidate in (path, path.parent.resolve() / path.name):
            if candidate.is_relative_to(self.top):
                return candidate.relative_to(self.top).as_posix()
        return path.as_posix()


def repository_at(working: Path, list_files: Callable[[Path], Sequence[str] | None]) -> Repository:
    """Return the repository of a folder; where there is none, the folder itself."""
    working = working.resolve()
    top = repository_of(working)
    return Repository(top or working, working, lambda: list_files(top) if top else None)


def _walk(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in _PASSED_OVER)
        yield from (Path(parent, name) for name in files)


def unique_folders(entries: Iterable[tuple[str, str | None]]) -> dict[tuple[str, str | None], str]:
    """Return for each manifest and target the name of a folder: safe on every system, and no two alike."""
    folders: dict[tuple[str, str | None], str] = {}
    used: set[str] = set()
    for manifest, target in entries:
        stem = f"{manifest.removesuffix('.yaml')}{f'.{target}' if target else ''}"
        slug = "".join(char if char.isascii() and (char.isalnum() or char in "._") else "-" for char in stem).strip(
            "-."
        )
        slug = slug[:_LONGEST] or "manifest"
        number = 1
        name = slug
        while name.lower() in used:
            number += 1
            name = f"{slug}-{number}"
        used.add(name.lower())
        folders[manifest, target] = name
    return folders


_LONGEST = 100
"""Characters of a folder's name."""
