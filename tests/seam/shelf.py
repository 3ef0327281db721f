"""
Shelf: a service that is nothing like MaxCompute, as a target of its own, written against the seam alone.

It keeps *volumes*, whose content is never written again: other content is another volume, named by its digest, and the
service tells a CRC-32 of it. And it keeps *cards*, which have labels, list volumes, and stand in a room that they cannot
leave. Both take tags, and tell who touched them last. What is stored is guarded by entity tags, and nothing else.
"""

from __future__ import annotations

import zlib
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import msgspec

from reconciler.base.errors import StalePlan
from reconciler.base.names import unversioned_name, versioned_name
from reconciler.checks.python.rules import RuleSet
from reconciler.core.diff import Action
from reconciler.core.kind import CONTENT, Catalog, Difference, Key, Kind, Mark, Rule, fingerprint
from reconciler.core.plan import Destination
from reconciler.core.record import Reading, entry_name
from reconciler.core.state import Desired, Live
from reconciler.engine import ledger
from reconciler.manifest import model
from reconciler.manifest.dialect import Dialect
from reconciler.manifest.model import Text
from reconciler.manifest.runtimes import Service
from reconciler.manifest.section import NULL_IS_EMPTY, Section
from reconciler.targets.adapter import Adapter
from tests.seam.tagged_store import Tagged, TaggedEntries

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from reconciler.core.diff import Change
    from reconciler.core.record import Store
    from reconciler.core.state import DesiredState
    from reconciler.core.target import Target
    from reconciler.manifest.load import Loaded
    from reconciler.packages.artifacts import Artifacts
    from reconciler.packages.content import Content
    from reconciler.targets.adapter import Access

# --- Kinds ----------------------------------------------------------------------------------------------------------------


class Volume(NamedTuple):
    """Content under a name that says which."""

    name: str
    crc: str | None
    """Of the content; None where a listing was all that was asked for."""

    pages: int

    @property
    def key(self) -> Key:
        return volume_key(self.name)

    @property
    def kind(self) -> Kind[Volume]:
        return VOLUME


class Card(NamedTuple):
    """Something that lists volumes."""

    name: str
    room: str
    labels: tuple[tuple[str, str], ...] = ()
    volumes: tuple[str, ...] = ()

    @property
    def key(self) -> Key:
        return card_key(self.name)

    @property
    def kind(self) -> Kind[Card]:
        return CARD


def volume_key(name: str) -> Key:
    return Key("volume", name, name)


def card_key(name: str) -> Key:
    """Return the key of a card: names that differ in case are different cards."""
    return Key("card", name, name)


def crc_of(content: bytes) -> str:
    return f"{zlib.crc32(content):08x}"


def write_tag(mark: Mark, name: str) -> str:
    """Return a mark as it stands in a tag."""
    return "/".join((mark.stack, fingerprint(name), mark.sha256 or "", mark.digest or ""))


def read_tag(text: str, name: str) -> Mark:
    stack, of, sha256, digest = text.split("/")
    if of != fingerprint(name):
        raise ValueError("a tag of something else")
    return Mark(stack, sha256 or None, digest or None)


def mark_of(text: str, name: str) -> Mark | None:
    """Return the mark that a tag of the service is, if it is one for this name."""
    try:
        return read_tag(text, name)
    except ValueError:
        return None


class _VolumeRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    crc: Annotated[str | None, msgspec.Meta(description="Of a volume: CRC-32 in hex.")] = None
    pages: int


class _CardRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    room: str
    labels: dict[str, str] = {}
    volumes: tuple[str, ...] = ()


def _volume_differences(new: Volume, old: Volume) -> list[Difference]:
    return [Difference(CONTENT, f"crc {old.crc}", f"crc {new.crc}")] if new.crc != old.crc else []


def _card_differences(new: Card, old: Card) -> list[Difference]:
    told = (
        ("room", old.room, new.room, "text"),
        ("labels", _labels(old), _labels(new), "text"),
        ("volumes", ", ".join(old.volumes), ", ".join(new.volumes), "list"),
    )
    return [Difference(name, was, becomes, form) for name, was, becomes, form in told if was != becomes]  # type: ignore[arg-type]


def _labels(card: Card) -> str:
    return " ".join(f"{name}={value}" for name, value in card.labels)


def _taking(card: Card, other: Card, fields: Collection[str]) -> Card:
    return card._replace(labels=other.labels) if "labels" in fields else card


def _crc(content: Content) -> str:
    return crc_of(content.path.read_bytes())


def _serves(new: Volume, mark: Mark | None, old: Volume, other: Mark | None) -> bool:
    return mark is not None and other is not None and mark.sha256 == other.sha256


