"""Local Realtime Compute for Apache Flink: an HTTP server over a directory, which speaks the vendor's API and runs jobs on a Flink."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, final

from reconciler.local.fc.database import FcStore
from reconciler.local.fc.service import FcService, Pacemaker
from reconciler.local.fc.settings import FcSettings
from reconciler.local.http.connection import Site
from reconciler.local.http.listener import HttpServer, authority_of, bind_guarded
from reconciler.local.ververica.answering import VervericaProtocol
from reconciler.local.ververica.service import VervericaService
from reconciler.local.ververica.settings import VervericaSettings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reconciler.local.ververica.service import FlinkBehind


@final
class VervericaServer(HttpServer):
    """
    A namespace's API of one's own, with an OSS beside it, over a directory and a Flink that sees it.

    The socket is bound, and `url` known, once this is constructed; `start` or `serve_forever` begins to answer. It ends
    no job: those are Flink's.
    """

    def __init__(
        self,
        directory: Path,
        engine: FlinkBehind,
        settings: VervericaSettings | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Raises `UnguardedServer` where others than this machine could reach it and no request need be signed."""
        settings = settings or VervericaSettings()
        self._engine = engine
        self._store = FcStore(directory, sync=settings.sync)
        bound = bind_guarded(host, port, settings, self._store.close)
        self.authority = authority_of(host, bound)
        """Host and port: what a client's ``endpoint`` is, beside ``protocol: http``."""
        keys = FcSettings(
            access_id=settings.access_id, access_key=settings.access_key, keys=settings.keys, sync=settings.sync
        )
        objects = FcService(keys, self._store, self.authority, Pacemaker(0), clock=clock)
        service = VervericaService(settings, objects, engine, directory.absolute(), uuid.uuid4().hex)
        super().__init__(bound, Site(VervericaProtocol(service), settings, clock, keys.max_oss_code_bytes, host))

    @property
    def url(self) -> str:
        """The endpoint for clients, of the API and of OSS (``http://…/bucket/key``)."""
        return f"http://{self.authority}"

    def release_service(self) -> None:
        """Let go of Flink, and close the store."""
        self._engine.close()
        self._store.close()
