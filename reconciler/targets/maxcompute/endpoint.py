"""Endpoint of a project: the service's own address, or the service that is built in and runs as long as a command does."""

from __future__ import annotations

from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING

from reconciler.targets.credentials.links import open_odps_source
from reconciler.targets.credentials.session import NO_KEYS
from reconciler.targets.maxcompute.manifest import manifest_of, target_of
from reconciler.targets.stores import opening_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.local import Server
    from reconciler.manifest.load import Loaded
    from reconciler.targets.adapter import Access
    from reconciler.targets.credentials.session import KeySource

STORE = "maxcompute"
"""The folder of the local service's store within udfs's own."""


@contextmanager
def endpoint_of(loaded: Loaded, access: Access) -> Iterator[tuple[str, KeySource]]:
    """Yield the address of a manifest's target and the keys for it; ``endpoint: local`` starts the service built in."""
    target = target_of(loaded)
    if target.endpoint != "local":
        yield target.endpoint, open_odps_source(target.credentials, access.environment)
        return
    with closing(_start_local(loaded, access)) as server:
        yield server.url, NO_KEYS


def _start_local(loaded: Loaded, access: Access) -> Server:
    """Start the local service; a store that it cannot read is a damaged file, not a bug."""
    from reconciler.local import Server

    with opening_store(access.store, STORE) as store, ExitStack() as undo:
        server = undo.enter_context(Server(store, environment=access.environment))
        server.provide(target_of(loaded).project, target_of(loaded).schema_)
        provide_tables(server, loaded)
        undo.pop_all()
    return server


def provide_tables(server: Server, loaded: Loaded) -> None:
    """Give the local service the manifest's `tables:`, in the project of its target."""
    if not manifest_of(loaded).tables:
        return
    from reconciler.targets.maxcompute.jobs import provided_tables

    for name, table in provided_tables(loaded).items():
        server.provide_table(target_of(loaded).project, name, table)
