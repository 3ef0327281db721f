"""
Numbers and times from outside: what can be calculated with, and None for the rest.

Files, variables and services say numbers of any length and in any script, and times at which calendars end; a minute later
than the last of 9999 is an error of Python's, wherever it is added.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

_FIRST_YEAR, _LAST_YEAR = 2, 9998


def whole_number(text: str, digits: int = 18) -> int | None:
    """Read a number of ASCII digits alone, without a sign; None for anything else, and for one of more digits than that."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= digits else None


def is_countable(when: datetime) -> bool:
    """Say whether days may be added to a time, and its zone be changed, without leaving the calendar."""
    return _FIRST_YEAR <= when.year <= _LAST_YEAR
