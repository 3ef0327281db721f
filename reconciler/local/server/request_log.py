"""Request log of the server, in order: the evidence for *this command sent nothing else*."""

from __future__ import annotations

import itertools
import threading
from collections import deque
from dataclasses import asdict, dataclass
from typing import Any

_KEPT = 100_000


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

    def as_json(self) -> dict[str, Any]:
        """Every field."""
        return asdict(self)


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
