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
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
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
)
from reconciler.local.server.faults import FaultAnswer, Faults, Severed, Strike
from reconciler.local.server.protocol import HttpRefusal, http_date, invalid, legible
from reconciler.local.server.web_guard import require_own_host

if TYPE_CHECKING:
    from socketserver import BaseServer

    from reconciler.local.server.service import LocalService

IDLE_SECONDS = 300
_MAX_LINE = 65536
_MAX_PARAMETERS = 100
_SKIPPED = 64 << 20
_PID = re.compile(r"(?:^|\s)udfs-pid/(\d{1,9})(?!\d)")
_LOGGER = logging.getLogger("reconciler.local")


@dataclass(frozen=True)
class Site:
    """What all connections of a server share."""

    service: LocalService
    names: frozenset[str] | None
    """The names a Host header may give, None for any: see `web_guard`."""
    faults: Faults = field(default_factory=Faults)
    log: RequestLog = field(default_factory=RequestLog)
    closing: threading.Event = field(default_factory=threading.Event)
    idle: set[socket.socket] = field(default_factory=set)
    """Connections between two requests; they can be ended at any time."""
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


class Connection(BaseHTTPRequestHandler):
    """Reads requests and sends answers until either side has had enough."""

    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True  # an answer is two writes at most, and must not wait for an acknowledgement

    def __init__(self, connection: socket.socket, address: Any, site: Site) -> None:
        self.site = site
        self._severed: Severed | None = None
        self._request_id = ""
        super().__init__(connection, address, cast("BaseServer", site))

    # Reading

    def handle_one_request(self) -> None:
        """Wait for a request and answer it."""
        self.close_connection = True
        self.requestline, self.command, self.request_version = "", "", self.protocol_version
        self._request_id = secrets.token_hex(12).upper()
        self.raw_requestline = self._first_line()
        if not self.raw_requestline:
            return
        if len(self.raw_requestline) > _MAX_LINE:
            self.send_error(414)
        elif self.parse_request():
            self._take_turn()
            self.close_connection |= self.site.closing.is_set()

    def _first_line(self) -> bytes:
        """The next request's first line; nothing when the client left, went silent, or the server is closing."""
        with self.site.lock:
            if self.site.closing.is_set():
                return b""
            self.site.idle.add(self.connection)
        try:
            return self.rfile.readline(_MAX_LINE + 1)
        except OSError:
            return b""
        finally:
            with self.site.lock:
                self.site.idle.discard(self.connection)

    def handle_expect_100(self) -> bool:
        """*100 Continue* is said when the body is wanted: see `Body`. Until then the request can still be refused."""
        return True

    def _frame_body(self) -> Body:
        """The body as its headers frame it; an answer to contradicting headers ends the connection."""
        lengths = set(self.headers.get_all("Content-Length", []))
        coding = self.headers.get("Transfer-Encoding")
        if coding is not None:
            if lengths or coding.strip().lower() != "chunked":
                raise self._framing_refusal("Transfer-Encoding and Content-Length cannot be understood together")
            return Body(self.rfile, None, self._say_continue)
        if not lengths:
            return Body(self.rfile, 0, self._say_continue)
        length = lengths.pop().strip()
        if lengths or not (length.isascii() and length.isdigit()) or len(length) > 18:
            raise self._framing_refusal("Content-Length is not a number")
        return Body(self.rfile, int(length), self._say_continue)

    def _framing_refusal(self, why: str) -> HttpRefusal:
        self.close_connection = True
        return invalid(why)

    def _say_continue(self) -> None:
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    # Answering

    def _take_turn(self) -> None:
        """One exchange, from the parsed head to the last byte of the answer."""
        turn = self._turn()
        response: Response | None
        try:
            response = self._outcome(turn)
        except Severed as severed:
            response, self._severed = None, severed
        except Disconnected:
            response, self.close_connection = None, True
        # Noted before it is sent: whoever has the answer finds it in the log.
        self._note(turn, response)
        if self._severed is not None:
            self._sever(self._severed)
        elif response is not None:
            self.close_connection |= not self._can_be_skipped(turn.body)
            self._send(response, truncated=turn.strike.truncates)
            self._skip(turn.body)

    def _turn(self) -> Turn:
        path, _, query = self.path.partition("?")
        pid = _PID.search(self.headers.get("User-Agent", ""))
        return Turn(
            n=self.site.log.number(),
            method=self.command,
            path=unquote(path),
            query=unquote_plus(query),
            body=Body(self.rfile, 0, self._say_continue),
            actor=signing.actor(self.headers, self.site.service.settings),
            pid=int(pid[1]) if pid else None,
            strike=Strike(None, None),
        )

    def _outcome(self, turn: Turn) -> Response:
        """The answer, whatever it is; `Severed` when there is none."""
        try:
            return self._answer(turn)
        except HttpRefusal as refused:
            return self._refusal(refused)
        except FaultAnswer as failed:
            return fault_response(failed.fault, request_id=self._request_id, host_id=self.site.service.host)
        except (Severed, Disconnected):
            raise
        except (ConnectionError, TimeoutError) as problem:  # nothing else here talks to anybody but the client
            raise Disconnected from problem
        except Exception:  # noqa: BLE001 - whatever it is, a server answers
            return self._internal_error()

    def _answer(self, turn: Turn) -> Response:
        """Look at a request in this order: how long, is it for us, where to, what goes wrong, who asks, what is asked."""
        turn.body = (
            self._frame_body()
        )  # first: whoever asks, what belongs to this request must not be taken for the next
        require_own_host(self.headers, self.request_version, self.site.names)
        raw_path, question, raw_query = self.path.partition("?")
        if self._is_control(raw_path):
            return control.answer_control(
                self.site.log, self.site.faults, turn.method, raw_path, self.headers, turn.body
            )
        raw_path, path = routes.split_path(raw_path)
        turn.path = "/" + "/".join(path)
        turn.strike = Strike(self.site.faults.pick(turn.method, turn.path, turn.query), turn.pid)
        turn.strike.act("before")
        turn.strike.watch(turn.body)
        self._wait()
        try:
            response = self._handle(turn, path, raw_path + question + raw_query, raw_query)
        except HttpRefusal as refused:
            response = self._refusal(refused)
        return self._after(turn, response)

    def _after(self, turn: Turn, response: Response) -> Response:
        try:
            turn.strike.act("during")  # a request refused before its body was read does not escape
            turn.strike.act("after")
        except BaseException:
            response.close()
            raise
        return response

    def _handle(self, turn: Turn, path: tuple[str, ...], target: str, raw_query: str) -> Response:
        service = self.site.service
        if service.settings.signed:
            signing.require_valid(turn.method, target, self.headers, service.settings)
        handler = routes.handler(turn.method, path)
        if turn.method in {"POST", "PUT"} and not {"content-length", "transfer-encoding"} & self._header_names():
            self.close_connection = True  # there may be a body after all, and no telling where it ends
            raise HttpRefusal(411, "MissingContentLength", "ODPS-0420021: Missing Content-Length in HTTP request")
        request = Request(
            method=turn.method,
            path=path,
            query=_parameters(raw_query),
            headers=self.headers,
            body=turn.body,
            actor=turn.actor,
        )
        return handler(service, request)

    def _header_names(self) -> set[str]:
        return {name.lower() for name in self.headers}

    def _is_control(self, path: str) -> bool:
        return self.site.service.settings.control and path.startswith(control.PREFIX)

    def _wait(self) -> None:
        if latency := self.site.service.settings.latency_ms:
            time.sleep(latency / 1000)

    # What is answered when something is wrong

    def _refusal(self, refusal: HttpRefusal) -> Response:
        return refusal_response(refusal, request_id=self._request_id, host_id=self.site.service.host)

    def _internal_error(self) -> Response:
        # A mistake of ours: the client learns no more than of one of the service's, the log has the rest.
        _LOGGER.exception("request failed: %s %s", self.command, self.path)
        return self._refusal(HttpRefusal(500, "InternalServerError", "ODPS-0010000:System internal error"))

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the standard library finds wrong with a head, in the form of all other errors."""
        self.close_connection = True
        codes = {405: "MethodNotAllowed", 501: "MethodNotAllowed"}
        why = legible(message or HTTPStatus(code).phrase)
        self._send(self._refusal(HttpRefusal(int(code), codes.get(code, "InvalidParameter"), why)), truncated=False)

    # Sending

    def _send(self, response: Response, *, truncated: bool) -> None:
        self.close_connection |= truncated
        request_header = [("x-odps-request-id", self._request_id)] if response.is_own else []
        date = http_date(self.site.service.clock())
        extra = [("Server", "udfs-local"), ("Date", date), *request_header]
        head = encode_head(response, extra, closes=self.close_connection)
        length = 0 if self.command == "HEAD" else response.length
        limit = len(head) + length
        if truncated:
            limit = len(head) + length // 2 if length else len(head) // 2
        try:
            transmit(self.connection, head, response, limit)
        except OSError:
            self.close_connection = True
        finally:
            response.close()

    def _can_be_skipped(self, body: Body) -> bool:
        """
        Whether the next request can be found behind a body that nobody wanted.

        Not when the client holds it back until told (it may then send it or not), nor when its end is far or unknown.
        """
        if body.is_finished:
            return True
        if body.length is None or (not body.is_begun and "Expect" in self.headers):
            return False
        return body.length - body.received <= self._most_skipped

    @property
    def _most_skipped(self) -> int:
        return max(self.site.service.settings.max_resource_bytes, _SKIPPED)

    def _skip(self, body: Body) -> None:
        """
        Read and forget what is left of a body.

        Also when the connection then ends: were it closed with bytes unread, TCP would take back the answer as well.
        """
        if body.is_finished or (not body.is_begun and "Expect" in self.headers):
            return
        try:
            self.close_connection |= not body.discard(self._most_skipped)
        except (Disconnected, HttpRefusal, OSError):
            self.close_connection = True

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


def _parameters(query: str) -> dict[str, str]:
    try:
        return dict(parse_qsl(query, keep_blank_values=True, max_num_fields=_MAX_PARAMETERS, errors="strict"))
    except ValueError:
        raise invalid("the query cannot be read") from None
