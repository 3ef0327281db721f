"""HTTP connection of one client: framing, keep-alive, and the order in which a request is checked."""

from __future__ import annotations

import logging
import os
import re
import secrets
import signal
import socket
import struct
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from socketserver import StreamRequestHandler
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl, unquote, unquote_plus

from reconciler.local.server import control, routes, signing
from reconciler.local.server.body import Body, Disconnected
from reconciler.local.server.control import Exchange, RequestLog
from reconciler.local.server.exchange import (
    Request,
    Response,
    encode_head,
    fault_response,
    refusal_response,
    transmit,
    with_whole_location,
)
from reconciler.local.server.faults import FaultAnswer, Faults, Severed, Strike
from reconciler.local.server.head import MalformedRequest, RequestHead, malformation, read_head
from reconciler.local.server.pace import PacedReader
from reconciler.local.server.permissions import require_permission
from reconciler.local.server.protocol import HttpRefusal, http_date, invalid, same_name
from reconciler.local.server.room import NO_ROOM, refuse_for_room
from reconciler.local.server.web_guard import require_own_host

if TYPE_CHECKING:
    from io import BufferedReader
    from socketserver import BaseServer

    from reconciler.local.server.service import LocalService

_MAX_PARAMETERS = 100
_SKIPPED = 64 << 20
_LINGER_SECONDS = 2.0
_LINGER_BYTES = 16 << 20
_PID = re.compile(r"(?:^|\s)udfs-pid/(\d{1,9})(?!\d)")
_LOGGER = logging.getLogger("reconciler.local")


@dataclass(frozen=True)
class Site:
    """What all connections of a server share."""

    service: LocalService
    names: frozenset[str] = frozenset()
    """The names that a Host header may give, beside loopback's and the address that the client reached: see `web_guard`."""
    faults: Faults = field(default_factory=Faults)
    log: RequestLog = field(default_factory=RequestLog)
    closing: threading.Event = field(default_factory=threading.Event)
    idle: dict[socket.socket, None] = field(default_factory=dict)
    """Connections between two requests, the longest idle first; they can be ended at any time."""
    lock: threading.Lock = field(default_factory=threading.Lock)


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
        super().__init__(connection, address, cast("BaseServer", site))

    # Reading

    def handle(self) -> None:
        """Answer one request after the other."""
        self._reader = PacedReader(self.connection, cast("BufferedReader", self.rfile))
        while not self.close_connection and self._is_asked():
            self._request_id = secrets.token_hex(12).upper()
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
        pid = _PID.search(head.headers.get("User-Agent", ""))
        return Turn(
            n=self.site.log.number(),
            method=head.method,
            path=unquote(path),
            query=unquote_plus(query),
            body=Body(self._reader, 0, lambda: None),
            actor=signing.actor(head.headers, self.site.service.settings),
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
            return fault_response(failed.fault, request_id=self._request_id, host_id=self.site.service.host)
        except (Severed, Disconnected):
            raise
        except (ConnectionError, TimeoutError) as problem:  # nothing else here talks to anybody but the client
            raise Disconnected from problem
        except Exception as problem:  # noqa: BLE001 - whatever it is, a server answers
            if isinstance(problem, OSError) and problem.errno in NO_ROOM:
                return self._refusal(refuse_for_room(problem))
            return self._internal_error(head)

    def _answer(self, head: RequestHead, turn: Turn) -> Response:
        """Look at a request in this order: how long, is it for us, where to, what goes wrong, who asks, what is asked."""
        # First: whoever asks, what belongs to this request must not be taken for the next.
        turn.body = self._frame_body(head)
        require_own_host(head, self._names())
        raw_path, question, raw_query = head.target.partition("?")
        if self._is_control(raw_path):
            return control.answer_control(
                self.site.log, self.site.faults, turn.method, raw_path, head.headers, turn.body
            )
        whole_path = raw_path
        raw_path, path = routes.split_path(whole_path)
        turn.path = "/" + "/".join(path)
        turn.strike = Strike(self.site.faults.pick(turn.method, turn.path, turn.query), turn.pid)
        turn.strike.act("before")
        turn.strike.watch(turn.body)
        self._wait()
        try:
            response = self._handle(head, turn, path, raw_path + question + raw_query)
        except HttpRefusal as refused:
            self.close_connection |= isinstance(refused, MalformedRequest)
            response = self._refusal(refused)
        endpoint = f"http://{head.headers.get('Host', '')}{whole_path.removesuffix(raw_path)}"
        return self._after(turn, with_whole_location(response, endpoint))

    def _names(self) -> frozenset[str]:
        return self.site.names | {same_name(self.connection.getsockname()[0])}

    def _after(self, turn: Turn, response: Response) -> Response:
        try:
            turn.strike.act("during")  # a request refused before its body was read does not escape
            turn.strike.act("after")
        except BaseException:
            response.close()
            raise
        return response

    def _handle(self, head: RequestHead, turn: Turn, path: tuple[str, ...], target: str) -> Response:
        service = self.site.service
        if service.settings.signed:
            signing.require_valid(turn.method, target, head.headers, service.settings)
        handler = routes.handler(turn.method, path)
        if turn.method in {"POST", "PUT"} and not {"content-length", "transfer-encoding"} & _names_of(head):
            self.close_connection = True  # there may be a body after all, and no telling where it ends
            raise HttpRefusal(411, "MissingContentLength", "ODPS-0420021: Missing Content-Length in HTTP request")
        require_permission(turn.method, path, service.settings.denied)
        request = Request(
            method=turn.method,
            path=path,
            query=_parameters(head.target.partition("?")[2]),
            headers=head.headers,
            body=turn.body,
            actor=turn.actor,
        )
        return handler(service, request)

    def _is_control(self, path: str) -> bool:
        return self.site.service.settings.control and path.startswith(control.PREFIX)

    def _wait(self) -> None:
        if latency := self.site.service.settings.latency_ms:
            time.sleep(latency / 1000)

    # What is answered when something is wrong

    def _refusal(self, refusal: HttpRefusal) -> Response:
        return refusal_response(refusal, request_id=self._request_id, host_id=self.site.service.host)

    def _internal_error(self, head: RequestHead) -> Response:
        # A mistake of ours: the client learns no more than of one of the service's, the log has the rest.
        _LOGGER.exception("request failed: %s %s", head.method, head.target)
        return self._refusal(HttpRefusal(500, "InternalServerError", "ODPS-0010000:System internal error"))

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
        request_header = [("x-odps-request-id", self._request_id)] if response.is_own else []
        date = http_date(self.site.service.clock())
        extra = [("Server", "udfs-local"), ("Date", date), *request_header]
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
        return max(self.site.service.settings.max_resource_bytes, _SKIPPED)

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


def _names_of(head: RequestHead) -> set[str]:
    return {name.lower() for name in head.headers}


def _parameters(query: str) -> dict[str, str]:
    try:
        return dict(parse_qsl(query, keep_blank_values=True, max_num_fields=_MAX_PARAMETERS, errors="strict"))
    except ValueError:
        raise invalid("the query cannot be read") from None
