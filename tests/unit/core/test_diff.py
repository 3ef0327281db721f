"""What separates a project from its manifest, and why."""

from __future__ import annotations

from reconciler.base.errors import Position
from reconciler.base.names import versioned_name
from reconciler.core.diff import Action, Cause, Change, Comparison, explain_list
from reconciler.core.kind import Mark
from reconciler.core.record import Applied, Entry, Holder
from reconciler.core.state import Desired, Live
from reconciler.targets.fc.objects import FcFunction, version_of_function
from reconciler.targets.maxcompute.names import Reference
from reconciler.targets.maxcompute.objects import Function, Resource, function_key, resource_key
from tests.unit.core.states import (
    NOON,
    STACK,
    compare,
    digests,
    function,
    live,
    managed_by,
    marker,
    resource,
    state,
    there,
    wanted,
)


def only(comparison: Comparison) -> Change:
    [change] = comparison.changes
    return change


def test_equal_states_need_nothing() -> None:
    found = compare(state(wanted(resource("a.py"))), live(there(resource("a.py"), marker())), STACK)
    assert [c.action for c in found.changes] == [Action.KEEP]
    assert found.foreign == 0


def test_names_are_compared_without_regard_to_case() -> None:
    """MaxCompute keeps the first spelling, so `A.py` in the project is the manifest's `a.py`."""
    found = compare(
        state(wanted(resource("a.py"), "one", "f"), wanted(function("f", "a.py"))),
        live(there(resource("A.py"), marker("one", "f")), there(function("F", "A.PY"))),
        STACK,
    )
    assert {c.action for c in found.changes} == {Action.KEEP}


def test_the_module_of_a_class_is_compared_with_regard_to_case() -> None:
    change = compare(
        state(wanted(resource("a.py"), "one", "f"), wanted(function("f", "a.py", class_path="a.f"))),
        live(there(resource("a.py"), marker("one", "f")), there(function("f", "a.py", class_path="a.F"))),
        STACK,
    ).changes[0]
    assert [(d.field, d.old, d.new) for d in change.differences] == [("class", "a.F", "a.f")]


def test_content_that_the_manifest_changed_is_told_from_content_changed_outside() -> None:
    def cause(*, desired: str, marked: str, found: str) -> Cause:
        comparison = compare(
            state(wanted(resource("a.py", desired), desired)),
            live(there(resource("a.py", found), marker(marked))),
            STACK,
        )
        return only(comparison).cause

    assert cause(desired="new", marked="old", found="old") is Cause.MANIFEST
    assert cause(desired="old", marked="old", found="hacked") is Cause.OUTSIDE
    assert cause(desired="new", marked="old", found="hacked") is Cause.BOTH


def test_a_difference_that_no_digest_explains_has_no_known_cause() -> None:
    table = Resource("t", "table", table="demo.b")
    assert (
        only(
            compare(
                state(wanted(table, None)), live(there(Resource("t", "table", table="demo.a"), marker(None))), STACK
            )
        ).cause
        is Cause.UNKNOWN
    )
    commented = resource("a.py", comment="new")
    change = only(compare(state(wanted(commented)), live(there(resource("a.py"), marker())), STACK))
    assert change.cause is Cause.UNKNOWN
    assert [d.field for d in change.differences] == ["comment"]


def test_a_table_is_the_same_however_it_is_quoted_and_spaced() -> None:
    ours = Resource("t", "table", table="demo.iris partition(pt='1')")
    theirs = Resource("t", "table", table='Demo.`iris`  PARTITION (pt = "1")')
    assert only(compare(state(wanted(ours, None)), live(there(theirs, marker(None))), STACK)).action is Action.KEEP


def test_another_type_is_a_difference_of_its_own() -> None:
    change = only(
        compare(
            state(wanted(resource("a.zip", kind="archive"))),
            live(there(resource("a.zip", kind="file"), marker())),
            STACK,
        )
    )
    assert [(d.field, d.old, d.new) for d in change.differences] == [("type", "file", "archive")]


