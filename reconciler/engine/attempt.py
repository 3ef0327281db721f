"""
Retry of one change, which looks before it sends again.

An error says what is known of its outcome. *Safe*: the service did not act, so the change is sent again. *Unknown*: it
may have acted (the connection broke, a gateway answered), so the object is looked at first: as wanted, the change is
made; as it was, it is sent again; anything else, somebody was there in between. *Final*: sending again would not help.
The service has no way to tell two equal requests apart, so nothing is ever repeated blindly.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconciler.base.errors import ServiceError, StalePlan
from reconciler.core.diff import Action
from reconciler.core.plan import observation
from reconciler.core.state import Live
from reconciler.engine.staleness import gone_stale

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from reconciler.core.diff import Change
    from reconciler.core.target import Target


@dataclass(frozen=True)
class Patience:
    """How long a change is tried."""

    clock: Callable[[], float]
    """Seconds that only go forward."""

    stop: threading.Event = field(default_factory=threading.Event)
    """Set when the run is to end: nothing is waited for or tried again."""

    jitter: Callable[[], float] = lambda: 1.0
    """A factor around 1, so that many writers do not come back at the same moment."""

    attempts: int = 5
    first_wait: float = 0.5
    """Seconds; doubled each time."""

    longest_wait: float = 30.0
    deadline: float = 300.0
    """Seconds after which a change is not tried again."""

    def before_attempt(self, number: int, error: ServiceError, begun: float) -> bool:
        """Wait before attempt `number` (2, 3, …) and say whether it should be made."""
        seconds = min(self.first_wait * 2.0 ** (number - 2), self.longest_wait) * self.jitter()
        seconds = max(seconds, error.retry_after or 0.0)
        if number > self.attempts or self.clock() + seconds > begun + self.deadline:
            return False
        return not self.stop.wait(seconds)


def attempt(
    change: Change,
    target: Target,
    contents: Mapping[str, Path],
    sent: Callable[[int], None],
    patience: Patience,
    require_lease: Callable[[], None],
) -> Live | None:
    """Make one change and return what was seen of the object afterwards; raises what could not be helped."""
    begun, number = patience.clock(), 1
    # Before a create nothing is looked at: the service refuses a name that is taken.
    if change.action is not Action.CREATE:
        _require_unmoved(change, target.read_one(change.key))
    while True:
        require_lease()
        try:
            return target.write(change, contents, sent)
        except StalePlan:
            # Taken, by somebody else or by this very request: some proxies deliver one twice.
            current = target.read_one(change.key) if change.action is Action.CREATE else None
            if current is not None and _is_made(change, current):
                return current
            raise
        except ServiceError as error:
            if error.outcome == "final":
                raise
            number += 1
            if not patience.before_attempt(number, error, begun):
                raise
            if error.outcome == "unknown":
                current = target.read_one(change.key)
                if _is_made(change, current):
                    return current
                _require_unmoved(change, current)


def _require_unmoved(change: Change, current: Live | None) -> None:
    """Raise `StalePlan` if an object is not the one that was planned against."""
    if observation(current) != observation(change.live) or _holder(change.live) != _holder(current):
        who = f" by {current.updater}" if current and current.updater else ""
        what = "is gone" if current is None else f"was {'created' if change.live is None else 'changed'}{who}"
        raise gone_stale(change.key, what)


def _holder(live: Live | None) -> str | None:
    """Return the stack that marks an object: where it has changed, the object is somebody else's, whatever is in it."""
    return live.mark.stack if live is not None and live.mark is not None else None


def _is_made(change: Change, current: Live | None) -> bool:
    """Say whether an object is as a change wanted it."""
    if change.desired is None or current is None:
        return change.desired is None and current is None
    desired = Live(change.desired.object)
    return observation(current) == observation(desired) and current.mark == change.mark
