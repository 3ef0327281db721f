"""
Exemptions from drift: fields that may differ for good, or objects for a reason and until a day.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from reconciler.base.words import quote
from reconciler.manifest.dialect import Flaw

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.manifest.dialect import Draft


def check_ignored(draft: Draft[Any]) -> Iterator[Flaw]:
    """Yield what is ignored as a whole without a reason or a last day, and days that no calendar has."""
    for number, rule in enumerate(draft.manifest.ignore):
        lacks = [key for key, value in {"reason": rule.reason, "until": rule.until}.items() if not value]
        if not rule.what and lacks:
            message = f"{quote(rule.object)} is ignored as a whole, and has no {' and no '.join(lacks)}"
            hint = (
                "write {object: NAME, reason: why, until: 2026-12-31}, or `what:` for fields that may differ for good"
            )
            yield Flaw("E585", message, ("ignore", number), hint)
        if rule.until:
            try:
                date.fromisoformat(rule.until)
            except ValueError:
                message = f"there is no day {quote(rule.until)}"
                yield Flaw("E586", message, ("ignore", number, "until"), "year, month and day: 2026-12-31")