VOLUME = Kind[Volume](
    name="volume",
    key=volume_key,
    record=_VolumeRecord,
    write_down=lambda volume: {"name": volume.name, "crc": volume.crc, "pages": volume.pages},
    read_back=lambda record: Volume(record.name, record.crc, record.pages),
    differences=_volume_differences,
    observe=lambda volume: (volume.crc, volume.pages),
    show=lambda volume: (("pages", f"{volume.pages} p."),),
    rank=0,
    update="new version",
    version_of=unversioned_name,
    write_mark=write_tag,
    read_mark=read_tag,
    as_listed=lambda volume: volume._replace(crc=None),
    holds_content=lambda volume: True,
    size=lambda volume: volume.pages,
    digest=lambda volume: volume.crc,
    checksum=_crc,
    shares=_serves,
    comes_back=False,
    leads=False,
)

CARD = Kind[Card](
    name="card",
    key=card_key,
    record=_CardRecord,
    write_down=lambda card: {
        "name": card.name,
        "room": card.room,
        "labels": dict(card.labels),
        "volumes": card.volumes,
    },
    read_back=lambda record: Card(record.name, record.room, tuple(sorted(record.labels.items())), record.volumes),
    differences=_card_differences,
    observe=lambda card: (card.room, card.labels, card.volumes),
    show=lambda card: (("room", card.room), ("labels", _labels(card))),
    brief=lambda card: f"in the {card.room} room",
    needs=lambda card: tuple(map(volume_key, card.volumes)),
    rank=1,
    forms={"volumes": "list"},
    fixed={
        "room": Rule(
            "E508",
            "stands in the {old} room and cannot be carried to the {new} room",
            "give the card another name",
            adopting=("stands in the {old} room, and the manifest wants {new}", "name the room where it stands"),
        )
    },
    write_mark=write_tag,
    read_mark=read_tag,
    take=_taking,
)

CATALOG = Catalog("shelf", {"card": CARD, "volume": VOLUME}, {"library": True, "wing": False})


# --- The service ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StoredVolume:
    """A volume as the service has it."""

    name: str
    content: bytes
    tag: str
    owner: str
    updater: str
    created: float
    modified: float


@dataclass(frozen=True)
class StoredCard:
    """A card as the service has it."""

    name: str
    room: str
    labels: tuple[tuple[str, str], ...]
    volumes: tuple[str, ...]
    tag: str
    owner: str
    updater: str
    created: float
    modified: float


@dataclass(frozen=True)
class StoredEntry:
    """An entry of a ledger, as the register and its copies come to."""

    name: str
    content: bytes


Thing = StoredVolume | StoredCard | StoredEntry


@dataclass
class Shelf:
    """One library."""

    clock: Callable[[], float]
    things: dict[Key, Thing] = field(default_factory=dict)
    """Volumes, cards, and, for those who look on, the entries of ledgers."""

    documents: dict[str, tuple[bytes, int]] = field(default_factory=dict)
    """What is kept under entity tags; the number is the tag."""

    tags: dict[str, int] = field(default_factory=dict)
    witness: Callable[[str, Key, Any, Any], None] = lambda who, key, before, after: None

    def put(self, who: str, key: Key, after: Thing | None) -> None:
        """Let somebody write an object, or delete it."""
        before = self.things.get(key)
        if after is None:
            self.things.pop(key, None)
        else:
            self.things[key] = after
        self.witness(who, key, before, after)

    def volume(self, who: str, name: str, content: bytes, tag: str | None) -> StoredVolume:
        """Return a volume as a write of `who` leaves it: of one that is there, the tag alone."""
        now, old = float(int(self.clock())), self.things.get(volume_key(name))
        if isinstance(old, StoredVolume):
            return replace(old, tag=old.tag if tag is None else tag, updater=who, modified=now)
        return StoredVolume(name, content, tag or "", who, who, now, now)

    def card(
        self,
        who: str,
        name: str,
        room: str,
        labels: tuple[tuple[str, str], ...],
        volumes: tuple[str, ...],
        tag: str | None,
    ) -> StoredCard:
        """Return a card as a write of `who` leaves it: it stays in its room."""
        now, old = float(int(self.clock())), self.things.get(card_key(name))
        if isinstance(old, StoredCard):
            kept = old.tag if tag is None else tag
            return replace(old, labels=labels, volumes=volumes, tag=kept, updater=who, modified=now)
        return StoredCard(name, room, labels, volumes, tag or "", who, who, now, now)


@dataclass
class Line:
    """The way to the service; tests cut it."""

    def read(self) -> None:
        """Let a read pass."""

    def write(self, do: Callable[[], object]) -> object:
        """Let a write pass."""
        return do()


