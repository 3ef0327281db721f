"""
Blob store: one file for each distinct content, named by its SHA-256.

A body is first written to a file of its own and hashed on the way; only a whole one gets its name. So a kill at any
moment leaves at most a nameless file, which the next start removes.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import stat
import uuid
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Segment:
    """A piece of a resource's content: one blob."""

    sha256: str
    size: int


@dataclass(frozen=True)
class BlobContent:
    """All of a resource's content. What parts were merged into stays the list of the parts' blobs: nothing is copied."""

    segments: tuple[Segment, ...]
    md5: str | None
    """Hex. None for a part: hashing costs more than all the rest of an upload, and nobody asks a part for it."""

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(segment.size for segment in self.segments)


EMPTY = BlobContent((), hashlib.md5(usedforsecurity=False).hexdigest())


class IncomingBlob:
    """A body on its way to becoming a blob."""

    def __init__(self, path: Path, *, with_md5: bool) -> None:
        self.path = path
        self.size = 0
        self._file = path.open("xb", buffering=0)
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False) if with_md5 else None

    def write(self, piece: memoryview) -> None:
        """Add `piece`."""
        written = 0
        while written < len(piece):
            written += self._file.write(piece[written:])
        self.size += len(piece)
        self._sha256.update(piece)
        if self._md5 is not None:
            self._md5.update(piece)

    def finish(self, *, sync: bool) -> BlobContent:
        """Close the file and say what it holds."""
        if sync:
            os.fsync(self._file.fileno())
        self._file.close()
        md5 = self._md5.hexdigest() if self._md5 is not None else None
        segments = (Segment(self._sha256.hexdigest(), self.size),) if self.size else ()
        return BlobContent(segments, md5)

    def discard(self) -> None:
        """Forget what was not given a name."""
        self._file.close()
        self.path.unlink(missing_ok=True)


class Blobs:
    """
    The ``blobs`` and ``incoming`` folders of a store.

    Files are named and removed only while the caller holds the store's write transaction: that is what keeps one
    process from removing the blob another is about to use.
    """

    def __init__(self, directory: Path, *, sync: bool) -> None:
        self._named = directory / "blobs"
        self._incoming = directory / "incoming"
        self._sync = sync
        self._named.mkdir(parents=True, exist_ok=True)
        self._own = self._incoming / uuid.uuid4().hex
        self._own.mkdir(parents=True)
        self._lock = (self._own / "lock").open("wb")
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def close(self) -> None:
        """Give up this process's folder for bodies under way."""
        shutil.rmtree(self._own, ignore_errors=True)
        self._lock.close()

    @contextmanager
    def upload(self, *, with_md5: bool = True) -> Iterator[IncomingBlob]:
        """A place for a body; what has not been `keep`\\ t at the end is gone."""
        upload = IncomingBlob(self._own / uuid.uuid4().hex, with_md5=with_md5)
        try:
            yield upload
        finally:
            upload.discard()

    def keep(self, upload: IncomingBlob, content: BlobContent) -> None:
        """Give the finished `upload` its name."""
        for segment in content.segments:
            upload.path.replace(self._named / segment.sha256)
            if self._sync:
                sync_directory(self._named)

    def open(self, segments: Iterable[Segment]) -> list[BinaryIO]:
        """Open every segment, or none: FileNotFoundError when one was replaced in the meantime."""
        with ExitStack() as stack:
            paths = [self._named / segment.sha256 for segment in segments]
            files: list[BinaryIO] = [stack.enter_context(_open_blob(path)) for path in paths]
            stack.pop_all()
            return files

    def md5(self, segments: Iterable[Segment]) -> str:
        """Return the hex MD5 of a content; FileNotFoundError when a segment was replaced in the meantime."""
        with ExitStack() as stack:
            return md5_of([stack.enter_context(file) for file in self.open(segments)])

    def remove(self, sha256: str) -> None:
        """Remove a blob that nothing refers to."""
        (self._named / sha256).unlink(missing_ok=True)

    def names(self) -> Iterator[str]:
        """The blobs there are."""
        for entry in os.scandir(self._named):
            yield entry.name

    def sweep_incoming(self) -> None:
        """Remove what dead processes left behind; a living one holds its lock."""
        for folder in self._incoming.iterdir():
            if folder != self._own and _is_abandoned(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _open_blob(path: Path) -> BinaryIO:
    """Open a blob, and nothing else that lies under its name: a store may have come with somebody's checkout."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    file = os.fdopen(descriptor, "rb", buffering=0)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    return file


def _is_abandoned(folder: Path) -> bool:
    try:
        with (folder / "lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except FileNotFoundError:
        return True
    return True


def sync_directory(directory: Path) -> None:
    """Make a rename in `directory` last through a power cut."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def md5_of(files: Iterable[BinaryIO]) -> str:
    """The hex MD5 of what `files` hold one after the other."""
    digest = hashlib.md5(usedforsecurity=False)
    buffer = memoryview(bytearray(1 << 20))
    for file in files:
        while count := file.readinto(buffer):  # type: ignore[attr-defined]
            digest.update(buffer[:count])
    return digest.hexdigest()
