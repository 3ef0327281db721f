"""
Stands: one small manifest for each kind of target, over its own local service, and the hand of a stranger there.

What is held of them stands in `test_commands_of_every_target`: laws of commands, as `tests.target.test_every_target` has those of the
protocol between engine and target.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from reconciler.core.record import Entry, Holder
from reconciler.engine import ledger
from reconciler.targets import TARGETS
from reconciler.targets.credentials.session import Credentials
from reconciler.targets.dialects import DIALECTS
from reconciler.targets.maxcompute.client import Client
from reconciler.targets.maxcompute.objects import Function, function_key
from tests.canary import SECRET
from tests.invariants.world import FUNCTIONS, SOURCE, Said, here
from tests.seam.shelf import CATALOG, DIALECT, Library, Shelf, ShelfAdapter, StoredCard, card_key
from tests.target.places import open_place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    import pytest

    from reconciler.core.kind import Catalog
    from reconciler.core.record import Store
    from tests.target.places import Place


@dataclass(frozen=True)
class Manifest:
    """What stands in the folder of a kind."""

    text: str
    files: Mapping[str, str]

    changed: tuple[str, str]
    """A file, and what it says after an edit."""

    edited: str
    """What a stranger writes, by its name in messages."""

    removable: str
    """An entry that nothing else needs."""

    line: str
    """The line of the manifest that has it."""

    can_protect: bool = True
    """Whether that entry may have `protect:`."""


MANIFESTS = {
    "shelf": Manifest(
        """\
stack: atlas
target: {kind: shelf}
targets: {here: {library: alexandria}}
resources:
  maps.txt: {file: maps.txt}
cards:
  Europe: {room: reading, labels: {by: ann}, volumes: [maps.txt]}
  oceans: {room: reading, volumes: [maps.txt]}
""",
        {"maps.txt": "here be dragons"},
        ("maps.txt", "here be lions"),
        "Europe",
        "oceans",
        "  oceans: {room: reading, volumes: [maps.txt]}\n",
    ),
    "maxcompute": Manifest(
        """\
stack: risk
python: cp37
targets: {here: {endpoint: "${env:ENDPOINT}", project: demo}}
functions:
  f: {source: f.py, class: F}
  g: {source: g.py, class: G}
""",
        {"f.py": SOURCE.format("F", "one"), "g.py": SOURCE.format("G", "one")},
        ("f.py", SOURCE.format("F", "two")),
        "f",
        "g",
        "  g: {source: g.py, class: G}\n",
    ),
    "fc": Manifest(
        """\
stack: ocr
target: {kind: fc}
targets: {here: {endpoint: "${env:ENDPOINT}", region: cn-hangzhou}}
functions:
  read: {runtime: python3.10, source: read.py, handler: read.handler, alias: prod, environment: {MODE: text}}
  plain: {runtime: python3.10, source: plain.py, handler: plain.handler}
""",
        {
            "read.py": "def handler(event, context):\n    return event\n",
            "plain.py": "def handler(event, context):\n    return b''\n",
        },
        ("read.py", "def handler(event, context):\n    return event + event\n"),
        "read",
        "plain",
        "  plain: {runtime: python3.10, source: plain.py, handler: plain.handler}\n",
    ),
    "realtime": Manifest(
        """\
stack: risk
target: {kind: flink}
targets:
  here: {endpoint: "${env:ENDPOINT}", workspace: w1, namespace: risk-default, bucket: risk, engine: vvr-11.7-jdk11-flink-1.20}
jobs:
  words: {sql: words.sql}
  plain: {sql: plain.sql}
