"""Order, guards, and what a plan says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.base.errors import Refused, StalePlan
from reconciler.base.hints import spell
from reconciler.core.diff import Action, Cause
from reconciler.core.kind import Difference
from reconciler.core.plan import Plan, guards, observation, require_allowed
from reconciler.core.record import Applied, Entry, Holder
from reconciler.targets.maxcompute.objects import Resource, function_key, resource_key
from tests.unit.core.states import (
    HASTE,
    HERE,
    NOON,
    STACK,
    function,
    live,
    make,
    marker,
    require,
    resource,
    state,
    there,
    wanted,
)

if TYPE_CHECKING:
    from random import Random

    from reconciler.core.state import DesiredState, LiveState


def planned(desired: DesiredState, have: LiveState, *, cause: Cause | None = None) -> Plan:
    return make(desired, have, stack=STACK, destination=HERE, cause=cause)


def steps(plan: Plan) -> list[str]:
    return [f"{change.action.value} {change.key}" for change in plan.changes]


DEPLOYED = live(
    there(resource("a.py"), marker("one", "f")),
    there(resource("data.csv", kind="file"), marker()),
    there(function("f", "a.py", "data.csv")),
)
WANTED = state(
    wanted(resource("a.py"), "one", "f"),
    wanted(resource("data.csv", kind="file")),
    wanted(function("f", "a.py", "data.csv")),
)


def test_what_a_function_needs_is_written_before_it() -> None:
    assert steps(planned(WANTED, {})) == ["create resource a.py", "create resource data.csv", "create function f"]


def test_what_a_function_needed_is_removed_after_it() -> None:
    plan = planned({}, DEPLOYED, cause=Cause.DESTROYED)
    assert steps(plan) == ["delete function f", "delete resource data.csv", "delete resource a.py"]


def test_nothing_is_removed_before_everything_is_written() -> None:
    wants = state(wanted(resource("b.py"), "one", "f"), wanted(function("f", "b.py")))
    assert [s.split()[0] for s in steps(planned(wants, DEPLOYED))] == ["create", "update", "delete", "delete"]


def test_deletes_are_refused_with_the_number_that_would_allow_them() -> None:
    plan = planned(state(wanted(resource("a.py"), "one", "f"), wanted(function("f", "a.py"))), DEPLOYED)
    with pytest.raises(Refused, match="1 object would be deleted and none is allowed") as refused:
        require_allowed(plan, allow_deletes=0)
    assert "apply with --allow-deletes 1;" in spell(refused.value.problems[0].hint)
    require_allowed(plan, allow_deletes=1)


def test_an_allowance_that_is_too_small_is_named() -> None:
    [problem] = guards(planned(state(wanted(resource("z.py"))), DEPLOYED), allow_deletes=2)
    assert "3 objects would be deleted and only 2 allowed" in problem.message


def test_an_empty_manifest_deletes_nothing_whatever_is_allowed() -> None:
    [problem] = planned({}, DEPLOYED).refusals
    assert problem.code == "E504"


def test_destroying_is_not_an_empty_manifest() -> None:
    require_allowed(planned({}, DEPLOYED, cause=Cause.DESTROYED), allow_deletes=3)


def test_an_empty_manifest_for_an_empty_project_is_fine() -> None:
    require_allowed(planned({}, live(there(resource("foreign.py")))), allow_deletes=0)


def test_every_refusal_is_told_at_once() -> None:
    wants = state(
        wanted(resource("a.py"), line=3), wanted(resource("b.py"), line=2), wanted(resource("c.zip", kind="archive"))
    )
    have = live(
        there(resource("a.py")),
        there(resource("b.py", "two"), marker("two", stack="geo")),
        there(resource("c.zip", kind="file"), marker()),
    )
    with pytest.raises(Refused) as refused:
        require_allowed(planned(wants, have), allow_deletes=0)
    assert [p.code for p in refused.value.problems] == ["E508", "E502", "E501"]
    told = refused.value.problems[2].message
    assert "owner ALIYUN$ann, last changed by ALIYUN$bob on 2026-11-20 12:00Z" in told


def test_who_is_left_out_where_the_service_tells_nothing() -> None:
    from reconciler.core.state import Live

    plan = planned(state(wanted(function("f", "a.py"))), live(Live(function("f", "a.py"))))
    assert plan.refusals[0].message == "function f is in the project and udfs does not manage it"


def test_a_resource_that_a_strangers_function_lists_is_not_deleted() -> None:
    have = live(
        there(resource("a.py"), marker("one", "f")), *(there(function(n, "a.py")) for n in ("g", "h", "i", "j"))
    )
    [refusal] = planned({}, have, cause=Cause.DESTROYED).refusals
    assert refusal.code == "E505"
    assert "functions 'g', 'h', 'i' and 1 more still list it" in refusal.message


def test_a_resource_may_go_when_the_same_plan_takes_it_out_of_the_function() -> None:
    wants = state(wanted(resource("a.py"), "one", "f"), wanted(function("f", "a.py")))
    plan = planned(wants, DEPLOYED)
    assert not plan.refusals
    assert steps(plan) == ["update function f", "delete resource data.csv"]


def test_only_bytes_that_change_are_counted_for_upload() -> None:
    wants = state(
        wanted(resource("a.py", "changed"), "changed", "f"),
        wanted(resource("data.csv", kind="file")),
        wanted(function("f", "a.py", "data.csv")),
    )
    plan = planned(wants, DEPLOYED)
    assert plan.upload_bytes == len("changed")
    assert len(plan.changes) == 1
    assert plan.counts[Action.UPDATE] == 1
    assert len(plan.unchanged) == 2


def test_the_digest_names_the_operations_and_what_they_rest_on() -> None:
    same = planned(WANTED, {}).digest
    assert same == planned(WANTED, {}).digest
    assert same != planned(WANTED, DEPLOYED).digest
    changed = state(wanted(resource("a.py", "two"), "two"))
    moved = live(there(resource("a.py", "hacked"), marker()))
    assert planned(changed, DEPLOYED).digest != planned(changed, moved).digest
    assert planned({}, DEPLOYED, cause=Cause.DESTROYED).digest != same


def test_an_absent_object_has_nothing_to_observe() -> None:
    assert observation(None) is None


Wish = tuple[dict[str, str], dict[str, tuple[str, ...]]]
names = st.sampled_from(["a.py", "b.py", "c.zip", "d.csv"])
kinds = {"a.py": "py", "b.py": "py", "c.zip": "archive", "d.csv": "file"}
contents = st.sampled_from(["one", "two"])


@st.composite
def projects(draw: st.DrawFn) -> Wish:
    """Draw contents by resource name, and lists of resources by function name; a list begins with its module."""
    resources = draw(st.dictionaries(names, contents, max_size=4))
    modules = [name for name in resources if name.endswith(".py")]
    functions = {}
    for name in draw(st.sets(st.sampled_from("wxyz"))) if modules else ():
        rest = draw(st.lists(st.sampled_from(sorted(resources)), unique=True))
        module = draw(st.sampled_from(modules))
        functions[name] = (module, *(r for r in rest if r != module))
    return resources, functions


def as_desired(resources: dict[str, str], functions: dict[str, tuple[str, ...]]) -> DesiredState:
    carried = {r: [f for f, used in functions.items() if used[0] == r] for r in resources}
    return state(
        *(wanted(resource(r, c, kind=kinds[r]), c, *carried[r]) for r, c in resources.items()),
        *(wanted(function(f, *used, class_path=f"{used[0][0]}.F")) for f, used in functions.items()),
    )


@settings(max_examples=300, deadline=None)
@given(projects(), projects())
def test_any_deployed_state_becomes_any_other_without_a_broken_step(before: Wish, after: Wish) -> None:
    """The dictionary fails the step that leaves a function without one of its resources."""
    from reconciler.engine.apply import apply
    from tests.builders import Silent
    from tests.unit.core.states import Dictionary

    target = Dictionary(dict(live(there(Resource("foreign.txt", "file")))))
    for wish in (before, after):
        plan = planned(as_desired(*wish), target.read().live, cause=Cause.DESTROYED)
        assert not plan.refusals
        report = apply(plan, target, {}, Silent(), patience=HASTE)
        assert report.complete, report.error
        assert not planned(as_desired(*wish), target.read().live).changes
    assert "foreign.txt" in {have.object.name for have in target.objects.values()}


@settings(deadline=None)
@given(projects(), st.randoms(use_true_random=False))
def test_the_order_does_not_depend_on_the_order_of_what_was_read(wish: Wish, random: Random) -> None:
    desired = as_desired(*wish)
    shuffled = list(desired.items())
    random.shuffle(shuffled)
    assert steps(planned(desired, {})) == steps(planned(dict(shuffled), {}))


def test_what_is_shared_must_still_be_as_it_was_and_the_same_stacks() -> None:
    def project(stack: str = "geo", content: str = "one") -> LiveState:
        return live(there(resource("a.py", content), marker("one", stack=stack)))

    plan = planned(WANTED, project())
    assert [change.key.name for change in plan.shared] == ["a.py"]
    require(plan, project(), None)
    with pytest.raises(StalePlan, match=r"resource a\.py is no longer marked as stack geo's"):
        require(plan, project("other"), None)
    with pytest.raises(StalePlan, match=r"resource a\.py was changed by ALIYUN.bob"):
        require(plan, project(content="three"), None)


def test_another_stacks_function_and_another_content_of_its_resource_are_refused() -> None:
    mark = marker("one", "f", stack="geo")
    plan = planned(WANTED, live(there(resource("a.py", "three"), mark), there(function("f", "a.py"))))
    assert [(p.code, p.message.partition(" (")[0]) for p in plan.refusals] == [
        ("E502", "function f belongs to stack 'geo'"),
        ("E502", "resource a.py belongs to stack 'geo'"),
    ]
    assert plan.refusals[1].message.endswith("with another content")


def test_a_new_name_is_made_first_and_its_old_one_goes_without_being_counted_as_a_deletion() -> None:
    wants = state(
        wanted(resource("a.py"), "one", "g"),
        wanted(resource("data.csv", kind="file")),
        wanted(function("g", "a.py", "data.csv")),
    )
    moved = {function_key("f"): function_key("g"), function_key("never"): function_key("g")}
    plan = make(wants, DEPLOYED, stack=STACK, destination=HERE, moved=moved)
    assert steps(plan) == ["update resource a.py", "create function g", "delete function f"]
    assert [(c.cause, c.differences) for c in plan.changes[1:]] == [(Cause.MOVED, (Difference("name", "f", "g"),))] * 2
    assert plan.deletes == 0
    require_allowed(plan, allow_deletes=0)


def test_a_rename_that_was_cut_off_goes_on_and_one_that_leads_nowhere_is_a_deletion() -> None:
    both = {
        **DEPLOYED,
        **live(there(function("g", "a.py", "data.csv")), there(resource("a.py"), marker("one", "f", "g"))),
    }
    wants = {key: want for key, want in WANTED.items() if key.name != "f"}
    wants |= state(wanted(function("g", "a.py", "data.csv")), wanted(resource("a.py"), "one", "g"))
    plan = make(wants, both, stack=STACK, destination=HERE, moved={function_key("f"): function_key("g")})
    assert (steps(plan), plan.deletes) == (["delete function f"], 0)
    nowhere = make(wants, both, stack=STACK, destination=HERE, moved={function_key("f"): function_key("h")})
    assert (steps(nowhere), nowhere.deletes) == (["delete function f"], 1)


def test_what_no_apply_made_is_not_renamed_away() -> None:
    moved = {resource_key("data.csv"): resource_key("new.csv")}
    wants = {key: want for key, want in WANTED.items() if key.name not in {"f", "data.csv"}}
    wants |= state(wanted(resource("new.csv", kind="file")))
    nothing = Entry(STACK, 1, Holder(), NOON, NOON, "committed")
    plan = make(wants, DEPLOYED, stack=STACK, destination=HERE, moved=moved, last=nothing)
    gone = next(change for change in plan.changes if change.key.name == "data.csv")
    assert (gone.cause, plan.deletes) == (Cause.UNRECORDED, 2)


def remembering(*protected: str) -> Entry:
    objects = {key: Applied(have.object, NOON, protected=key.name in protected) for key, have in DEPLOYED.items()}
    return Entry(STACK, 1, Holder(), NOON, NOON, "committed", objects=objects)


def test_protection_outlives_the_entry_and_is_lifted_only_by_an_entry_without_it() -> None:
    last = remembering("f", "data.csv")
    for plan in (
        make({}, DEPLOYED, stack=STACK, destination=HERE, last=last, cause=Cause.DESTROYED),
        make({}, DEPLOYED, stack=STACK, destination=HERE, last=last),
    ):
        assert [(p.code, p.message.split(" is ")[0]) for p in plan.refusals if p.code != "E504"] == [
            ("E511", "function f"),
            ("E511", "resource data.csv"),
        ]
    lifted = make(WANTED, DEPLOYED, stack=STACK, destination=HERE, last=last)
    assert steps(lifted) == ["record resource data.csv", "record function f"]
    assert (lifted.upload_bytes, lifted.refusals) == (0, ())
    unprotected = make({}, DEPLOYED, stack=STACK, destination=HERE, last=remembering(), cause=Cause.DESTROYED)
    assert unprotected.refusals == ()


def test_what_is_protected_already_needs_no_note() -> None:
    wants = {key: want._replace(protected=key.name == "f") for key, want in WANTED.items()}
    assert steps(make(wants, DEPLOYED, stack=STACK, destination=HERE, last=remembering())) == ["record function f"]
    assert steps(make(wants, DEPLOYED, stack=STACK, destination=HERE, last=remembering("f"))) == []
    assert steps(make(wants, DEPLOYED, stack=STACK, destination=HERE)) == ["record function f"]


@pytest.mark.parametrize(
    ("there_are", "go", "codes"), [(9, 8, []), (10, 3, []), (10, 4, ["E512"]), (100, 31, ["E512"])]
)
def test_a_large_share_of_a_stack_goes_only_by_its_exact_number(there_are: int, go: int, codes: list[str]) -> None:
    names = [f"r{number}.csv" for number in range(there_are)]
    have = live(*(there(resource(name, kind="file"), marker()) for name in names))
    plan = planned(state(*(wanted(resource(name, kind="file")) for name in names[go:])), have)
    assert [p.code for p in guards(plan, allow_deletes=go + 1)] == codes
    assert [*guards(plan, allow_deletes=go)] == []


@pytest.mark.parametrize(
    ("kind", "name", "codes"), [("py", "A.py", ["E513"]), ("archive", "A.zip", ["E513"]), ("file", "A.csv", [])]
)
@pytest.mark.parametrize("content", ["one", "two"])
def test_capitals_that_the_project_does_not_have_are_refused_where_python_looks_for_them(
    kind: str, name: str, codes: list[str], content: str
) -> None:
    mine = state(wanted(resource(name.lower(), content, kind=kind), content))
    made = planned(mine, live(there(resource(name, kind=kind), marker())))
    assert [(one.code, str(one.at)) for one in made.refusals] == [(code, "udfs.yaml:1:3") for code in codes]


@pytest.mark.parametrize(("kind", "codes"), [("archive", ["E514"]), ("py", []), ("file", [])])
def test_an_archive_that_is_replaced_under_its_name_is_a_warning(kind: str, codes: list[str]) -> None:
    have = live(there(resource("a.zip", kind=kind), marker()))
    made = planned(state(wanted(resource("a.zip", "two", kind=kind), "two")), have)
    assert [(one.code, one.severity) for one in made.warnings] == [(code, "warning") for code in codes]
    assert made.refusals == ()
    for other in (resource("a.zip", kind=kind), resource("a.zip", kind=kind, comment="new")):
        assert planned(state(wanted(other)), have).warnings == ()
    assert planned(state(wanted(resource("b.zip", "two", kind=kind), "two")), have).warnings == ()
