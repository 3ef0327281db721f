"""Built-in functions give what the examples on their pages show."""

from __future__ import annotations

import pytest

from tests.contract.documented.examples import FAMILIES, outcomes


@pytest.mark.parametrize("family", FAMILIES)
def test_no_example_of_the_documentation_comes_out_differently_and_few_are_missing(family: str) -> None:
    """Every seventh of them; `python -m tests.contract.documented.examples` runs all, and prints what came of them."""
    found = outcomes(family, step=7)
    assert [outcome for outcome in found if outcome.kind == "different"] == []
    assert [
        outcome.actual for outcome in found if outcome.kind == "refused" and "missing here" not in outcome.actual
    ] == []


def test_windows_are_as_they_are_defined_where_no_page_shows_them() -> None:
    assert [outcome for outcome in outcomes("defined") if outcome.kind != "equal"] == []
