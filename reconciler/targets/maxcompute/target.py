"""
MaxCompute as a target: a project, and a schema in it, read and written over its own wire protocol.

The ledger's entries are FILE resources: small, whole, and created only where there is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from reconciler.base.errors import ServiceError
from reconciler.engine.ledger import unreadable
from reconciler.targets.maxcompute import read
from reconciler.targets.maxcompute.client import TOO_LARGE, Client, resource_headers
from reconciler.targets.maxcompute.objects import CATALOG
from reconciler.targets.maxcompute.read import RESOURCES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    from reconciler.core.diff import Change
    from reconciler.core.kind import Catalog, Key
    from reconciler.core.record import Reading, Store, Swap
    from reconciler.core.state import Live


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
        return read.everything(self.client, self.stack, self.store, full=full)

    def read_one(self, key: Key) -> Live | None:
        return read.read_object(self.client, key)

    def write(self, change: Change, contents: Mapping[str, Path], progress: Callable[[int], None]) -> Live | None:
        # A plan reads only, so what writes is imported when it is asked to.
        from reconciler.targets.maxcompute import write

        return write.write_change(self.client, change, contents, progress, self.token)

    @property
    def store(self) -> Store:
        return Entries(self.client)

    def download(self, key: Key, destination: Path) -> None:
        read.content(self.client, key.name, destination)


@dataclass(frozen=True)
class Entries:
    """A `Store` in a project."""

    client: Client
    swap: Swap = "create if absent"

    def create(self, name: str, content: bytes, comment: str) -> bool:
        try:
            self.client.send(
                "post", RESOURCES, headers={**resource_headers(name, "file"), "x-odps-comment": comment}, body=content
            )
        except ServiceError as error:
            if error.status == 409:
                return False
            raise
        return True

    def replace(self, name: str, content: bytes, comment: str) -> None:
        self.client.send(
            "put", _path(name), headers={**resource_headers(name, "file"), "x-odps-comment": comment}, body=content
        )

    def fetch(self, name: str) -> bytes | None:
        try:
            return self.client.get(_path(name)).body
        except ServiceError as error:
            if error.service_code == "NoSuchObject":
                return None
            if error.service_code == TOO_LARGE:
                raise unreadable(name, "it is larger than any that udfs writes") from error
            raise

    def remove(self, name: str) -> None:
        try:
            self.client.send("delete", _path(name), headers={"Content-Length": "0"})
        except ServiceError as error:
            if error.service_code != "NoSuchObject":
                raise

    def now(self) -> datetime:
        return self.client.now()


def _path(name: str) -> str:
    return f"{RESOURCES}/{quote(name, safe='')}"