def test_an_unmarked_object_of_a_wanted_name_is_a_clash() -> None:
    found = compare(state(wanted(resource("a.py"))), live(there(resource("a.py"))), STACK)
    assert not found.changes
    [clash] = found.clashes
    assert clash.stack is None


def test_an_object_of_another_stack_is_a_clash_that_names_the_stack() -> None:
    found = compare(state(wanted(resource("a.py"))), live(there(resource("a.py"), marker("two", stack="geo"))), STACK)
    assert [clash.stack for clash in found.clashes] == ["geo"]


def test_what_nobody_wants_and_others_manage_is_only_counted() -> None:
    found = compare(
        {}, live(there(resource("a.py")), there(resource("b.py"), marker(stack="geo")), there(function("f"))), STACK
    )
    assert (found.changes, found.clashes, found.foreign) == ((), (), 3)


def test_what_the_stack_marked_and_the_manifest_dropped_is_deleted() -> None:
    found = compare({}, live(there(resource("a.py"), marker("one", "f")), there(function("f", "a.py"))), STACK)
    assert [(c.action, c.cause) for c in found.changes] == [(Action.DELETE, Cause.REMOVED)] * 2


def test_what_is_marked_and_on_no_record_is_told_from_what_the_manifest_dropped() -> None:
    made, copied = there(resource("a.csv"), marker()), there(resource("b.csv"), marker())
    last = Entry(STACK, 1, Holder(), NOON, NOON, "committed", objects={made.object.key: Applied(made.object)})
    found = compare({}, live(made, copied), STACK, last)
    assert [(c.key.name, c.cause) for c in found.changes] == [("a.csv", Cause.REMOVED), ("b.csv", Cause.UNRECORDED)]
    wants = state(wanted(resource("a.csv", "two")), wanted(resource("b.csv", "two")))
    listed = compare(wants, live(made, copied), STACK, last)
    assert [c.cause is Cause.UNRECORDED for c in listed.changes] == [False, True], "replacing it is told as well"


def test_a_strangers_function_over_a_managed_module_stays_theirs() -> None:
    project = live(there(resource("a.py"), marker("one", "f")), there(function("g", "a.py")))
    assert managed_by(project[function_key("g")], project) is None


def test_a_function_is_not_managed_through_another_projects_resource() -> None:
    project = live(
        there(resource("a.py"), marker("one", "f")), there(Function("f", "a.F", (Reference("a.py", "other"),)))
    )
    assert managed_by(project[function_key("f")], project) is None


def test_a_function_whose_mark_is_left_was_deleted_outside() -> None:
    wants = state(wanted(resource("a.py"), "one", "f"), wanted(function("f", "a.py")))
    found = compare(wants, live(there(resource("a.py"), marker("one", "f"))), STACK)
    assert [(c.action, c.cause) for c in found.changes if c.key.kind == "function"] == [(Action.CREATE, Cause.MISSING)]


def test_a_resource_that_a_managed_function_still_lists_was_deleted_outside() -> None:
    wants = state(
        wanted(resource("a.py"), "one", "f"),
        wanted(resource("b.csv", kind="file")),
        wanted(function("f", "a.py", "b.csv")),
    )
    found = compare(
        wants, live(there(resource("a.py"), marker("one", "f")), there(function("f", "a.py", "b.csv"))), STACK
    )
    assert [(str(c.key), c.cause) for c in found.changes if c.action is Action.CREATE] == [
        ("resource b.csv", Cause.MISSING)
    ]


def test_a_new_function_of_an_old_module_is_added_to_its_marker_first() -> None:
    wants = state(
        wanted(resource("a.py"), "one", "f", "g"), wanted(function("f", "a.py")), wanted(function("g", "a.py"))
    )
    found = compare(wants, live(there(resource("a.py"), marker("one", "f")), there(function("f", "a.py"))), STACK)
    change = next(c for c in found.changes if c.key.kind == "resource")
    assert (change.action, [d.field for d in change.differences]) == (Action.UPDATE, ["marker"])


