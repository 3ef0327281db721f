"""Local MaxCompute: an HTTP server over a directory, which speaks its protocol."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, final

from reconciler.local.http.connection import Site
from reconciler.local.http.listener import HttpServer, authority_of, bind_guarded
from reconciler.local.server.answering import MaxComputeProtocol
from reconciler.local.server.database import ServerStore
from reconciler.local.server.listing import LaggingLists
from reconciler.local.server.service import DEFAULT_SCHEMA, LocalService
from reconciler.local.server.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from reconciler.local.server.tables import ProvidedTable


@final
class Server(HttpServer):
    """
    A MaxCompute of one's own, over a directory.

    The socket is bound, and `url` known, once this is constructed; `start` or `serve_forever` begins to answer. Several
    servers, also in different processes, may serve one directory.
    """

    def __init__(
        self,
        directory: Path,
        settings: Settings | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Callable[[], float] = time.time,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """
        Without an `environment` no CPython is found, and SQL goes without functions.

        Raises `UnguardedServer` where others than this machine could reach it and no request need be signed.
        """
        settings = settings or Settings()
        self._store = ServerStore(directory, sync=settings.sync)
        bound = bind_guarded(host, port, settings, self._store.close)
        self._address = authority_of(host, bound)
        self._service = service = LocalService(
            settings, self._store, LaggingLists(settings.stale_list), self._address, environment or {}, clock=clock
        )
        super().__init__(bound, Site(MaxComputeProtocol(service), settings, clock, settings.max_resource_bytes, host))
        for project in settings.projects or ():
            service.create_project(project, settings.owner_of(settings.access_id))

    @property
    def url(self) -> str:
        """The endpoint for clients."""
        return f"http://{self._address}/api"

    def provide(self, project: str, schema: str | None = None) -> None:
        """Make sure that a project, and a schema in it, are there: an embedded service has nobody else to ask for them."""
        owner = self._service.settings.owner_of(None)
        self._service.create_schema(project, schema or DEFAULT_SCHEMA, owner)

    def provide_table(self, project: str, name: str, table: ProvidedTable) -> None:
        """Give a project a table for SQL and for table resources, in the place of one of that name."""
        self._service.tables.provide(project, name, table)

    def stop_work(self) -> None:
        """Stop SQL that is running."""
        self._service.instances.close()

    def release_service(self) -> None:
        """Close the store."""
        self._store.close()
