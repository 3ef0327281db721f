"""
Lock reading, for the commands that rely on it.

Nothing resolves here. A manifest that asks for requirements needs a lock that was made for just these, or the command ends
with exit code 3 and says what has changed.
"""

from __future__ import annotations

import errno
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from reconciler.base import files as whole
from reconciler.base.errors import InvalidManifest, MachineError, PackageError, Position, Problem
from reconciler.base.hints import Command
from reconciler.base.inputs import LOCK, read_named
from reconciler.packages.lock import file as lockfile
from reconciler.packages.lock.inputs import read_requests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from reconciler.manifest.load import Loaded
    from reconciler.packages.lock.file import Group, Lock, Locked, LockedDeb
    from reconciler.packages.lock.inputs import LockRequest


def lock_path(loaded: Loaded) -> Path:
    """Return where the lock of a manifest lies: beside it."""
    return loaded.folder / lockfile.NAME


def lock_label(loaded: Loaded) -> str:
    """Return what messages call the lock."""
    return str(Path(loaded.at().file).parent / lockfile.NAME)


def read_lock(loaded: Loaded) -> Lock | None:
    """Return the manifest's lock, or None if there is none."""
    content = _content(loaded)
    return None if content is None else lockfile.parse_lock(content, lock_label(loaded))


def read_salvage(loaded: Loaded, on_loss: Callable[[str], None]) -> Lock:
    """Return what the lock that is to be written anew tells of versions to keep; `on_loss` is told why that is less."""
    content = _content(loaded)
    if content is None:
        return lockfile.Lock()
    try:
        return lockfile.parse_lock(content, lock_label(loaded))
    except lockfile.NewerFormat:
        raise
    except PackageError as error:
        on_loss(f"{lock_label(loaded)} is written anew: {error.problems[0].message}")
    try:
        return lockfile.salvage_lock(content, lock_label(loaded))
    except PackageError:
        return lockfile.Lock()


