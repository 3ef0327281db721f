"""MaxCompute as a target: a project, and a schema in it, read and written over its own wire protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.targets.maxcompute import read
from reconciler.targets.maxcompute.ledger_store import Entries
from reconciler.targets.maxcompute.objects import CATALOG

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from reconciler.core.diff import Change
    from reconciler.core.identity import Key
    from reconciler.core.kind import Catalog
    from reconciler.core.record import Reading, Store
    from reconciler.core.state import Live
    from reconciler.core.target import QueryResult
    from reconciler.targets.maxcompute.client import Client


@dataclass(frozen=True)
class MaxCompute:
    """A project, and a schema in it, as a `Target`."""

    client: Client
    stack: str
    token: Callable[[], str]
    """A source of short random names for the parts of an upload."""

    @property
    def catalog(self) -> Catalog:
        return CATALOG

    def read(self, *, full: bool = False) -> Reading:
        return read.everything(self.client, self.stack, full=full)

    def read_one(self, key: Key) -> Live | None:
        return read.read_object(self.client, key)

    def write(self, change: Change, contents: Mapping[str, Path], progress: Callable[[int], None]) -> Live | None:
        # A plan reads only, so what writes and what runs SQL are imported when they are asked to.
        from reconciler.targets.maxcompute import write

        return write.write_change(self.client, change, contents, progress, self.token)

    @property
    def store(self) -> Store:
        return Entries(self.client)

    def query(self, text: str, settings: Mapping[str, str], name: str) -> QueryResult:
        from reconciler.targets.maxcompute import sql

        return sql.run(self.client, text, settings, name)

    def download(self, key: Key, destination: Path) -> None:
        read.content(self.client, key.name, destination)
