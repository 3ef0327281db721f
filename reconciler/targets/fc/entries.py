"""
Entries of the ledger as functions: each is one that nobody calls, whose code holds the entry.

Creating a function whose name is taken is refused (409 FunctionAlreadyExists), which is the only compare-and-swap that the service has.
What it costs is a line a run in the list of functions. Where the manifest names a bucket, entries are objects in it instead (`oss`).
"""

from __future__ import annotations

import base64
import io
import re
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from reconciler.base.errors import ServiceError
from reconciler.core.record import Store
from reconciler.engine.ledger import unreadable
from reconciler.targets.fc.client import join_path
from reconciler.targets.fc.crc64 import crc64_of_bytes
from reconciler.targets.fc.parse import text_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from reconciler.core.record import Swap
    from reconciler.targets.fc.client import FcClient

_FUNCTION = re.compile(r"udfs-(?P<stack>[a-z][a-z0-9-]*)-(?P<epoch>[1-9][0-9]{0,11})\Z")
_ENTRY = re.compile(r"udfs\.(?P<stack>[a-z][a-z0-9-]*)\.(?P<epoch>[1-9][0-9]{0,11})\.json\Z")
_MEMBER = "entry.json"
_LARGEST = 48 << 20
"""Bytes of an entry, and of the zip that holds it."""

_TIMES = 3
"""How often code is fetched that is not what the service says of it, or that does not come: the address may lead to what was there before."""


class EntryStore(Store, Protocol):
    """A `Store` that lists its entries."""

    def epochs(self, stack: str, functions: Iterable[str]) -> tuple[int, ...]:
        """Return the epochs of a stack's ledger, ascending; `functions` are the names of all functions that there are."""


def is_entry_function(name: str) -> bool:
    """Say whether a function of this name is an entry of any stack's ledger."""
    return _FUNCTION.match(name) is not None


def epoch_of_function(name: str, stack: str) -> int | None:
    """Return the epoch of a function's name if it is an entry of `stack`."""
    match = _FUNCTION.match(name)
    return int(match["epoch"]) if match and match["stack"] == stack else None


@dataclass(frozen=True)
class MarkerFunctions:
    """A `Store` of functions."""

    client: FcClient
    swap: Swap = "create if absent"

    def epochs(self, stack: str, functions: Iterable[str]) -> tuple[int, ...]:
        return tuple(sorted(epoch for name in functions if (epoch := epoch_of_function(name, stack)) is not None))

    def create(self, name: str, content: bytes, comment: str) -> bool:
        body = {"functionName": _function_name(name), "runtime": "python3.10", "handler": "entry.none"}
        try:
            self.client.send("POST", "CreateFunction", "/functions", {**body, **_parts(content, comment)})
        except ServiceError as error:
            if error.service_code == "FunctionAlreadyExists":
                return False
            raise
        return True

    def replace(self, name: str, content: bytes, comment: str) -> None:
        self.client.send(
            "PUT", "UpdateFunction", join_path("functions", _function_name(name)), _parts(content, comment)
        )

    def fetch(self, name: str) -> bytes | None:
        for number in range(_TIMES):
            answer = self.client.find("GetFunctionCode", join_path("functions", _function_name(name), "code"))
            if answer is None:
                return None
            try:
                packed = b"".join(self._blocks(text_of(answer, "url"), name))
            except ServiceError as error:
                if error.outcome == "final" or number == _TIMES - 1:
                    raise
                continue
            # What is read after a write must be what was written, not what was there before.
            if text_of(answer, "checksum") in {"", crc64_of_bytes(packed)}:
                return _unpack(packed, name)
        raise unreadable(name, "its code is not what the service says of it")

    def _blocks(self, url: str, name: str) -> Iterable[bytes]:
        size = 0
        for block in self.client.fetch(url):
            size += len(block)
            if size > _LARGEST:
                raise unreadable(name, "it is larger than any that udfs writes")
            yield block

    def remove(self, name: str) -> None:
        self.client.remove("DeleteFunction", join_path("functions", _function_name(name)))

    def now(self) -> datetime:
        return self.client.now()


def _function_name(name: str) -> str:
    match = _ENTRY.match(name)
    assert match is not None
    return f"udfs-{match['stack']}-{match['epoch']}"


def _parts(content: bytes, comment: str) -> dict[str, Any]:
    packed = pack_entry(content)
    code = {"zipFile": base64.b64encode(packed).decode(), "checksum": crc64_of_bytes(packed)}
    return {"description": comment, "code": code}


def pack_entry(content: bytes) -> bytes:
    """Return an entry as a zip: the same bytes for the same entry."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(_MEMBER), content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def _unpack(packed: bytes, name: str) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            if archive.getinfo(_MEMBER).file_size > _LARGEST:
                raise unreadable(name, "it is larger than any that udfs writes")
            return archive.read(_MEMBER)
    except (zipfile.BadZipFile, KeyError, OSError, RuntimeError, ValueError) as error:
        raise unreadable(name, "its code is no zip of udfs's") from error
