"""What a person reads."""

from __future__ import annotations

import datetime as dt
from collections import namedtuple
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.base.errors import Position, Problem, UdfsError, place_problem
from reconciler.base.words import cut, safe, size, terminal_width
from reconciler.core.diff import Cause
from reconciler.core.kind import Mark
from reconciler.core.state import Live
from reconciler.render import records, styled, text
from reconciler.targets.maxcompute.names import Reference, parse_reference, read_comment, write_comment
from reconciler.targets.maxcompute.objects import Function, Resource
from reconciler.testing.expectations import format_value
from tests.unit.core.states import HERE, NOON, STACK, function, live, make, marker, resource, state, there, wanted


@given(st.text())
def test_nothing_that_a_terminal_would_obey_gets_through(anything: str) -> None:
    assert safe(anything).isprintable()


def test_ordinary_text_of_any_language_is_left_alone() -> None:
    assert safe("Größe 数据 ok") == "Größe 数据 ok"


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_999, "1.0 MB"),
        (2**31, "2.1 GB"),
        (10**13, "10000.0 GB"),
    ],
)
def test_sizes_read_well(number: int, told: str) -> None:
    assert size(number) == told


def lines(*found: Problem) -> list[str]:
    return styled.plain_text(styled.problems_lines(found)).splitlines()


def test_a_problem_points_at_its_place() -> None:
    told = lines(Problem("E214", "unknown key 'clas'", Position("u.yaml", 12, 5), "write class", "    clas: F", 4))
    assert told == [
        "u.yaml:12:5: error[E214]: unknown key 'clas'",
        " 12 |     clas: F",
        "    |     ^^^^",
        "  help: write class",
    ]


def test_the_caret_stays_under_its_character_when_others_are_escaped() -> None:
    [_, source, caret] = lines(Problem("E103", "a tab", Position("u.yaml", 1, 3), None, "\t\tx"))
    assert source.index("x") == caret.index("^")


@given(
    st.text("ab日本é ", max_size=60),
    st.text("xy版", min_size=1, max_size=9),
    st.text("ab日本 ", max_size=60),
    st.integers(12, 90),
)
def test_in_a_terminal_of_any_width_a_caret_stands_under_what_it_points_at(
    before: str, word: str, after: str, width: int
) -> None:
    problem = Problem("E203", "no", Position("u.yaml", 7, len(before) + 1), None, f"{before}{word}{after}", len(word))
    shown = styled.fit_sources(styled.problem_lines(problem), width)
    _, source, caret = styled.plain_text(shown).splitlines()
    assert terminal_width(source) <= width
    assert terminal_width(caret) <= width
    indent = caret.index("^")
    before_caret = cut(source, indent)
    assert terminal_width(before_caret) == indent
    pointed = source[len(before_caret) :]
    seen = cut(pointed, caret.count("^")).removesuffix("…")
    assert seen
    assert word.startswith(seen)
    assert seen == word or pointed == f"{seen}…" or terminal_width(cut(word, caret.count("^"))) < caret.count("^")


def test_several_problems_are_counted_and_warnings_are_not() -> None:
    warning = Problem("E301", "unused", severity="warning")
    assert lines(warning, Problem("E302", "bad")) == ["warning[E301]: unused", "error[E302]: bad"]
    assert lines(Problem("E302", "bad"), Problem("E303", "worse"))[-1] == "2 problems"


def test_text_of_the_service_cannot_forge_lines() -> None:
    forged = Live(resource("a.py"), "eve\n2 created", "eve\x1b[2J", NOON, NOON)
    plan = make(state(wanted(resource("a.py"))), live(forged), stack=STACK, destination=HERE)
    told = styled.plain_text(styled.problems_lines(plan.refusals))
    assert "\x1b" not in told
    assert len(told.splitlines()) == 2


def test_an_error_of_several_findings_is_told_in_the_order_of_places() -> None:
    error = UdfsError.of(
        [
            Problem("E2", "late", Position("u", 9, 1)),
            Problem("E1", "no place"),
            Problem("E3", "early", Position("u", 1, 1)),
        ]
    )
    assert str(error) == "early; late; no place"


def test_a_place_is_given_only_to_what_has_none() -> None:
    here, there_ = Position("a", 1, 1), Position("b", 2, 2)
    assert place_problem(Problem("E1", "x"), here).at == here
    assert place_problem(Problem("E1", "x", there_), here).at == there_


def summary_of(desired, have) -> str:  # type: ignore[no-untyped-def]
    return text.plan_summary(make(desired, have, stack=STACK, destination=HERE))


def test_the_summary_counts_what_matters() -> None:
    assert summary_of({}, {}) == "Nothing to do: 0 objects as the manifest says"
    assert (
        summary_of({}, live(there(resource("x"))))
        == "Nothing to do: 0 objects as the manifest says · 1 object of others left alone"
    )
    assert summary_of(state(wanted(resource("a.py"))), live(there(resource("a.py")))).startswith(
        "Plan refused: 0 objects as the manifest says"
    )


def test_the_summary_of_a_refused_plan_begins_with_that() -> None:
    clash = live(there(resource("a.py")))
    assert summary_of(state(wanted(resource("a.py")), wanted(resource("b.py"))), clash).startswith(
        "Plan refused: 1 to create"
    )


