"""
Content-addressed cache: a folder of files that are found by their sha256, and of small results that were worked out once.

Nothing in the folder is taken at its name: `Cache.get` holds a file's hash against it each time it hands it out, so a file
that somebody changed, or that a full disk cut off, counts as absent and is fetched again. The hash comes from `Cache.read`,
which may remember it as long as the file system says that nobody has written to the file since (`Digests`): to change a
file is to change its ctime, and then it is read again. What the remembered hashes cannot withstand is somebody who writes
to the user's own folder of caches *and* forges the list of hashes there.

Results are typed JSON. One that cannot be read, or does not look right, counts as absent; one that cannot be written costs time
and nothing else.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Generic, NamedTuple, TypeAlias, TypeVar

import msgspec

from reconciler.base.activity import activity
from reconciler.base.errors import PackageError
from reconciler.base.files import replace_file
from reconciler.base.inputs import RECORD, SHIPPED, open_input, read_input, why_unreadable
from reconciler.base.line_ends import LineEnds, with_line_feeds
from reconciler.packages.content import Content, hash_blocks, read_content

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reconciler.base.line_ends import Rule


class OtherBytes(PackageError):
    """A file is not the one that its hash was given for."""


@dataclass(frozen=True)
class Cache:
    """The cache under `root`, which need not exist yet."""

    root: Path
    read: Callable[[Path], Content] = read_content
    """Hashes a file."""

    line_ends: LineEnds = field(default_factory=LineEnds)
    """What texts are shipped with."""

    def get(self, sha256: str) -> Content | None:
        """Return the file with this hash if it is here and whole."""
        folder = self._folder(sha256)
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            with suppress(OSError):  # unreadable is as good as absent
                if path.is_file() and (content := self.read(path)).sha256 == sha256:
                    return content
        return None

    def read_stored(self, path: Path, rule: Rule | None = None) -> Content:
        """As `read`, for what may be a text: where the checkout gave it other line ends, its copy here, with its own; OSError."""
        content = self.read(path)
        if not content.has_crlf or not self.line_ends.are_changed(path, rule):
            return content
        with open_input(path, SHIPPED) as file:
            sha256 = hash_blocks(path, with_line_feeds(file)).sha256
        if (copy := self.get(sha256)) is not None:
            return copy
        with self.workspace() as folder:
            with open_input(path, SHIPPED) as file, _writing(self.root), (folder / path.name).open("xb") as out:
                out.writelines(with_line_feeds(file))
            return self.put(folder / path.name, sha256)

    @contextmanager
    def workspace(self) -> Iterator[Path]:
        """Give a folder beside the files, gone afterwards: what is finished there can be renamed into its place."""
        with _writing(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            folder = tempfile.TemporaryDirectory(prefix=".fetch-", dir=self.root, ignore_cleanup_errors=True)
        with folder as path:
            yield Path(path)

    def folder(self, name: str) -> Path:
        """Return a folder for what a tool keeps, made here: the tool may have fewer rights than udfs."""
        path = self.root / name
        with _writing(self.root):
            path.mkdir(parents=True, exist_ok=True)
        return path

    def put(self, file: Path, sha256: str | None = None) -> Content:
        """Take a finished file of a `workspace` over, if it has this hash."""
        with _writing(self.root), activity("hashing") as hashing, hashing.at(file.name):
            content = read_content(file)
            if sha256 is not None and content.sha256 != sha256:
                raise OtherBytes(
                    "E402",
                    f"'{file.name}' has sha256 {content.sha256}, not {sha256}",
                    hint="nothing was kept; correct the sha256 in the manifest if the file is the one you mean",
                )
            target = self._folder(content.sha256) / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            # By one rename, and never opened for writing there: any number of processes may use the cache at once.
            file.chmod(0o444)
            file.replace(target)
        return replace(content, path=target)

    @property
    def inspections(self) -> Path:
        """Where what was found inside files is kept."""
        return self.root / "inspections"

    def _folder(self, sha256: str) -> Path:
        # A folder, because a file keeps its name in it: a wheel's carries its tags.
        return self.root / "sha256" / sha256[:2] / sha256


@contextmanager
def _writing(root: Path) -> Iterator[None]:
    """Turn a full disk or a missing right into a sentence."""
    try:
        yield
    except OSError as error:
        raise cache_full(root, error) from error


def cache_full(root: Path, error: OSError) -> PackageError:
    """Return the error for a cache that takes no more."""
    return PackageError(
        "E407",
        f"the cache '{root}' cannot be written: {error.strerror or error}",
        hint="make room there, or choose another folder for the cache",
    )


def read_file(cache: Cache, path: Path, name: str, rule: Rule | None = "keep") -> Content:
    """Hash a file of the manifest's folder, with the line ends that it is shipped with; `name` is what the manifest calls it."""
    with reading(name):
        return cache.read_stored(path, rule)


