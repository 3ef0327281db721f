"""
Where a plan goes. A target reads the live state and makes one change a call; it decides nothing.

There is one today. Another is a folder here, its rows in ``artifacts.runtime`` and its member of the manifest; nothing
above looks inside a target.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from reconciler.diff import Change
    from reconciler.ledger import Reading, Store
    from reconciler.names import Key
    from reconciler.queries import Answer
    from reconciler.state import Live

    Progress = Callable[[int], None]
    """Called with the number of bytes just sent."""


class Target(Protocol):
    """What the rest of the program knows of a service."""

    def read(self, *, full: bool = False) -> Reading:
        """Return everything that is there, and the ledger's last word. Sends reads only; `full` trusts no memory."""

    def read_one(self, key: Key) -> Live | None:
        """Return one object as it is now, or None."""

    def write(self, change: Change, contents: Mapping[str, Path], progress: Progress) -> Live | None:
        """
        Make one change, and return what is then there as far as it was looked at.

        `contents` finds the bytes of a resource by their sha256.
        """

    @property
    def store(self) -> Store:
        """Where the ledger is kept."""

    def query(self, text: str, settings: Mapping[str, str], name: str) -> Answer:
        """Run a statement of SQL under some settings and return its rows; `name` is what errors call its text."""

    def download(self, name: str, destination: Path) -> None:
        """Write the content of a resource to a file."""


def _maxcompute(
    *,
    endpoint: str,
    project: str,
    schema: str | None,
    stack: str,
    credentials: tuple[str, str, str | None] | None,
    user_agent: str,
    token: Callable[[], str],
) -> Target:
    # PyODPS takes a third of a second to import; it is loaded when the service is about to be spoken to.
    from reconciler.targets.maxcompute import Client, Credentials, MaxCompute

    keys = Credentials(*credentials) if credentials else None
    return MaxCompute(Client(endpoint, project, schema, keys, user_agent), stack, token)


TARGETS = {"maxcompute": _maxcompute}
"""The kinds of target and how each is reached."""
