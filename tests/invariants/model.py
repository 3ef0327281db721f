"""
MaxCompute as a few dictionaries, and a `Target` over it: what the histories hold the real wire against.

Names compare without case and keep their first spelling. POST of a name that is taken is refused, PUT of one that is not
there too; both are all or nothing. Every write is told to a witness, with what there was and what there is.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, TypeAlias

from reconciler.base.errors import StalePlan
from reconciler.core import record
from reconciler.core.diff import Action
from reconciler.core.record import Reading
from reconciler.core.state import Live
from reconciler.engine import ledger
from reconciler.engine.ledger import epoch_of, is_entry
from reconciler.targets.maxcompute.names import Reference, read_comment, write_comment
from reconciler.targets.maxcompute.objects import CATALOG, KINDS, Function, Resource, function_key, resource_key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from reconciler.core.diff import Change
    from reconciler.core.kind import Catalog, Key
    from reconciler.core.target import QueryResult


@dataclass
class Clock:
    """A time that moves only when it is told to."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class Killed(BaseException):
    """The process is gone: nothing that it would do afterwards happens."""


@dataclass
class Wire:
    """What happens to the writes of one run: the one that is due meets `meet`, which is handed the write itself."""

    due: int = 0
    meet: Callable[[Wire, Callable[[], object]], object] | None = None
    writes: int = 0
    dead: bool = False

    def read(self) -> None:
        if self.dead:
            raise Killed

    def write(self, do: Callable[[], object]) -> object:
        self.read()
        self.writes += 1
        if self.meet is not None and self.writes == self.due:
            return self.meet(self, do)
        return do()


@dataclass(frozen=True)
class File:
    """A resource."""

    name: str
    type: str
    comment: str
    content: bytes
    owner: str
    updater: str
    created: float
    modified: float

    @property
    def md5(self) -> str:
        return hashlib.md5(self.content).hexdigest()


@dataclass(frozen=True)
class Registered:
    """A function."""

    name: str
    of: str
    resources: tuple[str, ...]
    owner: str
    created: float


Thing: TypeAlias = "File | Registered"
Witness: TypeAlias = "Callable[[str, Key, Thing | None, Thing | None], None]"


@dataclass
class Service:
    """One project."""

    clock: Clock
    things: dict[Key, Thing] = field(default_factory=dict)
    witness: Witness = lambda who, key, before, after: None

    def put(self, who: str, key: Key, after: Thing | None) -> None:
        """Let somebody write an object, or delete it."""
        before = self.things.get(key)
        if after is None:
            self.things.pop(key, None)
        else:
            self.things[key] = after
        self.witness(who, key, before, after)

    def file(self, who: str, name: str, kind: str, content: bytes, comment: str | None) -> File:
        """Return a resource as a write of `who` leaves it."""
        now, old = float(int(self.clock())), self.things.get(resource_key(name))
        if isinstance(old, File):
            kept = old.comment if comment is None else comment
            return replace(old, type=kind, content=content, comment=kept, updater=who, modified=now)
        return File(name, kind, comment or "", content, who, who, now, now)

    def registered(self, who: str, name: str, of: str, resources: tuple[str, ...]) -> Registered:
        """Return a function as a write of `who` leaves it."""
        old = self.things.get(function_key(name))
        if isinstance(old, Registered):
            return replace(old, of=of, resources=resources)
        return Registered(name, of, resources, who, float(int(self.clock())))


