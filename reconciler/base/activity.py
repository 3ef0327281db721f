"""
Activity: work that may take long, counted as it goes on, and told to whoever watches this process.

As with logs, who works does not know who watches: without a `Watch` nothing is kept and nothing shown. Any thread may begin
an activity; one of the same words that goes on already is joined, so that eight threads at one thing are one activity.

There are two readers: who looks at how it stands, from time to time, and a listener, who is handed each beginning and each
end, and beside them whatever a room above wants to have heard (`announce`).
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BYTES = "bytes"
"""The noun of counts that are shown as sizes."""


class Count(NamedTuple):
    """How much of something is done."""

    noun: str
    done: int
    total: int | None
    """None where nobody knows."""

    seconds: float
    """Since it is counted."""


class WorkItem(NamedTuple):
    """Something that is worked at."""

    words: str
    seconds: float
    doing: str = ""
    """What of it is done right now, where that is known."""


class Standing(NamedTuple):
    """An activity at one moment."""

    words: str
    seconds: float
    counts: tuple[Count, ...]
    items: tuple[WorkItem, ...]
    """What is worked at, the longest first."""

    is_minor: bool
    """Whether it says less than any other that goes on."""


class ActivityStart(NamedTuple):
    """An activity that begins."""

    words: str


class ActivityEnd(NamedTuple):
    """An activity that is over."""

    standing: Standing


@dataclass(eq=False)
class Activity:
    """Work that goes on. May be told of from any thread."""

    words: str
    clock: Callable[[], float]
    is_minor: bool = False
    members: int = 0
    started: float = field(init=False)
    _done: dict[str, int] = field(default_factory=dict, init=False)
    _totals: dict[str, int] = field(default_factory=dict, init=False)
    _since: dict[str, float] = field(default_factory=dict, init=False)
    _items: dict[object, tuple[str, float, Callable[[], str]]] = field(default_factory=dict, init=False)
    _planned: set[str] = field(default_factory=set, init=False)
    _lock: Lock = field(default_factory=Lock, init=False)

    def __post_init__(self) -> None:
        self.started = self.clock()

    def plan(self, noun: str, total: int) -> None:
        """Say how much there is of something, in all."""
        with self._lock:
            self._planned.add(noun)
            self._begin(noun)
            self._totals[noun] = total

    def expect(self, noun: str, more: int) -> None:
        """Say that there is more of something, unless a plan has said how much there is in all."""
        with self._lock:
            self._begin(noun)
            if noun not in self._planned:
                self._totals[noun] = self._totals.get(noun, 0) + more

    def count(self, noun: str, number: int = 1) -> None:
        """Say that so much more is done."""
        with self._lock:
            self._begin(noun)
            self._done[noun] += number

    @contextmanager
    def at(self, item: str, doing: Callable[[], str] = str) -> Iterator[None]:
        """Say what is worked at meanwhile; `doing` is asked by who watches, and has to be quick."""
        key = object()
        with self._lock:
            self._items[key] = item, self.clock(), doing
        try:
            yield
        finally:
            with self._lock:
                del self._items[key]

    def standing(self, now: float) -> Standing:
        """Return how it stands."""
        with self._lock:
            counts = tuple(
                Count(noun, done, self._totals.get(noun), now - self._since[noun]) for noun, done in self._done.items()
            )
            at = tuple(self._items.values())
        items = tuple(WorkItem(words, now - since, doing()) for words, since, doing in at)
        return Standing(self.words, now - self.started, counts, items, self.is_minor)

    def _begin(self, noun: str) -> None:
        if noun not in self._done:
            self._done[noun], self._since[noun] = 0, self.clock()


class Watch:
    """What goes on in this process; seconds are those of its clock. The listener is called by any thread."""

    def __init__(self, clock: Callable[[], float], listener: Callable[[object], None] | None = None) -> None:
        self.clock, self.listener = clock, listener
        self._open: dict[str, Activity] = {}
        self._lock = Lock()

    def standings(self) -> tuple[Standing, ...]:
        """Return what goes on, in the order in which it was begun."""
        with self._lock:
            activities = tuple(self._open.values())
        now = self.clock()
        return tuple(activity.standing(now) for activity in activities)

    def enter(self, words: str, *, is_minor: bool) -> Activity:
        """Begin an activity, or join the one of these words."""
        with self._lock:
            joined = self._open.get(words) or Activity(words, self.clock, is_minor)
            self._open[words] = joined
            joined.members += 1
            begins = joined.members == 1
        if begins and self.listener and not is_minor:
            self.listener(ActivityStart(words))
        return joined

    def leave(self, joined: Activity) -> None:
        """End an activity, when the last has left it."""
        with self._lock:
            joined.members -= 1
            if joined.members:
                return
            del self._open[joined.words]
        if self.listener and not joined.is_minor:
            self.listener(ActivityEnd(joined.standing(self.clock())))


_watch: Watch | None = None


@contextmanager
def watching(clock: Callable[[], float], listener: Callable[[object], None] | None = None) -> Iterator[Watch]:
    """
    Watch what this process is at, in place of whoever else does, as long as the context lasts.

    Who listened before goes on listening, unless there is another listener.
    """
    global _watch
    before = _watch
    _watch = Watch(clock, listener or (before.listener if before else None))
    try:
        yield _watch
    finally:
        _watch = before


def announce(value: object) -> None:
    """Hand a value to whoever listens; nothing is done where nobody does."""
    if _watch is not None and _watch.listener is not None:
        _watch.listener(value)


@contextmanager
def activity(words: str, *, is_minor: bool = False) -> Iterator[Activity]:
    """Work at something that may take long; `words` begin a line for people: ``reading project demo``."""
    watch = _watch
    if watch is None:
        yield Activity(words, lambda: 0.0)
        return
    joined = watch.enter(words, is_minor=is_minor)
    try:
        yield joined
    finally:
        watch.leave(joined)
