"""Sizes, moments, and text that came from elsewhere, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
