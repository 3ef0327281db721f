"""Every source of the corpus tells what it is expected to tell, at its place."""

from __future__ import annotations

import sys

import pytest

from reconciler.base.explanations import load_explanations
from reconciler.checks.python.check import check_module
from reconciler.targets.maxcompute.source_rules import SOURCE_RULES
from tests.unit.checks.corpus import CASES, Case

SINCE_311 = {"a star in an index"}
"""Told as E801 by an older parser, which stops there."""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.sentence)
def test_source_tells(case: Case) -> None:
    if sys.version_info < (3, 11) and case.sentence in SINCE_311:
        pytest.skip("this Python's own parser does not know it")
    found = check_module(case.raw, case.uses, SOURCE_RULES)
    lines = case.source.replace("\r\n", "\n").split("\n")
    told = [(one.code, lines[one.line - 1][one.column - 1 : one.column - 1 + one.width]) for one in found]
    assert sorted(told) == sorted(case.found)
    assert all(one.source == lines[one.line - 1] for one in found)


def test_corpus_is_large_and_knows_every_code() -> None:
    assert len(CASES) >= 100
    assert {code for case in CASES for code, _ in case.found} == {
        code for code in load_explanations() if code[:2] == "E8"
    }
