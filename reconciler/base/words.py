"""
Words of messages: sizes, moments, names in quotes, and a guess at the name that was meant.

Text that came from elsewhere is made fit for a terminal here: a name of a service is not ours.
"""

from __future__ import annotations

import difflib
from os.path import commonprefix
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime


def size(number: int) -> str:
    """Return bytes as ``412 B``, ``1.5 kB``, ``13.4 MB``; powers of 1,000, as the service's own limits are told."""
    if number < 1000:
        return f"{number} B"
    value = float(number)
    for unit in ("kB", "MB", "GB"):
        value /= 1000
        if value < 999.95 or unit == "GB":
            break
    return f"{value:.1f} {unit}"


def moment(when: datetime) -> str:
    """Return ``2026-11-20 17:04Z``."""
    return f"{when:%Y-%m-%d %H:%MZ}"


def safe(text: str) -> str:
    """Show characters that a terminal would obey as escapes: names and comments of a service are not ours."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text)


def terminal_width(text: str) -> int:
    """Return how many columns of a terminal a text takes: Chinese characters and their like take two."""
    return len(text) if text.isascii() else sum(map(_char_width, text))


def _char_width(char: str) -> int:
    import unicodedata

    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def cut(text: str, width: int) -> str:
    """Return the beginning of a text that takes no more than so many columns."""
    if text.isascii():
        return text[: max(0, width)]
    used = 0
    for number, char in enumerate(text):
        used += _char_width(char)
        if used > width:
            return text[:number]
    return text


_ENOUGH = 2_000
"""Comparing with more names than this takes longer than a hint is worth: every name of a large manifest may be wrong."""
_MAX_SHOWN = 80


def quote(text: str) -> str:
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
    alike = difflib.get_close_matches(word.lower(), near, n=5)
    if not alike:
        return None
    likeness = {name: difflib.SequenceMatcher(None, name, word.lower()).ratio() for name in alike}
    # Of names that are equally alike, the one whose beginning was typed: of E214 and E244 the former for E2144.
    typed = {name: len(commonprefix([name, word.lower()])) for name in alike}  # noqa: RUF071 - of characters
    return folded[max(alike, key=lambda name: (likeness[name], typed[name]))]


def did_you_mean(word: str, names: Iterable[str]) -> str | None:
    """Return the question to put to the user, if there is one."""
    name = closest(word, names)
    return suggest(name) if name else None


def suggest(name: str) -> str:
    """Return the question whether a name is meant: the one wording of it."""
    return f"did you mean {quote(name)}?"
