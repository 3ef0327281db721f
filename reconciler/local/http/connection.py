"""
HTTP connection of one client: framing, keep-alive, and the order in which a request is checked.

What a service adds to it is a `WireProtocol`: who asks, what is asked, and how a refusal is written.
"""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import struct
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from functools import cached_property
from socketserver import StreamRequestHandler
from typing import TYPE_CHECKING, Any, Protocol, cast
from urllib.parse import unquote, unquote_plus

from reconciler.base.files import has_no_room
from reconciler.local.http import control
from reconciler.local.http.body import Body, Disconnected
from reconciler.local.http.control import Exchange, RequestLog
from reconciler.local.http.faults import Fault, FaultAnswer, Faults, Severed, Strike
from reconciler.local.http.head import RequestHead, read_head
from reconciler.local.http.messages import HttpRefusal, MalformedRequest, Response, encode_head, malformation, transmit
from reconciler.local.http.pace import PacedReader
from reconciler.local.http.settings import ServerSettings
from reconciler.local.http.web_guard import require_own_host, require_own_page

if TYPE_CHECKING:
    from collections.abc import Callable
    from email.message import Message
    from io import BufferedReader
    from socketserver import BaseServer

_SKIPPED = 64 << 20
_LINGER_SECONDS = 2.0
_LINGER_BYTES = 16 << 20
_PID = re.compile(r"(?:^|\s)udfs-pid/(\d{1,9})(?!\d)")
_LOGGER = logging.getLogger("reconciler.local")


class PendingCall(Protocol):
    """A request of which the service knows what it is about, and has answered nothing yet."""

    @property
    def path(self) -> str:
        """Decoded, without the endpoint's prefix: what faults wait for, and what the log says."""

    def answer(self, body: Body, request_id: str) -> Response:
        """Answer it; raises `HttpRefusal`."""


class WireProtocol(Protocol):
    """What a service makes of the requests that its connections read."""

    def new_request_id(self) -> str:
        """Return a name for a request that nobody asked yet."""

    def headers_of(self, request_id: str) -> list[tuple[str, str]]:
        """Return what the service's own answers have beside their own headers."""

    def actor_of(self, headers: Message) -> str:
        """Return the name of whoever asks, which need not be proven."""

    def open_call(self, head: RequestHead) -> PendingCall:
        """Say what a request is about; raises `HttpRefusal` where that is nothing of the service's."""

    def answer_refusal(self, refusal: HttpRefusal, request_id: str, path: str) -> Response:
        """
        Return a refusal as the service writes it at a path, which is empty where no head could be read.

        Its code is `UNREADABLE` where HTTP asks for it.
        """

    def internal_refusal(self) -> HttpRefusal:
        """Return what a mistake of ours is answered with."""


@dataclass(frozen=True)
class Site:
    """What all connections of a server share."""

    protocol: WireProtocol
    settings: ServerSettings = field(default_factory=ServerSettings)
    clock: Callable[[], float] = time.time
    """Seconds since 1970: what every answer tells as the time."""
    largest_body: int = 0
    """Bytes of the largest body that the service takes: so much that nobody wanted is read for the sake of the next request."""
    host: str = ""
    """The address that is served, as it was given."""
    has_pages: bool = False
    """Whether browsers are served: then what our own pages send is let in, and no name but loopback's."""
    faults: Faults = field(default_factory=Faults)
    log: RequestLog = field(default_factory=RequestLog)
    closing: threading.Event = field(default_factory=threading.Event)
    idle: dict[socket.socket, None] = field(default_factory=dict)
    """Connections between two requests, the longest idle first; they can be ended at any time."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    @cached_property
    def names(self) -> frozenset[str]:
        """The names that a Host header may give, beside loopback's and the address that the client reached: see `web_guard`."""
        return frozenset(name.lower() for name in (self.host, *self.settings.hosts) if name)


@dataclass
class Turn:
    """What is known of the request at hand, as it becomes known."""

    n: int
    method: str
    path: str
    query: str
    body: Body
    actor: str
    pid: int | None
    strike: Strike


