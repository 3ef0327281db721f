"""Objects of Function Compute: what counts as a difference, and what a mark tells."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.base.errors import Position
from reconciler.core.diff import keep_vouched
from reconciler.core.kind import Mark
from reconciler.core.record import Applied, Entry, Holder, Reading
from reconciler.core.state import Desired, Live
from reconciler.packages.content import Content, hash_blocks
from reconciler.targets.fc.canonical import canonical, covers
from reconciler.targets.fc.crc64 import crc64_of_bytes
from reconciler.targets.fc.names import Note, inner_name, read_description, write_description
from reconciler.targets.fc.objects import (
    ALIAS,
    FUNCTION,
    KINDS,
    TRIGGER,
    VERSION,
    FcAlias,
    FcConcurrency,
    FcFunction,
    FcLayer,
    FcTrigger,
    FcVersion,
    function_of,
    hide_values,
    trigger_of,
    version_of_function,
)
from reconciler.targets.fc.settings import SETTINGS, canonical_settings, read_set, write_set
from tests.unit.core.states import NOON

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.core.state import Object

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(0, 8, width=16) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("xy", min_size=1, max_size=1), inner),
    max_leaves=6,
)
ORIGIN = Position("udfs.yaml", 1, 1)
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,9}", fullmatch=True)
STACKS = st.from_regex(r"[a-z][a-z0-9-]{0,9}", fullmatch=True)


@pytest.fixture
def code(tmp_path: Path) -> Content:
    path = tmp_path / "code.zip"
    path.write_bytes(b"123456789")
    return hash_blocks(path, [b"123456789"])


def fields(new: Any, old: Any) -> list[str]:
    return [difference.field for difference in new.kind.differences(new, old)]


def test_the_checksum_is_the_crc_64_of_the_documentation() -> None:
    assert crc64_of_bytes(b"123456789") == "11051210869376104954"


@given(VALUES)
def test_the_canonical_form_of_a_value_is_that_of_what_it_says(value: Any) -> None:
    assert covers(canonical(value), canonical(value))
    if canonical(value):
        assert canonical(msgspec.json.decode(canonical(value))) == canonical(value)


@given(st.dictionaries(st.text("xy", min_size=1, max_size=1), VALUES), VALUES)
def test_what_the_service_adds_to_a_mapping_is_no_difference(value: dict[str, Any], more: Any) -> None:
    value["named"] = 1
    assert covers(canonical(value), canonical({**value, "added by the service": more}))


def test_what_the_service_fills_in_is_no_difference(code: Content) -> None:
    least = function_of("read", "python3.12", "index.handler", code)
    filled = least._replace(settings=canonical_settings({"memory": 512, "log": {"project": "p"}, "cpu": 0.35}))
    assert fields(least, filled) == []


def test_each_setting_that_is_named_counts(code: Content) -> None:
    for name, setting in SETTINGS.items():
        other: Any = {"added": 1} if isinstance(setting.default, dict) else "another"
        want = function_of("read", "python3.12", "index.handler", code, settings={name: other})
        assert fields(want, want._replace(settings=())) == [name]


def test_a_setting_that_is_named_no_more_goes_back_to_its_default_if_udfs_wrote_it(code: Content) -> None:
    want = function_of("read", "python3.12", "index.handler", code)
    have = want._replace(settings=canonical_settings({"memory": 1024, "vpc": {"vpcId": "v"}}))
    assert fields(want, have._replace(named=("memory", "vpc"))) == ["memory", "vpc"]
    assert fields(want, have) == []
    assert fields(want, have._replace(settings=canonical_settings({"memory": 512}), named=("memory", "vpc"))) == []


def test_values_of_variables_are_nowhere_and_a_changed_one_is_named(code: Content) -> None:
    one, other = (
        function_of("read", "python3.12", "index.handler", code, environment={"KEY": value, "LANG": "C"})
        for value in ("first", "second")
    )
    [difference] = FUNCTION.differences(other, one)
    assert difference.field == "environment"
    assert "first" not in repr(one) + repr(difference)
    assert set(difference.old.split(", ")) & set(difference.new.split(", ")) == {
        f"LANG=({dict(hide_values({'LANG': 'C'}))['LANG'][:8]})"
    }


def test_a_tag_that_the_manifest_does_not_name_is_nobodys_business(code: Content) -> None:
    want = function_of("read", "python3.12", "index.handler", code, tags={"team": "ocr"})
    assert fields(want, want._replace(tags=(("cost", "7"), ("team", "ocr")))) == []
    assert fields(want, want._replace(tags=(("cost", "7"), ("team", "else")))) == ["tags"]


def test_everything_that_is_published_with_a_version_is_in_its_digest(code: Content) -> None:
    base = function_of("read", "python3.12", "index.handler", code, environment={"A": "1"}, settings={"memory": 512})
    others = [
        base._replace(runtime="python3.10"),
        base._replace(handler="index.other"),
        base._replace(layers=("ocr__3fa9c1d2",)),
        base._replace(environment=hide_values({"A": "2"})),
        base._replace(settings=canonical_settings({"memory": 1024})),
    ]
    digests = {version_of_function(function, "a" * 64)[1] for function in (base, *others)}
    assert len(digests) == 6
    assert version_of_function(base, "b" * 64)[1] not in digests
    assert version_of_function(base._replace(description="x", tags=(("a", "b"),)), "a" * 64)[1] in digests


def test_a_version_is_known_for_one_by_the_digest_in_its_mark(code: Content) -> None:
    version, sha256 = version_of_function(function_of("read", "python3.12", "index.handler", code), "a" * 64)
    assert VERSION.version_of(version.name, sha256) == "read"
    assert VERSION.version_of("read/#7", sha256) is None


def test_a_version_needs_its_layers_and_an_alias_its_versions() -> None:
    version = FcVersion("read/3fa9c1d2", ("ocr__3fa9c1d2",))
    assert [str(key) for key in VERSION.needs(version)] == ["function read", "layer ocr__3fa9c1d2"]
    alias = FcAlias("read/prod", "3fa9c1d2", (("#7", "0.1"),))
    assert [str(key) for key in ALIAS.needs(alias)] == ["function read", "version read/3fa9c1d2", "version read/#7"]
    assert [str(key) for key in ALIAS.needs(alias._replace(weights=()))] == ["version read/3fa9c1d2"]
    trigger = trigger_of("read", "web", "http", {}, qualifier="prod")
    assert [str(key) for key in TRIGGER.needs(trigger)] == ["alias read/prod"]
    assert [str(key) for key in TRIGGER.needs(trigger._replace(qualifier=""))] == ["function read"]


def test_a_part_of_a_configuration_that_is_named_no_more_is_a_difference_from_what_was_written() -> None:
    config = {"authType": "anonymous", "methods": ["GET"]}
    written = hashlib.sha256(canonical(config).encode()).hexdigest()[:8]
    want = trigger_of("read", "web", "http", {"authType": "anonymous"})
    have = trigger_of("read", "web", "http", {**config, "disableURLInternet": False})
    assert fields(want, have) == []
    assert fields(want, have._replace(written=written)) == ["config"]
    assert fields(trigger_of("read", "web", "http", config), have._replace(written=written)) == []


@given(st.sets(st.sampled_from(list(SETTINGS))))
def test_a_set_of_settings_is_read_as_it_was_written(names: set[str]) -> None:
    assert set(read_set(write_set(names))) == names


@given(
    st.text("ab [] \n", max_size=20).map(str.strip),
    STACKS,
    NAMES,
    st.none() | st.just("a" * 64),
    st.none() | st.just("11051210869376104954"),
    st.frozensets(st.just("3fa9c1d2")),
    st.just(Note())
    | st.just(Note(settings="1f"))
    | st.just(Note(written="3fa9c1d2"))
    | st.just(Note(versions=(("7", "3fa9c1d2"), ("8", "LATEST"))))
    | st.just(Note(layers=("3fa9c1d2", "00000000"))),
)
def test_a_description_is_read_as_it_was_written(
    text: str, stack: str, name: str, sha256: str | None, crc64: str | None, names: frozenset[str], note: Note
) -> None:
    mark = Mark(stack, sha256, crc64, names)
    description = write_description(text, mark, name, note)
    assert read_description(description, name) == (text, mark, note)
    assert read_description(description, f"{name}x")[1] is None


def test_a_mark_and_the_longest_text_fit_into_a_description() -> None:
    mark = Mark("a" * 20, "a" * 64, "1" * 20, frozenset({"3fa9c1d2"}))
    assert len(write_description("x" * 80, mark, "read", Note(settings="3fffff"))) <= 256
    layers = Note(layers=tuple(f"{number:08x}" for number in range(5)))
    assert len(write_description("", Mark("a" * 20, "a" * 64), "read/3fa9c1d2", layers)) <= 256


def test_each_object_comes_back_from_its_record() -> None:
    objects: list[Object] = [
        FcLayer("ocr__3fa9c1d2", "7", 9, ("python3.12",), "text", 2),
        FcFunction(
            *("read", "python3.12", "index.handler", "7", 9, ("ocr__3fa9c1d2", "other:3"), (("A", "0" * 16),)),
            canonical_settings({"memory": 512, "log": {"project": "p", "level": [1, 0.5]}}),
            *("text", (("team", "ocr"),), ("memory",)),
        ),
        FcVersion("read/3fa9c1d2", ("ocr__3fa9c1d2",), "7"),
        FcAlias("read/prod", "3fa9c1d2", (("#7", "0.1"),), "text"),
        FcTrigger(inner_name("read", "web"), "http", canonical({"a": [1]}), "prod", "acs:x", "role", "text", "0" * 8),
        FcConcurrency("read", 7),
    ]
    assert {obj.kind.name for obj in objects} == set(KINDS)
    for obj in objects:
        record = msgspec.convert(obj.kind.write_down(obj), obj.kind.record)
        assert obj.kind.read_back(record) == obj


def test_content_that_mark_and_ledger_vouch_for_is_wanted_as_it_is() -> None:
    """An archive that somebody else packed of the same files: our digest of the files, and the service's of their bytes."""
    function = FcFunction("read", "python3.10", "index.handler", "1", 10)
    theirs = function._replace(checksum="2", size=12)
    want = Desired(function, ORIGIN, Mark("ocr", "a" * 64, "1"))
    mark = Mark("ocr", "a" * 64, "2")

    def after(live: Live, *, sha256: str = "a" * 64, applied: FcFunction = theirs, lost: bool = False) -> Desired:
        objects = {} if lost else {function.key: Applied(applied, sha256=sha256)}
        last = Entry("ocr", 1, Holder(), NOON, NOON, "committed", objects=objects)
        return keep_vouched({function.key: want}, Reading({function.key: live}, last=last))[function.key]

    assert after(Live(theirs, mark=mark)) == Desired(theirs, ORIGIN, mark)
    for other in (
        after(Live(function, mark=want.mark)),  # as it was sent
        after(Live(theirs)),  # without a mark
        after(Live(theirs, mark=want.mark)),  # edited since
        after(Live(theirs, mark=mark._replace(sha256="b" * 64))),  # other files
        after(Live(theirs, mark=mark), sha256="b" * 64),
        after(Live(theirs, mark=mark), applied=function),  # the mark was written by who edited it
        after(Live(theirs, mark=mark), lost=True),
    ):
        assert other == want
