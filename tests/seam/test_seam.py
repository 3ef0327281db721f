"""
A second kind of target goes the whole road: nothing of core, engine, workflow, renderings or commands knows what it is.

The service is `shelf`: volumes that are never written again, cards that cannot leave their room, and entity tags.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.core.kind import Mark
from reconciler.core.record import Entry, Holder
from reconciler.engine import ledger
from reconciler.engine.plan_file import plan_schema
from reconciler.targets import TARGETS
from reconciler.targets.dialects import DIALECTS
from tests.invariants.world import Said, here
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
    card_key,
    volume_key,
    write_tag,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

MANIFEST = """\
stack: atlas
target: {kind: shelf}
targets: {here: {library: alexandria}}
resources:
  maps.txt: {file: maps.txt}
  seas.txt: {file: seas.txt}
cards:
  Europe: {room: reading, labels: {by: ann}, volumes: [maps.txt]}
  oceans: {room: reading, volumes: [maps.txt, seas.txt]}
"""


@dataclass
class World:
    """A folder, a library, and commands."""

    folder: Path
    shelf: Shelf
    hours: list[float] = field(default_factory=lambda: [0.0])

    def run(self, *arguments: str, code: int = 0) -> Said:
        said = here(*arguments)
        assert said.code == code, f"{' '.join(arguments)}: {said.out}{said.err}"
        return said

    def document(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        return self.run(*arguments, "--format", "json", code=code).document

    def apply(self, *more: str) -> None:
        self.run("apply", "--yes", *more)

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def edit(self, old: str, new: str) -> None:
        text = (self.folder / "udfs.yaml").read_text()
        assert old in text
        self.write("udfs.yaml", text.replace(old, new))

    def names(self) -> set[str]:
        return {str(key) for key, thing in self.shelf.things.items() if not isinstance(thing, StoredEntry)}

    def card(self, name: str) -> StoredCard:
        thing = self.shelf.things[card_key(name)]
        assert isinstance(thing, StoredCard)
        return thing

    def volumes(self, plain: str) -> list[StoredVolume]:
        return [
            thing
            for thing in self.shelf.things.values()
            if isinstance(thing, StoredVolume) and thing.name.startswith(f"{plain}__")
        ]

    def eve_labels(self, name: str, **labels: str) -> None:
        card = self.card(name)
        after = self.shelf.card("eve", name, card.room, tuple(sorted(labels.items())), card.volumes, None)
        self.shelf.put("eve", card_key(name), after)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    hours = [500_000.0]
    shelf = Shelf(lambda: hours[0] * 3600)
    monkeypatch.setitem(TARGETS, "shelf", lambda: ShelfAdapter(shelf))
    monkeypatch.setitem(DIALECTS, "shelf", lambda: DIALECT)
    monkeypatch.chdir(tmp_path)
    made = World(tmp_path, shelf, hours)
    made.write("udfs.yaml", MANIFEST)
    made.write("maps.txt", "here be dragons")
    made.write("seas.txt", "and here be none")
    yield made
    assert not list(tmp_path.glob(".udfs/*")), "nothing of another service was started"


def outcomes(document: Mapping[str, Any]) -> list[str]:
    return [f"{change['action']} {change['kind']} {change['name']}" for change in document["changes"]]


def test_a_plan_is_shown_applied_and_then_nothing_is_left_to_do(world: World) -> None:
    said = world.run("plan")
    assert "Stack atlas → library alexandria (target here)" in said.out
    assert "card Europe will be created: it is new, in the reading room" in said.out
    document = world.document("plan")
    assert document["library"] == "alexandria"
    [*_, europe, _] = document["changes"]
    assert europe["desired"] == {
        "name": "Europe", "room": "reading", "labels": {"by": "ann"}, "volumes": [world_name(document, "maps.txt")],
        "marker": europe["desired"]["marker"],
    }  # fmt: skip
    assert [step.split()[1] for step in outcomes(document)] == ["volume", "volume", "card", "card"]
    world.apply()
    assert world.document("plan")["changes"] == []
    assert {name.partition("__")[0] for name in world.names()} == {
        "card Europe", "card oceans", "volume maps.txt", "volume seas.txt",
    }  # fmt: skip
    assert world.card("Europe").volumes == (world.volumes("maps.txt")[0].name,)


def world_name(document: Mapping[str, Any], plain: str) -> str:
    return next(str(change["name"]) for change in document["changes"] if change["name"].startswith(f"{plain}__"))


def test_json_is_what_its_schema_says(world: World) -> None:
    import jsonschema

    schema = plan_schema(CATALOG)
    jsonschema.validate(world.document("plan"), schema)
    world.apply()
    world.write("maps.txt", "here be lions")
    jsonschema.validate(world.document("plan"), schema)
    assert schema["$defs"]["ChangeDocument"]["properties"]["kind"]["enum"] == ["card", "volume"]


def test_markdown_tells_the_same(world: World) -> None:
    said = world.run("plan", "--format", "markdown")
    assert "library `alexandria` (target `here`)" in said.out
    assert "card `oceans`" in said.out


def test_other_content_is_a_new_version_beside_the_old_one_and_rolled_back_by_the_cards_alone(world: World) -> None:
    world.apply()
    [old] = world.volumes("maps.txt")
    world.write("maps.txt", "here be lions")
    document = world.document("plan")
    assert [step.split()[0] for step in outcomes(document)] == ["create", "update", "update"]
    assert document["changes"][0]["cause"] == "manifest"
    assert document["superseded"] == 1
    world.apply()
    assert len(world.volumes("maps.txt")) == 2, "the old one stays for who still uses it"
    assert world.document("plan")["superseded"] == 1
    world.run("rollback", "--yes")
    assert world.card("Europe").volumes == (old.name,)
    assert len(world.volumes("maps.txt")) == 2


def test_what_is_append_only_is_not_written_again_whoever_broke_it(world: World) -> None:
    world.apply()
    volume = world.volumes("maps.txt")[0]
    world.shelf.things[volume_key(volume.name)] = replace(volume, content=b"scribbled over")
    [problem] = world.document("plan", code=5)["refusals"]
    assert problem["code"] == "E508"
    assert "no volume is ever written again" in problem["message"]


def test_what_no_card_lists_any_more_goes_when_its_grace_is_over(world: World) -> None:
    world.apply()
    for text in ("here be lions", "here be mice", "here be men"):
        world.write("maps.txt", text)
        world.apply()
    world.hours[0] += 48
    world.run("gc", "--yes", "--keep", "1")
    assert sorted(one.content for one in world.volumes("maps.txt")) == [b"here be men", b"here be mice"]


def test_drift_is_told_with_who_did_it_and_brought_back(world: World) -> None:
    world.apply()
    world.eve_labels("Europe", by="eve")
    said = world.run("drift", code=2)
    assert "card Europe was edited by eve on" in said.out
    [drifted] = world.document("drift", code=2)["drifted"]
    assert (drifted["kind"], drifted["what"], drifted["who"]) == ("card", "edited", "eve")
    world.run("apply", "--restore", "--yes")
    assert world.card("Europe").labels == (("by", "ann"),)
    world.run("drift")


def test_a_list_that_was_changed_outside_is_told_as_that(world: World) -> None:
    world.apply()
    card = world.card("oceans")
    world.shelf.put("eve", card_key("oceans"), world.shelf.card("eve", "oceans", card.room, (), card.volumes[:1], None))
    assert "card oceans was made to list other volumes by eve" in world.run("drift", code=2).out


def test_a_field_that_cannot_change_is_refused_before_anything_is_written(world: World) -> None:
    world.apply()
    before = dict(world.shelf.things)
    world.edit("Europe: {room: reading", "Europe: {room: map")
    said = world.run("apply", "--yes", code=5)
    assert "error[E508]: card Europe stands in the reading room and cannot be carried to the map room" in said.err
    assert world.shelf.things == before


def test_what_is_ignored_is_left_as_somebody_made_it(world: World) -> None:
    world.apply()
    world.eve_labels("Europe", by="eve")
    world.write("udfs.yaml", MANIFEST + "ignore: [{object: europe, what: [labels]}]\n")
    assert world.document("plan")["unchanged"] == 3, "names are compared as they are written"
    world.write("udfs.yaml", MANIFEST + "ignore: [{object: Europe, what: [labels]}]\n")
    assert world.document("plan")["changes"] == []


def test_a_saved_plan_is_performed_once_and_as_it_was_shown(world: World) -> None:
    world.run("plan", "--out", "plan.json")
    world.run("apply", "plan.json", "--yes")
    assert len(world.names()) == 4
    assert world.run("apply", "plan.json", "--yes", code=6).code == 6


def test_a_saved_plan_is_stale_once_somebody_was_there(world: World) -> None:
    world.apply()
    world.edit("labels: {by: ann}", "labels: {by: bob}")
    world.run("plan", "--out", "plan.json")
    world.eve_labels("Europe", by="eve")
    assert "card Europe was changed by eve" in world.run("apply", "plan.json", "--yes", code=6).err


def test_a_plan_and_a_dump_of_another_kind_of_target_are_refused_by_its_name(world: World) -> None:
    world.run("plan", "--out", "plan.json")
    world.run("dump", "--out", "dump.json")
    other = "stack: atlas\npython: cp37\ntargets: {here: {project: alexandria}}\nfunctions: {}\n"
    world.write("udfs.yaml", other)
    plan = json.loads((world.folder / "plan.json").read_text())
    plan["saved"]["manifest"] = f"sha256:{hashlib.sha256(other.encode()).hexdigest()}"
    world.write("plan.json", sealed(plan))
    refused = world.run("apply", "plan.json", "--yes", code=6).err
    assert (
        "error[E520]: the plan is for a target of kind 'shelf', and the manifest's is of kind 'maxcompute'" in refused
    )
    refused = world.run("plan", "--against", "dump.json", code=3).err
    assert "error[E523]: the dump 'dump.json' is of a target of kind 'shelf', and the manifest's is of kind" in refused


def sealed(plan: dict[str, Any]) -> str:
    """Return a plan's file with the checksum that it then has."""
    plan["saved"].pop("checksum")
    text = json.dumps(plan, sort_keys=True, separators=(",", ":"))
    return json.dumps(
        {**plan, "saved": {**plan["saved"], "checksum": f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"}}
    )


@pytest.mark.parametrize("key", ["python", "packages", "functions"])
def test_a_manifest_has_no_section_that_its_kind_of_target_has_not(world: World, key: str) -> None:
    world.write("udfs.yaml", f"{MANIFEST}{key}: {'cp37' if key == 'python' else '{}'}\n")
    assert f"error[E214]: unknown key '{key}'" in world.run("plan", code=3).err


def test_what_is_not_there_is_called_by_its_kind(world: World) -> None:
    assert "Stack atlas has no card in library alexandria" in world.run("show").out
    assert "error[E703]: there is no card 'Asia' in library alexandria" in world.run("show", "Asia", code=3).err
    world.apply()
    assert "help: udfs show lists what the stack manages" in world.run("disown", "Asia", code=3).err


def test_the_schemas_are_those_of_a_kind_of_target(world: World) -> None:
    assert "cards" in json.loads(world.run("schema", "--kind", "shelf").out)["properties"]
    assert "library" in json.loads(world.run("schema", "plan.json", "--kind", "shelf").out)["properties"]
    assert "functions" in json.loads(world.run("schema").out)["properties"]
    assert "there is no kind of target 'shelv'" in world.run("schema", "--kind", "shelv", code=3).err


def test_a_plan_against_a_dump_is_the_same_plan(world: World) -> None:
    world.apply()
    world.write("seas.txt", "and here be some")
    world.run("dump", "--out", "dump.json")
    dumped = json.loads((world.folder / "dump.json").read_text())
    assert dumped["library"] == "alexandria"
    assert world.document("plan", "--against", "dump.json")["digest"] == world.document("plan")["digest"]


def test_a_card_is_adopted_and_disowned_by_its_label_and_a_volume_with_the_bytes_it_has(world: World) -> None:
    world.apply()
    volume = world.volumes("maps.txt")[0]
    for key, thing in list(world.shelf.things.items()):
        if not isinstance(thing, StoredEntry):
            world.shelf.put("eve", key, type(thing)(**{**thing.__dict__, "tag": ""}))
    assert [problem["code"] for problem in world.document("plan", code=5)["refusals"]] == ["E501"] * 4
    world.run("adopt", "*", "--yes")
    assert world.document("plan")["changes"] == []
    assert world.volumes("maps.txt")[0].content == volume.content
    world.edit("  oceans: {room: reading, volumes: [maps.txt, seas.txt]}\n", "")
    world.run("disown", "oceans", "--yes")
    assert world.card("oceans").tag == ""
    assert "card oceans" in world.names()


def test_what_another_stack_has_with_the_same_content_is_used_and_left_to_it(world: World) -> None:
    world.apply()
    world.edit("stack: atlas", "stack: globe")
    world.edit("Europe:", "Asia:")
    world.edit("oceans:", "rivers:")
    document = world.document("plan")
    assert outcomes(document) == ["create card Asia", "create card rivers"]
    assert {shared["stack"] for shared in document["shared"]} == {"atlas"}
    world.apply()


def test_history_tells_each_run_and_a_run_its_steps(world: World) -> None:
    world.apply()
    world.write("maps.txt", "here be lions")
    world.apply()
    runs = world.document("history")["runs"]
    assert [(run["epoch"], run["outcome"]) for run in runs] == [(2, "committed"), (1, "committed")]
    run = world.document("show-run", "2")
    assert {step["kind"] for step in run["steps"]} == {"card", "volume"}
    assert {"name", "room", "labels", "volumes"} <= {key for one in run["objects"] for key in one}
    assert "create  volume" in world.run("show-run", "2").out


def test_show_tells_what_a_card_has(world: World) -> None:
    world.apply()
    said = world.run("show")
    assert "Europe  room reading  labels by=ann" in said.out
    assert "2 on the shelf" in said.out


def test_what_was_moved_is_a_new_name_and_not_a_deletion(world: World) -> None:
    world.apply()
    world.edit("Europe:", "Europa:")
    world.write("udfs.yaml", (world.folder / "udfs.yaml").read_text() + "moved: [{from: Europe, to: Europa}]\n")
    world.apply()
    assert {"card Europa", "card oceans"} <= world.names()
    assert "card Europe" not in world.names()


def test_what_is_protected_stays_and_deletes_need_their_number(world: World) -> None:
    world.edit("oceans: {room: reading,", "oceans: {room: reading, protect: true,")
    world.apply()
    world.write("udfs.yaml", MANIFEST.partition("cards:")[0])
    refused = world.document("plan", code=5)["refusals"]
    assert [problem["code"] for problem in refused] == ["E511"]
    world.write(
        "udfs.yaml", MANIFEST.replace("  Europe: {room: reading, labels: {by: ann}, volumes: [maps.txt]}\n", "")
    )
    assert [one["code"] for one in world.run("apply", "--yes", "--format", "json", code=5).document["problems"]] == [
        "E503"
    ]
    world.apply("--allow-deletes", "1")
    assert "card Europe" not in world.names()


def test_a_destroyed_stack_leaves_what_is_not_its_own(world: World) -> None:
    world.apply()
    world.shelf.put("eve", card_key("hers"), world.shelf.card("eve", "hers", "attic", (), (), ""))
    world.run("destroy", "--yes")
    assert world.names() == {"card hers"}


def test_a_tag_that_was_copied_marks_nothing(world: World) -> None:
    world.apply()
    tag = world.card("Europe").tag
    world.shelf.put("eve", card_key("hers"), world.shelf.card("eve", "hers", "attic", (), (), tag))
    assert world.document("plan")["foreign"] == 1
    forged = write_tag(Mark("atlas"), "hers")
    world.shelf.put("eve", card_key("hers"), world.shelf.card("eve", "hers", "attic", (), (), forged))
    [change] = world.document("plan")["changes"]
    assert (change["name"], change["cause"]) == ("hers", "unrecorded")


def test_a_held_lease_keeps_others_out(world: World) -> None:
    store = Library(world.shelf, "eve", "atlas").store
    ends = store.now() + timedelta(minutes=9)
    ledger.take(store, Entry("atlas", 1, Holder("eve", run="hers"), store.now(), ends), CATALOG.kinds)
    refused = world.run("apply", "--yes", code=7)
    assert "eve is applying stack 'atlas'" in refused.err
    assert world.names() == set()
    world.hours[0] += 1
    world.apply()
    assert len(world.names()) == 4


def test_a_store_without_a_compare_and_swap_holds_no_lease(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Library, "store", property(lambda self: replace(self.entries, swap="none")))
    assert world.run("plan").code == 0
    assert "error[E616]" in world.run("apply", "--yes", code=5).err
    assert not world.shelf.things


def test_an_apply_is_one_epoch_of_the_register(world: World) -> None:
    world.apply()
    entries = [thing for thing in world.shelf.things.values() if isinstance(thing, StoredEntry)]
    assert [entry.name for entry in entries] == ["udfs.atlas.1.json"]
    register = json.loads(world.shelf.documents["udfs.atlas.json"][0])
    assert register["epoch"] == 1


def test_a_key_of_another_kind_of_target_is_unknown(world: World) -> None:
    world.edit("library: alexandria", "project: alexandria")
    assert "unknown key 'project'" in world.run("validate", code=3).err
    assert os.environ.get("ENDPOINT") is None


def test_objects_are_values_of_their_own() -> None:
    card = Card("a", "reading")
    assert card.kind is CATALOG.kinds["card"]
    assert volume_key("A") != volume_key("a")


@pytest.mark.parametrize(
    ("power", "arguments"),
    [
        ("SQL", ("sql", "SELECT 1")),
        ("test of what is deployed", ("verify",)),
        ("test of what is deployed", ("apply", "--yes", "--verify")),
        ("local runtime", ("test",)),
        ("call with arguments", ("call", "Europe")),
        ("call with an event", ("call", "Europe", "--event", "x")),
        ("import", ("import",)),
        ("embedded service", ("serve", "-f", "udfs.yaml")),
        ("export to maxframe", ("export", "maxframe", "maps")),
    ],
)
def test_a_command_that_a_kind_of_target_has_not_says_which_kinds_have_it(
    world: World, power: str, arguments: tuple[str, ...]
) -> None:
    said = world.run(*arguments, code=3)
    assert f"error[E566]: there is no {power} for targets of kind 'shelf'" in said.err
    kinds = (
        said.err.partition("help: kinds of target that have it: ")[2].split("\n")[0].replace(" and ", ", ").split(", ")
    )
    assert ("fc" if "event" in power else "maxcompute") in kinds
    assert not world.names()


def test_the_doctor_looks_for_what_a_kind_of_target_needs(world: World) -> None:
    said = world.run("doctor")
    assert "library alexandria" in said.out
    assert "ALIBABA" not in said.out
    assert "cp37" not in said.out
    assert "pyodps" not in said.out
    world.write("udfs.yaml", "not a manifest")
    assert "cp37" in world.run("doctor", code=1).out
