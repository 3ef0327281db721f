"""
Progress: what goes on, as one line that fits into its terminal.

A rest is told only where it can be known: of everything that is counted there is a total, and enough is done to tell how
fast it goes. Objects and bytes count together: what is left of a thousand tiny files is requests, of a large one bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.base.activity import BYTES
from reconciler.base.words import cut, safe, size, terminal_width

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.base.activity import Count, Standing, WorkItem

_TELLING = 2.0
"""Seconds after which a speed says something."""

_SHARE = 20
"""Of all that is to be done, one part in so many has to be done."""

_OBJECT = 200_000
"""Bytes that take as long as one object beside its content: a request of 40 ms at 5 MB/s. A guess."""


def progress_text(standings: Sequence[Standing]) -> str:
    """Return what goes on: the widest activity, and what it waits for right now."""
    telling = [standing for standing in standings if not standing.is_minor] or list(standings)
    if not telling:
        return ""
    chosen = [telling[0], telling[-1]] if len(telling) > 1 else telling
    return "; ".join(_standing(standing) for standing in chosen)


def fit(text: str, width: int) -> str:
    """Return a text cut to so many columns."""
    return text if terminal_width(text) <= width else f"{cut(text, width - 1)}…"


def _standing(standing: Standing) -> str:
    counts = [count for count in standing.counts if count.done or count.total]
    parts = [safe(standing.words)]
    if counts:
        parts[0] += f": {_count(counts[0])}"
        parts += map(_count, counts[1:])
    rest = seconds_left(counts)
    if rest is not None and _is_disproved(rest, counts, standing.items):
        rest = None
    parts.append(f"{_duration(standing.seconds)}" if rest is None else f"about {_duration(_rounded(rest))} left")
    if standing.items:
        longest = max(standing.items, key=lambda item: item.seconds)
        parts.append(_item(longest, parts[-1], more=len(standing.items) - 1))
    return ", ".join(parts)


def _item(item: WorkItem, time: str, *, more: int) -> str:
    """Return what one thread is at, and for how long where that is not the `time` that was said just before."""
    duration = _duration(item.seconds)
    since = f" for {duration}" if item.seconds >= _TELLING and duration != time else ""
    others = f" and {more} more" if more else ""
    doing = f": {item.doing}" if item.doing else ""
    return safe(f"{item.words}{since}{others}{doing}")


def seconds_left(counts: Sequence[Count]) -> float | None:
    """Return how long it takes until all is done, at the speed so far; None where that cannot be told."""
    if not counts or any(count.total is None for count in counts):
        return None
    done = sum(_weight(count) * min(count.done, count.total or 0) for count in counts)
    left = sum(_weight(count) * max(0, (count.total or 0) - count.done) for count in counts)
    seconds = max(count.seconds for count in counts)
    if not left or seconds < _TELLING or done * _SHARE < left:
        return None
    return seconds / done * left


def _is_disproved(rest: float, counts: Sequence[Count], items: Sequence[WorkItem]) -> bool:
    """Say whether one object takes longer already than all that is left should, as the start of a job does beside files."""
    has_bytes = any(count.noun == BYTES and count.done < (count.total or 0) for count in counts)
    return not has_bytes and any(item.seconds > max(rest, _TELLING) for item in items)


def _weight(count: Count) -> int:
    return 1 if count.noun == BYTES else _OBJECT


def _rounded(seconds: float) -> float:
    """Return a rest as exactly as it is known, and never as nothing."""
    step = 60 if seconds > 600 else 10 if seconds > 60 else 5 if seconds > 10 else 1
    return max(step, round(seconds / step) * step)


def _count(count: Count) -> str:
    # What had to be sent twice is more than there is.
    total = count.total if count.total is not None and count.done <= count.total else None
    if count.noun == BYTES:
        return size(count.done) if total is None else f"{size(count.done)} of {size(total)}"
    return f"{count.done:,} {count.noun}" if total is None else f"{count.done:,} of {total:,} {count.noun}"


def _duration(seconds: float) -> str:
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60} s" if whole < 600 else f"{whole // 60} min"
