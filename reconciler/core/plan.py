"""
Plan: changes in an order in which each can be made, and what stands in their way.

A plan is made from two states and nothing else: no clock, no network. It carries the live side of each change, so
that `apply` can see whether an object is still what the plan was made against. Its digest names exactly these
operations on exactly these observations.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Any

from reconciler.base.errors import Position, Problem, Refused, count, sort_problems
from reconciler.base.hints import Command
from reconciler.core.diff import Action, Cause, Change, Clash, compare
from reconciler.core.kind import CONTENT, Difference
from reconciler.core.state import version_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from reconciler.core.diff import Comparison
    from reconciler.core.drift import Drift, Toleration
    from reconciler.core.kind import Catalog, Key
    from reconciler.core.record import Entry, Reading
    from reconciler.core.state import DesiredState, Live, LiveState, Object


LARGEST_SHARE = 0.3
"""Of a stack's objects: more are deleted only when their exact number is named."""

FEWEST = 10
"""Below this a share says nothing."""


@dataclass(frozen=True)
class Destination:
    """Where a plan goes."""

    target: str
    """The name in the manifest."""

    place: tuple[tuple[str, str | None], ...]
    """Label and text of what leads to it within the service; no text for what was left out."""

    kind: str
    """Of the target, as a manifest names it."""

    @classmethod
    def of(cls, catalog: Catalog, target: str, *texts: str | None) -> Destination:
        """Return a destination of a kind of target, with a text for each label of its place."""
        return cls(target, tuple(zip(catalog.place, texts, strict=True)), catalog.target_kind)

    @property
    def parts(self) -> dict[str, str]:
        """What was not left out, by its label."""
        return {label: text for label, text in self.place if text is not None}

    def __str__(self) -> str:
        return f"{', '.join(f'{label} {text}' for label, text in self.parts.items())} (target {self.target})"


