"""
Ledger entries on a service with entity tags: compare-and-swap by If-Match where creating is not refused.

One object a stack, the register, holds the newest entry whole. Whoever creates the next entry replaces the register under
the tag that it was read with, so that of two who try one is told so, and nobody ever sees a lease without its entry. The
entry that was there before is copied under a name of its own first: it is what the register held when the tag was met.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from reconciler.base.errors import ServiceError
from reconciler.core.record import entry_name

if TYPE_CHECKING:
    from datetime import datetime

    from reconciler.core.record import Swap

_ENTRY = re.compile(r"udfs\.(?P<stack>[a-z][a-z0-9-]*)\.(?P<epoch>[1-9][0-9]*)\.json\Z")


class Tagged(NamedTuple):
    """Content with the tag that it has; what is not there has a tag too."""

    content: bytes | None
    tag: str


class TaggedStore(Protocol):
    """A store that replaces an object only if its tag is still the one that was read. Each call is one request."""

    def read(self, name: str) -> Tagged:
        """Return an object's content and tag."""

    def replace(self, name: str, content: bytes, comment: str, tag: str) -> bool:
        """Replace an object under If-Match; False if it has another tag, and then nothing is changed."""

    def put(self, name: str, content: bytes, comment: str) -> None:
        """Write an object, whatever is there."""

    def remove(self, name: str) -> None:
        """Delete an object; one that is not there is fine."""

    def now(self) -> datetime:
        """Return the time of the service, as its last answer told it."""


class _Register(NamedTuple):
    """What the register of a stack holds."""

    epoch: int
    content: bytes


@dataclass(frozen=True)
class TaggedEntries:
    """A `Store` over one that has entity tags."""

    store: TaggedStore
    swap: Swap = "etag"

    def create(self, name: str, content: bytes, comment: str) -> bool:
        stack, epoch = _of(name)
        while True:
            last, tag = self._register(stack)
            if last is not None and last.epoch >= epoch:
                return False
            if last is not None:
                self.store.put(entry_name(stack, last.epoch), last.content, comment)
            if self.store.replace(register_name(stack), _encode(_Register(epoch, content)), comment, tag):
                return True
            # Somebody was here between the two: either the entry was renewed, or it is no longer the newest.

    def replace(self, name: str, content: bytes, comment: str) -> None:
        stack, epoch = _of(name)
        while True:
            last, tag = self._register(stack)
            if last is None or last.epoch != epoch:
                self.store.put(name, content, comment)
                return
            if self.store.replace(register_name(stack), _encode(_Register(epoch, content)), comment, tag):
                return

    def fetch(self, name: str) -> bytes | None:
        stack, epoch = _of(name)
        last, _ = self._register(stack)
        if last is not None and last.epoch == epoch:
            return last.content
        # What was written to a name after its entry ceased to be the newest is no entry of the ledger.
        return None if last is None or last.epoch < epoch else self.store.read(name).content

    def remove(self, name: str) -> None:
        self.store.remove(name)

    def now(self) -> datetime:
        return self.store.now()

    def newest(self, stack: str) -> int:
        """Return the epoch of a stack's newest entry, 0 for none."""
        last, _ = self._register(stack)
        return last.epoch if last else 0

    def _register(self, stack: str) -> tuple[_Register | None, str]:
        content, tag = self.store.read(register_name(stack))
        if content is None:
            return None, tag
        try:
            written = json.loads(content)
            return _Register(int(written["epoch"]), b64decode(written["entry"], validate=True)), tag
        except (ValueError, KeyError, TypeError) as cause:
            raise ServiceError("E611", f"the ledger's register {register_name(stack)} cannot be read") from cause


def register_name(stack: str) -> str:
    """Return the object that holds the newest entry of a stack."""
    return f"udfs.{stack}.json"


def _of(name: str) -> tuple[str, int]:
    match = _ENTRY.match(name)
    if match is None:
        raise ValueError(f"{name} is not an entry of a ledger")
    return match["stack"], int(match["epoch"])


def _encode(register: _Register) -> bytes:
    return json.dumps({"epoch": register.epoch, "entry": b64encode(register.content).decode()}).encode()