@dataclass(frozen=True)
class Modelled:
    """The service as a `Target`, for one client; also its ledger's `Store`."""

    service: Service
    who: str
    stack: str
    wire: Wire
    swap: record.Swap = "create if absent"

    # A target

    @property
    def catalog(self) -> Catalog:
        return CATALOG

    def read(self, *, full: bool = False) -> Reading:
        self.wire.read()
        entries = [thing for thing in self.service.things.values() if isinstance(thing, File) and is_entry(thing.name)]
        epochs = tuple(sorted(epoch for one in entries if (epoch := epoch_of(one.name, self.stack))))
        last = None
        if epochs:
            name = record.entry_name(self.stack, epochs[-1])
            last = ledger.parse(self.fetch(name) or b"", name, KINDS)
        live = {
            key: self._live(thing, asked=False) for key, thing in self.service.things.items() if not is_entry(key.name)
        }
        return Reading(live, epochs, last)

    def read_one(self, key: Key) -> Live | None:
        self.wire.read()
        found = self.service.things.get(key)
        return self._live(found, asked=True) if found else None

    def _live(self, thing: Thing, *, asked: bool) -> Live:
        created = datetime.fromtimestamp(thing.created, timezone.utc)
        if isinstance(thing, Registered):
            return Live(
                Function(thing.name, thing.of, tuple(map(Reference, thing.resources))), thing.owner, "", created
            )
        text, mark = read_comment(thing.comment, thing.name)
        ours = mark is not None and mark.stack == self.stack
        found = Resource(thing.name, thing.type, thing.md5 if asked or ours else None, len(thing.content), text)
        modified = datetime.fromtimestamp(thing.modified, timezone.utc)
        return Live(found, thing.owner, thing.updater, created, modified, mark)

    def write(self, change: Change, contents: Mapping[str, Path], progress: Callable[[int], None]) -> Live | None:
        found = change.desired.object if change.desired else None
        if isinstance(found, Function) and change.action in {Action.ADOPT, Action.RELEASE}:
            return None
        self.wire.write(lambda: self._write(change, contents))
        if found is None:
            return None
        seen = self.read_one(change.key)
        if seen is None:
            raise StalePlan("E506", f"{change.key} was deleted since the plan was made")
        return seen

    def _write(self, change: Change, contents: Mapping[str, Path]) -> None:
        there = change.key in self.service.things
        if there == (change.action is Action.CREATE):
            raise StalePlan("E506", f"{change.key} was {'created' if there else 'deleted'} since the plan was made")
        after: Thing | None = None
        if change.desired is None:
            pass
        elif isinstance(change.desired.object, Function):
            function = change.desired.object
            after = self.service.registered(
                self.who, function.name, function.class_path, tuple(map(str, function.resources))
            )
        else:
            assert change.desired.mark is not None
            resource, sha256 = change.desired.object, change.desired.mark.sha256
            assert isinstance(resource, Resource)
            assert sha256 is not None
            content = contents[sha256].read_bytes()
            name = (change.live or change.desired).object.name
            comment = write_comment(resource.comment, change.mark, name) if change.mark else resource.comment
            after = self.service.file(self.who, name, resource.type, content, comment)
        self.service.put(self.who, change.key, after)

    @property
    def store(self) -> Modelled:
        return self

    def download(self, key: Key, destination: Path) -> None:
        destination.write_bytes(self.fetch(key.name) or b"")

    def query(self, text: str, settings: Mapping[str, str], name: str) -> QueryResult:
        raise AssertionError(f"nothing should ask {text}")

    # A ledger's store

    def create(self, name: str, content: bytes, comment: str) -> bool:
        def do() -> bool:
            if resource_key(name) in self.service.things:
                return False
            self._put_entry(name, content, comment)
            return True

        return bool(self.wire.write(do))

    def replace(self, name: str, content: bytes, comment: str) -> None:
        self.wire.write(lambda: self._put_entry(name, content, comment))

    def _put_entry(self, name: str, content: bytes, comment: str) -> None:
        made = self.service.file(self.who, name, "file", content, comment)
        self.service.put(self.who, resource_key(name), made)

    def fetch(self, name: str) -> bytes | None:
        self.wire.read()
        found = self.service.things.get(resource_key(name))
        return found.content if isinstance(found, File) else None

    def remove(self, name: str) -> None:
        def do() -> None:
            with suppress(KeyError):
                self.service.things[resource_key(name)]
                self.service.put(self.who, resource_key(name), None)

        self.wire.write(do)

    def now(self) -> datetime:
        return datetime.fromtimestamp(int(self.service.clock()), timezone.utc)
