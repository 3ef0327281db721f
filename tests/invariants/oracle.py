"""
Watches every write of the model, and knows by itself what is allowed.

Whose an object is, it knows from who made it and from the marks, read here by a regular expression of its own. It shares
no code with what it judges but the reading of ledger entries.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.engine import ledger
from reconciler.targets.maxcompute.objects import KINDS, Function
from tests.invariants.model import File, Registered

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.core.kind import Key, Kinds
    from reconciler.core.record import Entry, Verdict
    from tests.invariants.history import Run
    from tests.invariants.model import Service, Thing

_MARK = re.compile(r"\[udfs/1 ([a-z-]+) on=([0-9a-f]{8})(?: sha256=\w+ md5=\w+)?(?: for=([0-9a-f,]+))?\]\Z")
_VERSION = re.compile(r"__([0-9a-f]{8})\.py\Z")


def named(name: str) -> str:
    """Return how a mark names an object."""
    return hashlib.sha256(name.lower().encode()).hexdigest()[:8]


def dangling(things: Mapping[Key, Thing]) -> set[tuple[str, str]]:
    """Return functions and what they list that is not there."""
    there = {key.folded for key in things if key.kind == "resource"}
    return {
        (key.folded, one)
        for key, thing in things.items()
        if isinstance(thing, Registered)
        for one in thing.resources
        if one.lower() not in there
    }


class Oracle:
    """Judges each write of each run. What is said of MaxCompute's things, another service says of its own."""

    carried, carrier = "function", "resource"
    """The kind that lists, and the kind that is listed."""

    kinds: Kinds = KINDS

    def dangling(self, things: Mapping[Key, Thing]) -> set[tuple[str, str]]:
        """Return what lists something, and what of that is not there."""
        return dangling(things)

    def content(self, thing: Thing | None) -> bytes | None:
        """Return the bytes that a thing holds, if it is one that holds any."""
        return thing.content if isinstance(thing, File) else None

    def sent(self, thing: Thing) -> tuple[object, ...]:
        """Return all that a write of a thing with content sends."""
        assert isinstance(thing, File)
        return thing.content, thing.type, thing.comment

    def __init__(self, service: Service) -> None:
        self.service = service
        self.run: Run | None = None
        self.made: dict[Key, str] = {}
        """Functions that a stack made or took over."""

        self.objects_written = 0
        self.late = 0
        self._in_flight = False
        """Whether the next write was decided on before others did something: nothing can take it back."""

        self._gone: set[str] = set()
        """Resources that others deleted since the run began, which it cannot know."""

        self._broken: set[tuple[str, str]] = set()
        service.witness = self.see

    def watch(self, run: Run | None) -> None:
        """Hear that a run begins, goes on, or is over."""
        if run is not None and not run.command.endswith("late"):
            self.objects_written = self.late = 0
            self._gone.clear()
        self._in_flight = run is not None and run.command.endswith("late")
        self.run = run

    def mark(self, thing: Thing | None) -> tuple[str, frozenset[str]] | None:
        """Return the stack that marks a resource and the functions that the mark names."""
        found = _MARK.search(thing.comment) if isinstance(thing, File) else None
        if found is None or thing is None or found[2] != named(thing.name):
            return None
        return found[1], frozenset(filter(None, (found[3] or "").split(",")))

    def owner(self, key: Key, thing: Thing) -> str | None:
        """Return the stack that an object belongs to."""
        if isinstance(thing, File):
            mark = self.mark(thing)
            return mark[0] if mark else None
        for one in thing.resources:
            carrier = next((t for k, t in self.service.things.items() if k.folded == one.lower()), None)
            mark = self.mark(carrier)
            if mark and named(thing.name) in mark[1]:
                return mark[0]
        stack = self.made.get(key)
        return stack if stack and self._is_known(stack, key, thing) else None

    def _is_known(self, stack: str, key: Key, thing: Registered) -> bool:
        """
        Say whether a function that a stack made can be told from others of its name.

        A run that was killed did not write down when the function was made. If others then change it and its mark is lost
        with the resources it listed, it could as well be theirs.
        """
        entries = self._entries(stack)
        last = entries[max(entries)].objects.get(key) if entries else None
        if last is None:
            return True
        if last.created is not None:
            return last.created.timestamp() == thing.created
        assert isinstance(last.object, Function)
        listed = tuple(str(one).lower() for one in last.object.resources)
        return (last.object.class_path, listed) == (thing.of, tuple(map(str.lower, thing.resources)))

    def see(self, who: str, key: Key, before: Thing | None, after: Thing | None) -> None:
        """Judge a write that has just happened."""
        if self.run is None:
            if before is None or after is None:
                self.made.pop(key, None)
            if after is None and key.kind == self.carrier:
                self._gone.add(key.folded)
            self._broken |= self.dangling(self.service.things)
            return
        in_flight, self._in_flight = self._in_flight, False
        if ledger.is_entry(key.name):
            self._entry(self.run, key, before, after)
        elif in_flight:
            self.objects_written += 1
            self.late += not self._holds_lease(self.run)
            self._note(self.run, key, after)
            self._broken |= self.dangling(self.service.things)
        else:
            self._object(self.run, key, before, after)

    def _entries(self, stack: str, *, but: Key | None = None) -> dict[int, Entry]:
        return {
            epoch: ledger.parse(content, thing.name, self.kinds)
            for key, thing in self.service.things.items()
            if key != but and (epoch := ledger.epoch_of(thing.name, stack)) and (content := self.content(thing))
        }

    def _entry(self, run: Run, key: Key, before: Thing | None, after: Thing | None) -> None:
        epoch = ledger.epoch_of(key.name, run.stack)
        assert epoch is not None, f"{run} writes {key}, which is another stack's"
        others = self._entries(run.stack, but=key)
        newest = max(others, default=0)
        if after is None:
            assert epoch <= newest - ledger.KEPT, f"{run} removes {key} too early"
            return
        now = ledger.parse(self.content(after) or b"", after.name, self.kinds)
        if before is None:
            assert epoch == newest + 1, f"{run} takes {key} after {newest}"
            if newest:
                assert not others[newest].is_held(self._now), f"{run} takes {key} while {others[newest].holder} works"
            if run.command.startswith("adopt"):
                # What was marked already is not taken over.
                taken = [k for k in now.objects if k.kind == self.carried and k.folded in run.named]
                self.made.update((k, run.stack) for k in taken if k in self.service.things)
            return
        was = ledger.parse(self.content(before) or b"", before.name, self.kinds)
        if run.command == "verify":
            assert was.outcome != "running", f"{run} writes into a lease"
            assert replace(now, verdicts=was.verdicts) == was, f"{run} writes more than verdicts"
            for verdict in {*now.verdicts} - {*was.verdicts}:
                self._verdict(verdict, now)
            return
        assert was.holder == now.holder
        if run.command != "unlock":
            assert was.holder.run == run.who, f"{run} writes {was.holder}'s entry"
            # One that was ended does not come back to life, but by a write that was on its way.
            assert was.outcome == "running" or self._is_late(run), f"{run} revives {key}"
        # A run remembers the functions that it found marked.
        marked = [
            k for k in now.objects if k in self.service.things and self.owner(k, self.service.things[k]) == run.stack
        ]
        self.made.update((k, run.stack) for k in marked if k.kind == self.carried)
        if run.command.startswith("disown") and now.outcome != "running":
            for k in [k for k in self.made if k not in now.objects and k.folded in run.named]:
                del self.made[k]

    def _verdict(self, verdict: Verdict, entry: Entry) -> None:
        """What a verdict speaks of is there, and is what the entry says that it is."""
        applied = entry.objects[self.kinds[verdict.kind].key(verdict.name)]
        assert applied.object.key in self.service.things, f"{verdict} on what is not there"
        for need in applied.object.kind.needs(applied.object):
            content = self.content(self.service.things.get(need))
            if need in entry.objects:
                sha256 = hashlib.sha256(content or b"").hexdigest()
                assert sha256 == entry.objects[need].sha256, f"{verdict} on other bytes than the entry's {need}"

    def _object(self, run: Run, key: Key, before: Thing | None, after: Thing | None) -> None:
        self.objects_written += 1
        if not self._holds_lease(run):
            assert self._is_late(run), f"{run} writes {key} without the lease"
            self._note(run, key, after)
            self._broken |= self.dangling(self.service.things)
            return
        things, command = self.service.things, run.command.removesuffix(", late")
        if before is not None:
            # Asked of the project as it was: what is judged is already done.
            self.service.things = {**things, key: before}
            holder = self.owner(key, before)
            self.service.things = things
            if command == "adopt":
                assert holder in {None, run.stack}, f"{run} takes {key} from {holder}"
                assert key.folded in run.named, f"{run} writes {key}, which was not named"
            else:
                assert holder == run.stack, f"{run} writes {key}, which is {holder}'s"
        if after is None:
            assert run.may_delete, f"{run} deletes {key}"
        if command in {"adopt", "disown"}:
            assert before is not None
            assert after is not None
            assert self.content(after) == self.content(before)
        if before is not None and after is not None and self.content(after) is not None:
            assert self.sent(before) != self.sent(after), f"{run} sends {key}, which is there already"
        version = _VERSION.search(key.folded)
        content = self.content(after)
        if version and content is not None and command not in {"adopt", "disown"}:
            assert hashlib.sha256(content).hexdigest().startswith(version[1]), f"{key} holds another version"
        self._note(run, key, after)
        now = self.dangling(things)
        self._broken = {
            (one, listed) for one, listed in now if (one, listed) in self._broken or listed.lower() in self._gone
        }
        assert now == self._broken, f"{run} leaves {now - self._broken} without what they list"

    def _note(self, run: Run, key: Key, after: Thing | None) -> None:
        if key.kind == self.carried:
            if after is None:
                self.made.pop(key, None)
            else:
                self.made[key] = run.stack

    def _is_late(self, run: Run) -> bool:
        """Say whether a run that lost its lease may have had this write on its way: there is one at most."""
        self.late += 1
        return run.command.endswith("late") and self.late <= 1

    def _holds_lease(self, run: Run) -> bool:
        entries = self._entries(run.stack)
        newest = entries.get(max(entries, default=0))
        return newest is not None and newest.holder.run == run.who and newest.is_held(self._now)

    @property
    def _now(self):  # type: ignore[no-untyped-def]
        from datetime import datetime, timezone

        return datetime.fromtimestamp(int(self.service.clock()), timezone.utc)
