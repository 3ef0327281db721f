"""Numbers and times from outside: nothing that Python, or the calendar, cannot go on with."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.base.numbers import is_countable, whole_number
from reconciler.targets.maxcompute.refusal import refusal_of


@given(st.text() | st.text("0123456789²٣_+- "))
def test_a_number_is_what_its_digits_say_or_none(text: str) -> None:
    number = whole_number(text)
    assert number is None or (text.isascii() and number == int(text) < 10**18)


@pytest.mark.parametrize("text", ["", "²", "٣", "1_0", "-1", " 1", "9" * 19, "9" * 5_000])
def test_what_other_readers_take_for_a_number_is_none_here(text: str) -> None:
    assert whole_number(text) is None
    assert refusal_of(503, {"Retry-After": text}, b"").retry_after is None


@given(st.datetimes(), st.integers(-1439, 1439))
def test_a_time_that_counts_can_be_moved_by_days_and_zones(when: datetime, minutes: int) -> None:
    if is_countable(when):
        moved = when.replace(tzinfo=timezone(timedelta(minutes=minutes)))
        for days in (-1, 1):
            assert (moved.astimezone(timezone.utc) + timedelta(days=days)) != moved
