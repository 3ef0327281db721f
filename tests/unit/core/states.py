"""Builders of states, and a target that lives in a dictionary and refuses what MaxCompute would leave broken."""

from __future__ import annotations

import hashlib
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from reconciler.base.errors import Position
from reconciler.core import diff, drift, plan
from reconciler.core.kind import Key, Mark, fingerprint
from reconciler.core.plan import needs
from reconciler.core.record import Reading, Store
from reconciler.core.state import Desired, Live, Object
from reconciler.engine import staleness
from reconciler.engine.apply import Patience
from reconciler.targets.maxcompute.names import Reference
from reconciler.targets.maxcompute.objects import CATALOG, Function, Resource, destination

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from reconciler.core.diff import Change, Comparison
    from reconciler.core.drift import Drift
    from reconciler.core.kind import Catalog
    from reconciler.core.plan import Plan
    from reconciler.core.record import Entry
    from reconciler.core.state import DesiredState, LiveState
    from reconciler.core.target import QueryResult

STACK = "risk"
HASTE = Patience(time.monotonic, first_wait=0.01)
"""Tries again at once."""

HERE = destination("local", "demo")
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)


def digests(content: str) -> tuple[str, str]:
    """Return sha256 and MD5 of a content."""
    return hashlib.sha256(content.encode()).hexdigest(), hashlib.md5(content.encode()).hexdigest()


def resource(name: str, content: str = "one", *, kind: str = "py", comment: str = "") -> Resource:
    return Resource(name, kind, digests(content)[1], len(content), comment)


def function(name: str, *resources: str, class_path: str = "a.F") -> Function:
    return Function(name, class_path, tuple(map(Reference, resources)))


def marker(content: str | None = "one", *functions: str, stack: str = STACK) -> Mark:
    sha256, md5 = digests(content) if content is not None else (None, None)
    return Mark(stack, sha256, md5, frozenset(fingerprint(name.lower()) for name in functions))


def wanted(obj: Object, content: str | None = "one", *functions: str, line: int = 1) -> Desired:
    made = marker(content, *functions) if isinstance(obj, Resource) else None
    return Desired(obj, Position("udfs.yaml", line, 3), made)


def there(obj: Object, mark: Mark | None = None, *, updater: str = "ALIYUN$bob") -> Live:
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

    @property
    def catalog(self) -> Catalog:
        return CATALOG

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
            self.objects[change.key] = Live(spelled, mark=change.desired.mark)
        self.written.append(f"{change.action.value} {change.key}")
        for entry in self.objects.values():
            for need in needs(entry.object):
                assert need in self.objects, f"{self.written[-1]} left {entry.object.key} without {need}"

    def download(self, key: Key, destination: Path) -> None:
        raise AssertionError(f"nothing should download {key}")

    def query(self, text: str, settings: Mapping[str, str], name: str) -> QueryResult:
        raise AssertionError(f"nothing should ask {text}")


def compare(
    desired: DesiredState, have: LiveState, stack: str, last: Entry | None = None, *, retire: bool = True
) -> Comparison:
    return diff.compare(desired, Reading(have, last=last), stack, retire=retire)


def make(desired: DesiredState, have: LiveState, *, last: Entry | None = None, **more: Any) -> Plan:
    return plan.make(desired, Reading(have, last=last), **more)


def find(desired: DesiredState, have: LiveState, stack: str, last: Entry | None) -> Drift:
    return drift.find(desired, Reading(have, last=last), stack)


def managed_by(one: Live, have: LiveState, last: Entry | None = None) -> str | None:
    return Reading({**have, one.object.key: one}, last=last).holder(one.object.key)


def require(made: Plan, have: LiveState, last: Entry | None) -> None:
    staleness.require(made, Reading(have, last=last))
