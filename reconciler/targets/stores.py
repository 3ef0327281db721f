"""Stores of services that are built in: one folder each within udfs's own, kept out of Git."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from reconciler.base.errors import MachineError
from reconciler.base.files import ROOM, has_no_room, replace_file
from reconciler.base.inputs import follow_links

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def local_store(folder: Path, service: str) -> Path:
    """Return the folder of a service's store within udfs's own, which is kept out of Git; no link out of the checkout is followed."""
    if folder.is_symlink():
        follow_links(folder)
    folder.mkdir(exist_ok=True)
    ignore = folder / ".gitignore"
    # Whole or not at all, and a link that leads somewhere is not written through.
    if not ignore.is_symlink() and not ignore.exists():
        replace_file(ignore, b"# Made by udfs: the store of `endpoint: local`.\n*\n")
    return folder / service


@contextmanager
def opening_store(folder: Path, service: str) -> Iterator[Path]:
    """Yield the folder of a service's store, to open it: one that cannot be read is a damaged file, not a bug."""
    store = folder / service
    try:
        yield local_store(folder, service)
    except OSError as error:
        if not has_no_room(error):
            raise
        message = f"{store}: the local service has no room to write: {error.strerror}; what it holds is whole"
        raise MachineError("E904", message, hint=ROOM) from error
    except Exception as error:
        message = f"{store}: the local service's store cannot be opened: {error}"
        hint = "move that folder away: the next command begins a new store, and an apply fills it"
        raise MachineError("E904", message, hint=hint) from error
