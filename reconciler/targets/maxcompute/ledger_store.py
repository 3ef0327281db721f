"""The ledger's entries as FILE resources: small, whole, and created only where there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from reconciler.base.errors import ServiceError
from reconciler.targets.maxcompute import read
from reconciler.targets.maxcompute.read import RESOURCES

if TYPE_CHECKING:
    from datetime import datetime

    from reconciler.core.record import Swap
    from reconciler.targets.maxcompute.client import Client


@dataclass(frozen=True)
class Entries:
    """A `Store` in a project."""

    client: Client
    swap: Swap = "create if absent"

    def create(self, name: str, content: bytes, comment: str) -> bool:
        try:
            self.client.send("post", RESOURCES, headers=_headers(name, comment), body=content)
        except ServiceError as error:
            if error.status == 409:
                return False
            raise
        return True

    def replace(self, name: str, content: bytes, comment: str) -> None:
        self.client.send("put", _path(name), headers=_headers(name, comment), body=content)

    def fetch(self, name: str) -> bytes | None:
        return read.fetch(self.client, name)

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


def _headers(name: str, comment: str) -> dict[str, str]:
    return {
        "Content-Type": "application/octet-stream",
        "Content-Disposition": f"attachment;filename={name}",
        "x-odps-resource-type": "file",
        "x-odps-resource-name": name,
        "x-odps-comment": comment,
    }
