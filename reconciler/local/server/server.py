"""HTTP server: a listening socket, a thread for each connection, and an end that leaves nothing half done."""

from __future__ import annotations

import ipaddress
import selectors
import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, final

from reconciler.local.server.connection import Connection, Site
from reconciler.local.server.listing import LaggingLists
from reconciler.local.server.protocol import same_name
from reconciler.local.server.service import DEFAULT_SCHEMA, LocalService
from reconciler.local.server.settings import Settings
from reconciler.local.server.store import ServerStore

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from types import TracebackType

    from reconciler.local.server.control import Exchange
    from reconciler.local.server.faults import Faults
    from reconciler.local.server.tables import ProvidedTable

_BACKLOG = 128
_FINISH_SECONDS = 10
_PAUSE_SECONDS = 0.05
_MOST_CLIENTS = 512
"""Each is a thread and an open file, of which a process may have 1,024 on most systems."""
_FULL = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class UnguardedServer(ValueError):
    """A server beyond loopback without keys."""


@final
class Server:
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
        try:
            self._socket = _bind(host, port)
        except BaseException:
            self._store.close()
            raise
        try:
            _require_guard(self._socket, settings)
        except BaseException:
            self._socket.close()
            self._store.close()
            raise
        self._address = _authority(host, self._socket.getsockname()[1])
        service = LocalService(
            settings, self._store, LaggingLists(settings.stale_list), self._address, environment or {}, clock=clock
        )
        self._site = Site(service, frozenset(map(same_name, (host, *settings.hosts))))
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._talks: dict[threading.Thread, socket.socket] = {}
        self._serving: threading.Thread | None = None
        self._released = threading.Event()
        for project in settings.projects or ():
            service.create_project(project, settings.owner_of(settings.access_id))

    @property
    def url(self) -> str:
        """The endpoint for clients."""
        return f"http://{self._address}/api"

    @property
    def faults(self) -> Faults:
        """What is made to go wrong."""
        return self._site.faults

    @property
    def requests(self) -> list[Exchange]:
        """What has been asked so far, in order."""
        return self._site.log.exchanges()

    def clear_requests(self) -> None:
        """Forget what has been asked so far."""
        self._site.log.clear()

    def provide(self, project: str, schema: str | None = None) -> None:
        """Make sure that a project, and a schema in it, are there: an embedded service has nobody else to ask for them."""
        owner = self._site.service.settings.owner_of(None)
        self._site.service.create_schema(project, schema or DEFAULT_SCHEMA, owner)

    def provide_table(self, project: str, name: str, table: ProvidedTable) -> None:
        """Give a project a table for SQL and for table resources, in the place of one of that name."""
        self._site.service.tables.provide(project, name, table)

    def start(self) -> None:
        """Answer from a thread of its own."""
        self._serving = threading.Thread(target=self._serve, name="udfs-local", daemon=True)
        self._serving.start()

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def serve_forever(self) -> None:
        """Answer in this thread until `close`, which may be called from another thread or from a signal handler."""
        self._serving = threading.current_thread()
        self._serve()

    def _serve(self) -> None:
        try:
            self._accept_until_closing()
        except BaseException:  # what a signal handler raises, say; the release is then left to `close`
            self._serving = None
            raise
        self._release()

    def _accept_until_closing(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            selector.register(self._wake_reader, selectors.EVENT_READ)
            while not self._site.closing.is_set():
                ready = [key.fileobj for key, _ in selector.select()]
                if self._socket in ready:
                    self._accept()

    def _accept(self) -> None:
        try:
            connection, address = self._socket.accept()
        except BlockingIOError:  # the client has left already
            return
        except (
            OSError,
            MemoryError,
        ):  # too many open files: the socket stays ready, and looking at it again and again frees none
            time.sleep(_PAUSE_SECONDS)
            return
        if not self._has_room():
            with connection, suppress(OSError):
                connection.sendall(_FULL)
            return
        thread = threading.Thread(target=self._talk, args=(connection, address), name="udfs-local-talk", daemon=True)
        with self._site.lock:
            self._talks[thread] = connection
        try:
            thread.start()
        except (RuntimeError, MemoryError):  # no memory for one more: who asks is told so by the end of the connection
            with self._site.lock:
                del self._talks[thread]
            connection.close()

    def _has_room(self) -> bool:
        """Say whether one more client can be served; one that lies between two requests makes room, and may come again."""
        with self._site.lock:
            if len(self._talks) < _MOST_CLIENTS:
                return True
            idle = next(iter(self._site.idle), None)
            if idle is not None:
                del self._site.idle[idle]
                _shut_down(idle, socket.SHUT_RD)
            return idle is not None

    def _talk(self, connection: socket.socket, address: Any) -> None:
        try:
            with connection, suppress(OSError, MemoryError):
                Connection(connection, address, self._site)
        finally:
            with self._site.lock:
                self._talks.pop(threading.current_thread(), None)

    def close(self) -> None:
        """
        Answer what is being asked, refuse what is not, and release everything. Closing twice is once.

        In a signal handler of the thread that serves, it only says so: that thread then does the rest.
        """
        if self._released.is_set():
            return
        self._site.closing.set()
        serving = self._serving
        if serving is None:
            self._release()
            return
        with suppress(OSError):
            self._wake_writer.send(b"x")
        if serving is not threading.current_thread():
            self._released.wait()

    def _release(self) -> None:
        self._site.service.instances.close()
        self._end_connections()
        for is_own in (self._socket, self._wake_reader, self._wake_writer):
            is_own.close()
        self._store.close()
        self._released.set()

    def _end_connections(self) -> None:
        with self._site.lock:
            for connection in self._site.idle:
                _shut_down(connection, socket.SHUT_RD)
            talks = dict(self._talks)
        for thread in talks:
            thread.join(_FINISH_SECONDS)
        for thread, connection in talks.items():
            if thread.is_alive():
                _shut_down(connection, socket.SHUT_RDWR)
                thread.join(_FINISH_SECONDS)


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    bound.setblocking(False)  # a client may leave between being announced and being accepted
    return bound


def _authority(host: str, port: int) -> str:
    # Host and port as a URL has them; `0.0.0.0` is no address that a client could use.
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"[{shown}]:{port}" if ":" in shown else f"{shown}:{port}"


def _require_guard(bound: socket.socket, settings: Settings) -> None:
    # By the address that was bound, not by the name that was given: what a name means is up to the machine.
    if ipaddress.ip_address(bound.getsockname()[0].partition("%")[0]).is_loopback:
        return
    if settings.control:
        raise ValueError("the control endpoints can end processes and are served on a loopback address only")
    if not settings.signed:
        raise UnguardedServer("whoever reaches it could run code here, and no request need be signed")


def _shut_down(connection: socket.socket, how: int) -> None:
    with suppress(OSError):
        connection.shutdown(how)
