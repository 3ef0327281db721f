"""Expressions of workflows come out as GitHub's pages say."""

from __future__ import annotations

from typing import Any

import pytest

from tests.pipelines.expressions import WrongExpression, condition, evaluate, fill

CONTEXTS: dict[str, Any] = {
    "github": {"ref": "refs/heads/main", "event": {"pull_request": {"labels": [{"name": "a"}, {"name": "B"}]}}},
    "inputs": {"targets": ""},
    "needs": {"check": {"result": "success"}},
}
STATUS: dict[str, Any] = {"success": lambda: True, "failure": lambda: False, "always": lambda: True}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("github.REF == 'Refs/heads/MAIN'", True),
        ("github.none.deeper", None),
        ("inputs.targets || 'all'", "all"),
        ("github.ref && 'x' || 'y'", "x"),
        ("contains(github.event.pull_request.labels.*.name, 'b')", True),
        ("github['event'].pull_request.labels[0].name", "a"),
        ("!(1 > 2) && null == 0 && '' == 0", True),
        ("format('{0} {{{1}}}', 1, true)", "1 {true}"),
        ("fromJSON('[1, 2]')[1]", 2),
        ("join(fromJSON('[\"a\", \"b\"]'), '+')", "a+b"),
        ("startsWith(github.ref, 'refs/heads/')", True),
        ("'it''s'", "it's"),
        ("needs.check.result != 'failure'", True),
        ("'1' == 1", True),
        ("'x' == 1", False),
    ],
)
def test_values(text: str, value: Any) -> None:
    assert evaluate(text, CONTEXTS, STATUS) == value


@pytest.mark.parametrize("text", ["secrets.KEY", "unknown()", "github.", "(1", "1 2", "'open", "a ? b"])
def test_what_is_wrong_is_no_value(text: str) -> None:
    with pytest.raises(WrongExpression):
        evaluate(text, CONTEXTS, STATUS)


def test_a_text_keeps_what_is_around_its_expressions() -> None:
    assert fill("a ${{ 1 }} ${{ github.none }}b", CONTEXTS, STATUS) == "a 1 b"
    assert fill("${{ fromJSON('{\"a\": [1]}') }}", CONTEXTS, STATUS) == {"a": [1]}


def test_a_condition_asks_for_success_unless_it_speaks_of_the_status() -> None:
    failed = {**STATUS, "success": lambda: False, "failure": lambda: True}
    assert not condition("github.ref", CONTEXTS, failed)
    assert condition("${{ always() && github.ref }}", CONTEXTS, failed)
    assert condition("failure()", CONTEXTS, failed)
