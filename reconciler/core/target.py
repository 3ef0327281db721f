"""Target protocol: what the rest of the program knows of a service. A target decides nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from reconciler.core.diff import Change
    from reconciler.core.kind import Catalog, Key
    from reconciler.core.record import Reading, Store
    from reconciler.core.state import Live

    Progress = Callable[[int], None]
    """Called with the number of bytes just sent."""


@dataclass(frozen=True)
class QueryResult:
    """The rows of a SELECT, as the service writes them in CSV."""

    instance: str
    names: tuple[str, ...]
    types: tuple[str, ...] | None
    """In the spelling of a signature; None where the service does not say."""
    rows: Sequence[tuple[str | None, ...]]
    is_cut: bool
    """Whether there are more rows than the service gives out."""
    text: str | None = None
    """What a statement says that has no rows, DESC, say."""


class Target(Protocol):
    """One place of a service, as the rest of the program knows it."""

    @property
    def catalog(self) -> Catalog:
        """What can be known without asking: kinds of objects, and what leads to a place."""

    def read(self, *, full: bool = False) -> Reading:
        """Return everything that is there, and the ledger's last word. Sends reads only; `full` trusts no memory."""

    def read_one(self, key: Key) -> Live | None:
        """Return one object as it is now, or None."""

    def write(self, change: Change, contents: Mapping[str, Path], progress: Progress) -> Live | None:
        """
        Make one change, and return what is then there as far as it was looked at; what is only recorded is none for it.

        `contents` finds bytes to send by their sha256.
        """

    def download(self, key: Key, destination: Path) -> None:
        """Write the content of an object to a file."""

    @property
    def store(self) -> Store:
        """Where the ledger is kept."""
