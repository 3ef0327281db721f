"""
Files that are sent: each is opened once, and seen to be the one that was planned.

Between the plan and the upload a file may change. Its bytes are therefore hashed once more before the first of them is sent: a small file is
sent from the memory it was hashed in, a large one from the open file that was hashed.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reconciler.base.errors import PackageError, ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from reconciler.core.kind import Key
    from reconciler.core.state import Desired

_BLOCK = 3 << 18
"""Bytes that are read at once: a multiple of three, so that blocks in base64 can be put one behind the other."""

HELD_BYTES = 8 << 20
"""Up to this a file is read into memory and sent from there."""


@dataclass(frozen=True)
class PlannedFile:
    """Bytes to send, and the error for there being fewer of them than there were."""

    sha256: str
    size: int
    read: Callable[[int, int], bytes]
    """Return up to so many bytes from an offset; may be called from several threads."""

    changed: Callable[[], PackageError]

    def blocks(self, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Yield a stretch in blocks, each but the last of a multiple of three: all of it, or an error instead of a service that waits for the rest."""
        end = self.size if length is None else offset + length
        while offset < end:
            expected, block = min(_BLOCK, end - offset), b""
            # A short read in the middle would break an encoding.
            while len(block) < expected:
                more = self.read(offset + len(block), expected - len(block))
                if not more:
                    raise self.changed()
                block += more
            offset += expected
            yield block

    def body(self, progress: Callable[[int], None], offset: int = 0, length: int | None = None) -> FileBody | bytes:
        """Return what to hand to requests, which sends an empty iterable chunked instead of with a length of 0."""
        length = self.size if length is None else length
        return FileBody(self, offset, length, progress) if length else b""


@dataclass(frozen=True)
class FileBody:
    """A stretch of a file as the body of a request: its length is known, its bytes are read as they are sent."""

    file: PlannedFile
    offset: int
    length: int
    progress: Callable[[int], None]

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[bytes]:
        for block in self.file.blocks(self.offset, self.length):
            yield block
            self.progress(len(block))


def arrived_otherwise(key: Key, held: str, meant: str) -> ServiceError:
    """Return the error for a file that arrived as something else: it may be written to while it is sent."""
    message = f"{key} did not arrive as it was sent: the service holds {held}, {meant} were meant"
    hint = "run apply again; if the file is being written by another program, wait for it"
    return ServiceError("E609", message, hint=hint)


@contextmanager
def open_planned(contents: Mapping[str, Path], desired: Desired) -> Iterator[PlannedFile]:
    """
    Open the file of an object that is to be sent, and see that it is the one that was planned: E402 if not, and then nothing is sent.

    A symbolic link at its end was put there since, and is not followed.
    """
    obj, mark = desired.object, desired.mark
    assert mark is not None
    assert mark.sha256 is not None
    path, size = contents[mark.sha256], obj.kind.size(obj)

    def refuse_changed(how: str = "changed") -> PackageError:
        message = f"the file of {obj.key} {how} since the plan was made: {path}"
        return PackageError("E402", message, hint="run the command again and look at the new plan", at=desired.origin)

    try:
        # A pipe is opened without waiting for its writer, and refused.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise refuse_changed("became a symbolic link") from error
        message = f"the file of {obj.key} cannot be read any more: {path}: {error.strerror}"
        raise PackageError("E305", message, at=desired.origin) from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size != size:
            raise refuse_changed()
        file = PlannedFile(
            mark.sha256, size, lambda offset, length: os.pread(descriptor, length, offset), refuse_changed
        )
        if size <= HELD_BYTES:
            held = b"".join(file.blocks())
            file = replace(file, read=lambda offset, length: held[offset : offset + length])
        digest = hashlib.sha256()
        for block in file.blocks():
            digest.update(block)
        if digest.hexdigest() != file.sha256:
            raise refuse_changed()
        yield file
    finally:
        os.close(descriptor)
