"""Endpoint of a project: the service's own address, or the service that is built in and runs as long as a command does."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from reconciler.base.errors import MachineError
from reconciler.base.files import ROOM, has_no_room, replace_file
from reconciler.base.inputs import follow_links
from reconciler.targets.credentials.links import open_source
from reconciler.targets.credentials.session import Credentials
from reconciler.targets.maxcompute.manifest import manifest_of, target_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.local import Server
    from reconciler.manifest.load import Loaded
    from reconciler.targets.adapter import Access
    from reconciler.targets.credentials.session import KeySource

_STORE = "maxcompute"


@contextmanager
def endpoint_of(loaded: Loaded, access: Access) -> Iterator[tuple[str, KeySource]]:
    """Yield the address of a manifest's target and the keys for it; ``endpoint: local`` starts the service built in."""
    target = target_of(loaded)
    if target.endpoint != "local":
        yield target.endpoint, open_source(target.credentials, access.environment)
        return
    server = _start_local(loaded, access)
    try:
        yield server.url, Credentials("local", "local", origin="the service built in, which needs none")
    finally:
        server.close()


def _start_local(loaded: Loaded, access: Access) -> Server:
    """Start the local service; a store that it cannot read is a damaged file, not a bug."""
    from reconciler.local import Server

    store = access.store / _STORE
    try:
        local_store(access.store)
        with ExitStack() as undo:
            server = undo.enter_context(Server(store, environment=access.environment))
            server.provide(target_of(loaded).project, target_of(loaded).schema_)
            provide_tables(server, loaded)
            undo.pop_all()
    except OSError as error:
        if not has_no_room(error):
            raise
        message = f"{store}: the local service has no room to write: {error.strerror}; what it holds is whole"
        raise MachineError("E904", message, hint=ROOM) from error
    except Exception as error:
        message = f"{store}: the local service's store cannot be opened: {error}"
        hint = "move that folder away: the next command begins a new store, and an apply fills it"
        raise MachineError("E904", message, hint=hint) from error
    return server


def provide_tables(server: Server, loaded: Loaded) -> None:
    """Give the local service the manifest's `tables:`, in the project of its target."""
    if not manifest_of(loaded).tables:
        return
    from reconciler.targets.maxcompute.jobs import provided_tables

    for name, table in provided_tables(loaded).items():
        server.provide_table(target_of(loaded).project, name, table)


def local_store(folder: Path) -> Path:
    """Return the folder of the local service's store within udfs's own, which is kept out of Git; no link out of the checkout is followed."""
    if folder.is_symlink():
        follow_links(folder)
    folder.mkdir(exist_ok=True)
    ignore = folder / ".gitignore"
    # Whole or not at all, and a link that leads somewhere is not written through.
    if not ignore.is_symlink() and not ignore.exists():
        replace_file(ignore, b"# Made by udfs: the store of `endpoint: local`.\n*\n")
    return folder / _STORE
