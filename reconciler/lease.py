"""
Hold the lease of a stack while an apply runs: take it, keep it alive, and write down what came of it.

The entry that takes the lease already holds the plan and every object that is managed before or after it, so whoever
finds it after a crash knows what is ours. While the run works, a thread renews it; a lease that was ended by ``unlock``
or overtaken by a later epoch stops the run before its next write.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from reconciler import ledger
from reconciler.diff import Action
from reconciler.errors import LeaseHeld, UdfsError
from reconciler.ledger import Applied, Entry, Step
from reconciler.report import Outcome
from reconciler.state import Resource

if TYPE_CHECKING:
    from types import TracebackType

    from reconciler.ledger import Holder, Reading, Store
    from reconciler.names import Key
    from reconciler.plan import Plan
    from reconciler.report import Report

RENEWALS = 3
"""How often a lease is renewed within its life: two renewals may fail before it is lost."""


class Lease:
    """The lease of one apply, as a context manager: entering takes it, `finish` says what came of the run."""

    def __init__(self, store: Store, plan: Plan, reading: Reading, holder: Holder) -> None:
        self._store, self._reading = store, reading
        now = store.now()
        self._before = dict(reading.last.objects) if reading.last else {}
        self.entry = Entry(
            stack=plan.stack,
            epoch=(reading.epochs[-1] if reading.epochs else 0) + 1,
            holder=holder,
            started=now,
            expires=now + ledger.LEASE,
            digest=plan.digest,
            steps=tuple(Step(c.action.value, c.key.kind, c.key.name) for c in plan.changes),
            # What is about to be deleted is still ours until it is gone.
            objects={**self._before, **_kept(plan), **_wanted(plan)},
        )
        self._stop, self._lost = threading.Event(), threading.Event()
        self._renewing = threading.Thread(target=self._renew, name="udfs-lease", daemon=True)

    def __enter__(self) -> Lease:  # noqa: PYI034 - Self needs Python 3.11
        """Take the lease, or raise `LeaseHeld` before anything was written."""
        ledger.require_free(self._reading.last, self._store.now())
        ledger.take(self._store, self.entry)
        self._renewing.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._renewing.join()

    def require(self) -> None:
        """Raise `LeaseHeld` if somebody ended or overtook this lease."""
        if self._lost.is_set():
            raise LeaseHeld(
                "E613",
                f"the lease of epoch {self.entry.epoch} was ended or overtaken while this run was working",
                hint="udfs history shows by whom; look at a new plan before you go on",
            )

    def finish(self, plan: Plan, report: Report) -> None:
        """Write down what came of the run, and remove entries that are too old."""
        self._stop.set()
        self._renewing.join()
        outcome: ledger.Outcome = "interrupted" if report.interrupted else "failed" if report.error else "committed"
        steps = tuple(Step(c.action.value, c.key.kind, c.key.name, end.value) for c, end in report.outcomes)
        entry = ledger.finished(self.entry, outcome, steps, self._after(plan, report), self._store.now())
        self._store.replace(entry.name, ledger.dump(entry), ledger.comment_of(entry))
        for epoch in ledger.collectable(self._reading.epochs, entry.epoch):
            # An old entry that stays is removed by the next apply.
            with suppress(UdfsError):
                self._store.remove(ledger.entry_name(entry.stack, epoch))

    def abandon(self) -> None:
        """
        End the lease of a run that could not wait for its own end, as far as that is possible.

        The entry keeps everything that may have been made; which of it was is for the next plan to see.
        """
        ended = ledger.finished(self.entry, "interrupted", self.entry.steps, self.entry.objects, self._store.now())
        with suppress(UdfsError):
            self._store.replace(ended.name, ledger.dump(ended), ledger.comment_of(ended))

    def _after(self, plan: Plan, report: Report) -> dict[Key, Applied]:
        objects = {**self._before, **_kept(plan)}
        for change, outcome in report.outcomes:
            if outcome is Outcome.DONE and change.action is Action.DELETE:
                objects.pop(change.key, None)
            elif change.desired is not None and outcome is not Outcome.NOT_TRIED:
                # A write that failed may have taken effect: what was wanted is still ours.
                seen = report.observed.get(change.key)
                objects[change.key] = Applied(change.desired.object, seen.modified if seen else None)
        return objects

    def _renew(self) -> None:
        while not self._stop.wait(ledger.LEASE.total_seconds() / RENEWALS):
            with suppress(UdfsError):
                self._renew_once()

    def _renew_once(self) -> None:
        """Look before renewing: an entry that somebody ended must not come back to life."""
        found = self._store.fetch(self.entry.name)
        overtaken = self._store.fetch(ledger.entry_name(self.entry.stack, self.entry.epoch + 1))
        if found is None or overtaken is not None or ledger.parse(found, self.entry.name).outcome != "running":
            self._lost.set()
            self._stop.set()
            return
        self.entry = ledger.renewed(self.entry, self._store.now())
        self._store.replace(self.entry.name, ledger.dump(self.entry), ledger.comment_of(self.entry))


def _wanted(plan: Plan) -> dict[Key, Applied]:
    return {c.key: Applied(c.desired.object) for c in plan.changes if c.desired is not None}


def _kept(plan: Plan) -> dict[Key, Applied]:
    """Return what is as it should be, with the time at which it was seen: it was not written, and is known all the same."""
    return {
        c.key: Applied(c.desired.object, c.live.modified if isinstance(c.live.object, Resource) else None)
        for c in plan.unchanged
        if c.desired is not None and c.live is not None
    }
