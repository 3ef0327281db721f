"""Local Function Compute: an HTTP server over a directory, which speaks its control API."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, final

from reconciler.local.fc.answering import FcProtocol
from reconciler.local.fc.database import FcStore
from reconciler.local.fc.service import FcService, Pacemaker
from reconciler.local.fc.settings import FcSettings
from reconciler.local.http.connection import Site
from reconciler.local.http.listener import HttpServer, authority_of, bind_guarded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from reconciler.local.fc.invocations import Invoker


@final
class FcServer(HttpServer):
    """
    A Function Compute of one's own, with an OSS beside it, over a directory.

    The socket is bound, and `url` known, once this is constructed; `start` or `serve_forever` begins to answer. Several
    servers, also in different processes, may serve one directory.
    """

    def __init__(
        self,
        directory: Path,
        settings: FcSettings | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Callable[[], float] = time.time,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """
        Without an `environment` no CPython is found, and functions are not run.

        Raises `UnguardedServer` where others than this machine could reach it and no request need be signed.
        """
        settings = settings or FcSettings()
        self._environment = environment or {}
        self._store = FcStore(directory, sync=settings.sync)
        bound = bind_guarded(host, port, settings, self._store.close)
        self.authority = authority_of(host, bound)
        """Host and port: what a client's ``endpoint`` is, beside ``protocol: http``."""
        service = FcService(settings, self._store, self.authority, Pacemaker(settings.requests_per_second), clock=clock)
        self._service, self._directory = service, directory
        self._invoker: Invoker | None = None
        self._lock = threading.Lock()
        self._is_stopping = False
        protocol = FcProtocol(service, self._provide_invoker)
        super().__init__(bound, Site(protocol, settings, clock, settings.max_oss_code_bytes, host))

    def _provide_invoker(self) -> Invoker:
        # Who only makes functions runs none, and does not import what runs them.
        from reconciler.local.fc.invocations import Invoker

        with self._lock:
            if self._invoker is None:
                self._invoker = Invoker(self._service, self._directory, self._environment)
                if self._is_stopping:
                    self._invoker.close()
            return self._invoker

    @property
    def url(self) -> str:
        """The endpoint for clients, of Function Compute and of OSS (``http://…/bucket/key``)."""
        return f"http://{self.authority}"

    def stop_work(self) -> None:
        """End functions that run."""
        with self._lock:
            self._is_stopping = True
            invoker = self._invoker
        if invoker is not None:
            invoker.close()

    def release_service(self) -> None:
        """Close the store."""
        self._store.close()
