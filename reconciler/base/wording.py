"""How problems put names: quoted, short, fit for a terminal, and with a guess at what was meant."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_ENOUGH = 2_000
"""Comparing with more names than this takes longer than a hint is worth: every name of a large manifest may be wrong."""
_MAX_SHOWN = 80


def quoted(text: str) -> str:
    """Return `text` in quotes, however long or hostile it is."""
    short = text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"
    # Escapes of a quoted scalar can hold what the file itself may not.
    return f"'{short}'" if short.isprintable() else ascii(short)


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
    return f"did you mean {quoted(found)}?" if found else None
