"""
Files that the user names: read whole, and written whole or not at all.

A name that cannot be right is a usage error; a full or read-only disk is the machine's.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from reconciler.base import files
from reconciler.base.errors import MachineError, UsageError
from reconciler.base.hints import Command

if TYPE_CHECKING:
    from pathlib import Path

_WRONG_NAME = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG}
"""Why a file cannot be written that nobody could write."""


def read_whole(file: Path) -> bytes:
    """Return the content of a saved plan or a dump."""
    try:
        return file.read_bytes()
    except OSError as error:
        plan, dump = Command("plan", "--out FILE"), Command("dump", "--out FILE")
        hint = (plan, " writes a plan, ", dump, " a dump")
        raise UsageError("E521", f"'{file}' cannot be read: {error.strerror or error}", hint=hint) from None


def write_whole(file: Path, content: bytes) -> None:
    """Write a file, but never over a manifest."""
    if file.suffix in {".yaml", ".yml"}:
        raise UsageError("E521", f"'{file}' is not overwritten: it looks like a manifest", hint="name a .json file")
    try:
        files.replace_file(file, content, durable=True)
    except OSError as error:
        message = f"'{file}' cannot be written: {error.strerror or error}"
        if error.errno in _WRONG_NAME:
            raise UsageError("E521", message) from None
        raise MachineError("E904", message) from None
