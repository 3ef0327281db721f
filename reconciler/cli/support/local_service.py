"""
The embedded service of ``endpoint: local``: its store beside the manifest, and the tables that SQL finds there.

The store is kept out of Git, and a damaged one is reported as a file, not as a bug.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from reconciler.base.errors import MachineError, UsageError
from reconciler.targets.maxcompute.manifest import manifest_of, target_of

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.local import Server
    from reconciler.manifest.load import Loaded

STORE = ".udfs"
"""The store's folder, beside the manifest."""


def start(manifest: Loaded) -> Server:
    """Start the service with the manifest's project and tables."""
    from reconciler.local import Server

    store = local_store(manifest.folder)
    try:
        with ExitStack() as undo:
            server = undo.enter_context(Server(store, environment=os.environ))
            server.provide(target_of(manifest).project, target_of(manifest).schema_)
            provide_tables(server, manifest)
            undo.pop_all()
    except OSError:
        raise
    except Exception as error:
        message = f"{store}: the local service's store cannot be opened: {error}"
        raise MachineError("E904", message, hint="delete it to begin anew") from error
    return server


def provide_tables(server: Server, manifest: Loaded) -> None:
    """Give the service the manifest's `tables:`, in the project of its target."""
    if not manifest_of(manifest).tables:
        return
    from reconciler.local import ProvidedTable
    from reconciler.testing.jobs import load_fixtures

    for name, table in load_fixtures(manifest).items():
        server.provide_table(target_of(manifest).project, name, ProvidedTable(table.columns, table.rows, table.version))


def local_store(folder: Path) -> Path:
    """Return the folder of the service's store, and keep it out of Git."""
    store = folder / STORE
    store.mkdir(exist_ok=True)
    ignore = store / ".gitignore"
    # Made anew or not at all: a link that leads somewhere is not written through.
    with suppress(FileExistsError), ignore.open("x", encoding="utf-8") as file:
        file.write("# Made by udfs: the store of `endpoint: local`.\n*\n")
    return store / "maxcompute"


def require_sql(manifest: Loaded) -> None:
    """Raise E734 unless what a statement needs is installed, where it is the local service that runs it."""
    if target_of(manifest).endpoint != "local":
        return
    from importlib.util import find_spec

    from reconciler.local import SQL_NEEDS

    if missing := [name for name in SQL_NEEDS if find_spec(name) is None]:
        message = f"SQL on the local service needs {', '.join(missing)}, not installed here"
        raise UsageError("E734", message, hint="pip install 'udfs[sql]'")
