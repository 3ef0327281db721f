"""
Drift: changes to a stack's objects that no apply made, with author and time as far as the service tells.

Drift is the plan read the other way, without what the manifest itself has changed since the last apply: that is told as
a number, because the next apply makes it. Of what is gone, and of some kinds, the service keeps neither who nor when.
"""

from __future__ import annotations

import enum
import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reconciler.base.errors import Problem
from reconciler.base.hints import Command
from reconciler.core.diff import Action, Cause, Change, compare, differences
from reconciler.core.kind import fits_name
from reconciler.core.state import Live

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from reconciler.base.errors import Position
    from reconciler.base.hints import Hint
    from reconciler.core.copies import Copies
    from reconciler.core.diff import Clash
    from reconciler.core.kind import Difference, Key, Kinds
    from reconciler.core.record import Entry, Reading
    from reconciler.core.state import Desired, DesiredState


class Deviation(enum.Enum):
    """What was done to an object."""

    EDITED = "edited"
    DELETED = "deleted"
    RECREATED = "recreated"
    RETYPED = "type changed"
    RELISTED = "list changed"
    TAKEN = "name taken"


_CODES = {
    Deviation.EDITED: "E524",
    Deviation.DELETED: "E525",
    Deviation.RECREATED: "E526",
    Deviation.RETYPED: "E527",
    Deviation.RELISTED: "E528",
    Deviation.TAKEN: "E529",
}


@dataclass(frozen=True)
class Drifted:
    """One object that is not as it was left."""

    key: Key
    kind: Deviation
    origin: Position
    """Where the manifest asks for it."""

    who: str = ""
    when: datetime | None = None
    differences: tuple[Difference, ...] = ()
    """Against the manifest; `old` is what is there now."""

    obstacle: str = ""
    """Why it cannot be brought back by itself; empty if it can."""

    holder: str = ""
    """The stack that has taken the name, if one has."""

    deployed_from: str = ""
    """The tool that did it, where who did it is known for its identity."""

    field: str = ""
    """What alone was changed, of an object that was retyped or relisted."""

    @property
    def sentence(self) -> str:
        """What happened, as the rest of a sentence that begins with the object."""
        by = f" by {self.who}" if self.who else ""
        tool = f", deployed from {self.deployed_from}" if self.deployed_from else ""
        on = f" on {self.when:%Y-%m-%d %H:%MZ}" if self.when else ""
        obstacle = f"; {self.obstacle}" if self.obstacle else ""
        return f"{_TOLD[self.kind].format(field=self.field)}{by}{on or ('' if by else ' (the service does not tell by whom)')}{tool}{obstacle}"

    @property
    def problem(self) -> Problem:
        """The same as a finding, for those who collect findings."""
        detail = tuple(
            f"{difference.field}: {difference.new or '(none)'} → {difference.old or '(none)'}"
            for difference in self.differences
        )
        hint: Hint
        if self.holder:
            hint = f"rename yours in the manifest; only stack '{self.holder}' can let go of it, by disowning it"
        elif self.kind is Deviation.TAKEN:
            hint = ("rename yours in the manifest, or take it over: ", Command("adopt", self.key.name))
        else:
            hint = (
                (Command("plan"), " shows what apply would do")
                if self.obstacle
                else ("to bring it back: ", Command("apply", "--restore"))
            )
        return Problem(_CODES[self.kind], f"{self.key} {self.sentence}", self.origin, hint=hint, detail=detail)


_TOLD = {
    Deviation.EDITED: "was edited",
    Deviation.DELETED: "was deleted",
    Deviation.RECREATED: "was deleted, and created again",
    Deviation.RETYPED: "was made another {field}",
    Deviation.RELISTED: "was made to list other {field}",
    Deviation.TAKEN: "is not this stack's: written",
}
_BOTH = "the manifest has changed it too"
_UNKNOWN = "what was there before is not known"
_RETYPED = "a {field} is not changed in place"
_UNMARKED = "nothing marks it as ours any more"
_TAKEN = "the name was taken"


@dataclass(frozen=True)
class Exemption:
    """What the manifest says to leave as somebody made it, for a reason and until a day."""

    pattern: str
    """Of names, in which * and ? stand for other characters."""

    reason: str
    until: str
    """The last day: 2026-12-31."""

    origin: Position


@dataclass(frozen=True)
class Toleration:
    """An object that is not as it was left, and that an exemption leaves so."""

    deviation: Drifted
    exemption: Exemption

    @property
    def sentence(self) -> str:
        """What happened and why it stays, as the rest of a sentence that begins with the object."""
        return f"{self.deviation.sentence}; ignored until {self.exemption.until}: {self.exemption.reason}"


@dataclass(frozen=True)
class Drift:
    """What `find` found."""

    drifted: tuple[Drifted, ...]
    waiting: int
    """Objects that the next apply changes because the manifest says so."""

    unchanged: int
    tolerations: tuple[Toleration, ...] = ()
    """What was changed outside, and is left so; none of it is among `drifted`."""

    @property
    def fingerprint(self) -> str | None:
        """
        The sha256 of the objects and of what is otherwise with them; None where nothing is.

        Who did it and when, places in the manifest and what that wants are not in it: it stays while the project stays.
        """
        if not self.drifted:
            return None
        body = [
            [str(each.key.kind), each.key.folded, each.kind.value, sorted([d.field, d.old] for d in each.differences)]
            for each in self.drifted
        ]
        return hashlib.sha256(json.dumps(body).encode()).hexdigest()

    @property
    def restorable(self) -> frozenset[Key]:
        """The objects that the manifest still wants as they were last applied."""
        return frozenset(drifted.key for drifted in self.drifted if not drifted.obstacle)


