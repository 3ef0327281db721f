"""The ledger lies where many can write: what udfs did not write is refused, and nothing of it is guessed."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.base.errors import ServiceError
from reconciler.base.hints import spell
from reconciler.core.record import Applied, Entry, Holder, Step, Swap, Verdict, entry_name
from reconciler.engine.ledger import KEPT, LAST_EPOCH, LEASE, collectable, dump, epoch_of, lease_held, parse, take
from reconciler.targets.maxcompute.names import Reference, parse_reference
from reconciler.targets.maxcompute.objects import KINDS, Function, Resource, function_key

NOON = datetime(2026, 11, 20, 12, tzinfo=timezone.utc)


def entry(epoch: int = 7) -> Entry:
    module = Resource("f.py", "py", "0" * 32, 12, "words")
    table = Resource("rates", "table", table="demo.rates")
    function = Function("f", "f.F", (Reference("f.py"),))
    objects = [Applied(module, NOON, sha256="a" * 64), Applied(table), Applied(function, created=NOON, protected=True)]
    return Entry(
        "risk", epoch, Holder("ann", "ci", "https://ci/7", "c0ffee", dirty=True, run="1"), NOON, NOON, "committed",
        "d" * 64, (Step("create", "function", "f", "done"),), {one.object.key: one for one in objects}, 3,
        Holder("eve", "laptop"), allowed=("E412 too new",), verdicts=(Verdict("function", "f", 3, 0, 1, NOON, "ann on ci"),),
    )  # fmt: skip


def places(value: object, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [*([at] if at else []), *(place for key, one in inner for place in places(one, (*at, key)))]


def comparable(written: bytes) -> dict[str, Any]:
    """
    Return a document without the names of its objects, which follow from what those say; of who applied, what udfs knows of.

    What is not told of a holder is not known, and what else is told of one changes nothing.
    """
    told: dict[str, Any] = json.loads(written)
    for who in ("holder", "ended_by"):
        if isinstance(told.get(who), dict):
            told[who] = {name: told[who].get(name, usual) for name, usual in asdict(Holder()).items()}
    return {**told, "objects": sorted(json.dumps(one, sort_keys=True) for one in told["objects"].values())}


PLACES = places(json.loads(dump(entry())))
VALUES: list[object] = [
    float("inf"),
    float("nan"),
    1.0,
    -1,
    0,
    10**30,
    True,
    None,
    "x",
    "\ud800",
    [],
    ["x"],
    {},
    {"x": 1},
    [[]],
]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: "/".join(map(str, place)))
@pytest.mark.parametrize("value", VALUES, ids=ascii)
def test_an_entry_that_somebody_edited_is_read_as_it_stands_or_refused(place: tuple[Any, ...], value: object) -> None:
    found = json.loads(dump(entry()))
    inner = found
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    content = json.dumps(found).encode()
    refused = ""
    try:
        read = parse(content, entry_name("risk", 7), KINDS)
        assert comparable(dump(read)) == comparable(content)
    except ServiceError as error:
        refused = error.problems[0].code
    assert refused in {"", "E611"}


class Memory:
    """A `Store` that only creates."""

    swap: Swap = "create if absent"

    def __init__(self) -> None:
        self.entries: dict[str, bytes] = {}

    def create(self, name: str, content: bytes, comment: str) -> bool:
        self.entries[name] = content
        return True

    def replace(self, name: str, content: bytes, comment: str) -> None: ...

    def fetch(self, name: str) -> bytes | None: ...

    def remove(self, name: str) -> None: ...

    def now(self) -> datetime:
        return NOON


texts = st.text(st.characters(), max_size=9)
"""Control characters, those that turn the writing direction, and halves of pairs, which are no text."""

times = st.datetimes(timezones=st.just(timezone.utc)).map(lambda when: when.replace(microsecond=0))
objects = st.one_of(
    st.builds(
        Applied,
        st.builds(
            Resource, texts, texts, st.none() | texts.filter(bool), st.integers(0, 2**63 - 1), texts,
            st.none() | texts.filter(bool),
        ),
        st.none() | times,
        st.none(),
        st.booleans(),
    ),
    st.builds(
        Applied,
        st.builds(Function, texts, texts, st.lists(texts.map(lambda name: parse_reference(name, "", None))).map(tuple)),
        st.none(),
        st.none() | times,
        st.booleans(),
    ),
)  # fmt: skip
entries = st.builds(
    Entry,
    st.just("risk"),
    st.integers(1, LAST_EPOCH),
    st.builds(Holder, texts, texts, texts, texts, st.booleans(), texts, texts, texts, texts),
    times,
    times,
    st.sampled_from(["running", "committed", "failed", "interrupted"]),
    texts,
    st.lists(st.builds(Step, texts, texts, texts, texts)).map(tuple),
    st.lists(objects, max_size=3).map(lambda found: {one.object.key: one for one in found}),
    st.none() | st.integers(1, LAST_EPOCH),
    st.none() | st.builds(Holder, texts, texts),
)


@given(entries)
def test_an_entry_that_takes_the_lease_is_read_as_it_was_written_or_nothing_is(entry: Entry) -> None:
    store, refused = Memory(), ""
    try:
        take(store, entry, KINDS)
    except ServiceError as error:
        refused = error.problems[0].code
    if any("\ud800" <= character <= "\udfff" for character in text_of(entry)):
        assert (refused, store.entries) == ("E615", {})
    else:
        assert refused == "", "what is text can be written"
        assert parse(store.entries[entry.name], entry.name, KINDS) == entry


def text_of(entry: Entry) -> str:
    """Return all the text of an entry, none of it escaped."""
    return json.dumps(json.loads(dump(entry)), ensure_ascii=False)


def test_the_last_epoch_that_a_name_holds_is_read_and_nothing_comes_after_it() -> None:
    last = entry(LAST_EPOCH)
    assert epoch_of(last.name, "risk") == LAST_EPOCH
    assert epoch_of(entry_name("risk", LAST_EPOCH + 1), "risk") is None
    assert parse(dump(last), last.name, KINDS) == last
    store = Memory()
    with pytest.raises(ServiceError, match=f"no entry can come after {last.name}") as caught:
        take(store, entry(LAST_EPOCH + 1), KINDS)
    assert caught.value.problems[0].code == "E615"
    assert store.entries == {}


@pytest.mark.parametrize(
    ("form", "code"), [("udfs.ledger/2", "E612"), ("udfs.ledger/" + "9" * 99, "E611"), ("", "E611")]
)
def test_a_newer_format_is_told_from_what_is_none(form: str, code: str) -> None:
    found = json.loads(dump(entry()))
    with pytest.raises(ServiceError) as caught:
        parse(json.dumps({**found, "format": form}).encode(), entry().name, KINDS)
    assert caught.value.problems[0].code == code


@given(st.sets(st.integers(1, 999), max_size=60), st.integers(1, 1000))
def test_of_the_ledger_the_newest_entries_stay_wherever_they_are_numbered(epochs: set[int], step: int) -> None:
    current = max(epochs, default=0) + step
    gone = collectable(epochs, current)
    stay = {*epochs, current} - {*gone}
    assert len(stay) == min(KEPT, len(epochs) + 1)
    assert not gone or max(gone) < min(stay)


def test_a_lease_longer_than_any_that_udfs_takes_is_told_as_that() -> None:
    running = replace(entry(), outcome="running", expires=NOON + LEASE)
    assert "in 10 minutes" in spell(lease_held(running, NOON).problems[0].hint)
    forged = replace(running, expires=datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone.utc))
    hint = spell(lease_held(forged, NOON).problems[0].hint)
    assert "claims to last until 9999-12-31, which no udfs writes" in hint
    assert "udfs explain E610" in hint
    assert "minutes" not in hint


def test_an_entry_that_was_written_long_ago_is_read_and_written_again_byte_for_byte() -> None:
    """The file is of a version before objects had kinds. It is never written anew."""
    content = (Path(__file__).parent / "written" / "ledger-1.json").read_bytes()
    read = parse(content, entry_name("risk", 7), KINDS)
    assert [str(key) for key in sorted(read.objects)] == [
        "function f", "function g", "resource data.csv", "resource f__3fa9c1d2.py", "resource rates",
    ]  # fmt: skip
    function = read.objects[function_key("f")]
    assert (function.created, function.modified, function.protected) == (NOON, None, True)
    assert isinstance(function.object, Function)
    assert list(map(str, function.object.resources)) == [
        "f__3fa9c1d2.py", "other/resources/shared.zip", "other/schemas/sales/resources/x.py",
    ]  # fmt: skip
    assert dump(read) == content
