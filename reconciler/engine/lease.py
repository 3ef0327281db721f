"""
Lease of a stack while an apply runs: taken, kept alive, and ended with what came of it.

The entry that takes the lease already holds the plan and every object that is managed before or after it, so whoever
finds it after a crash knows what is ours. While the run works, a thread renews it; before a write the entry is looked at,
at most every few seconds, and a lease that was ended by ``unlock``, overtaken by a later epoch, or has run out stops the
run. A run that cannot go on for whatever reason gives its lease back.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.base.errors import LeaseHeld, ServiceError, UdfsError
from reconciler.base.hints import Command
from reconciler.core.diff import Action, differences
from reconciler.core.record import MOST_ALLOWED, Applied, Entry, Step, entry_name
from reconciler.core.report import Outcome
from reconciler.core.state import Live
from reconciler.engine import ledger
from reconciler.engine.approval import digest_operation

if TYPE_CHECKING:
    from types import TracebackType

    from reconciler.core import record
    from reconciler.core.diff import Change
    from reconciler.core.kind import Key, Kinds
    from reconciler.core.plan import Plan
    from reconciler.core.record import Holder, Reading, Store
    from reconciler.core.report import Report
    from reconciler.core.state import Desired
    from reconciler.engine.apply import Patience

RENEWALS = 3
"""How often a lease is renewed within its life: two renewals may fail before it is lost."""

LOOK_SECONDS = 3.0
"""A write may be made on a look at the entry that is at most so old."""


class Lease:
    """The lease of one apply, as a context manager: entering takes it, `finish` says what came of the run."""

    def __init__(
        self,
        store: Store,
        kinds: Kinds,
        plan: Plan,
        reading: Reading,
        holder: Holder,
        patience: Patience,
        approved: str = "",
    ) -> None:
        self._store, self._kinds, self._reading, self._patience = store, kinds, reading, patience
        now = store.now()
        self._before = dict(reading.last.objects) if reading.last else {}
        self.entry = Entry(
            stack=plan.stack,
            epoch=(reading.epochs[-1] if reading.epochs else 0) + 1,
            holder=holder,
            started=now,
            expires=now + ledger.LEASE,
            digest=plan.digest,
            steps=tuple(
                Step(
                    c.action.value,
                    c.key.kind,
                    c.key.name,
                    operation=digest_operation(c),
                    restores=_restores(c, reading.last),
                )
                for c in plan.changes
            ),
            # What is about to be deleted is still ours until it is gone.
            objects={
                **self._before,
                **_unchanged_objects(plan),
                **{change.key: _applied(change, change.desired) for change in plan.changes if change.desired},
            },
            back_to=plan.back_to,
            approved=approved if approved != plan.digest else "",
            allowed=tuple(f"{finding.code} {finding.message}" for finding in plan.cautions if finding.is_forced)[
                :MOST_ALLOWED
            ],
        )
        self._looked = patience.clock()
        self._finished = False
        self._robbed: LeaseHeld | None = None
        self._stop, self._entry_is_mine = threading.Event(), threading.RLock()
        self._renewing = threading.Thread(target=self._renew, name="udfs-lease", daemon=True)

    def __enter__(self) -> Lease:  # noqa: PYI034 - Self needs Python 3.11
        """Take the lease, or raise `LeaseHeld` before anything was written."""
        ledger.require_free(self._reading.last, self._store.now())
        ledger.take(self._store, self.entry, self._kinds)
        self._looked = self._patience.clock()
        self._renewing.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._renewing.join()
        if error is not None and not self._finished:
            self._abandon()

    def require(self) -> None:
        """Raise `LeaseHeld` if somebody ended or overtook this lease, or if it ran out."""
        with self._entry_is_mine:
            if self._robbed is not None:
                raise self._robbed
            if self._patience.clock() - self._looked >= LOOK_SECONDS:
                self._look()
            if self._store.now() >= self.entry.expires:
                raise self._lease_lost("ran out")

    def finish(self, plan: Plan, report: Report) -> None:
        """Write down what came of the run, and remove entries that are too old."""
        self._stop.set()
        self._renewing.join()
        ending: record.Outcome = "interrupted" if report.interrupted else "failed" if report.error else "committed"
        steps = tuple(
            replace(step, outcome=end.value)
            if ending != "committed"
            else Step(step.action, step.kind, step.name, end.value)
            for step, (_, end) in zip(self.entry.steps, report.outcomes, strict=True)
        )
        entry = ledger.finish_entry(self.entry, ending, steps, self._after(plan, report), self._store.now())
        self._write_down(entry)
        self._finished = True
        for epoch in ledger.collectable(self._reading.epochs, entry.epoch):
            # An old entry that stays is removed by the next apply.
            with suppress(UdfsError):
                self._store.remove(entry_name(entry.stack, epoch))

    def _write_down(self, entry: Entry) -> None:
        """Replace the entry, if it is still this run's; the same bytes may be sent any number of times."""
        begun, number = self._patience.clock(), 1
        while True:
            try:
                self._look()
                self._replace(entry)
            except ServiceError as error:
                number += 1
                if error.outcome == "final" or not self._patience.before_attempt(number, error, begun):
                    raise
            else:
                return

    def _abandon(self) -> None:
        """
        End the lease of a run that cannot say what came of it, as far as that is possible.

        The entry keeps everything that may have been made; which of it was is for the next plan to see.
        """
        with suppress(UdfsError):
            self._look()
            entry, now = self.entry, self._store.now()
            self._replace(ledger.finish_entry(entry, "interrupted", entry.steps, entry.objects, now))

    def _replace(self, entry: Entry) -> None:
        self._store.replace(entry.name, ledger.dump(entry), ledger.comment_of(entry))

    def _after(self, plan: Plan, report: Report) -> dict[Key, Applied]:
        objects = {**self._before, **_unchanged_objects(plan)}
        for change, outcome in report.outcomes:
            if outcome is Outcome.DONE and change.action in {Action.DELETE, Action.RELEASE}:
                objects.pop(change.key, None)
            elif change.desired is not None and outcome is not Outcome.NOT_TRIED:
                # A write that failed may have taken effect: what was wanted is still ours.
                objects[change.key] = _applied(change, change.desired, report.observed.get(change.key))
        return objects

    def _renew(self) -> None:
        while not self._stop.wait(ledger.LEASE.total_seconds() / RENEWALS):
            try:
                with self._entry_is_mine:
                    self._look()
                    self.entry = ledger.renew_entry(self.entry, self._store.now())
                    self._replace(self.entry)
            except LeaseHeld as lost:
                self._robbed = lost  # for the next write
                return
            except UdfsError:
                continue  # there is time for two more

    def _look(self) -> None:
        """See whether the entry is still this run's: one that somebody ended must not come back to life."""
        content = self._store.fetch(self.entry.name)
        if content is None:
            raise self._lease_lost("was ended")
        entry = ledger.parse(content, self.entry.name, self._kinds)
        if entry.outcome != "running" or entry.holder != self.entry.holder:
            raise self._lease_lost(f"was ended{f' by {entry.ended_by}' if entry.ended_by else ''}")
        if self._store.fetch(entry_name(self.entry.stack, self.entry.epoch + 1)) is not None:
            raise self._lease_lost("was overtaken")
        self._looked = self._patience.clock()

    def _lease_lost(self, how: str) -> LeaseHeld:
        return LeaseHeld(
            "E613",
            f"the lease of epoch {self.entry.epoch} {how} while this run was working",
            hint=(Command("history"), " shows what was applied since; look at a new plan before you go on"),
        )


def _unchanged_objects(plan: Plan) -> dict[Key, Applied]:
    """Return what is as it should be, with the times that were seen: it was not written, and is known all the same."""
    return {c.key: _applied(c, c.desired, c.live) for c in plan.unchanged if c.desired and c.live}


def _restores(change: Change, last: Entry | None) -> bool:
    """Say whether a change makes of an object what an apply had left for certain."""
    before = last.last_certain(change.key) if last and change.action in {Action.CREATE, Action.UPDATE} else None
    return bool(before and change.desired and not differences(change.desired, Live(before.object)))


def _applied(change: Change, want: Desired, seen: Live | None = None) -> Applied:
    """Return what the ledger keeps of an object; `seen` is how it was last looked at."""
    modified = seen.modified if seen and change.kind.is_dated else None
    # An object without a mark is known by its creation, and replacing it does not create it anew.
    sides = () if change.kind.has_mark else (change.live, seen)
    created = next((live.created for live in sides if live and live.created), None)
    # A mark that somebody left on other content does not say what is in it.
    is_marked = want.mark is not None and want.mark.digest == change.kind.digest(want.object)
    sha256 = want.mark.sha256 if want.mark and is_marked else None
    return Applied(want.object, modified, created, want.protected, sha256 or "")