def find(desired: DesiredState, reading: Reading, stack: str) -> Drift:
    """Return what was changed outside."""
    comparison, last = compare(desired, reading, stack), reading.last
    drifted = [
        *(_judge_clash(clash, last) for clash in comparison.clashes),
        *(drifted_object for change in comparison.changes if (drifted_object := _find_drifted(change, last))),
    ]
    kept = sum(change.action is Action.KEEP for change in comparison.changes) + len(comparison.shared)
    waiting = len(comparison.changes) + len(comparison.shared) + len(comparison.clashes) - kept - len(drifted)
    return Drift(tuple(sorted(drifted, key=lambda drifted_object: drifted_object.key)), waiting, kept)


def attribute(drift: Drift, copies: Copies) -> Drift:
    """Return a drift that says what another tool has deployed: whatever was changed by the identity that it deploys as."""
    identity = copies.deploys_as.lower()
    drifted = (
        replace(deviation, deployed_from=copies.tool) if identity and deviation.who.lower() == identity else deviation
        for deviation in drift.drifted
    )
    return replace(drift, drifted=tuple(drifted))


def tolerate(drift: Drift, exemptions: Sequence[Exemption], kinds: Kinds) -> Drift:
    """
    Return drift without what exemptions leave as it is.

    A name that somebody took is no edit: whose an object is, no exemption says.
    """
    drifted: list[Drifted] = []
    tolerations: list[Toleration] = []
    for deviation in drift.drifted:
        fits = (each for each in exemptions if fits_name(deviation.key, each.pattern, kinds))
        exemption = None if deviation.kind is Deviation.TAKEN else next(fits, None)
        if exemption is None:
            drifted.append(deviation)
        else:
            tolerations.append(Toleration(deviation, exemption))
    return replace(drift, drifted=tuple(drifted), tolerations=tuple(tolerations))


def _find_drifted(change: Change, last: Entry | None) -> Drifted | None:
    want, have = change.desired, change.live
    if want is None:
        return None
    if have is None:
        return _judge_deletion(change.key, want, last) if change.cause is Cause.MISSING else None
    fields = {difference.field for difference in change.differences} - {"marker"}
    applied = last.last_certain(change.key) if last else None
    is_known = change.cause in {Cause.OUTSIDE, Cause.BOTH}
    if not is_known and not (change.cause is Cause.UNKNOWN and fields and not _is_unfinished(change, last)):
        return None
    kind, field = _how(fields, change)
    obstacle = {Cause.BOTH: _BOTH, Cause.UNKNOWN: _UNKNOWN}.get(change.cause, "")
    if kind is Deviation.RETYPED and not obstacle:
        obstacle = _RETYPED.format(field=field)
    # Only of objects without a mark does the ledger know when they were created.
    if applied and applied.created and applied.created != have.created:
        return Drifted(
            change.key, Deviation.RECREATED, want.origin, have.owner, have.created, change.differences, obstacle
        )
    return Drifted(
        change.key, kind, want.origin, have.updater, have.modified, change.differences, obstacle, field=field
    )


def _is_unfinished(change: Change, last: Entry | None) -> bool:
    """Say whether an object is as an unfinished run left it for the next."""
    return last is not None and change.key in last.objects and last.last_certain(change.key) is None


def _judge_deletion(key: Key, want: Desired, last: Entry | None) -> Drifted | None:
    applied = last.last_certain(key) if last else None
    if last is not None and applied is None and key in last.objects:
        return None  # its creation was cut off
    if applied is None:
        return Drifted(key, Deviation.DELETED, want.origin, obstacle=_UNKNOWN)
    return Drifted(
        key, Deviation.DELETED, want.origin, obstacle=_BOTH if differences(want, Live(applied.object)) else ""
    )


def _how(fields: set[str], change: Change) -> tuple[Deviation, str]:
    """Return what was done, and to which field if it was that of one."""
    if fixed := sorted(
        field for field in fields & change.kind.fixed.keys() if change.kind.fixed[field].applies(change.object)
    ):
        return Deviation.RETYPED, fixed[0]
    if len(fields) == 1 and change.kind.forms.get(min(fields)) == "list":
        return Deviation.RELISTED, min(fields)
    return Deviation.EDITED, ""


def _judge_clash(clash: Clash, last: Entry | None) -> Drifted:
    have = clash.live
    who = f"stack {clash.stack}" if clash.stack else have.updater or have.owner
    obstacle = _UNMARKED if clash.stack is None and last and clash.key in last.objects else _TAKEN
    when = have.modified or have.created
    return Drifted(
        clash.key, Deviation.TAKEN, clash.desired.origin, who, when, obstacle=obstacle, holder=clash.stack or ""
    )
