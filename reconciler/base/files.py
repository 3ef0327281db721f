"""Atomic file replacement: a file has the new content or the old one, never a part."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from reconciler.base.errors import MachineError
from reconciler.base.inputs import FileRefused

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


ROOM = "make room on that disk, or let larger files be written (ulimit -f), and run the command again"
"""The way out of a write that there is no room for."""

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def has_no_room(error: OSError) -> bool:
    """Say whether a write failed because the disk is full, a quota used up, or a file as large as the process may write."""
    return error.errno in _NO_ROOM and not isinstance(error, FileRefused)


def machine_error(error: OSError) -> MachineError:
    """Return the error for what the system says of a file, with the way out if there is no room."""
    reason = error.strerror or str(error) or type(error).__name__
    file = error.filename.decode(errors="replace") if isinstance(error.filename, bytes) else error.filename
    message = f"{file}: {reason}" if file is not None else reason
    return MachineError("E904", message, hint=ROOM if has_no_room(error) else None)


def _is_special(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return stat.S_ISCHR(mode) or stat.S_ISFIFO(mode)


def replace_file(path: Path, content: bytes, *, durable: bool = False) -> None:
    """
    Write a file beside the old one and put it in its place: a reader sees the old or the new, never a half.

    With `durable` it outlives a loss of power from then on. Raises OSError, and then nothing is left of the new one. What
    is there and no file, such as a device or a pipe, is written to and stays what it is.
    """
    if _is_special(path):
        with path.open("wb") as stream:
            stream.write(content)
        return
    part = path.with_name(f".udfs-{secrets.token_hex(8)}.part")
    try:
        with part.open("xb") as file:
            file.write(content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        # Where nothing can be written, nothing was, and there may be no looking either.
        with suppress(OSError):
            part.unlink()
        raise


def create_file(path: Path, blocks: Iterable[bytes], *, stamp: float | None = None) -> bool:
    """
    Write a file under a name that is free, and say whether it was: a reader sees the whole of it or nothing.

    It outlives a loss of power. `stamp` is the time of change that it gets. Raises OSError where nothing can be written, or linked.
    """
    part = path.with_name(f".udfs-{secrets.token_hex(8)}.part")
    try:
        with part.open("xb") as file:
            for block in blocks:
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
        if stamp is not None:
            os.utime(part, (stamp, stamp))
        # A link to a name that is taken is refused, over NFS too; opening with O_EXCL would show the name before the bytes.
        os.link(part, path)
    except FileExistsError:
        return False
    finally:
        with suppress(OSError):
            part.unlink()
    return True
