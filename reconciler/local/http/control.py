"""
Control of the server by tests: the request log, and requests outside the protocol, ``/_control``.

``GET /_control/requests`` (the log), ``DELETE`` (forget it); ``GET /_control/faults``, ``POST`` (one rule or a list of
rules, as JSON), ``DELETE``. The fields are those of `Exchange` and `Fault`. The log, in order, is the evidence for
*this command sent nothing else*.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections import deque
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from reconciler.local.http.faults import Fault
from reconciler.local.http.messages import HttpRefusal, Response, answer_json, bad_request

if TYPE_CHECKING:
    from email.message import Message

    from reconciler.local.http.body import Body
    from reconciler.local.http.faults import Faults

PREFIX = "/_control/"
_KEPT = 100_000
_MOST_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One request and what became of it."""

    n: int
    """In the order in which requests came in; never used twice."""
    method: str
    path: str
    """Decoded, without the endpoint's prefix."""
    query: str
    """Decoded, as sent."""
    status: int | None
    """None when no answer was sent at all."""
    pid: int | None
    """From ``udfs-pid/<number>`` in the User-Agent."""
    request_bytes: int
    """Of the body, as far as it was read before the answer."""
    response_bytes: int
    """Of the body."""
    actor: str
    """Who asked, as an owner name; not proven when the signature was refused."""
    fault: str | None
    """What was made to go wrong."""


class RequestLog:
    """The last exchanges, cheap enough to be always on."""

    def __init__(self) -> None:
        self._exchanges: deque[Exchange] = deque(maxlen=_KEPT)
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def number(self) -> int:
        """The number of a request that just came in."""
        return next(self._numbers)

    def add(self, exchange: Exchange) -> None:
        """Note what became of it."""
        with self._lock:
            self._exchanges.append(exchange)

    def clear(self) -> None:
        """Forget everything so far."""
        with self._lock:
            self._exchanges.clear()

    def exchanges(self) -> list[Exchange]:
        """All that is remembered, in order of arrival."""
        with self._lock:
            exchanges = list(self._exchanges)
        return sorted(exchanges, key=lambda exchange: exchange.n)


def answer_control(log: RequestLog, faults: Faults, method: str, path: str, headers: Message, body: Body) -> Response:
    """Answer a request to `path`."""
    match method, path.removeprefix(PREFIX):
        case "GET", "requests":
            return answer_json({"requests": [asdict(exchange) for exchange in log.exchanges()]})
        case "DELETE", "requests":
            log.clear()
            return Response(status=204)
        case "GET", "faults":
            return answer_json({"faults": faults.rules()})
        case "POST", "faults":
            return _add(faults, headers, body)
        case "DELETE", "faults":
            faults.clear()
            return Response(status=204)
    raise HttpRefusal(404, "NoSuchObject", "There is no such control")


def _add(faults: Faults, headers: Message, body: Body) -> Response:
    # JSON only: a web page cannot send that to another site without asking first.
    if headers.get_content_type() != "application/json":
        raise HttpRefusal(415, "InvalidContentType", "A fault is sent as application/json")
    try:
        rules = json.loads(body.whole(_MOST_BYTES))
        parsed = [Fault.parse(rule) for rule in (rules if isinstance(rules, list) else [rules])]
    except (ValueError, TypeError, AttributeError, RecursionError) as problem:
        raise bad_request(str(problem)) from problem
    for fault in parsed:
        faults.add(fault)
    return Response(status=201)
