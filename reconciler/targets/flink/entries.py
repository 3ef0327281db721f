"""
Entries of the ledger as files in the shared folder: each appears under its name at once and whole, or not at all.

A file is written beside its place and linked there. A link to a name that is taken is refused, on this machine as over NFS, which is the
compare-and-swap that is needed; opening with ``O_EXCL`` alone would let others read an entry before its bytes are there.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from reconciler.base.errors import ServiceError
from reconciler.base.files import create_file, replace_file
from reconciler.base.inputs import RECORD, read_input
from reconciler.engine.ledger import epochs_of

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.core.record import Swap

_CLOCK = ".clock"
"""A file that is touched: where the folder is a server's, it is the server that says when."""


@dataclass(frozen=True)
class FolderEntries:
    """A folder as a `Store`."""

    folder: Path
    swap: Swap = "create if absent"

    def epochs(self, stack: str) -> tuple[int, ...]:
        """Return the epochs of a stack's ledger, ascending."""
        try:
            names = [path.name for path in self.folder.iterdir()]
        except FileNotFoundError:
            return ()
        return epochs_of(names, stack)

    def create(self, name: str, content: bytes, comment: str) -> bool:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            return create_file(self.folder / name, [content])
        except OSError as error:
            raise folder_refuses(self.folder, error) from error

    def replace(self, name: str, content: bytes, comment: str) -> None:
        try:
            replace_file(self.folder / name, content, durable=True)
        except OSError as error:
            raise folder_refuses(self.folder, error) from error

    def fetch(self, name: str) -> bytes | None:
        try:
            return read_input(self.folder / name, RECORD)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise folder_refuses(self.folder, error) from error

    def remove(self, name: str) -> None:
        (self.folder / name).unlink(missing_ok=True)

    def now(self) -> datetime:
        """Return the time of whoever keeps the folder; this machine's where nothing can be written there, and so no lease be held."""
        clock = self.folder / _CLOCK
        try:
            with clock.open("ab"):
                os.utime(clock)
            return datetime.fromtimestamp(clock.stat().st_mtime, timezone.utc)
        except OSError:
            return datetime.now(timezone.utc)


def folder_refuses(folder: Path, error: OSError) -> ServiceError:
    """Return the error for a shared folder that does not take or give what is asked of it."""
    hint = "it is the folder of the target, `files:`: it has to be there, and be written by whoever applies; hard links have to work in it"
    return ServiceError("E497", f"the shared folder {folder} refuses: {error.strerror or error}", hint=hint)
