"""Function Compute's service context of every handler: settings, store, clock, and the address at which it is reached."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from reconciler.local.fc.refusals import invalid_argument, missing_object, too_large
from reconciler.local.fc.signing import require_body
from reconciler.local.http.messages import HttpRefusal
from reconciler.local.http.request import ClientRequest, parse_parameters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from reconciler.local.fc.database import FcRecords, FcStore, StoredDocument
    from reconciler.local.fc.settings import FcSettings

LATEST = "LATEST"
MOST_JSON = 1 << 20
"""Bytes of a body that holds no code; a guess, far above any."""


@dataclass(frozen=True, kw_only=True)
class FcRequest(ClientRequest):
    """What a client asks of the control API or of OSS; its path is ``("functions", "read", "code")``, or bucket and key."""

    request_id: str
    is_signed: bool
    """Whether what came before the body was signed, so that the body has to fit."""

    def content(self, limit: int) -> bytes:
        """Return the whole body; 400 where it is larger than `limit` or not the one that was signed."""
        if self.body.length is not None and self.body.length > limit:
            raise too_large(limit)
        content = bytearray()
        for piece in self.body.pieces():
            content += piece
            if len(content) > limit:
                raise too_large(limit)
        if self.is_signed:
            require_body(self.headers, content)
        return bytes(content)

    def document(self, limit: int = MOST_JSON) -> dict[str, Any]:
        """Return the JSON object of the body; nulls in it are as if they had not been sent (the SDKs send none)."""
        try:
            document = json.loads(self.content(limit) or b"{}")
        except (ValueError, RecursionError):
            raise invalid_argument("the request body is not JSON") from None
        if not isinstance(document, dict):
            raise invalid_argument("the request body is not a JSON object")
        return {name: value for name, value in document.items() if value is not None}

    def refusal(self, why: str) -> HttpRefusal:
        return invalid_argument(why)


class Pacemaker:
    """The rate of requests: as many a second as it is made for."""

    def __init__(self, rate: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._left = float(rate)
        self._seen = clock()
        self._lock = threading.Lock()

    def require_room(self) -> None:
        """Raise 429 where a request is one too many. ``Throttling`` is what the vendor's gateway says (read in its SDKs)."""
        if not self._rate:
            return
        with self._lock:
            now = self._clock()
            self._left = min(self._rate, self._left + (now - self._seen) * self._rate)
            self._seen = now
            if self._left < 1:
                raise HttpRefusal(429, "Throttling", "Request was denied due to request throttling")
            self._left -= 1


@dataclass(frozen=True)
class FcService:
    """One server's switches and what it keeps."""

    settings: FcSettings
    store: FcStore
    address: str
    """Host and port, for the addresses that answers give."""
    pace: Pacemaker
    clock: Callable[[], float] = time.time
    """Seconds since 1970: what objects are dated with, and what every answer tells."""
    before: dict[str, tuple[list[StoredDocument], int]] = field(default_factory=dict)
    """Lists that go on showing what was there before the last write, each for a number of requests."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def now(self) -> float:
        """Return the time that new objects get."""
        return self.clock()

    def remember_functions(self, rows: FcRecords) -> None:
        """Note what the list of functions shows; to be called in a write, before it changes anything."""
        if self.settings.stale_list:
            with self.lock:
                self.before["function"] = list(rows.each("function")), self.settings.stale_list

    def list_functions_of(self, rows: FcRecords, start: str, prefix: str) -> Iterable[StoredDocument]:
        """Return what a list of functions is to be made from."""
        with self.lock:
            entries, remaining = self.before.pop("function", ([], 0))
            if remaining:
                self.before["function"] = entries, remaining - 1
                return [entry for entry in entries if entry.name >= start and entry.name.startswith(prefix)]
        return rows.each("function", start=start, prefix=prefix)


def existing_object(
    rows: FcRecords, kind: str, name: str, parent: str = "", spelled: str | None = None
) -> StoredDocument:
    """Return an object by its name; 404 when it is not there."""
    record = rows.find(kind, name, parent)
    if record is None:
        raise missing_object("layer version" if kind == "layer" else kind, spelled or name)
    return record


def split_page(
    request: FcRequest, service: FcService, entries: Iterable[StoredDocument]
) -> tuple[list[StoredDocument], StoredDocument | None]:
    """
    Return the entries of a page, and the first of the next.

    ``limit`` is 1 to 100 (documented); what is more is refused, a guess. That the token names the next entry is one, too.
    """
    limit = request.number("limit")
    if limit is None:
        limit = service.settings.page_size
    if not 1 <= limit <= service.settings.most_per_page:
        raise invalid_argument(f"limit must be from 1 to {service.settings.most_per_page}")
    page: list[StoredDocument] = []
    for entry in entries:
        if len(page) == limit:
            return page, entry
        page.append(entry)
    return page, None


def show_time(seconds: float) -> str:
    """Return a time as the service writes it: ``2023-04-01T08:15:27Z`` (documented examples)."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def query_parameters(query: str) -> dict[str, str]:
    """Return the parameters of a query; 400 where it cannot be read."""
    return parse_parameters(query, invalid_argument)
