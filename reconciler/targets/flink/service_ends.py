"""
End of service of the vendor's engines, as far as its dates are known.

Sources: "Release notes" of Realtime Compute (2026-07), three releases of it; the rest were not read. Releases end in the order in which they came,
which is a guess: one that is older than another past its end is taken to be past it too.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from reconciler.base.words import quote
from reconciler.targets.flink.engines import parse_engine
from reconciler.targets.flink.manifest import flink_manifest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.base.errors import Problem
    from reconciler.manifest.load import Loaded

_ENDS = {(8, 0, 10): date(2026, 5, 21), (11, 1): date(2026, 12, 4), (11, 7): date(2027, 12, 3)}


def find_end_of_service(release: tuple[int, ...]) -> tuple[date, bool] | None:
    """Return the day on which a release ends, or by which it has; and whether it is known of that very release."""
    newer = min((known for known in _ENDS if known >= release), default=None)
    # From a series to the next nothing follows, but for those before the first whose end is known.
    if newer is None or (newer[0] != release[0] and newer != min(_ENDS)):
        return None
    return _ENDS[newer], newer == release


def check_service(loaded: Loaded, day: date | None) -> Iterator[Problem]:
    """Yield a warning for the chosen target's engine, if it is past its end of service on a day."""
    target = flink_manifest(loaded).targets.get(loaded.target_name)
    engine = parse_engine(target.engine) if target is not None else None
    end = find_end_of_service(engine.release) if engine is not None and engine.release else None
    if engine is None or end is None or day is None or end[0] >= day:
        return
    ended = f"since {end[0]}" if end[1] else f"since {end[0]} or before, when a newer one ended"
    message = f"{quote(engine.name)} is past its end of service, {ended}"
    hint = "name a newer engine; environments are then locked and built for it"
    yield loaded.problem("E348", message, "targets", loaded.target_name, "engine", hint=hint, severity="warning")
