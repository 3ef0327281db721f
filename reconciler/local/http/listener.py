"""HTTP server: a listening socket, a thread for each connection, and an end that leaves nothing half done."""

from __future__ import annotations

import ipaddress
import selectors
import socket
import threading
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

from reconciler.local.http.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from typing_extensions import Self

    from reconciler.local.http.connection import Site
    from reconciler.local.http.control import Exchange
    from reconciler.local.http.faults import Faults
    from reconciler.local.http.settings import ServerSettings

_BACKLOG = 128
_FINISH_SECONDS = 10
_PAUSE_SECONDS = 0.05
_MOST_CLIENTS = 512
"""Each is a thread and an open file, of which a process may have 1,024 on most systems."""
_FULL = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class UnguardedServer(ValueError):
    """A server beyond loopback without keys."""


class HttpServer:
    """
    A server of one protocol: the socket is bound once this is constructed; `start` or `serve_forever` begins to answer.

    What a service holds beside it is let go of by `release_service`, after the last request.
    """

    def __init__(self, bound: socket.socket, site: Site) -> None:
        self._socket = bound
        self._site = site
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._talks: dict[threading.Thread, socket.socket] = {}
        self._serving: threading.Thread | None = None
        self._released = threading.Event()

    def stop_work(self) -> None:
        """End what requests wait for; called before their connections are ended."""

    def release_service(self) -> None:
        """Let go of what the service holds; called once, after the last request."""

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

    def start(self) -> None:
        """Answer from a thread of its own."""
        self._serving = threading.Thread(target=self._serve, name="udfs-local", daemon=True)
        self._serving.start()

    def __enter__(self) -> Self:
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
        self.stop_work()
        self._end_connections()
        for is_own in (self._socket, self._wake_reader, self._wake_writer):
            is_own.close()
        self.release_service()
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


def bind_guarded(
    host: str, port: int, settings: ServerSettings, release: Callable[[], None] | None = None
) -> socket.socket:
    """
    Return a socket that listens; OSError where it cannot, and then `release` lets go of what was to be served.

    Raises `UnguardedServer` where others than this machine reach it, and no request need be signed.
    """
    with ExitStack() as undo:
        if release is not None:
            undo.callback(release)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        bound = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        undo.callback(bound.close)
        bound.setblocking(False)  # a client may leave between being announced and being accepted
        _require_guard(bound, settings)
        undo.pop_all()
    return bound


def authority_of(host: str, bound: socket.socket) -> str:
    """Return host and port as a URL has them; ``0.0.0.0`` is no address that a client could use."""
    shown, port = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), bound.getsockname()[1]
    return f"[{shown}]:{port}" if ":" in shown else f"{shown}:{port}"


def _require_guard(bound: socket.socket, settings: ServerSettings) -> None:
    # By the address that was bound, not by the name that was given: what a name means is up to the machine.
    if ipaddress.ip_address(bound.getsockname()[0].partition("%")[0]).is_loopback:
        return
    if settings.control:
        raise ValueError("the control endpoints can end processes and are served on a loopback address only")
    if not settings.is_signed:
        raise UnguardedServer("whoever reaches it could run code here, and no request need be signed")


def _shut_down(connection: socket.socket, how: int) -> None:
    with suppress(OSError):
        connection.shutdown(how)
