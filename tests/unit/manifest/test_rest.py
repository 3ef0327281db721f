"""What is left of a broken manifest, and the names of one: down to where nothing is left, or nothing has a name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.manifest.entry_names import entry_names, offer_names
from reconciler.manifest.reader import Document, read_document
from reconciler.manifest.rest import take_rest
from reconciler.manifest.section import Section

if TYPE_CHECKING:
    from pathlib import Path


class Inner(Section, frozen=True, kw_only=True):
    name: str
    size: int = 0


class Outer(Section, frozen=True, kw_only=True):
    inner: Inner | None = None


class Many(Section, frozen=True, kw_only=True):
    all: list[Inner] = []  # noqa: RUF012 - msgspec copies it


class Demanding(Section, frozen=True, kw_only=True):
    inner: Inner


def document(text: str) -> Document:
    read = Document("udfs.yaml")
    read_document(text.encode(), read)
    return read


def test_what_does_not_fit_twice_is_taken_out_once() -> None:
    rest = take_rest(document("inner: {size: large}\n"), Outer)
    assert rest is not None
    assert rest.manifest == Outer()
    assert rest.is_touched("inner", "size")


def test_a_list_leaves_with_what_does_not_fit_in_it() -> None:
    rest = take_rest(document("all: [{nam: x}, {name: y}]\n"), Many)
    assert rest is not None
    assert rest.manifest == Many()


def test_nothing_is_left_where_what_is_needed_has_no_stand_in() -> None:
    assert take_rest(document("inner: {size: 1}\n"), Demanding) is None


def test_what_is_no_mapping_has_no_names(tmp_path: Path) -> None:
    (tmp_path / "udfs.yaml").write_text("- functions\n")
    assert entry_names(tmp_path / "udfs.yaml") == {}


def test_a_key_of_one_name_offers_those_of_its_section() -> None:
    schema = {"$defs": {"Job": {"properties": {"environment": {"type": "string"}}}}}
    offered = offer_names(schema, {"environments": ("main",)})["$defs"]["Job"]["properties"]["environment"]
    assert offered["anyOf"][0] == {"enum": ["main"]}
