"""
Sessions: key, secret and token that belong together, and a source that gives the current ones.

A request takes one `Credentials` and is signed with nothing else, so no two sessions are ever mixed; while one thread
renews, others go on with what is still valid.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Protocol

from reconciler.base.errors import ServiceError
from reconciler.base.redaction import conceal

if TYPE_CHECKING:
    from collections.abc import Callable

_MARGIN = 300.0
"""Seconds before its end at which a session is renewed, at most; of a short one a fifth of its life."""

_RETRY = 10.0
"""Seconds before renewing is tried again, after it failed and while the old session still holds."""


@dataclass(frozen=True, repr=False)
class Credentials:
    """An access key, or what a session has in its place; never printed."""

    access_id: str
    secret: str
    token: str | None = None
    is_bearer: bool = False
    """Whether the token alone says who asks, and nothing is signed."""

    origin: str = field(default="", compare=False)
    """The link that gave them, for people."""

    begins: float = field(default=0.0, compare=False)
    expires: float | None = field(default=None, compare=False)
    """Both by the monotonic clock, in seconds; None where no end is known."""

    def __post_init__(self) -> None:
        conceal(self.secret, self.token)

    def __repr__(self) -> str:
        return "Credentials(…)"

    def current(self) -> Credentials:
        """Return these, as the `KeySource` that never changes."""
        return self

    def renew(self, refused: Credentials) -> bool:
        """Say that there are no others."""
        return False


NO_KEYS = Credentials("local", "local", origin="the service built in, which needs none")


class KeySource(Protocol):
    """Where requests get what they are signed with. May be used from several threads."""

    def current(self) -> Credentials:
        """Return what the next request is to be signed with; `ServiceError` where there is nothing valid any more."""

    def renew(self, refused: Credentials) -> bool:
        """Look for others, since the service called these expired; say whether there are any."""


class RenewedSource:
    """A source of sessions that end: each is replaced before its end, or when the service calls it expired."""

    def __init__(self, obtain: Callable[[], Credentials], clock: Callable[[], float] = time.monotonic) -> None:
        self._obtain, self._clock = obtain, clock
        self._lock = Lock()
        self._held: Credentials | None = None
        self._next_attempt = 0.0

    def current(self) -> Credentials:
        held = self._held
        if held is not None and not self._is_due(held):
            return held
        is_valid = held is not None and held.expires is not None and self._clock() < held.expires
        if not self._lock.acquire(blocking=not is_valid):
            # Somebody renews; what still holds is good enough.
            assert held is not None
            return held
        try:
            if self._held is None or self._is_due(self._held):
                self._held = self._replace(self._held)
            return self._held
        finally:
            self._lock.release()

    def renew(self, refused: Credentials) -> bool:
        with self._lock:
            if self._held is None or self._held == refused:
                self._held = self._obtain()
            return self._held != refused

    def _replace(self, held: Credentials | None) -> Credentials:
        try:
            return self._obtain()
        except ServiceError:
            if held is None or held.expires is None or self._clock() >= held.expires:
                raise
            self._next_attempt = self._clock() + min(_RETRY, (held.expires - self._clock()) / 2)
            return held

    def _is_due(self, held: Credentials) -> bool:
        if held.expires is None:
            return False
        now = self._clock()
        margin = min(_MARGIN, (held.expires - held.begins) / 5)
        return now >= held.expires or (now >= held.expires - margin and now >= self._next_attempt)


class AskedSource:
    """A source that somebody else renews: it is asked at each request."""

    def __init__(self, obtain: Callable[[], Credentials]) -> None:
        self._obtain, self._lock = obtain, Lock()

    def current(self) -> Credentials:
        with self._lock:
            return self._obtain()

    def renew(self, refused: Credentials) -> bool:
        return self.current() != refused