class Connection(StreamRequestHandler):
    """Reads requests and sends answers until either side has had enough."""

    disable_nagle_algorithm = True  # an answer is two writes at most, and must not wait for an acknowledgement

    def __init__(self, connection: socket.socket, address: Any, site: Site) -> None:
        self.site = site
        self.close_connection = False
        self._severed: Severed | None = None
        self._request_id = ""
        self._path = ""
        super().__init__(connection, address, cast("BaseServer", site))

    # Reading

    def handle(self) -> None:
        """Answer one request after the other."""
        self._reader = PacedReader(self.connection, cast("BufferedReader", self.rfile))
        while not self.close_connection and self._is_asked():
            self._request_id, self._path = self.site.protocol.new_request_id(), ""
            try:
                head = self._read_head()
            except MalformedRequest as refused:
                self._refuse_and_leave(refused)
                return
            self.close_connection = head.closes
            self._take_turn(head)
            self.close_connection |= self.site.closing.is_set()

    def _is_asked(self) -> bool:
        """Wait for a request; False when the client left, went silent, or the server is closing."""
        with self.site.lock:
            if self.site.closing.is_set():
                return False
            self.site.idle[self.connection] = None
        try:
            return self._reader.wait()
        except OSError:
            return False
        finally:
            with self.site.lock:
                self.site.idle.pop(self.connection, None)

    def _read_head(self) -> RequestHead:
        self._reader.begin_head()
        try:
            return read_head(self._reader.line)
        except TimeoutError:
            raise malformation("the client took too long to ask", 408) from None
        finally:
            self._reader.end()

    def _frame_body(self, head: RequestHead) -> Body:
        """The body as its headers frame it."""
        return Body(self._reader, head.body_length, lambda: self._say_continue(head))

    def _say_continue(self, head: RequestHead) -> None:
        if head.headers.get("Expect", "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    # Answering

    def _take_turn(self, head: RequestHead) -> None:
        """One exchange, from the head to the last byte of the answer."""
        turn = self._turn(head)
        response: Response | None
        try:
            response = self._outcome(head, turn)
        except Severed as severed:
            response, self._severed = None, severed
        except Disconnected:
            response, self.close_connection = None, True
        self._reader.end()
        # Noted before it is sent: whoever has the answer finds it in the log.
        self._note(turn, response)
        if self._severed is not None:
            self._sever(self._severed)
        elif response is not None:
            self.close_connection |= not self._can_be_skipped(head, turn.body)
            self._send(response, has_body=head.method != "HEAD", truncated=turn.strike.truncates)
            self._skip(head, turn.body)

    def _turn(self, head: RequestHead) -> Turn:
        path, _, query = head.target.partition("?")
        self._path = unquote(path)
        pid = _PID.search(head.headers.get("User-Agent", ""))
        return Turn(
            n=self.site.log.number(),
            method=head.method,
            path=self._path,
            query=unquote_plus(query),
            body=Body(self._reader, 0, lambda: None),
            actor=self.site.protocol.actor_of(head.headers),
            pid=int(pid[1]) if pid else None,
            strike=Strike(None, None),
        )

    def _outcome(self, head: RequestHead, turn: Turn) -> Response:
        """The answer, whatever it is; `Severed` when there is none."""
        try:
            return self._answer(head, turn)
        except HttpRefusal as refused:
            self.close_connection |= isinstance(refused, MalformedRequest)
            return self._refusal(refused)
        except FaultAnswer as failed:
            return self._fault_answer(failed.fault)
        except (Severed, Disconnected):
            raise
        except (ConnectionError, TimeoutError) as problem:  # nothing else here talks to anybody but the client
            raise Disconnected from problem
        except Exception as problem:  # noqa: BLE001 - whatever it is, a server answers
            if isinstance(problem, OSError) and has_no_room(problem):
                return self._refusal(_refuse_for_room(problem))
            return self._internal_error(head)

    def _answer(self, head: RequestHead, turn: Turn) -> Response:
        """Look at a request in this order: how long, is it for us, where to, what goes wrong, who asks, what is asked."""
        # First: whoever asks, what belongs to this request must not be taken for the next.
        turn.body = self._frame_body(head)
        if self.site.has_pages:
            require_own_page(head)
        else:
            require_own_host(head, self._names())
        raw_path = head.target.partition("?")[0]
        if self._is_control(raw_path):
            return control.answer_control(
                self.site.log, self.site.faults, turn.method, raw_path, head.headers, turn.body
            )
        call = self.site.protocol.open_call(head)
        turn.path = self._path = call.path
        turn.strike = Strike(self.site.faults.pick(turn.method, turn.path, turn.query), turn.pid)
        turn.strike.act("before")
        turn.strike.watch(turn.body)
        self._wait()
        try:
            response = call.answer(turn.body, self._request_id)
        except HttpRefusal as refused:
            self.close_connection |= isinstance(refused, MalformedRequest)
            response = self._refusal(refused)
        return self._after(turn, response)

    def _names(self) -> frozenset[str]:
        return self.site.names | {str(self.connection.getsockname()[0]).lower()}

    def _after(self, turn: Turn, response: Response) -> Response:
        try:
            turn.strike.act("during")  # a request refused before its body was read does not escape
            turn.strike.act("after")
        except BaseException:
            response.close()
            raise
        return response

    def _is_control(self, path: str) -> bool:
        return self.site.settings.control and path.startswith(control.PREFIX)

    def _wait(self) -> None:
        if latency := self.site.settings.latency_ms:
            time.sleep(latency / 1000)

    # What is answered when something is wrong

    def _refusal(self, refusal: HttpRefusal) -> Response:
        return self.site.protocol.answer_refusal(refusal, self._request_id, self._path)

    def _fault_answer(self, fault: Fault) -> Response:
        """The answer that a fault asks for: its own body, or a refusal with its code."""
        retry = () if fault.retry_after is None else (("Retry-After", str(fault.retry_after)),)
        refusal = HttpRefusal(fault.status, fault.code, fault.message, retry)
        response = replace(self._refusal(refusal), is_own=not fault.in_between)
        if fault.body is None:
            return response
        return replace(response, content=fault.body.encode(), content_type=fault.content_type)

    def _internal_error(self, head: RequestHead) -> Response:
        # A mistake of ours: the client learns no more than of one of the service's, the log has the rest.
        _LOGGER.exception("request failed: %s %s", head.method, head.target)
        return self._refusal(self.site.protocol.internal_refusal())

    def _refuse_and_leave(self, refused: MalformedRequest) -> None:
        """Answer what is no request, and take no other from this connection."""
        self.close_connection = True
        self._send(self._refusal(refused), has_body=True, truncated=False)
        self._linger()

    def _linger(self) -> None:
        """Let the client read the answer: were the connection closed with bytes unread, TCP would take it back."""
        budget, deadline = _LINGER_BYTES, time.monotonic() + _LINGER_SECONDS
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            while budget > 0 and (seconds := deadline - time.monotonic()) > 0:
                self.connection.settimeout(seconds)
                piece = self.connection.recv(1 << 16)
                if not piece:
                    return
                budget -= len(piece)

    # Sending

    def _send(self, response: Response, *, has_body: bool, truncated: bool) -> None:
        self.close_connection |= truncated
        service_headers = self.site.protocol.headers_of(self._request_id) if response.is_own else []
        date = formatdate(self.site.clock(), usegmt=True)
        extra = [("Server", "udfs-local"), ("Date", date), *service_headers]
        head = encode_head(response, extra, closes=self.close_connection)
        length = response.length if has_body else 0
        limit = len(head) + length
        if truncated:
            limit = len(head) + length // 2 if length else len(head) // 2
        try:
            transmit(self.connection, head, response, limit)
        except OSError:
            self.close_connection = True
        finally:
            response.close()

    def _can_be_skipped(self, head: RequestHead, body: Body) -> bool:
        """
        Whether the next request can be found behind a body that nobody wanted.

        Not when the client holds it back until told (it may then send it or not), nor when its end is far or unknown.
        """
        if body.is_finished:
            return True
        if body.length is None or (not body.is_begun and "Expect" in head.headers):
            return False
        return body.length - body.received <= self._most_skipped

    @property
    def _most_skipped(self) -> int:
        return max(self.site.largest_body, _SKIPPED)

    def _skip(self, head: RequestHead, body: Body) -> None:
        """
        Read and forget what is left of a body.

        Also when the connection then ends: were it closed with bytes unread, TCP would take back the answer as well.
        """
        if body.is_finished or (not body.is_begun and "Expect" in head.headers):
            return
        try:
            self.close_connection |= not body.discard(self._most_skipped)
        except (Disconnected, HttpRefusal, OSError):
            self.close_connection = True
        self._reader.end()

    # Ending

    def _note(self, turn: Turn, response: Response | None) -> None:
        if self._is_control(turn.path):
            return
        self.site.log.add(
            Exchange(
                n=turn.n,
                method=turn.method,
                path=turn.path,
                query=turn.query,
                status=response.status if response else None,
                pid=turn.pid,
                request_bytes=turn.body.received,
                response_bytes=response.length if response and turn.method != "HEAD" else 0,
                actor=turn.actor,
                fault=turn.strike.label,
            )
        )

    def _sever(self, severed: Severed) -> None:
        """End the client, if that is what was asked for, and the connection."""
        self.close_connection = True
        if severed.kill is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(severed.kill, signal.SIGKILL)
        if severed.reset:
            # Closed with linger on and no time to linger, TCP sends RST instead of FIN.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _refuse_for_room(problem: OSError) -> HttpRefusal:
    # No service has such an answer.
    return HttpRefusal(507, "InsufficientStorage", f"The local service has no room to write: {problem.strerror}")
