"""Lists: filters, pages, and lists that lag behind."""

from __future__ import annotations

import threading
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from reconciler.local.server.exchange import Request, xml_response
from reconciler.local.server.protocol import (
    element,
    invalid,
    marker_after,
    marker_key,
    same_name,
    texts,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from reconciler.local.http.messages import Response
    from reconciler.local.server import database
    from reconciler.local.server.database import Location, Records, RecordTable
    from reconciler.local.server.settings import Settings


class Listed(Protocol):
    """Whatever has an owner."""

    @property
    def owner(self) -> str:
        """Its owner."""


T = TypeVar("T", bound=Listed)


def answer_list(
    root: str,
    request: Request,
    settings: Settings,
    source: Callable[[str], Iterable[tuple[str, T]]],
    render: Callable[[T], str],
) -> Response:
    """
    Answer a list by its parameters ``name``, ``owner``, ``marker`` and ``maxitems``.

    `source` gives the entries behind a key, by key. The answer is one page, with the marker of the next or, at the end,
    an empty one: that is how clients know. The service's page size is not documented; ours is also the most a client may
    ask for. Order and form of markers are guesses: by name without case, and the name of the last entry.
    """
    name, owner, marker = (
        same_name(request.query.get("name", "")),
        request.query.get("owner"),
        request.query.get("marker"),
    )
    after = marker_key(marker) if marker else ""
    size = min(_positive(request.query.get("maxitems")) or settings.page_size, settings.page_size)

    def wants(key: str, entry: T) -> bool:
        if owner and entry.owner != owner:
            return False
        return key.startswith(name) if settings.name_filter == "prefix" else name in key

    page = list(islice(((key, entry) for key, entry in source(after) if wants(key, entry)), size + 1))
    next_marker = marker_after(page[size - 1][0]) if len(page) > size else ""
    entries = (render(entry) for _, entry in page[:size])
    return xml_response(element(root, texts(Marker=next_marker, MaxItems=size), *entries))


def _positive(value: str | None) -> int | None:
    if not value:
        return None
    if not (value.isascii() and value.isdigit()) or int(value[:10]) == 0:
        raise invalid("maxitems must be a positive number")
    return int(value[:10])


class LaggingLists:
    """Lists that go on showing what was there before the last write, for a number of requests."""

    def __init__(self, lag: int) -> None:
        self._lag = lag
        self._before: dict[tuple[str, tuple[str, str]], tuple[Sequence[tuple[str, Any]], int]] = {}
        self._lock = threading.Lock()

    def remember(self, rows: Records, table: RecordTable[database.T], location: Location) -> None:
        """Note what a list shows; to be called in a write, before it changes anything."""
        if self._lag:
            with self._lock:
                self._before[table.noun, location.keys] = (list(rows.behind(table, "", location)), self._lag)

    def behind(
        self, rows: Records, table: RecordTable[database.T], after: str, location: Location
    ) -> Iterable[tuple[str, database.T]]:
        """Return what a list is to be made from."""
        with self._lock:
            entries, remaining = self._before.pop((table.noun, location.keys), ((), 0))
            if remaining == 0:
                return rows.behind(table, after, location)
            self._before[table.noun, location.keys] = (entries, remaining - 1)
        return [item for item in entries if item[0] > after]
