"""
Full disk, told from a damaged store: what SQLite calls *disk I/O error* is looked into by writing.

A write for which there is no room changes nothing: every change is one transaction, and a blob has no name before it is whole.
"""

from __future__ import annotations

import errno
import os
import tempfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

_TRIED = 1 << 20
"""Bytes: more than a write of SQLite's, less than anybody who has room would miss."""


def disk_failure(error: sqlite3.OperationalError, folder: Path) -> OSError | None:
    """Return what a disk did to SQLite, None if the error is about something else."""
    # By its text: Python 3.10 does not give SQLite's codes, SQLITE_FULL (13) and SQLITE_IOERR (10) with its kinds.
    text = str(error)
    if "disk is full" in text:
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
    if "disk I/O error" not in text:
        return None
    try:
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            written = file.write(bytes(_TRIED))
            # A file that may not grow further takes what fits, and only then nothing.
            if written < _TRIED:
                file.write(b"\0")
            os.fsync(file.fileno())
    except OSError as failure:
        return OSError(failure.errno or errno.EIO, failure.strerror, str(folder))
    return OSError(errno.EIO, text, str(folder))
