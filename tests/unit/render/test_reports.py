"""Problems for code scanning and for GitHub's runs."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.base.errors import Position, Problem
from reconciler.base.explanations import load_explanations
from reconciler.base.hints import Command
from reconciler.base.invocation import WITHOUT_FILE, WITHOUT_TARGET, Invocation
from reconciler.cli.group import group
from reconciler.cli.overview import COMMANDS
from reconciler.core.plan import Plan
from reconciler.engine.plan_file import plan_document, to_json
from reconciler.render import markdown, styled
from reconciler.render.documents.problems import problems_document
from reconciler.render.findings import SarifLog, workflow_commands
from tests.unit.core.states import HERE, STACK

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.base.hints import Hint

TEXT = st.text(max_size=30)
PROBLEMS = st.builds(
    Problem,
    st.sampled_from(sorted(load_explanations())),
    TEXT,
    st.none() | st.builds(Position, TEXT, st.integers(1, 99), st.integers(1, 99)),
    st.none() | TEXT,
    st.none() | TEXT,
    st.integers(0, 20),
    st.sampled_from(["error", "warning"]),
    st.lists(TEXT, max_size=2).map(tuple),
)


def _run(*problems: Problem) -> dict[str, Any]:
    document = json.loads(SarifLog(problems).text())
    assert document["version"] == "2.1.0"
    (run,) = document["runs"]
    assert isinstance(run, dict)
    return run


def test_sarif_names_the_rule_and_the_place() -> None:
    found = Problem("E805", "no method", Position("udfs/a b.py", 3, 7), "add it", "class F", 1, "warning", ("more",))
    run = _run(found)
    (result,) = run["results"]
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == "E805"
    assert result["message"]["text"] == "no method\nmore\nhelp: add it"
    assert result["level"] == "warning"
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "udfs/a%20b.py"
    assert place["region"] == {"startLine": 3, "startColumn": 7, "endColumn": 8}


def test_sarif_makes_uris_of_absolute_paths_and_needs_no_place() -> None:
    run = _run(Problem("E101", "m", Position("/tmp/u.yaml")), Problem("E101", "n"))
    first, second = run["results"]
    assert first["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "file:///tmp/u.yaml"
    assert "locations" not in second
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["E101"]


@given(st.lists(PROBLEMS, max_size=4))
def test_sarif_takes_any_problem(found: list[Problem]) -> None:
    run = _run(*found)
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert [result["ruleId"] for result in run["results"]] == [problem.code for problem in found]
    assert rules == sorted(set(rules))


def test_github_escapes_what_would_end_a_command() -> None:
    found = Problem("E805", "50% of\nit", Position("a,b:c.py", 3, 7), "one\ntwo", width=4)
    expected = "::error file=a%2Cb%3Ac.py,line=3,endLine=3,col=7,endColumn=11,title=E805::50%25 of\\nit%0Ahelp: one%0Ahelp: two\n"
    assert workflow_commands([found]) == expected


@given(st.lists(PROBLEMS, max_size=4))
def test_github_prints_one_command_a_problem_whatever_is_in_it(found: list[Problem]) -> None:
    lines = workflow_commands(found).splitlines()
    assert len(lines) == len(found)
    for line, problem in zip(lines, found, strict=True):
        assert re.fullmatch(r"::(error|warning) (\w+=[^,:]*,)*title=E\d{3}::.*", line)
        assert not line.removeprefix(f"::{problem.severity} ").startswith("::")


@pytest.mark.parametrize(
    "told",
    [
        lambda one: styled.plain_text(styled.problems_lines([one])),
        lambda one: to_json(problems_document([one])),
        lambda one: to_json(plan_document(Plan(STACK, HERE, (), refusals=(one,)))),
        lambda one: markdown.plan_markdown(Plan(STACK, HERE, (), refusals=(one,)), None),
        lambda one: SarifLog((one,)).text(),
        lambda one: workflow_commands([one]),
    ],
)
def test_in_every_format_a_hint_names_commands_as_they_have_to_be_typed(told: Callable[[Problem], str]) -> None:
    found = Problem("E504", "the manifest is empty", hint=("if the stack is to go, run: ", Command("destroy")))
    assert "run: udfs destroy" in told(found)
    (complete,) = Invocation(" -f bank.yaml", " --target prod").complete([found])
    assert "run: udfs destroy -f bank.yaml --target prod" in told(complete)


@pytest.mark.parametrize(
    ("hint", "text"),
    [
        (None, ""),
        ("udfs plan", "udfs plan"),
        (Command("unlock", "--epoch 3"), "udfs unlock -f a.yaml --target b --epoch 3"),
        (("see ", Command("explain", "E504"), "."), "see udfs explain E504."),
        (Command("init"), "udfs init -f a.yaml"),
    ],
)
def test_a_command_of_a_hint_gets_the_options_that_it_takes(hint: Hint | None, text: str) -> None:
    assert Invocation(" -f a.yaml", " --target b").spell(hint) == text


def test_which_options_a_command_takes_is_what_it_declares() -> None:
    context = click.Context(group)
    commands = {name: command for name in COMMANDS if (command := group.get_command(context, name))}
    assert set(commands) == set(COMMANDS)
    declared = {name: {param.name for param in command.params} for name, command in commands.items()}
    assert {name for name, params in declared.items() if "file" not in params} == WITHOUT_FILE
    assert {name for name, params in declared.items() if "target" not in params} == WITHOUT_TARGET


def test_of_more_than_ten_of_a_kind_the_tenth_counts_the_rest() -> None:
    errors = [Problem("E101", f"m{number}", Position("udfs.yaml", number)) for number in range(1, 14)]
    few = [Problem("E102", "w", severity="warning")]
    lines = workflow_commands([*errors, *few]).splitlines()
    assert sum(line.startswith("::error ") for line in lines) == 10
    assert lines[-1].startswith("::error title=udfs::and 4 more errors (4 × E101)")
    assert sum(line.startswith("::warning ") for line in lines) == 1
    assert len(workflow_commands(errors[:10]).splitlines()) == 10


@given(PROBLEMS, st.integers(1, 50))
def test_a_fingerprint_stays_where_lines_move_and_tells_two_of_one_line_apart(problem: Problem, line: int) -> None:
    def fingerprints(*problems: Problem) -> list[str]:
        [run] = json.loads(SarifLog(problems).text())["runs"]
        return [result["partialFingerprints"]["primaryLocationLineHash"] for result in run["results"]]

    moved = replace(problem, at=problem.at and replace(problem.at, line=line))
    assert fingerprints(problem) == fingerprints(moved)
    assert len(set(fingerprints(problem, moved))) == 2
    other = replace(problem, message=f"{problem.message}, and not as before")
    assert fingerprints(problem) != fingerprints(other)
