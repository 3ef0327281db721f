"""
Record of a stack: the values that a ledger keeps of each apply, and what one look at a project saw.

How they are written down and which laws the lease keeps stands in ``engine.ledger``.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from reconciler.core.kind import fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from reconciler.core.kind import Key
    from reconciler.core.state import Live, LiveState, Object

MOST_ALLOWED = 50
"""Findings that an entry keeps: it is read with each plan."""

Outcome = Literal["running", "committed", "failed", "interrupted"]
Swap = Literal["create if absent", "etag", "none"]
"""The compare-and-swap that a service has."""


class Store(Protocol):
    """Where entries are kept."""

    @property
    def swap(self) -> Swap:
        """What makes `create` a compare-and-swap; with none, nobody can hold a lease."""

    def create(self, name: str, content: bytes, comment: str) -> bool:
        """Create an entry; False if the name is taken, and then nothing is changed."""

    def replace(self, name: str, content: bytes, comment: str) -> None:
        """Replace an entry."""

    def fetch(self, name: str) -> bytes | None:
        """Return an entry's content, or None if it is not there."""

    def remove(self, name: str) -> None:
        """Delete an entry; one that is not there is fine."""

    def now(self) -> datetime:
        """Return the time of the service, as its last answer told it."""


@dataclass(frozen=True)
class Holder:
    """Who applies."""

    user: str = ""
    host: str = ""
    pipeline: str = ""
    """The address of the pipeline's run, or its name where the system tells no address."""

    commit: str = ""
    dirty: bool = False
    """Whether the work tree differed from `commit`."""

    run: str = ""
    """A random name: by it a run knows its own entry when the answer to creating it was lost."""

    system: str = ""
    """Whose pipeline that is: ``github``, ``gitlab``, … (`base.pipelines`)."""

    branch: str = ""
    """The branch that the pipeline ran for; of a pull request the one that it comes from."""

    pull_request: str = ""
    """Its number, if the pipeline ran for one."""

    def __str__(self) -> str:
        where = f"{self.user or 'somebody'}{f' on {self.host}' if self.host else ''}"
        commit_text = f" at {self.commit[:10]}{' with changes' if self.dirty else ''}" if self.commit else ""
        source = f" of {self.branch}" if self.branch else ""
        request = f", pull request {self.pull_request}" if self.pull_request else ""
        return f"{where}{commit_text}{source}{request}{f' ({self.pipeline})' if self.pipeline else ''}"


@dataclass(frozen=True)
class Step:
    """One operation of the plan, and what came of it."""

    action: str
    kind: str
    name: str
    outcome: str = "unknown"
    """``done``, ``failed``, ``not tried``; ``unknown`` while it runs, and for ever if the run could not write it down."""

    operation: str = ""
    """Fingerprint of the operation and what it rests on, until the run got through: whoever goes on holds theirs against it."""

    restores: bool = False
    """Whether it brings back what an apply had left for certain; until the run got through, as long as it is not done."""


@dataclass(frozen=True)
class Verdict:
    """What came of the tests by SQL of one object, while it was as this entry's run left it."""

    kind: str
    name: str
    """Folded, as the service looks it up."""

    passed: int
    failed: int
    not_run: int
    when: datetime
    """By the clock of the service."""

    who: str = ""

    @property
    def has_passed(self) -> bool:
        """Whether there was a test, and each came out as the manifest says."""
        return self.passed > 0 and not self.failed and not self.not_run


class Applied(NamedTuple):
    """An object as the last apply left it, or was about to."""

    object: Object
    modified: datetime | None = None
    """As the service told it after the write: it says whether somebody was there since."""

    created: datetime | None = None
    """Of an object without a mark, as the service told it: one of the same name that came after has another."""

    protected: bool = False
    """Whether it must not be deleted: so a protection outlives its entry in the manifest."""

    sha256: str = ""
    """Of the content; none where there is no content, and in entries of the versions that did not write it down."""

    def is_same(self, have: Live) -> bool:
        """
        Say whether a live object without a mark is the one that was applied.

        A run that was cut off did not learn when an object that it made was created. Until a later run has seen that,
        it is the same if it is what was wanted; anything else of its name was made by somebody else.
        """
        kind = self.object.kind
        if kind is not have.object.kind or kind.has_mark:
            return False
        if self.created is not None:
            return self.created == have.created
        return kind.observe(self.object) == kind.observe(have.object)