@dataclass(frozen=True)
class Documents:
    """A `TaggedStore` in a library."""

    shelf: Shelf
    who: str
    line: Any

    def read(self, name: str) -> Tagged:
        self.line.read()
        content, _ = self.shelf.documents.get(name, (None, 0))
        return Tagged(content, str(self.shelf.tags.get(name, 0)))

    def replace(self, name: str, content: bytes, comment: str, tag: str) -> bool:
        def do() -> bool:
            if str(self.shelf.tags.get(name, 0)) != tag:
                return False
            self._store(name, content)
            return True

        return bool(self.line.write(do))

    def put(self, name: str, content: bytes, comment: str) -> None:
        # The copy of an entry that is no longer the newest: nothing that anybody waits for.
        self.line.read()
        self._store(name, content)

    def remove(self, name: str) -> None:
        def do() -> None:
            if self.shelf.documents.pop(name, None) is not None:
                self._count(name)

        self.line.write(do)
        self._show()

    def now(self) -> datetime:
        return datetime.fromtimestamp(int(self.shelf.clock()), timezone.utc)

    def _store(self, name: str, content: bytes) -> None:
        self._count(name)
        self.shelf.documents[name] = content, self.shelf.tags[name]
        self._show()

    def _count(self, name: str) -> None:
        self.shelf.tags[name] = self.shelf.tags.get(name, 0) + 1

    def _show(self) -> None:
        """Let those who look on see the entries that the documents come to."""
        show_entries(self.shelf, self.who)


def entries_of(shelf: Shelf) -> dict[Key, StoredEntry]:
    """Return the entries of all ledgers, as the program would fetch them."""
    found = {}
    for name in list(shelf.documents):
        if name.count(".") == 2:
            stack = name.split(".")[1]
            entries = TaggedEntries(Documents(shelf, "looker-on", Line()))
            for epoch in range(1, entries.newest(stack) + 1):
                called = entry_name(stack, epoch)
                if (content := entries.fetch(called)) is not None:
                    found[Key("entry", called, called)] = StoredEntry(called, content)
    return found


def show_entries(shelf: Shelf, who: str) -> None:
    """Tell the witness which entries came, changed or went."""
    now = entries_of(shelf)
    was = {key: thing for key, thing in shelf.things.items() if isinstance(thing, StoredEntry)}
    for key in sorted({*now, *was}):
        if now.get(key) != was.get(key):
            shelf.put(who, key, now.get(key))


@dataclass(frozen=True)
class Library:
    """A library as a `Target`."""

    shelf: Shelf
    who: str
    stack: str
    line: Any = field(default_factory=Line)

    @property
    def catalog(self) -> Catalog:
        return CATALOG

    @property
    def entries(self) -> TaggedEntries:
        return TaggedEntries(Documents(self.shelf, self.who, self.line))

    @property
    def store(self) -> Store:
        return self.entries

    def read(self, *, full: bool = False) -> Reading:
        self.line.read()
        newest = self.entries.newest(self.stack)
        epochs = tuple(epoch for epoch in range(1, newest + 1) if self.entries.fetch(entry_name(self.stack, epoch)))
        last = None
        if epochs:
            name = entry_name(self.stack, epochs[-1])
            last = ledger.parse(self.entries.fetch(name) or b"", name, CATALOG.kinds)
        live = {
            key: self._live(thing, asked=False)
            for key, thing in self.shelf.things.items()
            if not isinstance(thing, StoredEntry)
        }
        return Reading(live, epochs, last)

    def read_one(self, key: Key) -> Live | None:
        self.line.read()
        thing = self.shelf.things.get(key)
        return self._live(thing, asked=True) if thing and not isinstance(thing, StoredEntry) else None

    def _live(self, thing: StoredVolume | StoredCard, *, asked: bool) -> Live:
        created, modified = (datetime.fromtimestamp(one, timezone.utc) for one in (thing.created, thing.modified))
        mark = mark_of(thing.tag, thing.name)
        if isinstance(thing, StoredCard):
            obj: Volume | Card = Card(thing.name, thing.room, thing.labels, thing.volumes)
        else:
            ours = mark is not None and mark.stack == self.stack
            obj = Volume(thing.name, crc_of(thing.content) if asked or ours else None, len(thing.content))
        return Live(obj, thing.owner, thing.updater, created, modified, mark)

    def write(self, change: Change, contents: Mapping[str, Path], progress: Callable[[int], None]) -> Live | None:
        self.line.write(lambda: self._write(change, contents))
        if change.desired is None:
            return None
        seen = self.read_one(change.key)
        if seen is None:
            raise StalePlan("E506", f"{change.key} was deleted since the plan was made")
        return seen

    def _write(self, change: Change, contents: Mapping[str, Path]) -> None:
        there = change.key in self.shelf.things
        if there == (change.action is Action.CREATE):
            raise StalePlan("E506", f"{change.key} was {'created' if there else 'deleted'} since the plan was made")
        after: Thing | None = None
        if change.desired is not None:
            obj = change.desired.object
            tag = write_tag(change.mark, obj.name) if change.mark else ""
            if isinstance(obj, Card):
                after = self.shelf.card(self.who, obj.name, obj.room, obj.labels, obj.volumes, tag)
            else:
                sha256 = change.desired.mark.sha256 if change.desired.mark else None
                content = contents[sha256].read_bytes() if sha256 else b""
                after = self.shelf.volume(self.who, obj.name, content, tag)
        self.shelf.put(self.who, change.key, after)

    def download(self, key: Key, destination: Path) -> None:
        thing = self.shelf.things[key]
        assert isinstance(thing, StoredVolume)
        destination.write_bytes(thing.content)


