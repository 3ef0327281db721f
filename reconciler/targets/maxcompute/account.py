"""
PyODPS's account over a source of sessions: what PyODPS asks of one, and nothing that it has itself.

Its own account for providers loses the reason why there are no credentials, and signs with ``ODPS_STS_*`` of the
environment where a provider has no token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from odps.accounts import BaseAccount

from reconciler.targets.maxcompute.signing import put_signature

if TYPE_CHECKING:
    from reconciler.targets.credentials.session import KeySource


class SessionAccount(BaseAccount):  # type: ignore[misc]
    """Signs each request of PyODPS's with one whole session, by the older version of signatures."""

    def __init__(self, source: KeySource) -> None:
        self._source = source
        self._last = source.current()

    @property
    def access_id(self) -> str:
        """By this PyODPS keeps what it remembers of a user."""
        return self._last.access_id

    def sign_request(self, req: Any, endpoint: str, region_name: str | None = None) -> None:
        """Sign; the region, which another version of signatures has, is not needed."""
        credentials = self._last = self._source.current()
        put_signature(credentials, req, endpoint)

    def reload(self, force: bool = False) -> None:
        """Look for another session, since the service called the last one expired."""
        if force:
            self._source.renew(self._last)