def test_a_function_about_to_be_deleted_stays_in_its_marker_until_it_is_gone() -> None:
    """A run that is cut off between the two must still know the function for its own."""
    wants = state(wanted(resource("a.py", "two"), "two", "f"), wanted(function("f", "a.py")))
    have = live(
        there(resource("a.py"), marker("one", "f", "g")), there(function("f", "a.py")), there(function("g", "a.py"))
    )
    change = next(c for c in compare(wants, have, STACK).changes if c.key.kind == "resource")
    assert change.desired is not None
    assert change.desired.mark == marker("two", "f", "g")


def test_a_mark_of_a_function_that_is_gone_is_dropped() -> None:
    wants = state(wanted(resource("a.py", "two"), "two"))
    change = only(compare(wants, live(there(resource("a.py"), marker("one", "gone"))), STACK))
    assert change.desired is not None
    assert change.desired.mark == marker("two")


def test_a_list_is_explained_by_what_was_added_and_removed() -> None:
    assert explain_list(("a", "b"), ("b", "c", "d")) == {"added": ("c", "d"), "removed": ("a",)}
    assert explain_list(("a", "b"), ("b", "a")) == {"added": (), "removed": ()}


def test_the_ledger_tells_who_moved_a_function() -> None:
    """Functions carry no mark of what was applied; the newest entry remembers it."""

    def cause(*, desired: str, applied: str | None, found: str) -> Cause:
        remembered = {} if applied is None else {function_key("f"): Applied(function("f", "a.py", class_path=applied))}
        last = Entry(STACK, 1, Holder(), NOON, NOON, "committed", objects=remembered)
        changes = compare(
            state(wanted(resource("a.py"), "one", "f"), wanted(function("f", "a.py", class_path=desired))),
            live(there(resource("a.py"), marker("one", "f")), there(function("f", "a.py", class_path=found))),
            STACK,
            last,
        ).changes
        return next(change.cause for change in changes if change.key.kind == "function")

    assert cause(desired="a.New", applied="a.Old", found="a.Old") is Cause.MANIFEST
    assert cause(desired="a.Old", applied="a.Old", found="a.Hacked") is Cause.OUTSIDE
    assert cause(desired="a.New", applied="a.Old", found="a.Hacked") is Cause.BOTH
    assert cause(desired="a.New", applied=None, found="a.Old") is Cause.UNRECORDED
    assert cause(desired="a.Same", applied="a.Same", found="a.Same") is Cause.NONE


def test_an_entry_that_remembers_a_resource_under_a_functions_name_tells_nothing() -> None:
    last = Entry(STACK, 1, Holder(), NOON, NOON, objects={function_key("f"): Applied(resource("f"))})
    assert managed_by(there(function("f", "a.py")), {}, last) is None


def test_one_name_in_the_place_of_another_is_one_removed_and_one_added() -> None:
    assert explain_list(("a",), ("b",)) == {"added": ("b",), "removed": ("a",)}


def test_ledger_memory_makes_a_vanished_resource_missing() -> None:
    last = Entry(
        STACK, 1, Holder(), NOON, NOON, objects={resource_key("a.csv"): Applied(resource("a.csv", kind="file"))}
    )
    [change] = compare(state(wanted(resource("a.csv", kind="file"))), {}, STACK, last).changes
    assert change.cause is Cause.MISSING


def test_what_another_stack_manages_with_the_same_content_is_shared_and_anything_else_is_a_clash() -> None:
    def outcome(want: Resource | Function, have: Resource | Function, content: str | None = "one") -> str:
        mark = marker(content, stack="geo") if isinstance(have, Resource) else None
        others = [] if mark else [there(resource("a.py"), marker("one", have.name, stack="geo"))]
        found = compare(state(wanted(want, "one")), live(there(have, mark), *others), STACK)
        assert not found.changes
        return "shared" if found.shared else f"clash with {found.clashes[0].stack}"

    assert outcome(resource("a.py"), resource("A.py", comment="theirs")) == "shared"
    assert outcome(resource("a.py"), resource("a.py", kind="file")) == "clash with geo"
    assert outcome(resource("a.py"), resource("a.py", "two"), "two") == "clash with geo"
    assert outcome(resource("a.py"), resource("a.py", "longer")) == "clash with geo", "its size says that it was edited"
    assert outcome(function("f", "a.py"), function("f", "a.py")) == "clash with geo"
    table, other = Resource("t", "table", table="demo.b"), Resource("t", "table", table="demo.c")
    assert outcome(table, table._replace(table="DEMO.b"), None) == "shared"
    assert outcome(table, other, None) == "clash with geo"