""",
        {
            "words.sql": "CREATE TABLE t (w STRING) WITH ('connector' = 'datagen');\nINSERT INTO s SELECT w FROM t;\n",
            "plain.sql": "CREATE TABLE t (w STRING) WITH ('connector' = 'datagen');\nINSERT INTO p SELECT w FROM t;\n",
        },
        (
            "words.sql",
            "CREATE TABLE t (w STRING) WITH ('connector' = 'datagen');\nINSERT INTO s SELECT UPPER(w) FROM t;\n",
        ),
        "words",
        "plain",
        "  plain: {sql: plain.sql}\n",
        can_protect=False,
    ),
}


@dataclass
class Stand:
    """A folder with a manifest, a service, and commands over both."""

    folder: Path
    manifest: Manifest
    catalog: Catalog
    stack: str
    meddle: Callable[[], None]
    """Let a stranger write `manifest.edited`."""

    reach_store: Callable[[], Store]
    """Return the ledger's store, as somebody else reaches it."""

    service: Any = None
    """What tells its requests, where it is HTTP."""

    def run(self, *arguments: str, code: int = 0) -> Said:
        said = here(*arguments)
        assert said.code == code, f"{' '.join(arguments)}: {said.out}{said.err}"
        return said

    def document(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        return self.run(*arguments, "--format", "json", code=code).document

    def steps(self) -> list[str]:
        """Return what a plan would do."""
        return [f"{change['action']} {change['kind']} {change['name']}" for change in self.document("plan")["changes"]]

    def change(self) -> None:
        name, text = self.manifest.changed
        (self.folder / name).write_text(text)

    def rewrite(self, old: str, new: str) -> None:
        text = (self.folder / "udfs.yaml").read_text()
        assert old in text
        (self.folder / "udfs.yaml").write_text(text.replace(old, new))

    def hold_lease(self) -> None:
        store = self.reach_store()
        ends = store.now() + timedelta(minutes=9)
        ledger.take(store, Entry(self.stack, 1, Holder("eve", run="hers"), store.now(), ends), self.catalog.kinds)


@contextmanager
def open_stand(kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    """Start the service of a kind, and write its manifest."""
    manifest = MANIFESTS[kind]
    home = folder / "home"
    home.mkdir()
    for name, text in {"udfs.yaml": manifest.text, **manifest.files}.items():
        (home / name).write_text(text)
    monkeypatch.chdir(home)
    monkeypatch.setenv("ENDPOINT", "http://127.0.0.1:9")
    if kind == "shelf":
        shelf = Shelf(lambda: 1.8e9)
        monkeypatch.setitem(TARGETS, "shelf", lambda: ShelfAdapter(shelf))
        monkeypatch.setitem(DIALECTS, "shelf", lambda: DIALECT)
        yield Stand(
            home, manifest, CATALOG, "atlas", lambda: _scribble(shelf), lambda: Library(shelf, "eve", "atlas").store
        )
        return
    with open_place(kind, folder) as place:
        monkeypatch.setenv("ENDPOINT", place.service.url)
        monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "ann")
        monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", SECRET)
        meddle = partial(_lead_elsewhere, place) if kind == "maxcompute" else place.meddle
        yield Stand(home, manifest, place.catalog, place.stack, meddle, partial(_reach_store, place), place.service)


def _reach_store(place: Place) -> Store:
    target = place.reach("eve")
    target.read()  # which tells the service's time
    return target.store


def _lead_elsewhere(place: Place) -> None:
    eve = Client(place.service.url, "demo", None, Credentials("eve", SECRET), "test")
    present = place.reach("eve").read().live[function_key("f")].object
    assert isinstance(present, Function)
    names = "".join(f"<ResourceName>{name}</ResourceName>" for name in present.resources)
    body = f"<Function><Alias>f</Alias><ClassType>{present.class_path}2</ClassType><Resources>{names}</Resources></Function>"
    eve.send("put", f"{FUNCTIONS}/f", headers={"Content-Type": "application/xml"}, body=body.encode())


def _scribble(shelf: Shelf) -> None:
    card = shelf.things[card_key("Europe")]
    assert isinstance(card, StoredCard)
    shelf.put("eve", card_key("Europe"), shelf.card("eve", "Europe", card.room, (("by", "eve"),), card.volumes, None))
