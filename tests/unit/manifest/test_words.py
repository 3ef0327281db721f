"""How problems put names."""

from __future__ import annotations

from reconciler.base.words import closest, did_you_mean, quote


def test_names_are_quoted_short_and_safe() -> None:
    assert quote("a") == "'a'"
    assert quote("x" * 100) == f"'{'x' * 80}…'"
    assert quote("a\x1b\u202e") == r"'a\x1b\u202e'"


def test_a_name_that_differs_in_case_is_the_first_guess() -> None:
    assert closest("ABC", ["abd", "abc"]) == "abc"


def test_a_guess_is_close_or_none() -> None:
    assert did_you_mean("clas", ["class", "source"]) == "did you mean 'class'?"
    assert did_you_mean("zzz", ["class", "source"]) is None
    assert closest("x" * 300, ["x" * 299]) is None
