"""
Parallel execution of a plan, and retry of one change: several are made at a time, and each object has an outcome.

What a change needs is made before it, nothing is removed before everything is written, and within that independent
changes do not wait for each other. A failure blocks what needs it; the rest goes on, unless the failure says that nobody
should: a plan that turned out stale, a lost lease, refused credentials. Nothing is undone, and the same command carries
on, because a plan is always made against what is there.

One thread, the caller's, decides; the others write. When the run is asked to end (`Patience.stop`), what is in flight is
finished and recorded, and nothing new is begun.

A change is tried again as far as its error tells what is known of its outcome. *Safe*: the service did not act, so the
change is sent again. *Unknown*: it may have acted (the connection broke, a gateway answered), so the object is looked at
first: as wanted, the change is made; as it was, it is sent again; anything else, somebody was there in between. *Final*:
sending again would not help. The service has no way to tell two equal requests apart, so nothing is ever repeated blindly.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Protocol

from reconciler.base.activity import BYTES, activity, announce
from reconciler.base.errors import AccessError, LeaseHeld, ServiceError, StalePlan, UdfsError
from reconciler.core.diff import Action
from reconciler.core.plan import needs, observation
from reconciler.core.report import Outcome, Report, StepBegun, StepEnded
from reconciler.engine.staleness import gone_stale

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from reconciler.core.diff import Change
    from reconciler.core.kind import Key
    from reconciler.core.plan import Plan
    from reconciler.core.state import Live
    from reconciler.core.target import Target


_ENDS_THE_RUN = (StalePlan, LeaseHeld, AccessError)


class Progress(Protocol):
    """What a terminal may want to show while changes are made."""

    def started(self, change: Change) -> None: ...

    def sent(self, change: Change, size: int) -> None:
        """Called from the thread that writes."""

    def finished(self, change: Change) -> None: ...


def apply(
    plan: Plan,
    target: Target,
    contents: Mapping[str, Path],
    progress: Progress,
    *,
    patience: Patience,
    require_lease: Callable[[], None] = lambda: None,
    writers: int = 8,
) -> Report:
    """
    Make the changes of `plan`. `contents` finds bytes to send by their sha256.

    `require_lease` is called before each write and raises when the lease is lost. Errors do not leave: they are in the
    report, beside what was done.
    """

    with activity("applying") as applying:
        applying.plan("objects", len(plan.changes))
        applying.plan(BYTES, plan.upload_bytes)

        def write(change: Change) -> Live | None:
            def sent(size: int) -> None:
                applying.count(BYTES, size)
                progress.sent(change, size)

            announce(StepBegun(change))
            try:
                with applying.at(f"{change.action.value} {change.key}"):
                    live = attempt(change, target, contents, sent, patience, require_lease)
            except UdfsError as error:
                announce(StepEnded(change, Outcome.FAILED, error))
                raise
            announce(StepEnded(change, Outcome.DONE))
            applying.count("objects")
            return live

        run = _Run(plan, write, progress, patience.stop, max(1, min(writers, len(plan.changes))))
        run.make(change for change in plan.changes if change.action is not Action.DELETE)
        if run.is_complete_so_far:
            run.make(change for change in plan.changes if change.action is Action.DELETE)
        report = run.report()
        for change, outcome in report.outcomes:
            if outcome is Outcome.NOT_TRIED:
                announce(StepEnded(change, outcome))
        return report


class _Run:
    """One apply: what was begun, what ended how."""

    def __init__(
        self,
        plan: Plan,
        write: Callable[[Change], Live | None],
        progress: Progress,
        stop: threading.Event,
        writers: int,
    ) -> None:
        self._plan, self._write, self._progress, self._stop, self._writers = plan, write, progress, stop, writers
        self._outcomes: dict[Key, Outcome] = {}
        self._observed: dict[Key, Live] = {}
        self._errors: list[UdfsError] = []

    @property
    def is_complete_so_far(self) -> bool:
        return not self._errors and not self._stop.is_set()

    def make(self, changes: Iterable[Change]) -> None:
        """Make some of the plan's changes, each after those that it needs."""
        by_key = {change.key: change for change in changes}
        position = {key: number for number, key in enumerate(by_key)}
        sorter = TopologicalSorter(_order(by_key))
        sorter.prepare()
        tasks: queue.SimpleQueue[Change | None] = queue.SimpleQueue()
        results: queue.SimpleQueue[tuple[Change, Live | BaseException | None]] = queue.SimpleQueue()
        for _ in range(self._writers):
            threading.Thread(target=_work, args=(self._write, tasks, results), name="udfs-writer", daemon=True).start()
        ready: deque[Key] = deque()
        in_flight = 0
        try:
            while sorter.is_active():
                ready.extend(sorted(sorter.get_ready(), key=position.__getitem__))
                # No more than there are hands: what waits in a queue could not be taken back.
                while ready and in_flight < self._writers and self._may_begin:
                    change = by_key[ready.popleft()]
                    self._progress.started(change)
                    tasks.put(change)
                    in_flight += 1
                if not in_flight:
                    return
                change, result = results.get()
                in_flight -= 1
                if self._record(change, result):
                    sorter.done(change.key)
        finally:
            for _ in range(self._writers):
                tasks.put(None)

    @property
    def _may_begin(self) -> bool:
        return not self._stop.is_set() and not any(isinstance(error, _ENDS_THE_RUN) for error in self._errors)

    def _record(self, change: Change, result: Live | BaseException | None) -> bool:
        """Note how a change ended and say whether what needs it may begin."""
        if isinstance(result, UdfsError):
            self._outcomes[change.key] = Outcome.FAILED
            self._errors.append(result)
            return False
        if isinstance(result, BaseException):
            raise result
        self._outcomes[change.key] = Outcome.DONE
        if result is not None:
            self._observed[change.key] = result
        self._progress.finished(change)
        return True

    def report(self) -> Report:
        outcomes = tuple((c, self._outcomes.get(c.key, Outcome.NOT_TRIED)) for c in self._plan.changes)
        error = self._errors[0] if self._errors else None
        if error is not None and len(self._errors) > 1:
            # Each failure is told; the first decides the exit code.
            error.problems = tuple(dict.fromkeys(problem for failure in self._errors for problem in failure.problems))
        interrupted = self._stop.is_set() and any(outcome is not Outcome.DONE for _, outcome in outcomes)
        return Report(outcomes, self._observed, error, interrupted)


def _work(
    write: Callable[[Change], Live | None],
    tasks: queue.SimpleQueue[Change | None],
    results: queue.SimpleQueue[tuple[Change, Live | BaseException | None]],
) -> None:
    """Write what is put on `tasks` until None comes."""
    while (change := tasks.get()) is not None:
        try:
            results.put((change, write(change)))
        except BaseException as error:  # noqa: BLE001 - it is raised again in the thread that decides
            results.put((change, error))


def _order(changes: Mapping[Key, Change]) -> dict[Key, list[Key]]:
    """Return what each change waits for: an object for its needs, and its end for the ends of those that need it."""
    waits: dict[Key, list[Key]] = {key: [] for key in changes}
    for key, change in changes.items():
        side = change.live if change.action is Action.DELETE else change.desired
        assert side is not None
        for need in needs(side.object):
            if need in changes and change.action is Action.DELETE:
                waits[need].append(key)
            elif need in changes:
                waits[key].append(need)
    return waits


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
        if change.action is Action.RECORD:
            # The ledger alone notes it.
            return change.live
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
    # By the same judgement as a plan's: what the service fills in, nobody wanted otherwise.
    return not change.kind.differences(change.desired.object, current.object) and current.mark == change.mark