def test_what_nobody_manages_is_never_shared() -> None:
    found = compare(state(wanted(resource("a.py"))), live(there(resource("a.py"))), STACK)
    assert (found.shared, len(found.clashes)) == ((), 1)


def version(content: str, plain: str = "a.py") -> Resource:
    """Return the resource that one content of a source is uploaded as."""
    return resource(versioned_name(plain, digests(content)[0]), content)


def test_a_version_that_is_no_longer_wanted_stays() -> None:
    new, old = version("two"), version("one")
    have = live(there(old, marker("one", "f")), there(function("f", old.name, class_path="x.F")))
    wants = state(wanted(new, "two", "f"), wanted(function("f", new.name, class_path="y.F")))
    found = compare(wants, have, STACK)
    assert [(c.action, c.key.name) for c in found.changes] == [(Action.UPDATE, "f"), (Action.CREATE, new.name)]
    assert [kept.object.name for kept in found.superseded] == [old.name]
    assert found.foreign == 0
    assert [c.action for c in compare(wants, have, STACK, retire=False).changes].count(Action.DELETE) == 1


def test_what_cannot_outlive_a_deletion_goes_with_it_and_what_can_stays() -> None:
    """Of two functions with a version each that nobody wants, one is taken out of the manifest."""
    functions = [FcFunction(name, "python3.10", "index.handler", "1") for name in ("gone", "kept")]
    versions = [version_of_function(old, digests("one")[0]) for old in functions]
    found = compare(
        state(Desired(functions[1], Position("udfs.yaml", 1, 1), marker())),
        live(
            *(Live(old, mark=marker()) for old in functions),
            *(Live(old, mark=Mark(STACK, sha256)) for old, sha256 in versions),
        ),
        STACK,
    )
    assert [(str(change.key), change.action) for change in found.changes] == [
        ("function gone", Action.DELETE),
        ("function kept", Action.KEEP),
        (str(versions[0][0].key), Action.DELETE),
    ]
    assert [old.object.name for old in found.superseded] == [versions[1][0].name]


def test_the_next_version_is_the_manifests_doing_and_the_first_is_new() -> None:
    def cause(*others: Live) -> Cause:
        return only(compare(state(wanted(version("two"), "two")), live(*others), STACK)).cause

    assert cause() is Cause.NEW
    assert cause(there(version("one"), marker("one"))) is Cause.MANIFEST
    assert cause(there(version("one", "b.py"), marker("one"))) is Cause.NEW
    assert cause(there(version("one"), marker("one", stack="other"))) is Cause.NEW
    assert cause(there(version("one"))) is Cause.NEW


def test_a_name_that_only_looks_like_a_version_is_deleted_as_any_other() -> None:
    lookalike = resource("a__00000000.py")
    assert only(compare({}, live(there(lookalike, marker())), STACK)).action is Action.DELETE


def test_a_version_that_is_wanted_again_is_there_already() -> None:
    found = compare(state(wanted(version("one"))), live(there(version("one"), marker())), STACK)
    assert only(found).action is Action.KEEP
    assert not found.superseded


def test_a_function_that_only_a_superseded_version_names_was_deleted_on_purpose() -> None:
    found = compare(
        state(wanted(version("two"), "two", "f"), wanted(function("f", version("two").name))),
        live(there(version("one"), marker("one", "f"))),
        STACK,
    )
    assert [c.cause for c in found.changes if c.key.kind == "function"] == [Cause.NEW]
