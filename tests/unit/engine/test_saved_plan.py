"""A saved plan comes back as it was written, and is performed on what it was made against or not at all."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.base.errors import Problem, Refused, StalePlan, UdfsError, UsageError
from reconciler.base.numbers import is_countable
from reconciler.core.record import Entry, Holder, Reading
from reconciler.core.state import Live
from reconciler.engine import dump as dumps
from reconciler.engine import saved_plan as saved
from reconciler.targets.maxcompute.names import Reference
from reconciler.targets.maxcompute.objects import CATALOG, Function, Resource, destination
from tests.unit.core.states import HERE, NOON, STACK, function, live, make, marker, resource, state, there, wanted
from tests.unit.core.test_plan import DEPLOYED, as_desired, projects

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.core.plan import Destination
    from reconciler.core.state import LiveState
    from reconciler.engine.saved_plan import Saved
    from tests.unit.core.test_plan import Wish

MANIFEST = "a" * 64
WANTED = state(
    wanted(resource("a.py", "two"), "two", "f"),
    wanted(resource("data.csv", kind="file")),
    wanted(resource("new.csv", kind="file")),
    wanted(function("f", "a.py", "data.csv", "new.csv")),
)
LATER = NOON + timedelta(hours=1)


def planned(have: LiveState = DEPLOYED, epoch: int = 0) -> Saved:
    plan = make(WANTED, have, stack=STACK, destination=HERE)
    return saved.save(plan, reading(have, epoch), MANIFEST)


def entry(epoch: int) -> Entry:
    return Entry(STACK, epoch, Holder("eve", "ci"), NOON, LATER, "committed")


def reading(have: LiveState, epoch: int = 0) -> Reading:
    return Reading(have, tuple(range(1, epoch + 1)), entry(epoch) if epoch else None)


texts = st.text(max_size=12)
moments = st.none() | st.datetimes(timezones=st.just(NOON.tzinfo)).filter(is_countable)
references = st.builds(
    Reference, st.sampled_from(["x.py", "Y.zip"]), st.sampled_from([None, "other"]), st.none()
) | st.just(Reference("z.py", "other", "sales"))


@st.composite
def lives(draw: st.DrawFn) -> Live:
    """Draw an object of the project as strange as a service may tell it."""
    name = draw(st.from_regex(r"[A-Za-z]{1,6}", fullmatch=True))
    seen = draw(texts), draw(texts), draw(moments), draw(moments)
    if draw(st.booleans()):
        made = Function(name, draw(texts), tuple(draw(st.lists(references, max_size=3))))
        return Live(made, *seen, schema=draw(st.sampled_from([None, "sales"])))
    kind = draw(st.sampled_from(["py", "file", "table", "volumefile"]))
    mark = draw(st.none() | st.sampled_from([marker(), marker("two", "f", "g"), marker(None, stack="geo")]))
    md5, table = draw(st.none() | st.just("0" * 32)), draw(st.none() | texts)
    return Live(Resource(name, kind, md5, draw(st.integers(0, 2**40)), draw(texts), table), *seen, mark)


@settings(max_examples=200, deadline=None)
@given(projects(), projects(), st.lists(lives(), max_size=4), st.booleans(), st.integers(0, 9))
def test_a_plan_is_read_as_it_was_written(
    before: Wish, after: Wish, strangers: list[Live], from_dump: bool, epoch: int
) -> None:
    have = {
        key: there(want.object, want.mark if isinstance(want.object, Resource) else None)
        for key, want in as_desired(*before).items()
    } | {one.object.key: one for one in strangers}
    plan = make(as_desired(*after), have, stack=STACK, destination=destination("t", "p", "s"), from_dump=from_dump)
    if plan.refusals:
        with pytest.raises(Refused):
            saved.save(plan, reading(have, epoch), MANIFEST)
        return
    made = saved.save(plan, reading(have, epoch), MANIFEST, allow_deletes=2)
    content = saved.write(made)
    assert saved.read(content, "plan.json", CATALOG) == made
    assert saved.read(content, "plan.json", CATALOG).plan.digest == plan.digest
    assert saved.write(saved.read(content, "plan.json", CATALOG)) == content
    saved.require_fresh(made, reading(have, epoch))


@settings(deadline=None)
@given(st.lists(lives(), unique_by=lambda one: one.object.key))
def test_a_dump_is_read_as_it_was_written(found: list[Live]) -> None:
    seen = Reading({one.object.key: one for one in found}, (3, 4), replace(entry(4), objects={}))
    content = dumps.write(seen, STACK, HERE, NOON).model_dump_json(by_alias=True).encode()
    assert dumps.reading_of(dumps.read(content, "dump.json", CATALOG), STACK, HERE, "dump.json", CATALOG) == seen


def test_a_plan_on_one_line_is_the_same_plan() -> None:
    made = planned()
    assert saved.read(json.dumps(json.loads(saved.write(made))).encode(), "plan.json", CATALOG) == made


def problem(found: pytest.ExceptionInfo[UdfsError]) -> str:
    return f"{found.value.problems[0].code} {found.value.problems[0].message}"


def leaves(found: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(found, dict):
        return [leaf for key, value in found.items() for leaf in leaves(value, (*path, key))]
    if isinstance(found, list):
        return [leaf for number, value in enumerate(found) for leaf in leaves(value, (*path, number))]
    return [path]


CONTENT = saved.write(planned())


@pytest.mark.parametrize("path", leaves(json.loads(CONTENT)), ids=lambda path: ".".join(map(str, path)))
def test_a_file_with_any_value_changed_is_refused(path: tuple[Any, ...]) -> None:
    document = json.loads(CONTENT)
    holder = document
    for step in path[:-1]:
        holder = holder[step]
    old = holder[path[-1]]
    holder[path[-1]] = not old if isinstance(old, bool) else old + 1 if isinstance(old, int) else f"{old}x"
    with pytest.raises(UsageError) as refused:
        saved.read(json.dumps(document).encode(), "plan.json", CATALOG)
    assert refused.value.problems[0].code in {"E516", "E517"}


def resealed(change: Callable[[dict[str, Any]], object]) -> bytes:
    """Change a plan and its checksum with it, as a program of somebody else might."""
    document = json.loads(CONTENT)
    change(document)
    document["saved"]["checksum"] = saved._checksum(document)
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d["changes"].pop(), "does not have the digest that it states"),
        (lambda d: d["changes"][0]["desired"].update(size=9), "does not have the digest that it states"),
        (lambda d: d["changes"][0].update(speed="high"), "Extra inputs are not permitted"),
        (lambda d: d["changes"][0].update(action="create"), "with the wrong sides"),
        (lambda d: d["changes"][0].pop("line"), "has no place in the manifest"),
        (lambda d: d["changes"][0].update(name="b.py"), "resource b.py is called a.py"),
        (lambda d: d["changes"][0]["desired"].update(marker="mine"), "a mark that udfs does not write"),
        (lambda d: d["changes"][0]["desired"].pop("type"), "resource a.py has no type or no size"),
        (lambda d: d["changes"][-1]["desired"].pop("class_path"), "function f has no class or no resources"),
        (lambda d: d["saved"].update(epoch=-1), "saved.epoch"),
        (
            lambda d: d.update(refusals=[{"code": "E501", "severity": "error", "message": "no"}]),
            "a plan that is refused is not written",
        ),
        (lambda d: d["saved"].update(empty_manifest=True), "a plan that is refused is not written"),
    ],
)
def test_a_file_that_udfs_does_not_write_is_refused(change: Callable[[dict[str, Any]], object], said: str) -> None:
    with pytest.raises(UsageError) as refused:
        saved.read(resealed(change), "plan.json", CATALOG)
    assert problem(refused).startswith("E516 the plan 'plan.json' ")
    assert said in problem(refused)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"null", b"\xff\xfe", b"{}", b"[" * 100_000, b'{"format": 1}', CONTENT[:-40]]
)
def test_what_is_no_plan_is_refused(content: bytes) -> None:
    with pytest.raises(UsageError, match=r"plan\.json"):
        saved.read(content, "plan.json", CATALOG)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_clear_error(content: bytes) -> None:
    for read in (saved.read, dumps.read):
        with pytest.raises(UsageError):
            read(content, "file.json", CATALOG)


def stale(made: Saved, have: LiveState, epoch: int = 0) -> list[str]:
    with pytest.raises(StalePlan) as found:
        saved.require_fresh(made, reading(have, epoch))
    assert found.value.problems[-1].hint == "make a new plan and look at it"
    return [one.message for one in found.value.problems]


def with_(*changed: Live) -> LiveState:
    return {**DEPLOYED, **live(*changed)}


CSV = there(resource("data.csv", kind="file"), marker())
MODULE = there(resource("a.py"), marker("one", "f"))
F = there(function("f", "a.py", "data.csv"))


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (MODULE._replace(object=resource("a.py", "hacked")), "resource a.py was changed by ALIYUN$bob"),
        (MODULE._replace(modified=LATER, updater="eve"), "resource a.py was changed by eve on 2026-11-20 13:00Z"),
        (MODULE._replace(updater="eve"), "resource a.py was changed by eve on 2026-11-20 12:00Z"),
        (MODULE._replace(created=LATER, owner="eve"), "resource a.py was deleted, and created again by eve"),
        (CSV._replace(object=resource("data.csv", "x", kind="file")), "resource data.csv was changed"),
        (F._replace(object=function("f", "a.py")), "function f was changed (the service does not tell who"),
        (F._replace(object=function("f", "a.py", "data.csv", class_path="b.G")), "function f was changed"),
        (F._replace(created=LATER, owner=""), "function f was deleted, and created again on 2026-11-20 13:00Z"),
        (there(resource("new.csv", kind="file")), "resource new.csv was created by ALIYUN$ann on 2026-11-20 12:00Z"),
    ],
)
def test_whatever_moved_is_named_with_who_did_it(now: Live, said: str) -> None:
    [told] = stale(planned(), with_(now))
    assert told.startswith(said)
    assert told.endswith("since the plan was made")


@pytest.mark.parametrize("gone", [MODULE, CSV, F])
def test_what_went_away_is_named_whether_it_was_to_be_changed_or_not(gone: Live) -> None:
    have = {key: one for key, one in DEPLOYED.items() if key != gone.object.key}
    assert stale(planned(), have)[0].endswith("was deleted since the plan was made")


def test_a_lost_mark_is_noticed() -> None:
    told = stale(planned(), with_(MODULE._replace(mark=None)))
    assert told == [
        "function f is no longer marked as this stack's",
        "resource a.py is no longer marked as this stack's",
    ]


def test_an_apply_since_then_is_named_first() -> None:
    told = stale(planned(epoch=1), with_(MODULE._replace(updater="eve")), epoch=2)
    assert told[0] == "eve on ci applied stack 'risk' since the plan was made (epoch 2, 2026-11-20 12:00Z)"
    assert len(told) == 2


def test_an_apply_that_has_not_ended_is_told_as_begun() -> None:
    running = Reading(DEPLOYED, (1,), replace(entry(1), outcome="running"))
    with pytest.raises(StalePlan, match="eve on ci began to apply stack 'risk' since the plan was made"):
        saved.require_fresh(planned(), running)


def test_a_lost_ledger_makes_a_plan_stale() -> None:
    [told] = stale(planned(epoch=2), DEPLOYED)
    assert told == "the ledger's epoch 2, which the plan was made against, is gone"


def test_what_strangers_do_with_their_own_is_nothing_to_a_plan() -> None:
    saved.require_fresh(planned(), reading(with_(there(resource("theirs.py")), there(function("t", "theirs.py")))))


def test_a_resource_that_a_stranger_came_to_need_is_not_deleted() -> None:
    wants = state(wanted(resource("a.py"), "one", "f"), wanted(function("f", "a.py")))
    made = saved.save(make(wants, DEPLOYED, stack=STACK, destination=HERE), reading(DEPLOYED), MANIFEST)
    with pytest.raises(Refused) as refused:
        saved.require_fresh(made, reading(with_(there(function("theirs", "data.csv")))))
    assert problem(refused).startswith("E505")


def test_files_are_held_against_the_plan(tmp_path: Path) -> None:
    made = planned()
    saved.require_same_manifest(made, MANIFEST, tmp_path)
    with pytest.raises(StalePlan) as found:
        saved.require_same_manifest(made, "b" * 64, tmp_path)
    assert "was made from 'udfs.yaml', and" in problem(found), "another manifest is aimed at, not a change blamed"
    assert "-f udfs.yaml" in str(found.value.problems[0].hint)
    with pytest.raises(StalePlan, match=r"the manifest 'udfs\.yaml' was changed since the plan was made"):
        saved.require_same_manifest(made, "b" * 64, Path("udfs.yaml"))
    sha256 = {c.desired.mark.sha256: tmp_path for c in made.plan.changes if c.desired and c.desired.mark}
    saved.require_contents(made, {key: path for key, path in sha256.items() if key})
    with pytest.raises(StalePlan) as found:
        saved.require_contents(made, {})
    assert [one.code for one in found.value.problems] == ["E518", "E518"]
    assert "the content of resource a.py is not what it was" in str(found.value)


@pytest.mark.parametrize(
    "place", [destination("prod", "demo"), destination("local", "d"), destination("local", "demo", "s")]
)
def test_a_plan_goes_where_it_was_made_for(place: Destination) -> None:
    saved.require_place(planned(), STACK, HERE)
    with pytest.raises(StalePlan) as found:
        saved.require_place(planned(), STACK, place)
    assert problem(found).startswith("E520 the plan is for stack 'risk' in project demo (target local), and")


def test_what_is_warned_of_at_the_moment_changes_neither_the_file_nor_the_digest() -> None:
    warned = replace(planned().plan, cautions=(Problem("E537", "nothing is applied now", severity="warning"),))
    assert warned.digest == planned().plan.digest
    assert saved.write(replace(planned(), plan=warned)) == saved.write(planned())
    assert "warnings" not in json.loads(saved.write(planned()))


def test_a_plan_that_is_refused_is_not_saved() -> None:
    plan = make(WANTED, live(there(resource("a.py"))), stack=STACK, destination=HERE)
    with pytest.raises(Refused):
        saved.save(plan, reading({}), MANIFEST)


def test_a_dump_of_another_place_is_refused() -> None:
    document = dumps.write(reading(DEPLOYED), STACK, HERE, NOON)
    for stack, place in (
        ("geo", HERE),
        (STACK, destination("local", "other")),
        (STACK, destination("local", "demo", "s")),
    ):
        with pytest.raises(UsageError) as refused:
            dumps.reading_of(document, stack, place, "dump.json", CATALOG)
        assert problem(refused).startswith("E523")
    assert dumps.reading_of(document, STACK, destination("elsewhere", "demo"), "", CATALOG).live == DEPLOYED


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda d: d["objects"][0]["live"].pop("class_path"),
            "E522 the dump 'dump.json' is not understood: function f",
        ),
        (lambda d: d["objects"][0].update(more=1), "E522 the dump 'dump.json' is not understood: objects.0.more"),
        (lambda d: d.update(last={}), "E611"),
        (lambda d: d.update(format="udfs.dump/2"), "E517"),
    ],
)
def test_a_dump_that_is_not_understood_is_refused(change: Callable[[dict[str, Any]], object], said: str) -> None:
    document = json.loads(dumps.write(reading(DEPLOYED), STACK, HERE, NOON).model_dump_json(by_alias=True))
    change(document)
    with pytest.raises(UdfsError) as refused:
        dumps.reading_of(
            dumps.read(json.dumps(document).encode(), "dump.json", CATALOG), STACK, HERE, "dump.json", CATALOG
        )
    assert problem(refused).startswith(said)


def test_a_plan_against_a_dump_says_so_and_has_the_same_digest() -> None:
    seen = planned().plan
    dumped = make(WANTED, DEPLOYED, stack=STACK, destination=HERE, from_dump=True)
    assert dumped != seen
    assert dumped.digest == seen.digest


WRITTEN = Path(__file__).parent / "written"
"""Files of earlier versions. They are never written anew: what was saved stays readable."""


def test_a_plan_that_was_written_long_ago_is_read() -> None:
    found = saved.read((WRITTEN / "plan-1.json").read_bytes(), "plan-1.json", CATALOG)
    assert found.plan.digest == "e37efa294fd5e8ab0074f7126b2273954b01393223c913de48b08d9d4a4fdc4e"
    assert [f"{change.action.value} {change.key}" for change in found.plan.changes] == [
        "update resource a.py",
        "create resource new.csv",
        "update function f",
        "delete function old",
    ]
    assert (len(found.plan.unchanged), found.epoch, found.allow_deletes) == (2, 3, 1)


def test_a_plan_made_against_a_dump_of_long_ago_stands_on_it() -> None:
    """Both files were written of one project: what one has seen is what the other holds."""
    dumped = dumps.read((WRITTEN / "dump-1.json").read_bytes(), "dump-1.json", CATALOG)
    seen = dumps.reading_of(dumped, STACK, destination("prod", "risk_prod", "sales"), "dump-1.json", CATALOG)
    saved.require_fresh(saved.read((WRITTEN / "plan-1.json").read_bytes(), "plan-1.json", CATALOG), seen)
