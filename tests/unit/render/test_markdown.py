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
from reconciler.render import markdown, text
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


def test_a_plan_of_any_size_fits_into_a_comment_and_says_what_was_left_out() -> None:
    told = markdown.plan_markdown(plan_of(5_000), "udfs apply")
    assert len(told) < 65_536
    shown = told.count("| + | resource ")
    left = 5_000 - shown
    assert f"\nNot shown, since it does not fit here: {left:,} objects ({left:,} to create)\n" in told
    assert told.endswith("Next: `udfs apply`\n"), "the next step is not what is cut off"
    assert "Not shown" not in markdown.plan_markdown(plan_of(3), None)


def test_what_is_new_is_left_out_before_what_changes_and_that_before_what_goes() -> None:
    told = markdown.plan_markdown(big_plan(2, 100, 3_000), None)
    assert len(told) < 65_536
    assert [line[:4] for line in told.splitlines() if " resource " in line][:3] == ["| - ", "| - ", "| ~ "]
    assert told.count("will be deleted: it is no longer in the manifest") == 2
    assert told.count("<br>content `") == 100, "and in what it changes"
    assert "**Not shown" not in told
    assert "**" not in told[told.index("Not shown") :], "what is new is no reason to be loud"


def test_every_deletion_and_change_is_named_before_any_is_told_at_length() -> None:
    told = markdown.plan_markdown(big_plan(300, 500, 3_000), None)
    assert (told.count("| - | resource `deleted_"), told.count("| ~ | resource `updated_")) == (300, 500)
    assert re.search(r"\*\*[\d,]+ objects named without what changes", told)


def test_deletions_that_do_not_fit_are_counted_loudly_before_the_table() -> None:
    told = markdown.plan_markdown(big_plan(600, 10, 10, length=200), None)
    assert len(told) < 65_536
    left = 600 - told.count("| - | ")
    assert (
        f"**Not shown, since it does not fit here: {left + 20} objects ({left} to delete, 10 to update, 10 to create)**"
        in (told[: told.index("|---|")])
    )


def test_refusals_and_warnings_without_end_neither_break_the_comment_nor_hide_what_goes() -> None:
    findings = tuple(Problem("E501", "x" * 1_000) for _ in range(200))
    made = replace(big_plan(5, 0, 0), refusals=findings, cautions=findings)
    told = markdown.plan_markdown(made, None)
    assert len(told) < 65_536
    shown = told.count("- **error E501**")
    assert shown > 20
    assert f"**Not shown, since it does not fit here: {400 - shown} refusals and warnings**" in told
    assert told.count("| - | resource `deleted_") == 5


def test_a_comment_on_many_targets_fits_into_one_and_has_the_deletions_of_each() -> None:
    for number in (1, 2, 20, 200):
        made = big_plan(2, 0, 2_000)
        document = markdown.plan_markdown(made, "udfs apply", markdown.target_share(number))
        told = markdown.targets_markdown([(f"t{one}", document, text.plan_summary(made)) for one in range(number)])
        assert len(told) < 65_536
        assert "2 to delete" in told
        if number <= 20:
            assert told.count("| - | resource `deleted_") == 2 * number
            assert told.count("Digest: ") == number, "which an approval quotes"
        else:
            assert re.search(r"\*\*Not shown, since it does not fit here: \d+ targets\*\*", told)


def test_a_new_function_that_runs_what_is_elsewhere_is_told_like_a_change() -> None:
    evil = function("f")._replace(resources=(Reference("evil.zip", "other"),))
    wants = state(wanted(evil), *(wanted(resource(f"module_{number:05}.py")) for number in range(3_000)))
    told = markdown.plan_markdown(make(wants, {}, stack=STACK, destination=HERE), None)
    [row] = [line for line in told.splitlines() if "function `f`" in line]
    assert "class a.F with 1 resource, from elsewhere: other/resources/evil.zip" in row
    assert "to create)\n" in told


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


def test_names_and_words_of_others_are_no_markup_and_call_nobody() -> None:
    edited = there(resource("a.py", "two"), marker())._replace(updater="@all <img src=x> | `x` [a](b)")
    found = find(state(wanted(resource("a.py"))), live(edited), STACK, None)
    plan = make(state(wanted(resource("a.py"))), live(edited), stack=STACK, destination=HERE)
    for told in (markdown.drift_markdown(found, plan, None), markdown.plan_markdown(plan, None)):
        [row] = [line for line in told.splitlines() if "a.py" in line]
        assert row.count(" | ") == 3
        for active in ("@all", "<img", " `x`", "[a]("):
            assert active not in row
