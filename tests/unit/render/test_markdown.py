"""Plans and drift as comments: they fit, and nothing in them is markup that is not ours."""

from __future__ import annotations

from reconciler.drift import find
from reconciler.errors import Problem
from reconciler.plan import Plan, make
from reconciler.render import markdown
from tests.unit.core.states import HERE, STACK, live, marker, resource, state, there, wanted


def plan_of(count: int, comment: str = "") -> Plan:
    wants = state(*(wanted(resource(f"module_{n:05}.py", comment=comment)) for n in range(count)))
    return make(wants, {}, stack=STACK, destination=HERE)


def test_a_plan_of_any_size_fits_into_a_comment_and_says_what_was_left_out() -> None:
    told = markdown.plan(plan_of(5_000), [], "udfs apply")
    assert len(told) < 65_536
    shown = told.count("| + | resource ")
    assert f"… and {5_000 - shown:,} more objects" in told
    assert told.endswith("Next: `udfs apply`\n"), "the next step is not what is cut off"
    assert "more object" not in markdown.plan(plan_of(3), [], None)


def test_refusals_without_end_are_cut_too() -> None:
    refusals = [Problem("E501", "x" * 1_000)] * 200
    assert len(markdown.plan(plan_of(2), refusals, None)) < 65_536


def test_names_and_words_of_others_are_no_markup_and_call_nobody() -> None:
    edited = there(resource("a.py", "two"), marker())._replace(updater="@all <img src=x> | `x` [a](b)")
    found = find(state(wanted(resource("a.py"))), live(edited), STACK, None)
    plan = make(state(wanted(resource("a.py"))), live(edited), stack=STACK, destination=HERE)
    for told in (markdown.drift(found, plan, None), markdown.plan(plan, [], None)):
        [row] = [line for line in told.splitlines() if "a.py" in line]
        assert row.count(" | ") == 3
        for active in ("@all", "<img", " `x`", "[a]("):
            assert active not in row
