"""Builders of states, and a target that lives in a dictionary and refuses what MaxCompute would leave broken."""

from __future__ import annotations

import hashlib
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from reconciler.base.errors import Position
from reconciler.base.names import Key, Reference, resource_key
from reconciler.core.plan import Destination, needs
from reconciler.core.record import Reading, Store
from reconciler.core.state import Desired, Function, Live, Marker, Object, Resource, name_mark
from reconciler.engine.attempt import Patience

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from reconciler.core.diff import Change
    from reconciler.core.target import Answer

STACK = "risk"
HASTE = Patience(time.monotonic, first_wait=0.01)
"""Tries again at once."""

HERE = Destination("local", "demo")
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)


def digests(content: str) -> tuple[str, str]:
    """Return sha256 and MD5 of a content."""
    return hashlib.sha256(content.encode()).hexdigest(), hashlib.md5(content.encode()).hexdigest()


def resource(name: str, content: str = "one", *, kind: str = "py", comment: str = "") -> Resource:
    return Resource(name, kind, digests(content)[1], len(content), comment)


def function(name: str, *resources: str, class_path: str = "a.F") -> Function:
    return Function(name, class_path, tuple(map(Reference, resources)))


def marker(content: str | None = "one", *functions: str, stack: str = STACK) -> Marker:
    sha256, md5 = digests(content) if content is not None else (None, None)
    return Marker(stack, sha256, md5, frozenset(map(name_mark, functions)))


def wanted(obj: Object, content: str | None = "one", *functions: str, line: int = 1) -> Desired:
    made = marker(content, *functions) if isinstance(obj, Resource) else None
    return Desired(obj, Position("udfs.yaml", line, 3), made)


def there(obj: Object, mark: Marker | None = None, *, updater: str = "ALIYUN$bob") -> Live:
    by = updater if isinstance(obj, Resource) else ""
    return Live(obj, "ALIYUN$ann", by, NOON, NOON if by else None, mark)


def state(*entries: Desired) -> dict[Key, Desired]:
    return {entry.object.key: entry for entry in entries}


def live(*entries: Live) -> dict[Key, Live]:
    return {entry.object.key: entry for entry in entries}


@dataclass
class Dictionary:
    """A `Target` whose project is a dictionary: a function without one of its resources fails the test at once."""

    objects: dict[Key, Live] = field(default_factory=dict)
    written: list[str] = field(default_factory=list)
    before_write: Callable[[Change], None] = lambda change: None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self, *, full: bool = False) -> Reading:
        return Reading(dict(self.objects))

    @property
    def store(self) -> Store:
        raise AssertionError("no ledger here")

    def read_one(self, key: Key) -> Live | None:
        return self.objects.get(key)

    def write(self, change: Change, contents: Mapping[str, Path], progress: Callable[[int], None]) -> None:
        self.before_write(change)
        with self.lock:
            self._write(change)

    def _write(self, change: Change) -> None:
        if change.desired is None:
            del self.objects[change.key]
        else:
            have = self.objects.get(change.key)
            spelled = change.desired.object._replace(name=have.object.name if have else change.desired.object.name)
            self.objects[change.key] = Live(spelled, marker=change.desired.marker)
        self.written.append(f"{change.action.value} {change.key}")
        for entry in self.objects.values():
            for need in needs(entry.object):
                assert need in self.objects, f"{self.written[-1]} left {entry.object.key} without {need}"

    def download(self, name: str, destination: Path) -> None:
        raise AssertionError(f"nothing should download {resource_key(name)}")

    def query(self, text: str, settings: Mapping[str, str], name: str) -> Answer:
        raise AssertionError(f"nothing should ask {text}")
