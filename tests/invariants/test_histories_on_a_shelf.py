"""
The proof histories on a second kind of target: the same machine, the same steps and the same properties as on MaxCompute.

A source or a file of a wish is a volume, named by its content, and a function is a card that lists them. Whose a card is
says its own tag; what MaxCompute knows of carriers and comments has no part in it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.core.kind import Key
from reconciler.targets import TARGETS
from reconciler.targets.dialects import DIALECTS
from tests.invariants.history import CLASSES, FILES, SOURCES, Meanwhile, Met, Shop, Wish
from tests.invariants.model import Clock
from tests.invariants.oracle import Oracle, named
from tests.invariants.test_histories import EXAMPLES, STEPS, Histories, made
from tests.seam.shelf import (
    CATALOG,
    DIALECT,
    Card,
    Library,
    Shelf,
    ShelfAdapter,
    StoredCard,
    StoredEntry,
    StoredVolume,
    Volume,
    card_key,
    crc_of,
    show_entries,
    volume_key,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.invariants.history import Backend
    from tests.invariants.model import Wire

ROOM = "west"
_TAG = re.compile(r"([a-z-]+)/([0-9a-f]{8})/\w*/\w*\Z")


class ShelfShop(Shop):
    """Makes what a wish needs, as a library has it."""

    def text(self, wish: Wish, stack: str) -> str:
        used = sorted({one for *_, listed in wish.functions for one in listed} | wish.protected)
        lines = [f"stack: {stack}", "target: {kind: shelf}", "targets: {here: {library: demo}}", "grace: 1h"]
        names = {name for name, *_ in wish.functions}
        if wish.moved and wish.moved[1] in names and wish.moved[0] not in names:
            lines.append(f"moved: [{{from: {wish.moved[0]}, to: {wish.moved[1]}}}]")
        lines.append("resources:")
        lines += [
            f'  {source}.py: {{file: "{wish.values[SOURCES.index(source)]}/{source}.py"}}'
            for source in sorted({source for _, source, *_ in wish.functions})
        ]
        for one in used:
            protect = ", protect: true" if one in wish.protected else ""
            lines.append(f'  {one}: {{file: "{wish.files[FILES.index(one)]}/{one}"{protect}}}')
        lines.append("cards:")
        for name, source, of, listed in wish.functions:
            volumes = ", ".join([f"{source}.py", *listed])
            lines.append(f"  {name}: {{room: {ROOM}, labels: {{class: {of}}}, volumes: [{volumes}]}}")
        return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Hands:
    """The library, for those who write histories."""

    shelf: Shelf

    @property
    def clock(self) -> Clock:
        assert isinstance(self.shelf.clock, Clock)
        return self.shelf.clock

    def target(self, who: str, stack: str, wire: Wire) -> Library:
        return Library(self.shelf, who, stack, wire)

    def put_file(self, name: str, content: bytes, comment: str | None) -> None:
        """Eve makes a volume, or changes the tag of one: its content stays."""
        self.shelf.put("eve", volume_key(name), self.shelf.volume("eve", name, content, comment))

    def put_function(self, name: str, of: str, resources: tuple[str, ...]) -> None:
        after = self.shelf.card("eve", name, ROOM, (("class", of),), resources, None)
        self.shelf.put("eve", card_key(name), after)

    def delete(self, key: str) -> None:
        found = key_of(key)
        if found.kind == "entry" and found in self.shelf.things:
            entry = self.shelf.things[found]
            stack = entry.name.split(".")[1]
            for name in (entry.name, f"udfs.{stack}.json"):
                content = self.shelf.documents.pop(name, None)
                self.shelf.tags[name] = self.shelf.tags.get(name, 0) + bool(content)
            show_entries(self.shelf, "eve")
        elif found in self.shelf.things:
            self.shelf.put("eve", found, None)

    def comment(self, name: str) -> str:
        thing = self.shelf.things.get(volume_key(name))
        return thing.tag if isinstance(thing, StoredVolume) else ""

    def contents(self) -> Mapping[str, tuple[object, ...]]:
        return {f"{key.kind} {key.folded}": (thing,) for key, thing in self.shelf.things.items()}


def key_of(text: str) -> Key:
    """Return the key of what is called so; a history calls a card a function, and a volume a resource."""
    kind, name = text.split(" ")
    kind = {"function": "card", "resource": "volume"}.get(kind, kind)
    return Key(kind, name, name)


class ShelfOracle(Oracle):
    """Knows whose a card and a volume is from their own tags."""

    carried, carrier = "card", "volume"
    kinds = CATALOG.kinds

    def dangling(self, things: Mapping[Key, Any]) -> set[tuple[str, str]]:
        return {
            (thing.name, one)
            for thing in things.values()
            if isinstance(thing, StoredCard)
            for one in thing.volumes
            if volume_key(one) not in things
        }

    def content(self, thing: Any) -> bytes | None:
        return thing.content if isinstance(thing, StoredVolume | StoredEntry) else None

    def sent(self, thing: Any) -> tuple[object, ...]:
        return thing.content, thing.tag

    def owner(self, key: Key, thing: Any) -> str | None:
        found = _TAG.match(getattr(thing, "tag", ""))
        return found[1] if found and found[2] == named(thing.name) else None


class OnTheShelf(Histories):
    """The steps of the histories, on a library."""

    catalog = CATALOG

    def begun(self) -> tuple[Any, Oracle, Backend]:
        shelf = Shelf(Clock())
        return shelf, ShelfOracle(shelf), Hands(shelf)  # type: ignore[arg-type]

    def key_of(self, text: str) -> Key:
        return key_of(text)

    def is_as(self, wanted: object, thing: Any) -> bool:
        if isinstance(wanted, Card):
            return isinstance(thing, StoredCard) and wanted == Card(thing.name, thing.room, thing.labels, thing.volumes)
        assert isinstance(wanted, Volume)
        return isinstance(thing, StoredVolume) and crc_of(thing.content) == wanted.crc

    def is_kept(self, name: str) -> bool:
        return name.partition("__")[0] in FILES


@pytest.fixture(scope="module")
def shelf_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShelfShop]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TARGETS, "shelf", lambda: ShelfAdapter(Shelf(Clock())))
        patch.setitem(DIALECTS, "shelf", lambda: DIALECT)
        yield ShelfShop(tmp_path_factory.mktemp("shelf"))


@pytest.mark.timeout(0)
def test_on_the_shelf(shelf_shop: ShelfShop, tally: Callable[[str, int], None]) -> None:
    made(type("OnTheShelf", (OnTheShelf,), {"shop": shelf_shop}), EXAMPLES[0], STEPS[0])
    tally("histories on a second kind of target", EXAMPLES[0])


def test_a_run_that_was_cut_off_goes_on_from_there(shelf_shop: ShelfShop) -> None:
    history = type("OnTheShelf", (OnTheShelf,), {"shop": shelf_shop})()
    history.begin(wish=Wish(functions=(("f", "a", "K", ()),)))
    wish = Wish(functions=(("f", "a", "K", ("x.csv",)), ("g", "b", "L", ())), values=(1, 2))
    for number in range(1, 9):
        history.change_and_apply_in_trouble(wish=wish, met=Met(number, "killed after"))
        history.change_and_apply_in_trouble(
            wish=Wish(functions=(("f", "a", "K", ()),)), met=Met(number, "unknown after")
        )
    history.teardown()


def test_who_comes_second_is_told_so_by_the_tag_alone(shelf_shop: ShelfShop) -> None:
    history = type("OnTheShelf", (OnTheShelf,), {"shop": shelf_shop})()
    history.begin(wish=Wish(functions=(("f", "a", "K", ()),)))
    wish = Wish(functions=(("f", "a", CLASSES[1], ()),))
    history.edit_manifest("risk", wish)
    end, _ = history.command(
        lambda world: world.apply("risk", met=Met(1, Meanwhile("rival", wish=Wish(functions=(("f", "b", "K", ()),))))),
        Met(1, Meanwhile("rival")),
    )
    assert end == "E610", "the rival was there between the look and the lease"
    history.teardown()