# --- The manifest ---------------------------------------------------------------------------------------------------------


class TargetKind(model.TargetKind, frozen=True, kw_only=True):
    kind: Literal["shelf"] = "shelf"


class Place(model.Target, frozen=True, kw_only=True):
    library: Text
    wing: Text | None = None


class CardEntry(Section, frozen=True, kw_only=True):
    room: Text
    labels: Annotated[dict[str, Text], NULL_IS_EMPTY] = msgspec.field(default_factory=dict)
    volumes: model.Names = msgspec.field(default_factory=list)
    protect: bool = False


class Ignored(model.Ignored, frozen=True, kw_only=True):
    what: list[Literal["labels"]]


class Manifest(model.Manifest, frozen=True, kw_only=True):
    """What a library is to have."""

    target: Annotated[TargetKind, NULL_IS_EMPTY] = msgspec.field(default_factory=TargetKind)
    targets: Annotated[dict[str, Place], NULL_IS_EMPTY] = msgspec.field(default_factory=dict)
    resources: Annotated[dict[str, model.Resource], NULL_IS_EMPTY] = msgspec.field(default_factory=dict)
    cards: Annotated[dict[str, CardEntry], NULL_IS_EMPTY] = msgspec.field(default_factory=dict)
    ignore: Annotated[list[Ignored], NULL_IS_EMPTY] = msgspec.field(default_factory=list)

    @property
    def leading(self) -> Iterable[str]:
        return self.cards


DIALECT = Dialect(
    kind="shelf",
    model=Manifest,
    implicit_target=Place(library="demo"),
    objects=("cards", "resources"),
    checks=(),
)


@dataclass(frozen=True)
class ShelfAdapter(Adapter):
    """A library as an `Adapter`."""

    shelf: Shelf
    who: str = "ann"

    @property
    def catalog(self) -> Catalog:
        return CATALOG

    @property
    def source_rules(self) -> RuleSet:
        return RuleSet(Service("a shelf"), 1)

    def destination(self, loaded: Loaded) -> Destination:
        place = loaded.target
        assert isinstance(place, Place)
        return Destination.of(CATALOG, loaded.target_name, place.library, place.wing)

    def desired_state(self, loaded: Loaded, artifacts: Artifacts) -> DesiredState:
        manifest, stack = loaded.manifest, loaded.manifest.stack
        assert isinstance(manifest, Manifest)
        names: dict[str, str] = {}
        state: dict[Key, Desired] = {}
        for name, declared in manifest.resources.items():
            content = artifacts.resource(name, declared.file or "")
            assert content is not None
            names[name] = versioned_name(name, content.sha256)
            volume = Volume(names[name], _crc(content), content.size)
            mark = Mark(stack, content.sha256, volume.crc)
            state[volume.key] = Desired(volume, loaded.at("resources", name), mark, declared.protect)
        for name, entry in manifest.cards.items():
            volumes = tuple(names.get(one, one) for one in entry.volumes)
            card = Card(name, entry.room, tuple(sorted(entry.labels.items())), volumes)
            state[card.key] = Desired(card, loaded.at("cards", name), Mark(stack), entry.protect)
        return state

    @contextmanager
    def connect(self, loaded: Loaded, access: Access) -> Iterator[Target]:
        yield Library(self.shelf, self.who, loaded.manifest.stack)

    def describe(self, loaded: Loaded, live: Live, needs: Sequence[Live]) -> tuple[tuple[tuple[str, str], ...], str]:
        return (), f"{len(needs)} on the shelf"