@contextmanager
def reading(name: str, folder: Path | None = None) -> Iterator[None]:
    """Turn what keeps a file or folder of the manifest's from being read into a sentence; `folder` is where it lies, if it is one."""
    try:
        yield
    except OSError as error:
        reason = why_unreadable(error, folder) if folder is not None else error.strerror or error
        raise PackageError("E305", f"'{name}' cannot be read: {reason}") from error


_T = TypeVar("_T")


def record_path(root: Path, kind: str, key: str) -> Path:
    """Return where the record of a key is; the key is a hash of all that the record depends on."""
    return root / kind / key[:2] / f"{key}.json"


def load_record(path: Path, form: type[_T]) -> _T | None:
    """Return a record, if it is here."""
    try:
        return msgspec.json.decode(read_input(path, RECORD), type=form)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def save_record(path: Path, record: object) -> None:
    """Write a record, whole or not at all."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, msgspec.json.encode(record))


_Status: TypeAlias = tuple[int, int, int, int, int]
"""Bytes, time of modification and of change in nanoseconds, inode, device."""

_AT_REST = 2_000_000_000
"""Nanoseconds since the last change after which the next one will show."""


class _Digest(NamedTuple):
    status: _Status
    sha256: Annotated[str, msgspec.Meta(min_length=64, max_length=64)]
    md5: Annotated[str, msgspec.Meta(min_length=32, max_length=32)]
    has_crlf: bool


class LastRun(Generic[_T]):
    """Results that one manifest's last run asked for, in one file: it is read once, written once, and can be deleted."""

    def __init__(self, root: Path, kind: str, name: str, form: type[_T]) -> None:
        """Take the file for `name`, which is the manifest's place, in the folder of caches."""
        self.path = root / kind / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.json"
        self._known: dict[str, _T] = load_record(self.path, dict[str, form]) or {}  # type: ignore[valid-type]
        self._asked: dict[str, _T] = {}

    def get(self, key: str) -> _T | None:
        """Return a result, if it is known."""
        return self._known.get(key)

    def put(self, key: str, result: _T) -> None:
        """Keep a result, new or known."""
        self._asked[key] = result

    def save(self) -> None:
        """Write what was asked for, if it is not what is there."""
        if self._asked != self._known:
            save_record(self.path, self._asked)


class Digests:
    """
    The hashes of files that one manifest's last run asked for.

    A file is as it was if its size, inode, device, time of modification and time of change are those seen when it was read.
    The last of them is the file system's own: who writes to a file, replaces it or sets its times back gets a new one.
    """

    def __init__(self, root: Path, name: str) -> None:
        """Take the hashes for `name`, which is the manifest's place, in the folder of caches."""
        self._run = LastRun(root, "digests", name, _Digest)
        self._began = _now(self._run.path.parent)
        self.save = self._run.save

    def read(self, path: Path) -> Content:
        """Return what `read_content` returns, from memory if the file has not changed. Safe in several threads."""
        name, before = str(path), _status(path)
        entry = self._run.get(name)
        if entry is not None and entry.status == before:
            self._run.put(name, entry)
            return Content(path, entry.sha256, entry.md5, before[0], entry.has_crlf)
        content = read_content(path)
        _, modified, changed, *_ = before
        # Clocks of file systems tick, at worst every two seconds (FAT), and two writes within one tick leave the same times. As
        # with git's index, only a file that was at rest when reading began is remembered.
        if self._began is not None and max(modified, changed) + _AT_REST < self._began and _status(path) == before:
            self._run.put(name, _Digest(before, content.sha256, content.md5, content.has_crlf))
        return content


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