@pytest.mark.parametrize("cause", list(Cause))
def test_every_cause_has_its_sentence_in_a_plan(cause: Cause) -> None:
    from dataclasses import replace

    plan = make(
        state(wanted(resource("a.py", "new"), "new")),
        live(there(resource("a.py"), marker())),
        stack=STACK,
        destination=HERE,
    )
    changed = replace(plan, changes=tuple(change._replace(cause=cause) for change in plan.changes))
    told = styled.plain_text(text.plan_lines(changed))
    assert "resource a.py" in told
    assert "content" in told


def test_comments_are_quoted_and_tables_named() -> None:
    old, new = resource("a.py", comment="it's"), resource("a.py", comment="")
    plan = make(state(wanted(new)), live(there(old, marker())), stack=STACK, destination=HERE)
    assert """comment    "it's" → ''""" in styled.plain_text(text.plan_lines(plan))
    table = make(
        state(wanted(Resource("t", "table", table="d.b"), None)),
        live(there(Resource("t", "table", table="d.a"), marker(None))),
        stack=STACK,
        destination=HERE,
    )
    assert "table      d.a → d.b" in styled.plain_text(text.plan_lines(table))


@given(
    st.text(st.characters(min_codepoint=32, max_codepoint=126)),
    st.sets(st.text("0123456789abcdef", min_size=8, max_size=8)),
)
def test_a_comment_is_read_as_it_was_written(comment: str, functions: set[str]) -> None:
    mark = Mark("risk-2", "a" * 64, "b" * 32, frozenset(functions))
    told, found = read_comment(write_comment(comment, mark, "A.py"), "a.PY")
    assert found == mark
    assert told == comment.rstrip() or read_comment(comment, "a.py")[1] is not None


def test_a_comment_of_somebody_else_is_theirs() -> None:
    for comment in ("", "plain", "[udfs/2 risk]", "[udfs/1 Risk]", "[udfs/1 risk] and more", "dbt-maxcompute managed"):
        assert read_comment(comment, "a.py") == (comment, None)
    copied = write_comment("text", Mark("risk"), "a.py")
    assert read_comment(copied, "b.py") == (copied, None), "a comment that was copied marks nothing"


def test_references_are_brought_to_one_form() -> None:
    assert parse_reference("demo/resources/a.py", "Demo", None) == Reference("a.py")
    assert parse_reference("demo/schemas/DEFAULT/resources/a.py", "demo", "default") == Reference("a.py")
    assert str(parse_reference("demo/schemas/s/resources/a.py", "demo", None)) == "demo/schemas/s/resources/a.py"
    assert parse_reference("demo/schemas/s/resources/a.py", "demo", "S").is_own
    assert str(parse_reference("x/resources/a.py", "demo", None)) == "x/resources/a.py"


Point = namedtuple("Point", "x y")


@pytest.mark.parametrize(
    ("value", "told", "document"),
    [
        (None, "NULL", "null"),
        ("a\tb", "a\tb", '"a\\tb"'),
        (True, "true", "true"),
        (1, "1", "1"),
        (1.5, "1.5", "1.5"),
        (Decimal("1.10"), "1.10", '"1.10"'),
        (dt.date(2026, 5, 1), "2026-05-01", '"2026-05-01"'),
        (dt.datetime(2026, 5, 1, 12, 30), "2026-05-01 12:30:00", '"2026-05-01T12:30:00"'),  # noqa: DTZ001 - DATETIME has no zone
        (b"\x00\xff", "00ff", '"AP8="'),
        ([1, None], "[1, null]", "[1, null]"),
        ({"a": Decimal(1)}, '{"a": "1"}', '{"a": "1"}'),
        (("a", None), "a\tNULL", '["a", null]'),
        (Point(1, 2), "[1, 2]", "[1, 2]"),
    ],
)
def test_values_are_shown_as_sql_would(value: object, told: str, document: str) -> None:
    assert format_value(value) == told
    assert format_value(value, as_json=True) == document


def test_a_function_without_a_known_owner_is_shown_all_the_same() -> None:
    from reconciler.core.report import Deployed

    bare = Deployed(Live(Function("f", "a.F")), (Live(Resource("t", "table", table="d.t")),), (), (), "")
    assert styled.plain_text(records.function_lines([bare])) == "f  class a.F\n  table    t, d.t\n"


def test_what_a_function_lists_of_another_project_is_shown() -> None:
    from reconciler.core.report import Deployed

    far = Function(
        "f", "a.F", (Reference("evil\x1b.zip", "theirs"), Reference("x.zip", "theirs", "dev"), Reference("b.py"))
    )
    told = styled.plain_text(records.function_lines([Deployed(Live(far), (), ("b.py",), (), "")]))
    assert told.splitlines()[1:] == [
        r"  other    theirs/resources/evil\x1b.zip, which lies elsewhere and was not looked at",
        "  other    theirs/schemas/dev/resources/x.zip, which lies elsewhere and was not looked at",
        "  missing  b.py",
    ]


def test_a_function_differs_in_class_and_list() -> None:
    plan = make(
        state(wanted(resource("a.py"), "one", "f"), wanted(function("f", "a.py", class_path="a.G"))),
        live(there(resource("a.py"), marker("one", "f")), there(function("f", "a.py", "b.csv"))),
        stack=STACK,
        destination=HERE,
    )
    told = styled.plain_text(text.plan_lines(plan))
    assert "class      a.F → a.G" in told
    assert "resources  - b.csv" in told


def test_a_line_too_long_to_read_is_not_shown() -> None:
    found = Problem("E801", "it is wrong", at=Position("f.py", 1, 3), source="x" * 3000, hint="mend it")
    assert styled.plain_text(styled.problem_lines(found)) == "f.py:1:3: error[E801]: it is wrong\n  help: mend it\n"