def _content(loaded: Loaded) -> bytes | None:
    try:
        return read_named(lock_path(loaded), LOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise PackageError("E478", f"{lock_label(loaded)} is larger than any real lock") from error
        raise PackageError("E478", f"{lock_label(loaded)} cannot be read: {error.strerror or error}") from error


def write_lock(loaded: Loaded, lock: Lock) -> bool:
    """Put a lock into its place, whole or not at all; say whether that changed anything."""
    path, text = lock_path(loaded), lockfile.dump_lock(lock).encode()
    try:
        if path.is_file() and read_named(path, LOCK) == text:
            return False
        whole.replace_file(path, text, durable=True)
    except OSError as error:
        message = f"{lock_label(loaded)} cannot be written: {error.strerror or error}"
        raise MachineError("E904", message, hint=whole.ROOM if whole.has_no_room(error) else None) from error
    return True


def find_stale(loaded: Loaded, lock: Lock | None, requests: Sequence[LockRequest]) -> list[Problem]:
    """Return why the lock does not hold for what the manifest asks for; nothing if it does."""
    if lock is None:
        if not requests:
            return []
        hint = ("run `", Command("lock"), "`, and commit udfs.lock beside udfs.yaml")
        position = loaded.at("packages", requests[0].package)
        return [Problem("E476", "the manifest has requirements, and there is no udfs.lock", position, hint)]
    problems: list[Problem] = []
    for request in requests:
        group = lock.group(request.package, request.runtime.tag)
        position = loaded.at("packages", request.package)
        called = f"the package '{request.package}' for {request.runtime.tag}"
        hint = ("run `", Command("lock"), "`, look at the difference, and commit it")
        if group is None:
            problems.append(Problem("E477", f"the lock is stale: it has nothing about {called}", position, hint))
        elif differences := tuple(group.inputs.differences(request.inputs)):
            message = f"the lock is stale: {called} has changed"
            problems.append(Problem("E477", message, position, hint, detail=differences))
    return problems


def find_unused(loaded: Loaded, lock: Lock | None, requests: Sequence[LockRequest]) -> Iterator[Problem]:
    """Yield the groups of a lock that the manifest does not ask for any more."""
    pairs = {(request.package, request.runtime.tag) for request in requests}
    for package, groups in lock.packages.items() if lock else ():
        for tag in groups:
            if (package, tag) not in pairs:
                message = f"the lock is stale: nothing uses the package '{package}' for {tag}"
                yield Problem(
                    "E477", message, Position(lock_label(loaded)), ("run `", Command("lock"), "`, and commit udfs.lock")
                )


def find_edited(loaded: Loaded, lock: Lock | None, requests: Sequence[LockRequest]) -> Iterator[Problem]:
    """Yield the files that `udfs lock` cannot have written down for what is asked, each at its place in the lock."""
    for request in requests:
        pair = request.package, request.runtime.tag
        group = lock.group(*pair) if lock else None
        if group is None or group.inputs != request.inputs:
            continue  # stale, and told as that
        for index, file in enumerate(group.files):
            if reason := _why_not_ours(file, request):
                message = f"the lock was edited: '{file.name}' of '{pair[0]}' for {pair[1]} {reason}"
                position = lockfile.locate_file(_content(loaded) or b"", lock_label(loaded), *pair, index)
                yield Problem("E478", message, position, ("run `", Command("lock"), "` to write it anew"))
        for index, deb in enumerate(group.debs):
            if reason := _why_no_deb(deb, group):
                message = f"the lock was edited: '{deb.name}' of '{pair[0]}' for {pair[1]} {reason}"
                position = lockfile.locate_file(
                    _content(loaded) or b"", lock_label(loaded), *pair, index, section="debs"
                )
                yield Problem("E478", message, position, ("run `", Command("lock"), "` to write it anew"))


_POOL = re.compile(r"pool/(?:[A-Za-z0-9][A-Za-z0-9+.~_-]*/)+")


def _why_no_deb(deb: LockedDeb, group: Group) -> str | None:
    """Return what in the entry of a Debian package `udfs lock` cannot have written, or None."""
    folder, _, file = deb.file.rpartition("/")
    version = deb.version.partition(":")[2] or deb.version  # file names have no epoch
    if not _POOL.fullmatch(f"{folder}/") or file != f"{deb.name}_{version}_{deb.architecture}.deb":
        return f"has the file '{deb.file}', which is not that of version {deb.version}"
    suites = {release.suite for release in group.releases}
    if (deb.suite or group.inputs.suite) not in suites:
        return f"is of the suite '{deb.suite}', of which the lock has no release"
    return None


def _why_not_ours(wheel: Locked, request: LockRequest) -> str | None:
    """
    Return what in an entry `udfs lock` cannot have written, or None.

    A reviewer looks at versions and hashes; a path in a lock must not be able to upload what the manifest does not name.
    """
    local = request.inputs.local
    try:
        name, version, _, _ = parse_wheel_filename(wheel.file)
    except InvalidWheelFilename:
        return f"has the file '{wheel.file}', which is not the name of a wheel"
    if (str(name), str(version)) != (wheel.name, wheel.version):
        return f"has the file '{wheel.file}', which is of {name} {version}"
    if wheel.path is not None and local.get(wheel.path) != wheel.sha256:
        return f"lies at '{wheel.path}', which no requirement names with these bytes"
    source = wheel.source
    if source is not None and local.get(source.file, source.sha256) != source.sha256:
        return f"was built from '{source.file}' with other bytes than that has"
    if source is not None and source.file not in local and "/" in source.file:
        return f"was built from '{source.file}', which no requirement names"
    return None


@dataclass(frozen=True)
class Locks:
    """A lock that holds for its manifest, and what its groups were resolved for."""

    groups: Mapping[tuple[str, str], tuple[Group, LockRequest]] = field(default_factory=dict)
    """By package and runtime tag."""

    def wheels(self, package: str, tag: str) -> Iterator[tuple[Locked, LockRequest]]:
        """Yield what the lock has for a package in a runtime."""
        if (package, tag) in self.groups:
            group, request = self.groups[package, tag]
            yield from ((wheel, request) for wheel in group.files)


def use_lock(loaded: Loaded) -> Locks:
    """Return the manifest's lock; raises InvalidManifest if it was made for another manifest, or edited."""
    requests = read_requests(loaded)
    lock = read_lock(loaded) if requests else None
    if problems := [*find_stale(loaded, lock, requests), *find_edited(loaded, lock, requests)]:
        raise InvalidManifest.of(problems)
    pairs = {(request.package, request.runtime.tag): request for request in requests}
    return Locks({pair: (group, pairs[pair]) for pair in pairs if lock and (group := lock.group(*pair)) is not None})