@dataclass(frozen=True)
class Plan:
    """What `apply` will do, in this order, and what stands in its way."""

    stack: str
    destination: Destination
    changes: tuple[Change, ...]
    """Operations only, in an order in which each can be made on its own."""

    unchanged: tuple[Change, ...] = ()
    shared: tuple[Change, ...] = ()
    """Objects of other stacks that objects here need."""

    refusals: tuple[Problem, ...] = ()
    """Why this plan can never be applied, whatever is allowed."""

    cautions: tuple[Problem, ...] = ()
    """What may go wrong, though it is not in the changes: in the manifest, in its files, at this hour."""

    foreign: int = 0
    """Objects in the project that the stack has nothing to do with."""

    superseded: int = 0
    """Versions of this stack that are no longer wanted, and stay until they are collected."""

    tolerations: tuple[Toleration, ...] = ()
    """What was changed outside and is left so, because the manifest says it."""

    empty_manifest: bool = False
    from_dump: bool = False
    """Whether the live side came from a dump: nobody has looked at the project itself."""

    back_to: int | None = None
    """The epoch that is gone back to, if this is a rollback."""

    @functools.cached_property
    def digest(self) -> str:
        """The sha256 of the operations and of what they rest on; worked out when somebody asks, for most copies nobody does."""
        return _digest(self)

    @functools.cached_property
    def counts(self) -> Mapping[Action, int]:
        return Counter(change.action for change in self.changes)

    @functools.cached_property
    def upload_bytes(self) -> int:
        """Bytes of content that will be sent."""
        return sum(upload_size(change) for change in self.changes)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What may go wrong, though the plan is allowed."""
        return (*self.cautions, *(problem for change in self.changes for problem in _warn_of_risks(change)))

    @property
    def deletes(self) -> int:
        """How many objects go for good; what only goes under its old name is not among them."""
        return sum(change.action is Action.DELETE and change.cause is not Cause.MOVED for change in self.changes)

    @property
    def managed(self) -> int:
        """How many objects of the project the stack manages before the plan is made."""
        return len(self.unchanged) + sum(change.live is not None for change in self.changes)


def make(
    desired: DesiredState,
    reading: Reading,
    *,
    stack: str,
    destination: Destination,
    moved: Mapping[Key, Key] | None = None,
    cause: Cause | None = None,
    from_dump: bool = False,
    tolerations: tuple[Toleration, ...] = (),
) -> Plan:
    """
    Plan how a project becomes `desired`, as far as it belongs to `stack`.

    `moved` leads from old names to new ones; `cause` is why, where it is not the manifest that wants it so. What
    `tolerations` name is left as it is.
    """
    comparison = compare(desired, reading, stack, retire=cause not in {Cause.DESTROYED, Cause.SUPERSEDED})
    operations = [change for change in comparison.changes if change.action is not Action.KEEP]
    tolerations, operations = _leave(tolerations, operations)
    operations = _mark_moves(operations, desired, moved or {})
    if cause is not None:
        operations = [
            # That a mark may be forged matters most where everything marked goes.
            change if cause is Cause.DESTROYED and change.cause is Cause.UNRECORDED else change._replace(cause=cause)
            for change in operations
        ]
    empty = not desired and cause is None
    refusals = [*(_refuse_empty(operations, stack) if empty else ()), *_refuse(operations, comparison, reading)]
    return Plan(
        stack=stack,
        destination=destination,
        changes=tuple(order_changes(operations)),
        unchanged=tuple(change for change in comparison.changes if change.action is Action.KEEP),
        shared=comparison.shared,
        refusals=tuple(sort_problems(refusals)),
        foreign=comparison.foreign,
        superseded=len(comparison.superseded),
        tolerations=tolerations,
        empty_manifest=empty,
        from_dump=from_dump,
    )


def _refuse(operations: Sequence[Change], comparison: Comparison, reading: Reading) -> Iterator[Problem]:
    """Yield why operations can never be made, and why what is wanted cannot be had."""
    yield from map(_refuse_clash, comparison.clashes)
    for change in operations:
        yield from _refuse_fixed(change)
    yield from filter(None, map(_refuse_spelling, (*comparison.changes, *comparison.shared)))
    yield from needed_by_strangers(operations, reading.live)
    yield from _refuse_protected(operations, reading.last)


def _leave(
    tolerations: tuple[Toleration, ...], operations: Sequence[Change]
) -> tuple[tuple[Toleration, ...], list[Change]]:
    """Return what is left as it is, and the operations that remain."""
    tolerations = _keep_needed(tolerations, operations)
    exempt = {toleration.deviation.key for toleration in tolerations}
    return tolerations, [change for change in operations if change.key not in exempt]


def _keep_needed(tolerations: tuple[Toleration, ...], operations: Sequence[Change]) -> tuple[Toleration, ...]:
    """Return what can be left as it is: what is gone, and something to be written needs, comes back all the same."""
    exempt = {toleration.deviation.key for toleration in tolerations}
    written = [change.desired.object for change in operations if change.desired and change.key not in exempt]
    needed = {need for obj in written for need in needs(obj)}
    absent = {change.key for change in operations if change.live is None}
    return tuple(each for each in tolerations if each.deviation.key not in needed & absent)


def restoring(plan: Plan, drift: Drift) -> Plan:
    """
    Return the part of a plan that brings back what was changed outside.

    What stands in the way of the rest of the plan does not stand in the way of this; an object whose needs are not all
    there, or brought back with it, waits for the whole plan.
    """
    restored = {change.key: change for change in plan.changes if change.key in drift.restorable}
    available = {c.key for c in (*plan.changes, *plan.unchanged, *plan.shared) if c.live is not None} | restored.keys()
    changes = [c for c in restored.values() if c.desired and all(need in available for need in needs(c.desired.object))]
    return replace(plan, changes=tuple(changes), refusals=())


def require_allowed(plan: Plan, *, allow_deletes: int) -> None:
    """Raise `Refused` with every reason why `plan` may not be applied."""
    problems = [*plan.refusals, *guards(plan, allow_deletes=allow_deletes)]
    if problems:
        raise Refused.of(problems)


def guards(plan: Plan, *, allow_deletes: int) -> Iterable[Problem]:
    """Yield what a flag or a second look would lift."""
    if plan.deletes > allow_deletes:
        deleted = [c for c in plan.changes if c.action is Action.DELETE and c.cause is not Cause.MOVED]
        names = ", ".join(str(c.key) for c in deleted)
        allowed = f"only {allow_deletes} allowed" if allow_deletes else "none is allowed"
        yield Problem(
            "E503",
            f"{count(plan.deletes, 'object')} would be deleted and {allowed}: {names}",
            hint=(
                f"if this is meant, apply with --allow-deletes {plan.deletes}; a new name belongs under `moved:`; how to leave something there, unmanaged: ",
                Command("explain", "E503"),
            ),
        )
    elif plan.managed >= FEWEST and plan.deletes > LARGEST_SHARE * plan.managed and plan.deletes != allow_deletes:
        yield Problem(
            "E512",
            f"{plan.deletes} of {count(plan.managed, 'object')} would be deleted, "
            f"more than {LARGEST_SHARE:.0%} of stack '{plan.stack}'",
            hint=f"so many only with their exact number: --allow-deletes {plan.deletes}",
        )


def order_changes(changes: Iterable[Change]) -> list[Change]:
    """
    Put changes in an order in which each can be made on its own.

    What an object needs is written before it and removed after it, and nothing is removed before everything is
    written: a run that stops half way never leaves an object without what it needs.
    """
    by_key = {change.key: change for change in changes}
    upserts = {k: needs(c.desired.object) for k, c in by_key.items() if c.desired is not None}
    deletes = {k: needs(c.live.object) for k, c in by_key.items() if c.desired is None and c.live is not None}
    rank = {key: change.kind.rank for key, change in by_key.items()}
    return [by_key[key] for key in [*_topological(upserts, rank), *reversed(_topological(deletes, rank))]]


def needs(obj: Object) -> tuple[Key, ...]:
    """Return the keys of the objects that must be there before `obj`."""
    return obj.kind.needs(obj)


def upload_size(change: Change) -> int:
    """Return how many bytes of content a change sends; what is sent of a content is always the whole."""
    if change.action is Action.RECORD or change.desired is None:
        return 0
    if change.kind.keeps_content and not writes_content(change):
        return 0
    return change.kind.size(change.desired.object)


def writes_content(change: Change) -> bool:
    """Say whether a change writes content where a write need not; what is taken over or let go of keeps its own."""
    is_other = any(difference.field == CONTENT for difference in change.differences)
    return change.action is Action.CREATE or (change.action is Action.UPDATE and is_other)


def observation(live: Live | None) -> tuple[object, ...] | None:
    """
    Return what must still be true of an object when it is written.

    Its mark is not in it: one rewritten by a concurrent run of the same manifest is not a reason to stop.
    """
    return None if live is None else (live.object.kind.name, *live.object.kind.observe(live.object))


def _topological(graph: Mapping[Key, tuple[Key, ...]], rank: Mapping[Key, int]) -> list[Key]:
    """Sort keys so that needs come first; equal claims are settled by name."""
    sorter = TopologicalSorter({key: [need for need in graph[key] if need in graph] for key in sorted(graph)})
    sorter.prepare()
    result: list[Key] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), key=lambda key: (rank[key], key))
        result += ready
        sorter.done(*ready)
    # Objects of a kind that do not need one another could stand anywhere, but a plan reads better in blocks.
    return sorted(result, key=rank.__getitem__)


def _refuse_empty(operations: Sequence[Change], stack: str) -> Iterable[Problem]:
    """Yield the refusal of a manifest that lists nothing any more: no number of deletes that are allowed is meant for that."""
    if operations:
        yield Problem(
            "E504",
            f"the manifest is empty, while the project holds {count(len(operations), 'object')} of stack '{stack}'",
            hint=("is it the right file? How a stack is ended: ", Command("explain", "E504")),
        )


def _refuse_clash(clash: Clash) -> Problem:
    if clash.stack is not None:
        refusal = another_stacks(clash.key, clash.live, clash.stack, clash.desired.origin)
        if clash.live.object.kind.shares is not None:
            # With the same content it would have been used as it is.
            return replace(refusal, message=f"{refusal.message}, with another content")
        return refusal
    return Problem(
        "E501",
        f"{clash.key} is in the project and udfs does not manage it{_who(clash.live)}",
        at=clash.desired.origin,
        hint=("rename yours in the manifest, or take it over: ", Command("adopt", clash.key.name)),
        together=(
            "objects of the manifest are in the project and udfs does not manage them",
            ("take over all that nobody manages, as it is: ", Command("adopt", "'*'")),
        ),
    )


def another_stacks(key: Key, live: Live, stack: str, position: Position) -> Problem:
    """Return the refusal of an object that another stack manages."""
    return Problem(
        "E502",
        f"{key} belongs to stack '{stack}'{_who(live)}",
        at=position,
        hint=f"rename yours in the manifest; only stack '{stack}' can let go of it, by disowning it",
        together=(
            f"objects of the manifest belong to stack '{stack}'",
            f"rename yours in the manifest; only stack '{stack}' can let go of them, by disowning them",
        ),
    )


def _refuse_fixed(change: Change) -> Iterator[Problem]:
    """Yield a refusal for each difference in what the service does not change."""
    if change.action is Action.UPDATE and change.desired is not None:
        for difference in change.differences:
            if difference.field == CONTENT and change.kind.update == "new version":
                message = f"{change.key} holds something else, and no {change.key.kind} is ever written again"
                yield Problem("E508", message, at=change.desired.origin, hint=f"delete that {change.key.kind}")
            rule = change.kind.fixed.get(difference.field)
            if rule is not None and rule.applies(change.object):
                yield Problem(
                    rule.code,
                    f"{change.key} {rule.message.format(old=difference.old, new=difference.new)}",
                    at=change.desired.origin,
                    hint=rule.hint,
                )


def _warn_of_risks(change: Change) -> Iterator[Problem]:
    """Yield a warning for each difference whose change may do harm."""
    if change.action is Action.UPDATE and change.desired is not None:
        for difference in change.differences:
            rule = change.kind.risky.get(difference.field)
            if rule is not None and rule.applies(change.object):
                message = f"{change.key} {rule.message.format(old=difference.old, new=difference.new)}"
                yield Problem(rule.code, message, at=change.desired.origin, hint=rule.hint, severity="warning")


def _refuse_spelling(change: Change) -> Problem | None:
    """Refuse another spelling of a name where it matters: an object keeps its first one, so nothing would change."""
    if change.desired is None or change.live is None:
        return None
    new, old = change.desired.object, change.live.object
    if new.name == old.name or (rule := new.kind.fixed.get("name")) is None or not rule.applies(new):
        return None
    message = f"{change.key} {rule.message.format(old=old.name, new=new.name)}"
    return Problem(rule.code, message, at=change.desired.origin, hint=rule.hint)


def _mark_moves(operations: Sequence[Change], desired: DesiredState, moved: Mapping[Key, Key]) -> list[Change]:
    """
    Say of what goes under an old name, and of what comes under the new one, that it is the same.

    The service has no renaming: the new one is made first, and the old one goes when everything is written. A run that
    is cut off in between leaves both, both ours, and the next one goes on from there.
    """
    # What no apply made was not renamed either: it goes as what is deleted goes, by number.
    pairs = {
        change.key: moved[change.key]
        for change in operations
        if change.action is Action.DELETE and moved.get(change.key) in desired and change.cause is not Cause.UNRECORDED
    }
    pairs |= _within_moved(operations, desired, pairs)
    names = {
        side: Difference("name", old.name, desired[new].object.name)
        for old, new in pairs.items()
        for side in ((Action.DELETE, old), (Action.CREATE, new))
    }
    return [
        change._replace(cause=Cause.MOVED, differences=(difference,))
        if (difference := names.get((change.action, change.key)))
        else change
        for change in operations
    ]


def _within_moved(operations: Sequence[Change], desired: DesiredState, pairs: Mapping[Key, Key]) -> dict[Key, Key]:
    """
    Return what goes with an object under its old name, each with what is in its place under the new one.

    A version is called by what is in it; one that has none in its place goes all the same with what it is a version of.
    """
    within = {}
    for change in operations if pairs else ():
        if change.action is Action.DELETE and change.key not in pairs and change.cause is not Cause.UNRECORDED:
            kind = change.kind
            renamed = {kind.within(change.key.name, old.name, new.name): new for old, new in pairs.items()}
            for name, owner in renamed.items():
                key = kind.key(name) if name else None
                if key is not None and key in desired:
                    within[change.key] = key
                elif name and change.live is not None and version_of(change.live):
                    within[change.key] = owner
    return within


def _refuse_protected(operations: Iterable[Change], last: Entry | None) -> Iterable[Problem]:
    """Yield a refusal for each deletion of what the ledger remembers as protected."""
    remembered = last.objects if last else {}
    for change in operations:
        applied = remembered.get(change.key)
        if change.action is Action.DELETE and applied is not None and applied.protected:
            yield Problem(
                "E511",
                f"{change.key} is protected, and would be deleted",
                hint="put its entry back without `protect: true` and apply; then it can go",
            )


def needed_by_strangers(operations: Sequence[Change], live: LiveState) -> Iterable[Problem]:
    """Yield a refusal for each object that would be deleted under one that needs it and stays, as this plan leaves it."""
    deleted = {change.key for change in operations if change.action is Action.DELETE}
    remaining = {change.key: change.desired.object for change in operations if change.desired is not None}
    users: dict[Key, dict[str, str]] = defaultdict(dict)
    for user in live.keys() - deleted if deleted else ():
        for need in needs(remaining.get(user, live[user].object)):
            users[need][live[user].object.name] = user.kind
    for key in sorted(deleted & users.keys()):
        names = sorted(users[key])
        shown = ", ".join(f"'{name}'" for name in names[:3]) + (f" and {len(names) - 3} more" if names[3:] else "")
        yield Problem(
            "E505",
            f"{key} would be deleted, and {users[key][names[0]]}{'s' if names[1:] else ''} {shown} still "
            f"{'lists' if len(names) == 1 else 'list'} it",
            hint=(
                f"take it out of there first, or keep the {key.kind} in the manifest; how to leave it to whoever uses it: ",
                Command("explain", "E505"),
            ),
        )


def _who(live: Live) -> str:
    """Return owner, updater and time, as far as the service tells."""
    owner = f"owner {live.owner}" if live.owner else ""
    changed = f"last changed by {live.updater}" if live.updater else ""
    if live.modified:
        changed = f"{changed or 'last changed'} on {live.modified:%Y-%m-%d %H:%MZ}"
    created = f"created {live.created:%Y-%m-%d %H:%MZ}" if live.created and not changed else ""
    facts = ", ".join(part for part in (owner, changed, created) if part)
    return f" ({facts})" if facts else ""


def _digest(plan: Plan) -> str:
    body = {
        "stack": plan.stack,
        "destination": {"target": plan.destination.target, **dict(plan.destination.place)},
        "changes": [
            [c.action.value, str(c.key), identity(c), None if c.live is None else list(observation(c.live) or ())]
            for c in plan.changes
        ],
    }
    return hashlib.sha256(json.dumps(body, sort_keys=True, default=str).encode()).hexdigest()


def identity(change: Change) -> object:
    """Return what an operation comes to, mark and all, as plain values; None for a deletion."""
    if change.desired is None:
        return None
    mark = change.desired.mark
    text = change.kind.write_mark(mark, change.key.name) if mark else ""
    return [_plain(change.desired.object), text]


def _plain(value: Any) -> Any:
    """Return named tuples as mappings, and those in them too."""
    if hasattr(value, "_asdict"):
        return {name: _plain(part) for name, part in value._asdict().items()}
    return [_plain(part) for part in value] if isinstance(value, tuple) else value
