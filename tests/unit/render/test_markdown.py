"""Plans and drift as comments: they fit, and nothing in them is markup that is not ours."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from reconciler.base.errors import Position, Problem
from reconciler.base.words import safe
from reconciler.render import markdown, markup, text
from reconciler.targets.maxcompute.names import Reference
from tests.unit.core.states import HERE, STACK, find, function, live, make, marker, resource, state, there, wanted

if TYPE_CHECKING:
    from markdown_it.token import Token

    from reconciler.core.plan import Plan


def plan_of(count: int, comment: str = "") -> Plan:
    wants = state(*(wanted(resource(f"module_{n:05}.py", comment=comment)) for n in range(count)))
    return make(wants, {}, stack=STACK, destination=HERE)


def big_plan(deletes: int, updates: int, creates: int, length: int = 30) -> Plan:
    def name(what: str, number: int) -> str:
        return f"{what}_{number:05}_".ljust(length, "x") + ".py"

    updated = [name("updated", number) for number in range(updates)]
    deleted = [name("deleted", number) for number in range(deletes)]
    wants = [wanted(resource(one, "two"), "two") for one in updated]
    wants += [wanted(resource(name("created", number))) for number in range(creates)]
    have = live(*(there(resource(one), marker()) for one in [*updated, *deleted]))
    return make(state(*wants), have, stack=STACK, destination=HERE)


def functions_plan(count: int, length: int = 0) -> Plan:
    """Plan new functions, each with a module of its own."""
    names = [f"f{number:05}".ljust(length, "x") for number in range(count)]
    wants = state(
        *(wanted(function(name, f"m_{name}.py")) for name in names),
        *(wanted(resource(f"m_{name}.py")) for name in names),
    )
    return make(wants, {}, stack=STACK, destination=HERE)


def test_a_plan_of_5000_changes_fits_into_a_comment_and_names_every_function() -> None:
    told = markdown.plan_markdown(functions_plan(2_500), "udfs apply")
    assert len(told) < 60_000
    assert all(f"`f{number:05}`" in told for number in range(2_500))
    assert "| + | **2,500 functions, 2,500 resources**<br>`f00000`, `f00001`, `f00002` … `f02499` | are new" in told
    assert "<details><summary>+ 2,500 functions, 2,500 resources are new</summary>" in told
    assert "…" not in told.replace("`f00002` … `f02499`", ""), "no row of dots"
    assert told.endswith("Next: `udfs apply`\n"), "the next step is not what is cut off"
    assert "Not shown" not in told


def test_names_that_do_not_fit_are_counted_by_kind_and_functions_come_first() -> None:
    for room in (60_000, 6_000, 2_000):
        told = markdown.plan_markdown(functions_plan(2_500, length=60), None, room)
        assert len(told) < room
        assert "2,500 functions, 2,500 resources" in told
        assert "`m_" not in told, "no resource while functions are left out"
    named = markdown.plan_markdown(functions_plan(2_500, length=60), None).count("`f0")
    assert named > 700


def test_deletions_stand_before_the_rest_and_each_is_list_names() -> None:
    told = markdown.plan_markdown(big_plan(2, 100, 3_000), None)
    assert len(told) < 60_000
    assert [line[:4] for line in told.splitlines() if " resource " in line][:3] == ["| - ", "| - ", "| ~ "]
    assert told.count("will be deleted: it is no longer in the manifest") == 2
    assert told.count("<br>content `") == 100, "and in what it changes"
    assert "| + | **3,000 resources**" in told
    assert told.index("| ~ |") < told.index("| + |")


def test_every_deletion_and_change_is_named_before_any_is_told_at_length() -> None:
    told = markdown.plan_markdown(big_plan(300, 500, 3_000), None)
    assert len(told) < 60_000
    names = {f"{what}_{number:05}" for what, count in (("deleted", 300), ("updated", 500)) for number in range(count)}
    assert all(f"`{name}_xxx" in told for name in names)
    named = re.search(
        r"\*\*Named without what changes, since that does not fit here: (\d+) resources to update\*\*", told
    )
    assert named is not None
    assert told.count("<br>content `") == 500 - int(named[1])


def test_deletions_that_do_not_fit_are_counted_loudly_before_the_table() -> None:
    told = markdown.plan_markdown(big_plan(600, 10, 10, length=200), None)
    assert len(told) < 60_000
    left = 600 - told.count("`deleted_")
    loud = f"**Not shown, since it does not fit here: {left} resources to delete, 10 resources to update**"
    assert left > 300
    assert loud in told
    assert told.index(loud) < told.index("|---|")


def test_changes_of_a_short_plan_have_a_row_each_deletions_first_and_functions_before_what_they_need() -> None:
    wants = state(wanted(function("f", "a.py")), wanted(resource("a.py")))
    told = markdown.plan_markdown(
        make(wants, live(there(resource("old.py"), marker())), stack=STACK, destination=HERE), None
    )
    rows = [line.split(" | ")[:2] for line in told.splitlines() if line.startswith("| ") and "`" in line]
    assert rows == [["| -", "resource `old.py`"], ["| +", "function `f`"], ["| +", "resource `a.py`"]]
    assert "<details>" not in told


def test_refusals_and_warnings_without_end_neither_break_the_comment_nor_hide_what_goes() -> None:
    findings = tuple(Problem("E501", "x" * 1_000) for _ in range(200))
    made = replace(big_plan(5, 0, 0), refusals=findings, cautions=findings)
    told = markdown.plan_markdown(made, None)
    assert len(told) < 65_536
    shown = told.count("- **error E501**")
    assert shown > 20
    assert f"**Not shown, since it does not fit here: {400 - shown} refusals and warnings**" in told
    assert told.count("| - | resource `deleted_") == 5
    assert told.index("error E501") < told.index("|---|"), "what stands in the way comes first"


def test_many_refusals_of_one_kind_are_one() -> None:
    alike = tuple(Problem("E501", f"{n} is there", together=("objects are there", "adopt them")) for n in range(50))
    told = markdown.plan_markdown(replace(big_plan(1, 0, 0), refusals=alike), None)
    assert "- **error E501** 50 objects are there<br>0 is there<br>1 is there<br>2 is there<br>and 47 more" in told
    assert told.count("E501") == 1


def test_a_comment_on_many_targets_fits_into_one_and_has_the_deletions_of_each() -> None:
    for number in (1, 2, 20, 200):
        made = big_plan(2, 0, 2_000)
        document = markdown.plan_markdown(made, "udfs apply", markdown.target_share(number))
        told = markdown.targets_markdown([(f"t{one}", document, text.plan_summary(made)) for one in range(number)])
        assert len(told) < 65_536
        assert "2 to delete" in told
        if number <= 20:
            assert told.count("`deleted_") == 2 * number
            assert told.count("Digest: ") == number, "which an approval quotes"
        else:
            assert re.search(r"\*\*Not shown, since it does not fit here: \d+ targets\*\*", told)


def test_a_new_function_that_runs_what_is_elsewhere_is_told_like_a_change() -> None:
    evil = function("f")._replace(resources=(Reference("evil.zip", "other"),))
    wants = state(wanted(evil), *(wanted(resource(f"module_{number:05}.py")) for number in range(3_000)))
    told = markdown.plan_markdown(make(wants, {}, stack=STACK, destination=HERE), None)
    [row] = [line for line in told.splitlines() if "function `f`" in line]
    assert "class a.F with 1 resource, from elsewhere: other/resources/evil.zip" in row
    assert "| + | **3,000 resources**" in told


def test_warnings_stand_beside_refusals_with_code_place_and_hint() -> None:
    found = Problem("E818", "it may fail", Position("f.py", 3, 5), "look", severity="warning", detail=("more",))
    told = markdown.plan_markdown(replace(plan_of(1), cautions=(found,)), None)
    assert "\n- `f.py:3:5` **warning E818** it may fail<br>more<br>look\n" in told


def test_differences_are_told_as_the_text_tells_them() -> None:
    old, new = function("f", "mask.py", class_path="mask.Mask"), function("f", "mask.py", class_path="mask.Masker")
    new = new._replace(resources=(*new.resources, Reference("evil.zip", "other")))
    commented = there(resource("mask.py", comment="it's"), marker("one", "f"))
    have = live(there(old), commented)
    made = make(
        state(wanted(new, "one", "f"), wanted(resource("mask.py"), "one", "f")), have, stack=STACK, destination=HERE
    )
    told = markdown.plan_markdown(made, None)
    assert "<br>class `mask.Mask → mask.Masker`<br>resources `+ other/resources/evil.zip` |" in told
    assert """<br>comment `"it's" → ''` |""" in told


def row_as_it_is_read(told: str, name: str) -> list[Token]:
    """Return what a reader of Markdown makes of the row of an object, four cells."""
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(told)
    rows = [number for number, one in enumerate(tokens) if one.type == "tr_open"]
    [row] = [
        cells
        for number in rows
        if (cells := [one for one in tokens[number : number + 14] if one.type == "inline"]) and name in cells[1].content
    ]
    return row


@settings(deadline=None)
@given(st.text(min_size=1) | st.text("`|\\\\<>*_[]()!@# ", min_size=1, max_size=12))
@example("`|`` \\| <b>")
@example("\u202e\n| a | b |")
def test_values_of_others_are_read_as_they_are_and_are_no_markup(value: str) -> None:
    old, new = resource("a.py", comment=value), resource("a.py", comment="new")
    have = there(old, marker())._replace(updater=value)
    made = make(state(wanted(new)), live(have), stack=STACK, destination=HERE)
    found = find(state(wanted(new)), live(have), STACK, None)
    for told, both in (
        (markdown.plan_markdown(made, None), f"{safe(value)!r} → 'new'"),
        (markdown.drift_markdown(found, made, None), f"'new' → {safe(value)!r}"),
    ):
        _, name, what, where = row_as_it_is_read(told, "a.py")
        assert name.content == "resource `a.py`"
        assert where.content == "`udfs.yaml:1:3`"
        pieces = what.children or []
        assert {one.type for one in pieces} <= {"text", "text_special", "html_inline", "code_inline"}
        assert {one.content for one in pieces if one.type == "html_inline"} == {"<br>"}
        assert [one.content.strip() for one in pieces if one.type == "code_inline"] == [both.strip()]


def test_what_one_person_changed_is_one_row_with_the_names_behind_it() -> None:
    names = [f"module_{number:05}.py" for number in range(3_000)]
    have = live(*(there(resource(name, "two"), marker())._replace(updater="bob") for name in names))
    wants = state(*(wanted(resource(name)) for name in names))
    found = find(wants, have, STACK, None)
    plan = make(wants, have, stack=STACK, destination=HERE)
    told = markdown.drift_markdown(found, plan, None)
    assert len(told) < 60_000
    assert (
        "| ~ | **3,000 resources**<br>`module_00000.py`, `module_00001.py`, `module_00002.py` … `module_02999.py` | were edited by bob"
        in told
    )
    assert all(f"`{name}`" in told for name in names)
    full = markdown.drift_markdown(found, plan, None, view="full")
    assert len(full) < 60_000
    assert "| edited | resource " in full


def test_what_is_folded_cannot_be_unfolded_by_a_name() -> None:
    evil = "</details><script>@all `x` #1"
    told = markup.fold_markup(evil, markup.fit_names([evil], 100))
    html = MarkdownIt("commonmark").render(told)
    assert html.count("<details>") == html.count("</details>") == 1
    assert "<script" not in html
    assert "@all" not in told.partition("</summary>")[0]


def test_names_and_words_of_others_are_no_markup_and_call_nobody() -> None:
    edited = there(resource("a.py", "two"), marker())._replace(updater="@all <img src=x> | `x` [a](b)")
    found = find(state(wanted(resource("a.py"))), live(edited), STACK, None)
    plan = make(state(wanted(resource("a.py"))), live(edited), stack=STACK, destination=HERE)
    for told in (markdown.drift_markdown(found, plan, None), markdown.plan_markdown(plan, None)):
        [row] = [line for line in told.splitlines() if "a.py" in line]
        assert row.count(" | ") == 3
        for active in ("@all", "<img", " `x`", "[a]("):
            assert active not in row
