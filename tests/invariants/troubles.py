"""
What can go wrong with one request, for the sweeps.

Most is done by the service itself, on the wire. What happens on the way to it, a refused connection or a request that is
delivered twice, is done where the client hands a request to the network.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit, urlunsplit

from requests.adapters import HTTPAdapter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pytest
    import requests

    from reconciler.local.http.listener import HttpServer

STALL = 0.5
PATIENCE = 0.25
"""Seconds: a stalled answer takes longer than the client waits."""

_NO_SERVER = 1
"""A port on which nobody listens."""


@dataclass(frozen=True)
class Trouble:
    """One thing that goes wrong."""

    rule: Mapping[str, Any] = field(default_factory=dict)
    """For the service."""

    on_the_way: Literal["refused", "twice"] | None = None
    lasts: bool = True
    """Whether it may also go on for ever: what takes time does not."""


def _answer(status: int, code: str, **more: object) -> Trouble:
    return Trouble({"action": "fail", "status": status, "code": code, **more})


_PAGE = {
    "in_between": True,
    "body": "<!DOCTYPE html><html><body>Please log in</body></html>",
    "content_type": "text/html",
}
_CUT = {"in_between": True, "body": '<?xml version="1.0" encoding="UTF-8"?>\n<Resources><Resource><Name>f'}

TROUBLES: Mapping[str, Trouble] = {
    "refused": Trouble(on_the_way="refused"),
    "reset before headers": Trouble({"action": "reset"}),
    "reset mid-body": Trouble({"action": "reset", "when": "during"}),
    "reset after the effect": Trouble({"action": "reset", "when": "after"}),
    "answer cut off": Trouble({"action": "truncate"}),
    "timeout before the effect": Trouble({"action": "stall", "when": "before", "seconds": STALL}, lasts=False),
    "timeout after the effect": Trouble({"action": "stall", "when": "after", "seconds": STALL}, lasts=False),
    "slow": Trouble({"action": "stall", "when": "during", "seconds": 0.02}),
    "429": _answer(429, "Throttling", retry_after=0),
    "500": _answer(500, "InternalServerError"),
    "500 after the effect": _answer(500, "InternalServerError", when="after"),
    "502": _answer(502, "BadGateway"),
    "503": _answer(503, "ServiceUnavailable"),
    "503 after the effect": _answer(503, "ServiceUnavailable", when="after"),
    "504 after the effect": _answer(504, "GatewayTimeout", when="after", **_PAGE),
    "401": _answer(401, "Unauthorized"),
    "403": _answer(403, "NoPermission"),
    "409": _answer(409, "ObjectAlreadyExists"),
    "409 after the effect": _answer(409, "ObjectAlreadyExists", when="after"),
    "XML cut off": _answer(200, "", **_CUT),
    "HTML instead": _answer(200, "", **_PAGE),
    "HTML of a gateway": _answer(502, "", **_PAGE),
    "delivered twice": Trouble(on_the_way="twice"),
}


class Way:
    """The way to the service: counts requests, and loses or repeats the one that is due."""

    def __init__(self) -> None:
        self._kind: str | None = None
        self._due, self._count, self._ever = 0, 0, False
        self._lock = threading.Lock()

    @contextmanager
    def troubled(self, trouble: Trouble, number: int, server: HttpServer, *, ever: bool) -> Iterator[None]:
        """Let request `number`, or every one from it on, meet a trouble."""
        self._kind, self._due, self._count, self._ever = trouble.on_the_way, number, 0, ever
        if trouble.rule:
            server.faults.add({**trouble.rule, "nth": number, "times": None if ever else 1})
        try:
            yield
        finally:
            self._kind = None
            server.faults.clear()

    def _takes(self) -> str | None:
        with self._lock:
            self._count += 1
            due = self._count == self._due or (self._ever and self._count > self._due)
            return self._kind if due else None

    def patch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Stand where requests are handed to the network."""
        send = HTTPAdapter.send

        def handed(adapter: HTTPAdapter, request: requests.PreparedRequest, *args: Any, **named: Any) -> Any:
            kind = self._takes()
            if kind == "refused":
                parts = urlsplit(str(request.url))
                away = request.copy()
                away.url = urlunsplit(parts._replace(netloc=f"127.0.0.1:{_NO_SERVER}"))
                return send(adapter, away, *args, **named)
            if kind == "twice":
                first = send(adapter, request, *args, **named)
                first.content  # noqa: B018 - read, so that the connection can be used again
            return send(adapter, request, *args, **named)

        monkeypatch.setattr(HTTPAdapter, "send", handed)