@dataclass(frozen=True)
class Entry:
    """One apply."""

    stack: str
    epoch: int
    holder: Holder
    started: datetime
    expires: datetime
    outcome: Outcome = "running"
    digest: str = ""
    """Of the plan."""

    steps: tuple[Step, ...] = ()
    objects: Mapping[Key, Applied] = field(default_factory=dict)
    """Everything that the stack manages, once this entry's steps are made."""

    back_to: int | None = None
    """The epoch that was gone back to, if this was a rollback."""

    ended_by: Holder | None = None
    """Who ended the lease by ``unlock``, if the run did not end itself."""

    approved: str = ""
    """The digest that was approved, if this run went on with what another left of that plan."""

    allowed: tuple[str, ...] = ()
    """What was found in files and gone past by ``--no-check``, each with its code; the first `MOST_ALLOWED`."""

    verdicts: tuple[Verdict, ...] = ()
    """The last one of each object whose tests ran since, by name."""

    @property
    def name(self) -> str:
        return entry_name(self.stack, self.epoch)

    def applied_for_certain(self, key: Key) -> Applied | None:
        """
        Return what was applied of an object; None if it was not, or if that is not certain.

        A run that was cut off, or a write that failed, leaves behind what was wanted, which may never have come about.
        """
        return None if key in self._uncertain else self.objects.get(key)

    def last_certain(self, key: Key) -> Applied | None:
        """
        Return how the stack had left an object for certain before somebody else changed it; None if that is not known.

        A run that was cut off while it brought an object back leaves it in one of two states: that one, or as the other made it.
        """
        return None if key in self._uncertain - self._restorations else self.objects.get(key)

    def verdict(self, key: Key) -> Verdict | None:
        """Return what came of the tests of an object, if they ran since."""
        return next((each for each in self.verdicts if (each.kind, each.name) == (key.kind, key.folded)), None)

    @functools.cached_property
    def _uncertain(self) -> frozenset[Key]:
        return self._step_keys(step for step in self.steps if step.outcome != "done")

    @functools.cached_property
    def _restorations(self) -> frozenset[Key]:
        return self._step_keys(step for step in self.steps if step.restores)

    def _step_keys(self, chosen: Iterable[Step]) -> frozenset[Key]:
        steps = list(chosen)
        # What has no object here is not known anyway, so the kinds of those that are here are all that is needed.
        kinds = {applied.object.kind.name: applied.object.kind for applied in self.objects.values()} if steps else {}
        return frozenset(kinds[step.kind].key(step.name) for step in steps if step.kind in kinds)

    def is_held(self, now: datetime) -> bool:
        """Say whether somebody is working under this entry."""
        return self.outcome == "running" and now < self.expires


@dataclass(frozen=True)
class Reading:
    """What one look at a project saw."""

    live: LiveState
    """Everything but the entries of ledgers."""

    epochs: tuple[int, ...] = ()
    """Of the stack's ledger, ascending."""

    last: Entry | None = None
    """The newest of them."""

    def is_as_applied(self, key: Key) -> bool:
        """Say whether an object is as the newest apply of the stack left it, as far as is known for certain."""
        live = self.live.get(key)
        applied = self.last.applied_for_certain(key) if self.last else None
        if live is None or applied is None:
            return False
        kind = live.object.kind
        # Of what was applied, an object may have no more than what somebody named; what it is without, the service fills in.
        if live.object != applied.object and (
            applied.object.kind is not kind or kind.differences(applied.object, live.object)
        ):
            return False
        if kind.tells_updater:
            return applied.modified == live.modified
        return kind.has_mark or applied.is_same(live)

    def holder(self, key: Key) -> str | None:
        """
        Return the stack that manages an object of the project, or None.

        That of its mark. An object without one is managed by the stack whose mark, on an object that it needs, names it:
        what somebody makes over a managed carrier is not named there, and stays theirs. It is also managed by the stack
        whose ledger lists it, if it is still the one that was applied (`Applied.is_same`).
        """
        return self.holders.get(key)

    @functools.cached_property
    def holders(self) -> Mapping[Key, str | None]:
        """The stack that manages each object, worked out once; the key of an object that nobody manages leads to None."""
        holders: dict[Key, str | None] = {}
        for key, live in self.live.items():
            kind = live.object.kind
            if kind.has_mark:
                holders[key] = live.mark.stack if live.mark is not None else None
            else:
                holders[key] = self._holder_by_carrier(key, live, kind.needs(live.object))
        return holders

    def _holder_by_carrier(self, key: Key, live: Live, needs: tuple[Key, ...]) -> str | None:
        name = fingerprint(key.folded)
        for need in needs:
            carrier = self.live.get(need)
            if carrier is not None and carrier.mark is not None and name in carrier.mark.names:
                return carrier.mark.stack
        applied = self.last.objects.get(key) if self.last else None
        return self.last.stack if self.last and applied and applied.is_same(live) else None


def entry_name(stack: str, epoch: int) -> str:
    """Return the name of an epoch's entry."""
    return f"udfs.{stack}.{epoch}.json"
