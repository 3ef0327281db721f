"""
Reads of a manifest: every file and folder of the checkout on which what it ships, and what is said of it, depends.

This is the one place that says so; a test holds it against what a run opens. A name counts whether or not there is anything behind it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from reconciler.packages.lock.file import NAME as LOCK

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.manifest.load import Loaded
    from reconciler.manifest.model import Package

ATTRIBUTES = ".gitattributes"


@dataclass(frozen=True)
class Reads:
    """Files and folders that a manifest reads, by their names from the top of the repository."""

    files: frozenset[str]
    folders: frozenset[str]
    """All that lies in them counts."""

    top: Path

    def are_touched(self, changed: Iterable[str]) -> bool:
        """Say whether one of some files is read: by its name, in a folder that is read, or as a link or submodule on the way."""
        names = set(changed)
        if not names.isdisjoint(self.files | self.folders):
            return True
        if any(not names.isdisjoint(_above(name)) for name in self.files | self.folders):
            return True
        # Attributes say which line ends a text has, in their folder and below.
        below = {PurePosixPath(name).parent.as_posix() for name in names if PurePosixPath(name).name == ATTRIBUTES}
        if below and any(not below.isdisjoint({".", *_above(name)}) for name in self.files | self.folders):
            return True
        if any(not self.folders.isdisjoint(_above(name)) for name in names):
            return True
        return any(_is_in(name, leading) for leading in self._links() for name in names)

    def _links(self) -> Iterator[str]:
        """Yield where links in the folders lead to."""
        for folder in self.folders:
            for parent, folders, files in os.walk(self.top / folder):
                for path in (Path(parent, name) for name in (*folders, *files)):
                    if path.is_symlink() and (real := Path(os.path.realpath(path))).is_relative_to(self.top):
                        yield real.relative_to(self.top).as_posix()


def list_reads(loaded: Loaded, top: Path, called: str) -> Reads:
    """Return what a manifest reads; `top` is that of its repository, `called` its own name from there."""
    manifest, folder = loaded.manifest, loaded.folder
    names = {LOCK, *loaded.files}
    folders: set[str] = set()
    for resource in manifest.resources.values():
        names |= {resource.file} if resource.file is not None else set()
    for function in manifest.functions.values():
        names |= {*function.modules, *([function.source] if function.source is not None else [])}
    for label, package in manifest.packages.items():
        names |= set(_package_files(package))
        folders |= {*package.find_links, *package.build.headers}
        if package.is_locked:
            from reconciler.packages.lock.inputs import named_files

            names |= set(named_files(loaded, label))
    folders |= {name for name in names if (folder / name).is_dir()}
    files = {called, *_names(names - folders, folder, top), *_real(loaded.files.values(), top)}
    return Reads(frozenset(files), frozenset(_names(folders, folder, top)), top)


def list_policy_reads(policies: Iterable[str], folder: Path, top: Path) -> Reads:
    """Return what is read of policies, by their paths from a manifest's folder."""
    return Reads(frozenset(_names(policies, folder, top)), frozenset(), top)


def _package_files(package: Package) -> Iterator[str]:
    yield from (wheel for wheel in package.wheels if isinstance(wheel, str))
    yield from package.library_files
    yield from (*package.build.libraries, *package.build.programs)
    yield from filter(None, (package.requirements_file, package.constraints_file))


def _names(written: Iterable[str], folder: Path, top: Path) -> Iterator[str]:
    """Yield how the repository calls what a manifest names: as it is written, and where links on the way lead to."""
    for name in written:
        path = Path(os.path.normpath(folder / name))
        yield from _real((str(path), os.path.realpath(path)), top)


def _real(paths: Iterable[str], top: Path) -> Iterator[str]:
    for path in map(Path, paths):
        if path.is_relative_to(top):
            yield path.relative_to(top).as_posix()


def _above(name: str) -> set[str]:
    """Return the folders in which a file lies, but for the top."""
    return {parent.as_posix() for parent in PurePosixPath(name).parents} - {"."}


def _is_in(name: str, folder: str) -> bool:
    return name == folder or name.startswith(f"{folder}/")
