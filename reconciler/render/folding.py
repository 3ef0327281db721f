"""
Folding of a long plan: objects with which the same is done for the same reason are one line.

What may do harm is never folded: what is deleted, written over, restored or released from protection, whose change has a
rule of its kind, or what relies on something that nobody looked at.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from reconciler.base.errors import count
from reconciler.base.words import moment, safe
from reconciler.core.diff import Action, Cause
from reconciler.core.drift import Deviation
from reconciler.render.differences import version_switch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from reconciler.core.diff import Change
    from reconciler.core.drift import Drifted

View: TypeAlias = Literal["auto", "summary", "full"]
"""How much is told of a plan: what fits on a screen, as little as can be, or everything."""

MANY = 40
"""More lines than these are no longer read, so that what is alike becomes one."""

TOGETHER = "Like objects share a line; --full names each"

_NAMED = 3
"""Of many names these, and the last."""


class ChangeGroup(NamedTuple):
    """Changes that are told as one."""

    action: Action
    what: str
    """What is done to all of them, and why."""

    part_of: str
    """What of the manifest they are all a part of; empty if they have none in common."""

    changes: tuple[Change, ...]


class DriftGroup(NamedTuple):
    """Objects of one kind to which the same was done by the same person."""

    kind: str
    what: str
    """What was done to all of them, by whom, and between which times."""

    drifted: tuple[Drifted, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(deviation.key.name for deviation in self.drifted)


def is_folded(number: int, view: View) -> bool:
    """Say whether so many lines are folded."""
    return view == "summary" or (view == "auto" and number > MANY)


def fold_changes(changes: Sequence[Change]) -> tuple[list[ChangeGroup], list[Change]]:
    """Return what is told together, and what is told one by one, each in the order of the plan."""
    groups: dict[tuple[Action, str, str], list[Change]] = {}
    single: list[Change] = []
    for change in changes:
        what = _uniform(change)
        if what is None:
            single.append(change)
        else:
            part_of = change.desired.part_of if change.desired is not None else ""
            groups.setdefault((change.action, what, part_of), []).append(change)
    return [ChangeGroup(*key, tuple(members)) for key, members in groups.items()], single


def _uniform(change: Change) -> str | None:
    """Return what is done to an object, in words that fit others; None for what has to be read itself."""
    obj, kind = change.object, change.kind
    if change.desired is not None and kind.elsewhere(obj):
        return None
    match change.action:
        case Action.CREATE:
            return _CREATED.get(change.cause)
        case Action.UPDATE if change.cause in {Cause.MANIFEST, Cause.ROLLED_BACK, Cause.UNKNOWN}:
            fields = {difference.field for difference in change.differences}
            if any(rules.get(field) for rules in (kind.risky, kind.fixed) for field in fields):
                return None
            if fields == {"marker"}:
                return "get another mark"
            return "get other code" if version_switch(change.differences) else None
        case Action.ADOPT if not change.differences:
            return "stay as they are and are managed from now on"
        case Action.RELEASE if not change.differences:
            return "stay as they are and are no longer managed"
        case _:
            return None


_CREATED = {
    Cause.NEW: "are new",
    Cause.MANIFEST: "are new, since their content changed",
    Cause.MISSING: "come again: they were deleted outside, or their creation was cut off",
    Cause.ROLLED_BACK: "come again, as they were",
}


_DANGER = (Action.DELETE, Action.UPDATE, Action.RECORD, Action.ADOPT, Action.RELEASE, Action.CREATE)
"""What is done to objects, the worst first."""


def sort_changes(changes: Iterable[Change]) -> list[Change]:
    """Return changes for a reader: what may do harm first, then what needs the others."""
    return sorted(changes, key=lambda change: (_DANGER.index(change.action), not change.kind.leads, change.key))


def fold_drift(drifted: Sequence[Drifted]) -> tuple[list[DriftGroup], list[Drifted]]:
    """Return what is told together, and what is told one by one: a name that was taken has a way out of its own."""
    groups: dict[tuple[str, Drifted], list[Drifted]] = {}
    single: list[Drifted] = []
    for deviation in drifted:
        if deviation.kind is Deviation.TAKEN:
            single.append(deviation)
            continue
        # What is left are the kind of deviation, who, and what stands in the way.
        alike = replace(deviation, key=drifted[0].key, origin=drifted[0].origin, when=None, differences=())
        groups.setdefault((deviation.key.kind, alike), []).append(deviation)
    single += [members[0] for members in groups.values() if len(members) == 1]
    return [
        DriftGroup(kind, _in_common(alike, members), tuple(members))
        for (kind, alike), members in groups.items()
        if len(members) > 1
    ], single


def _in_common(alike: Drifted, members: Sequence[Drifted]) -> str:
    """Return what was done to all, in words."""
    times = sorted({moment(deviation.when) for deviation in members if deviation.when})
    when = f", between {times[0]} and {times[-1]}" if len(times) > 1 else f" on {times[0]}" if times else ""
    unknown = "" if alike.who or not times else " (the service does not tell by whom)"
    return f"were{alike.sentence.removeprefix('was').removesuffix(unknown)}{when}"


def count_changes(changes: Sequence[Change]) -> str:
    """Return ``300 functions, 600 resources``: first what needs the others."""
    numbers = Counter(change.key.kind for change in changes)
    kinds = {change.key.kind: change.kind for change in changes}
    in_order = sorted(kinds, key=lambda name: (not kinds[name].leads, name))
    return ", ".join(count(numbers[name], name) for name in in_order)


def group_names(changes: Sequence[Change]) -> str:
    """Return some names, of what needs the others if there is such."""
    leading = [change for change in changes if change.kind.leads]
    return some_names([change.key.name for change in leading or changes])


def some_names(names: Sequence[str], write: Callable[[str], str] = safe) -> str:
    """Return the first names and the last, each as `write` has it."""
    if len(names) <= _NAMED + 1:
        return ", ".join(map(write, names))
    return f"{', '.join(map(write, names[:_NAMED]))} … {write(names[-1])}"


def step_groups(steps: Iterable[tuple[str, str, str]], alone: str) -> list[tuple[str, str]]:
    """Return outcome and objects of steps (outcome, kind, name); those whose outcome is `alone` one by one."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for outcome, kind, name in steps:
        groups.setdefault((outcome, kind, name if outcome.startswith(alone) else ""), []).append(name)
    return [
        (outcome, f"{kind} {safe(names[0])}" if len(names) == 1 else f"{count(len(names), kind)}: {some_names(names)}")
        for (outcome, kind, _), names in groups.items()
    ]
