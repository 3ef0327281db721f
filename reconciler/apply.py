"""
Make the changes of a plan, in its order, and say of each object what became of it.

Before an object is replaced or deleted it is read once more: the service has no conditional writes, so this does not
close the gap between reading and writing, it makes it as short as one round trip. A create needs no look, because the
service refuses a name that is taken. The run stops at the first failure; nothing is undone, and the same command
carries on, because a plan is always made against what is there.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Protocol

from reconciler.diff import Action
from reconciler.errors import StalePlan, UdfsError
from reconciler.plan import observation
from reconciler.report import Outcome, Report

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from reconciler.diff import Change
    from reconciler.names import Key
    from reconciler.plan import Plan
    from reconciler.state import Live
    from reconciler.targets import Target


class Progress(Protocol):
    """What a terminal may want to show while changes are made."""

    def started(self, change: Change) -> None: ...

    def sent(self, change: Change, size: int) -> None: ...

    def finished(self, change: Change) -> None: ...


class Silent:
    """A `Progress` that shows nothing."""

    def started(self, change: Change) -> None:
        """Show nothing."""

    def sent(self, change: Change, size: int) -> None:
        """Show nothing."""

    def finished(self, change: Change) -> None:
        """Show nothing."""


def apply(
    plan: Plan,
    target: Target,
    contents: Mapping[str, Path],
    progress: Progress,
    *,
    require_lease: Callable[[], None] = lambda: None,
) -> Report:
    """
    Make the changes of `plan`. `contents` finds the bytes of a resource by their sha256.

    `require_lease` is called before each change and raises when the lease is lost. Errors do not leave: they are in the
    report, beside what was done before them.
    """
    outcomes: list[tuple[Change, Outcome]] = []
    observed: dict[Key, Live] = {}

    def report(error: UdfsError | None = None, *, interrupted: bool = False) -> Report:
        rest = plan.changes[len(outcomes) :]
        failed = [(change, Outcome.FAILED) for change in rest[:1] if error or interrupted]
        later = [(change, Outcome.NOT_TRIED) for change in rest[len(failed) :]]
        return Report((*outcomes, *failed, *later), observed, error, interrupted)

    for change in plan.changes:
        progress.started(change)
        try:
            require_lease()
            require_unmoved(change, target)
            seen = target.write(change, contents, functools.partial(progress.sent, change))
        except UdfsError as error:
            return report(error)
        except KeyboardInterrupt:
            return report(interrupted=True)
        if seen is not None:
            observed[change.key] = seen
        progress.finished(change)
        outcomes.append((change, Outcome.DONE))
    return report()


def require_unmoved(change: Change, target: Target) -> None:
    """Raise `StalePlan` if an object that is about to be replaced or deleted is not the one that was planned against."""
    if change.action is Action.CREATE:
        return
    found = target.read_one(change.key)
    if observation(found) != observation(change.live):
        who = f" by {found.updater}" if found and found.updater else ""
        what = "is gone" if found is None else f"was changed{who}"
        raise StalePlan(
            "E506",
            f"{change.key} {what} since the plan was made",
            hint="run the command again and look at the new plan",
        )
