"""Files that are sent: each is opened once, and seen to be the one that was planned."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from reconciler.base.errors import PackageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.base.errors import Position

_BLOCK = 3 << 18
"""Bytes that are read at once: a multiple of three, so that blocks in base64 can be put one behind the other."""


@contextmanager
def open_planned(path: Path, size: int, sha256: str, name: str, origin: Position) -> Iterator[BinaryIO]:
    """
    Open a file that is to be sent, and see that it is the one that was planned: E402 if not, and then nothing is sent.

    A symbolic link at its end was put there since, and is not followed.
    """

    def refuse_changed(how: str = "changed") -> PackageError:
        message = f"the file of {name} {how} since the plan was made: {path}"
        return PackageError("E402", message, hint="run the command again and look at the new plan", at=origin)

    try:
        # A pipe is opened without waiting for its writer, and refused.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise refuse_changed("became a symbolic link") from error
        message = f"the file of {name} cannot be read any more: {path}: {error.strerror}"
        raise PackageError("E305", message, at=origin) from error
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size != size:
            raise refuse_changed()
        digest = hashlib.sha256()
        for block in read_blocks(file, size):
            digest.update(block)
        if digest.hexdigest() != sha256:
            raise refuse_changed()
        yield file


def read_blocks(file: BinaryIO, size: int) -> Iterator[bytes]:
    """Yield the bytes of a file in blocks, each but the last of a multiple of three."""
    offset = 0
    while offset < size and (block := os.pread(file.fileno(), min(_BLOCK, size - offset), offset)):
        # A short read in the middle would break the encoding.
        while len(block) % 3 and offset + len(block) < size:
            more = os.pread(file.fileno(), min(_BLOCK, size - offset) - len(block), offset + len(block))
            if not more:
                break
            block += more
        offset += len(block)
        yield block
