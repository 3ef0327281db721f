"""
Order changes and decide whether they may be applied.

A plan is made from two states and nothing else: no clock, no network. It carries the live side of each change, so
that `apply` can see whether an object is still what the plan was made against. Its digest names exactly these
operations on exactly these observations.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, field, replace
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

from reconciler.base.errors import Position, Problem, Refused, count, in_order
from reconciler.base.hints import Command
from reconciler.base.names import Key, resource_key
from reconciler.core.diff import Action, Cause, Change, Clash, Difference, compare, fold_table
from reconciler.core.state import Function, Live, Resource

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reconciler.core.record import Entry
    from reconciler.core.state import DesiredState, LiveState, Object


LARGEST_SHARE = 0.3
"""Of a stack's objects: more are deleted only when their exact number is named."""

FEWEST = 10
"""Below this a share says nothing."""

_FOUND_BY_SPELLING = ("py", "archive")
"""Types of resources that Python finds by their names as they are stored; others are asked for by `get_cache_…`."""


@dataclass(frozen=True)
class Destination:
    """Where a plan goes."""

    target: str
    """The name in the manifest."""

    project: str
    schema: str | None = None


@dataclass(frozen=True)
class Plan:
    """What `apply` will do, in this order, and what stands in its way."""

    stack: str
    destination: Destination
    changes: tuple[Change, ...]
    """Operations only, in an order in which each can be made on its own."""

    unchanged: tuple[Change, ...] = ()
    shared: tuple[Change, ...] = ()
    """Resources of other stacks that functions here use."""

    refusals: tuple[Problem, ...] = ()
    """Why this plan can never be applied, whatever is allowed."""

    cautions: tuple[Problem, ...] = ()
    """What may go wrong, though it is not in the changes: in the manifest, in its files, at this hour."""

    foreign: int = 0
    """Objects in the project that the stack has nothing to do with."""

    superseded: int = 0
    """Versions of this stack that are no longer wanted, and stay until they are collected."""

    empty_manifest: bool = False
    from_dump: bool = False
    """Whether the live side came from a dump: nobody has looked at the project itself."""

    back_to: int | None = None
    """The epoch that is gone back to, if this is a rollback."""

    digest: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", _digest(self))

    @property
    def counts(self) -> Mapping[Action, int]:
        return Counter(change.action for change in self.changes)

    @property
    def upload_bytes(self) -> int:
        """Bytes of content that will be sent."""
        return sum(uploaded(change) for change in self.changes)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What may go wrong, though the plan is allowed."""
        return (*self.cautions, *(problem for change in self.changes if (problem := _replaced(change))))

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
    live: LiveState,
    *,
    stack: str,
    destination: Destination,
    last: Entry | None = None,
    moved: Mapping[Key, Key] | None = None,
    cause: Cause | None = None,
    from_dump: bool = False,
) -> Plan:
    """
    Plan how `live` becomes `desired` as far as it belongs to `stack`; `last` is the newest entry of its ledger.

    `moved` leads from old names to new ones; `cause` is why, where it is not the manifest that wants it so.
    """
    found = compare(desired, live, stack, last, retire=cause not in {Cause.DESTROYED, Cause.SUPERSEDED})
    operations = [change for change in found.changes if change.action is not Action.KEEP]
    operations = _renamed(operations, desired, moved or {})
    if cause is not None:
        operations = [
            # That a mark may be forged matters most where everything marked goes.
            change if cause is Cause.DESTROYED and change.cause is Cause.UNRECORDED else change._replace(cause=cause)
            for change in operations
        ]
    empty = not desired and cause is None
    refusals = [
        *(_emptied(operations, stack) if empty else ()),
        *map(_clash, found.clashes),
        *(problem for change in operations if (problem := _retyped(change))),
        *(problem for change in (*found.changes, *found.shared) if (problem := _respelled(change))),
        *needed_by_strangers(operations, live),
        *_protected(operations, last),
    ]
    return Plan(
        stack=stack,
        destination=destination,
        changes=tuple(ordered(operations)),
        unchanged=tuple(change for change in found.changes if change.action is Action.KEEP),
        shared=found.shared,
        refusals=tuple(in_order(refusals)),
        foreign=found.foreign,
        superseded=len(found.superseded),
        empty_manifest=empty,
        from_dump=from_dump,
    )


def require_allowed(plan: Plan, *, allow_deletes: int) -> None:
    """Raise `Refused` with every reason why `plan` may not be applied."""
    problems = [*plan.refusals, *guards(plan, allow_deletes=allow_deletes)]
    if problems:
        raise Refused.of(problems)


def require_digest(plan: Plan, digest: str | None) -> None:
    """Raise `Refused` if an approval quotes the digest of another plan."""
    if digest is not None and digest != plan.digest:
        raise Refused(
            "E519",
            f"sha256:{digest} was approved, and this plan is sha256:{plan.digest}",
            hint="look at what differs, and have this plan approved",
        )


def guards(plan: Plan, *, allow_deletes: int) -> Iterable[Problem]:
    """Yield what a flag or a second look would lift."""
    if plan.deletes > allow_deletes:
        gone = [c for c in plan.changes if c.action is Action.DELETE and c.cause is not Cause.MOVED]
        names = ", ".join(str(c.key) for c in gone)
        allowed = f"only {allow_deletes} allowed" if allow_deletes else "none is allowed"
        yield Problem(
            "E503",
            f"{count(plan.deletes, 'object')} would be deleted and {allowed}: {names}",
            hint=(
                f"if this is meant, apply with --allow-deletes {plan.deletes}; a new name belongs under `moved:`; to leave something there, unmanaged: ",
                Command("disown", "NAME"),
            ),
        )
    elif plan.managed >= FEWEST and plan.deletes > LARGEST_SHARE * plan.managed and plan.deletes != allow_deletes:
        yield Problem(
            "E512",
            f"{plan.deletes} of {count(plan.managed, 'object')} would be deleted, "
            f"more than {LARGEST_SHARE:.0%} of stack '{plan.stack}'",
            hint=f"so many only with their exact number: --allow-deletes {plan.deletes}",
        )


def ordered(changes: Iterable[Change]) -> list[Change]:
    """
    Put changes in an order in which each can be made on its own.

    What an object needs is written before it and removed after it, and nothing is removed before everything is
    written: a run that stops half way never leaves a function without its resources.
    """
    by_key = {change.key: change for change in changes}
    upserts = {k: needs(c.desired.object) for k, c in by_key.items() if c.desired is not None}
    deletes = {k: needs(c.live.object) for k, c in by_key.items() if c.desired is None and c.live is not None}
    return [by_key[key] for key in [*_topological(upserts), *reversed(_topological(deletes))]]


def needs(obj: Object) -> tuple[Key, ...]:
    """Return the keys of the objects that must be there before `obj`."""
    if isinstance(obj, Function):
        return tuple(resource_key(ref.name) for ref in obj.resources if ref.is_own)
    return ()


def uploaded(change: Change) -> int:
    """Return how many bytes of content a change sends; a resource is always replaced whole."""
    if change.action is Action.RECORD or change.desired is None or not isinstance(change.desired.object, Resource):
        return 0
    return change.desired.object.size


def observation(live: Live | None) -> tuple[object, ...] | None:
    """
    Return what must still be true of an object when it is written.

    The comment is left out where the content stands for it: `?meta` and the listing show the same one, but a marker
    rewritten by a concurrent run of the same manifest is not a reason to stop.
    """
    if live is None:
        return None
    if isinstance(live.object, Resource):
        return ("resource", live.object.type, live.object.md5, live.object.size, fold_table(live.object.table))
    return ("function", live.object.class_path, tuple(ref.folded for ref in live.object.resources))


def _topological(graph: Mapping[Key, tuple[Key, ...]]) -> list[Key]:
    """Sort keys so that needs come first; equal claims are settled by name."""
    sorter = TopologicalSorter({key: [need for need in graph[key] if need in graph] for key in sorted(graph)})
    sorter.prepare()
    result: list[Key] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), key=lambda key: (key.kind != "resource", key))
        result += ready
        sorter.done(*ready)
    # Resources first, then functions: independent of one another, but a plan reads better in two blocks.
    return sorted(result, key=lambda key: key.kind != "resource")


def _emptied(operations: Sequence[Change], stack: str) -> Iterable[Problem]:
    """Yield the refusal of a manifest that lists nothing any more: no number of deletes that are allowed is meant for that."""
    if operations:
        yield Problem(
            "E504",
            f"the manifest is empty, while the project holds {count(len(operations), 'object')} of stack '{stack}'",
            hint=("if the stack is to go, run: ", Command("destroy")),
        )


def _clash(clash: Clash) -> Problem:
    if clash.stack is not None:
        found = another_stacks(clash.key, clash.live, clash.stack, clash.desired.origin)
        if clash.key.kind == "resource":
            return replace(found, message=f"{found.message}, with another content")
        return found
    return Problem(
        "E501",
        f"{clash.key} is in the project and udfs does not manage it{_who(clash.live)}",
        at=clash.desired.origin,
        hint=("rename yours in the manifest, or take it over: ", Command("adopt", clash.key.name)),
    )


def another_stacks(key: Key, live: Live, stack: str, at: Position) -> Problem:
    """Return the refusal of an object that another stack manages."""
    return Problem(
        "E502",
        f"{key} belongs to stack '{stack}'{_who(live)}",
        at=at,
        hint=f"rename yours in the manifest; only stack '{stack}' can let go of it, by disowning it",
    )


def _retyped(change: Change) -> Problem | None:
    if change.action is not Action.UPDATE or not any(d.field == "type" for d in change.differences):
        return None
    assert change.desired is not None
    [kind] = [d for d in change.differences if d.field == "type"]
    return Problem(
        "E508",
        f"{change.key} is of type {kind.old} and would become {kind.new}",
        at=change.desired.origin,
        hint="give the resource another name",
    )


def _replaced(change: Change) -> Problem | None:
    """Tell of an archive that gets other content under its name: users saw workers go on with the old one [PyODPS #100]."""
    if change.action is not Action.UPDATE or not any(d.field == "content" for d in change.differences):
        return None
    assert change.desired is not None
    assert isinstance(change.desired.object, Resource)
    if change.desired.object.type != "archive":
        return None
    return Problem(
        "E514",
        f"{change.key} gets other content under its name, and a worker that has the old one may go on with it",
        at=change.desired.origin,
        hint="a new name avoids it: a new version of the wheel, `bundle: single`, another name under `resources:`",
        severity="warning",
    )


def _respelled(change: Change) -> Problem | None:
    """
    Refuse capitals that the project does not have, where Python looks for them.

    A name is found whatever its case and keeps its first spelling [doc "Function operations"], so nothing would change in the
    project; but ``import`` and ``work/<archive>`` are the first spelling's alone.
    """
    if change.desired is None or change.live is None or not isinstance(change.desired.object, Resource):
        return None
    new, old = change.desired.object, change.live.object
    if new.name == old.name or new.type not in _FOUND_BY_SPELLING:
        return None
    return Problem(
        "E513",
        f"{change.key} is spelled '{old.name}' in the project, and stays so: Python would not find '{new.name}'",
        at=change.desired.origin,
        hint="spell it as the project does, or choose a name that differs in more than its capitals",
    )


def _renamed(operations: Sequence[Change], desired: DesiredState, moved: Mapping[Key, Key]) -> list[Change]:
    """
    Say of what goes under an old name, and of what comes under the new one, that it is the same.

    The service has no renaming: the new one is made first, and the old one goes when everything is written. A run that
    is cut off in between leaves both, both ours, and the next one goes on from there.
    """
    # What no apply made was not renamed either: it goes as what is deleted goes, by number.
    gone = {
        change.key: moved[change.key]
        for change in operations
        if change.action is Action.DELETE and change.key in moved and change.cause is not Cause.UNRECORDED
    }
    pairs = {old: new for old, new in gone.items() if new in desired}
    names = {new: old for old, new in pairs.items()}
    told = []
    for change in operations:
        if change.key in pairs:
            difference = Difference("name", change.key.name, pairs[change.key].name)
            told.append(change._replace(cause=Cause.MOVED, differences=(difference,)))
        elif change.key in names and change.action is Action.CREATE:
            difference = Difference("name", names[change.key].name, change.key.name)
            told.append(change._replace(cause=Cause.MOVED, differences=(difference,)))
        else:
            told.append(change)
    return told


def _protected(operations: Iterable[Change], last: Entry | None) -> Iterable[Problem]:
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
    """Yield a refusal for each resource that would be deleted under a function that stays, as this plan leaves it."""
    deleted = {change.key for change in operations if change.action is Action.DELETE}
    left = {change.key: change.desired.object for change in operations if change.desired is not None}
    users: dict[Key, set[str]] = defaultdict(set)
    for user in live.keys() - deleted if deleted else ():
        for need in needs(left.get(user, live[user].object)):
            users[need].add(live[user].object.name)
    for key in sorted(deleted & users.keys()):
        names = sorted(users[key])
        yield Problem(
            "E505",
            f"{key} would be deleted, and {_functions(names)} still {'lists' if len(names) == 1 else 'list'} it",
            hint=(
                "take it out of there first, or keep the resource in the manifest; to leave it to whoever uses it: ",
                Command("disown", key.name),
            ),
        )


def _functions(names: list[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:3])
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"function{'s' if len(names) > 1 else ''} {shown}{more}"


def _who(live: Live) -> str:
    """Return owner, updater and time, as far as the service tells."""
    owner = f"owner {live.owner}" if live.owner else ""
    changed = f"last changed by {live.updater}" if live.updater else ""
    if live.modified:
        changed = f"{changed or 'last changed'} on {live.modified:%Y-%m-%d %H:%MZ}"
    created = f"created {live.created:%Y-%m-%d %H:%MZ}" if live.created and not changed else ""
    told = ", ".join(part for part in (owner, changed, created) if part)
    return f" ({told})" if told else ""


def _digest(plan: Plan) -> str:
    body = {
        "stack": plan.stack,
        "destination": asdict(plan.destination),
        "changes": [
            [c.action.value, str(c.key), _identity(c), None if c.live is None else list(observation(c.live) or ())]
            for c in plan.changes
        ],
    }
    return hashlib.sha256(json.dumps(body, sort_keys=True, default=str).encode()).hexdigest()


def _identity(change: Change) -> object:
    if change.desired is None:
        return None
    marker, wanted = change.desired.marker, change.desired.object
    fields = wanted._asdict()
    if isinstance(wanted, Function):
        fields["resources"] = [ref._asdict() for ref in wanted.resources]
    return [fields, marker.on(change.key.name) if marker else ""]
