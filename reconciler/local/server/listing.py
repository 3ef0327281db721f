"""Lists: filters, pages, and lists that lag behind."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from reconciler.local.server.protocol import (
    element,
    invalid,
    marker_after,
    marker_key,
    same_name,
    text_element,
    xml_document,
)

if TYPE_CHECKING:
    from reconciler.local.server.records import Location
    from reconciler.local.server.settings import Settings


class Listed(Protocol):
    """Whatever has a name and an owner."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def owner(self) -> str:
        """Its owner."""


T = TypeVar("T", bound=Listed)
Source = Callable[[str], Iterator[tuple[str, T]]]
"""Gives the entries behind a key, by key."""


@dataclass(frozen=True)
class ListQuery:
    """The parameters of a list: ``name``, ``owner``, ``marker``, ``maxitems``."""

    name: str
    owner: str
    after: str
    size: int

    @classmethod
    def of(cls, query: Mapping[str, str], settings: Settings) -> ListQuery:
        """
        Read them.

        The service's page size is not documented; ours is also the most a client may ask for. Order and form of
        markers are guesses: by name without case, and the name of the last entry.
        """
        marker = query.get("marker", "")
        return cls(
            name=same_name(query.get("name", "")),
            owner=query.get("owner", ""),
            after=marker_key(marker) if marker else "",
            size=min(_positive(query.get("maxitems")) or settings.page_size, settings.page_size),
        )

    def wants(self, key: str, entry: Listed, settings: Settings) -> bool:
        """Whether the filters let `entry` through."""
        if self.owner and entry.owner != self.owner:
            return False
        return key.startswith(self.name) if settings.name_filter == "prefix" else self.name in key


def _positive(value: str | None) -> int | None:
    if not value:
        return None
    if not (value.isascii() and value.isdigit()) or int(value[:10]) == 0:
        raise invalid("maxitems must be a positive number")
    return int(value[:10])


def render_page(
    root: str, source: Source[T], render: Callable[[T], str], list_query: ListQuery, settings: Settings
) -> bytes:
    """One page, with the marker of the next or, at the end, an empty one: that is how clients know."""
    selected = ((key, entry) for key, entry in source(list_query.after) if list_query.wants(key, entry, settings))
    page = list(itertools.islice(selected, list_query.size + 1))
    shown = page[: list_query.size]
    marker = marker_after(shown[-1][0]) if len(page) > len(shown) else ""
    entries = (render(entry) for _, entry in shown)
    return xml_document(
        element(root, text_element("Marker", marker), text_element("MaxItems", list_query.size), *entries)
    )


class LaggingLists:
    """Lists that go on showing what was there before the last write, for a number of requests."""

    def __init__(self, lag: int) -> None:
        self._lag = lag
        self._before: dict[tuple[str, tuple[str, str]], tuple[Sequence[tuple[str, Listed]], int]] = {}
        self._lock = threading.Lock()

    def remember(self, kind: str, location: Location, source: Source[T]) -> None:
        """To be called in a write, before it changes anything."""
        if self._lag:
            with self._lock:
                self._before[kind, location.keys] = (list(source("")), self._lag)

    def or_now(self, kind: str, location: Location, source: Source[T]) -> Source[T]:
        """What a list of `kind` is to be made from."""
        if not self._lag:
            return source
        with self._lock:
            entries, remaining = self._before.pop((kind, location.keys), ((), 0))
            if remaining == 0:
                return source
            self._before[kind, location.keys] = (entries, remaining - 1)
        return lambda after: _behind(entries, after)  # type: ignore[arg-type]


def _behind(entries: Iterable[tuple[str, T]], after: str) -> Iterator[tuple[str, T]]:
    return (item for item in entries if item[0] > after)
