"""Guess what a misspelt name was meant to be."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_ENOUGH = 2_000
"""Comparing with more names than this takes longer than a hint is worth: every name of a large manifest may be wrong."""


def closest(word: str, names: Iterable[str]) -> str | None:
    """Return the name that `word` most resembles, if one does."""
    candidates = sorted(names)
    folded = {name.lower(): name for name in reversed(candidates)}
    if word.lower() in folded:
        return folded[word.lower()]
    if len(word) > 255:
        return None
    near = [name for name in folded if abs(len(name) - len(word)) <= 3][:_ENOUGH]
    found = difflib.get_close_matches(word.lower(), near, n=1)
    return folded[found[0]] if found else None


def did_you_mean(word: str, names: Iterable[str]) -> str | None:
    """Return the question to put to the user, if there is one."""
    found = closest(word, names)
    return f"did you mean '{found}'?" if found else None
