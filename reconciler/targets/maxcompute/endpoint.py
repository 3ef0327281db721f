"""Endpoint of a project: the service's own address, or the service that is built in and runs as long as a command does."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from reconciler.base.errors import AccessError, MachineError
from reconciler.targets.maxcompute.manifest import manifest_of, target_of
from reconciler.targets.maxcompute.signing import Credentials

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from reconciler.local import Server
    from reconciler.manifest.load import Loaded
    from reconciler.targets.adapter import Access


@contextmanager
def endpoint_of(loaded: Loaded, access: Access) -> Iterator[tuple[str, Credentials | None]]:
    """Yield the address of a manifest's target and the keys for it; ``endpoint: local`` starts the service built in."""
    if target_of(loaded).endpoint != "local":
        yield target_of(loaded).endpoint, _credentials(access.environment)
        return
    server = _start_local(loaded, access)
    try:
        yield server.url, Credentials("local", "local", None)
    finally:
        server.close()


def _start_local(loaded: Loaded, access: Access) -> Server:
    """Start the local service; a store that it cannot read is a damaged file, not a bug."""
    from reconciler.local import Server

    store = local_store(access.store)
    try:
        with ExitStack() as undo:
            server = undo.enter_context(Server(store, environment=access.environment))
            server.provide(target_of(loaded).project, target_of(loaded).schema_)
            provide_tables(server, loaded)
            undo.pop_all()
    except OSError:
        raise
    except Exception as error:
        raise MachineError(
            "E904", f"{store}: the local service's store cannot be opened: {error}", hint="delete it to begin anew"
        ) from error
    return server


def provide_tables(server: Server, loaded: Loaded) -> None:
    """Give the local service the manifest's `tables:`, in the project of its target."""
    if not manifest_of(loaded).tables:
        return
    from reconciler.targets.maxcompute.jobs import provided_tables

    for name, table in provided_tables(loaded).items():
        server.provide_table(target_of(loaded).project, name, table)


def local_store(folder: Path) -> Path:
    """Return the folder of the local service's store within udfs's own, which is kept out of Git."""
    folder.mkdir(exist_ok=True)
    ignore = folder / ".gitignore"
    # Made anew or not at all: a link that leads somewhere is not written through.
    with suppress(FileExistsError), ignore.open("x", encoding="utf-8") as file:
        file.write("# Made by udfs: the store of `endpoint: local`.\n*\n")
    return folder / "maxcompute"


def _credentials(environment: Mapping[str, str]) -> Credentials | None:
    """Return the access key of the environment, or None where others are looked for."""
    access_id = environment.get("ALIBABA_CLOUD_ACCESS_KEY_ID")
    secret = environment.get("ALIBABA_CLOUD_ACCESS_KEY_SECRET")
    if access_id and secret:
        return Credentials(access_id, secret, environment.get("ALIBABA_CLOUD_SECURITY_TOKEN") or None)
    if access_id or secret:
        missing = "ALIBABA_CLOUD_ACCESS_KEY_SECRET" if access_id else "ALIBABA_CLOUD_ACCESS_KEY_ID"
        raise AccessError("E607", f"{missing} is not set, its other half is", hint="set both or neither")
    return None
