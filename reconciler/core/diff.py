"""
What separates a project from its manifest, and why.

`compare` is a function of two states. Equality of frozen values decides *whether* an object changes; `deepdiff` is
asked only to put the difference of one changed list into words, so that an upgrade of a library can change words and
never actions.

Three sides are told apart without a state file: what the manifest wants, what is live, and what udfs put there last,
of which a resource's marker keeps the digests. So a difference has a cause: the manifest moved, somebody changed the
object behind its back, or both. Functions carry no marker, and the service tells neither updater nor time for them:
their cause is known only where a marker names a function that is gone.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from reconciler.base.errors import count
from reconciler.base.names import Key, resource_key
from reconciler.core.state import Function, Resource, name_mark, version_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from reconciler.core.record import Applied, Entry
    from reconciler.core.state import Desired, DesiredState, Live, LiveState, Marker


class Action(enum.Enum):
    """What is done to one object."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    KEEP = "keep"

    ADOPT = "adopt"
    """It comes under management as it is: a resource's comment gets the mark, a function's entry in the ledger is all."""

    RELEASE = "release"
    """It stays, and is no longer managed."""

    RECORD = "record"
    """Nothing is sent: only what the ledger remembers of it changes."""


class Cause(enum.Enum):
    """Why an object is not as it should be."""

    NEW = "new"
    """In the manifest, never seen in the project, not even with another content."""

    MISSING = "missing"
    """Something in the project says that it was there: deleted outside, or an apply was cut off."""

    MANIFEST = "manifest"
    """The project still holds what udfs put there; the manifest has moved on."""

    OUTSIDE = "outside"
    """The manifest still wants what udfs put there; somebody changed the project."""

    BOTH = "both"
    """Neither side is what udfs put there."""

    UNKNOWN = "unknown"
    """The two differ; who moved cannot be told."""

    REMOVED = "removed"
    """Managed by this stack, and no longer in the manifest."""

    UNRECORDED = "unrecorded"
    """Marked as this stack's, though the ledger knows of no apply that made it: a forged mark looks so."""

    MOVED = "moved"
    """The manifest says that it has another name now: under the one it comes, under the other it goes."""

    DESTROYED = "destroyed"
    """The stack is being removed on purpose."""

    ROLLED_BACK = "rolled back"
    """An earlier apply left it otherwise, and that is wanted again."""

    SUPERSEDED = "superseded"
    """A version that no function lists any more, and whose grace is over."""

    NONE = "none"
    """Nothing differs."""


class Difference(NamedTuple):
    """One field of one object."""

    field: str
    """``content``, ``comment``, ``type``, ``table``, ``class``, ``resources``, ``marker``, ``protect`` or ``name``."""

    old: str
    new: str

    @property
    def turned(self) -> Difference:
        """The same, told from the other side."""
        return self._replace(old=self.new, new=self.old)


class Change(NamedTuple):
    """What is to be done to one object, and the two sides it was concluded from."""

    action: Action
    key: Key
    desired: Desired | None
    live: Live | None
    cause: Cause = Cause.NONE
    differences: tuple[Difference, ...] = ()

    @property
    def marker(self) -> Marker | None:
        """What the comment of a resource will carry."""
        return None if self.desired is None or self.action is Action.RELEASE else self.desired.marker


@dataclass(frozen=True)
class Clash:
    """A name that the manifest wants and that is not this stack's to change."""

    key: Key
    desired: Desired
    live: Live
    stack: str | None
    """The other stack that marked it, or None for an object that no udfs manages."""


@dataclass(frozen=True)
class Comparison:
    """The outcome of `compare`."""

    changes: tuple[Change, ...]
    """One an object that is wanted or managed, KEEP included, sorted by key."""

    clashes: tuple[Clash, ...]
    shared: tuple[Change, ...]
    """Resources that are wanted, and that another stack manages with the very content: used, and left to that stack."""

    foreign: int
    """Objects in the project that this stack neither wants nor manages."""

    superseded: tuple[Live, ...] = ()
    """Versions of this stack that are not wanted, and stay for who still runs them and for a way back."""


def compare(
    desired: DesiredState, live: LiveState, stack: str, last: Entry | None = None, *, retire: bool = True
) -> Comparison:
    """
    Return what separates `live` from `desired`, as far as it belongs to `stack`.

    `last` is the newest entry of the stack's ledger. Without it the marks in comments decide alone: less is known of
    functions, and nothing foreign becomes ours. Versions that are not wanted stay, unless `retire` says otherwise.
    """
    changes, clashes, shared, superseded, foreign = [], [], [], [], 0
    versions = _versions(live, stack)
    missing = _evidence(desired, live, stack, last)
    alive = cache(lambda: frozenset(name_mark(key.name) for key in live if key.kind == "function"))
    # Both come nearly in order, which sorting them makes use of; a set of them has none.
    for key in sorted({**desired, **live}, key=attrgetter("kind", "folded")):
        want, have = desired.get(key), live.get(key)
        holder = None if have is None else managed_by(have, live, last)
        if want is None and holder != stack:
            foreign += 1
        elif want is not None and have is not None and holder not in {stack, None} and _is_same_content(want, have):
            shared.append(Change(Action.KEEP, key, want, have))
        elif want is not None and have is not None and holder != stack:
            clashes.append(Clash(key, want, have, holder))
        elif have is None:
            is_next = want is not None and version_of(want) in versions()
            cause = Cause.MISSING if missing(key) else Cause.MANIFEST if is_next else Cause.NEW
            changes.append(Change(Action.CREATE, key, want, None, cause))
        elif want is None and retire and version_of(have):
            superseded.append(have)
        elif want is None:
            cause = Cause.REMOVED if last is None or key in last.objects else Cause.UNRECORDED
            changes.append(Change(Action.DELETE, key, None, have, cause))
        else:
            change = _compared(key, want, have, alive, last.known(key) if last else None)
            is_unrecorded = change.action is Action.UPDATE and last is not None and key not in last.objects
            changes.append(change._replace(cause=Cause.UNRECORDED) if is_unrecorded else change)
    return Comparison(tuple(changes), tuple(clashes), tuple(shared), foreign, tuple(superseded))


def managed_by(have: Live, live: LiveState, last: Entry | None = None) -> str | None:
    """
    Return the stack that manages an object, or None.

    A function is managed by the stack whose marker, on a resource the function lists, names the function: a function
    that somebody registers over a managed module is not named there, and stays theirs. It is also managed by the stack
    whose ledger lists it, if it is still the one that was applied (`Applied.is_same_function`).
    """
    if isinstance(have.object, Resource):
        return have.marker.stack if have.marker else None
    mark = name_mark(have.object.name)
    for marker in _markers(have.object, live):
        if mark in marker.functions:
            return marker.stack
    applied = last.objects.get(have.object.key) if last else None
    return last.stack if last and applied and applied.is_same_function(have) else None


def _is_same_content(want: Desired, have: Live) -> bool:
    """
    Say whether another stack's resource holds what is wanted here.

    By its mark and its size: nobody asks for the MD5 of what others manage. If it was edited since, that stack's drift says so.
    """
    new, old = want.object, have.object
    if not isinstance(new, Resource) or not isinstance(old, Resource) or new.type != old.type:
        return False
    if want.marker is None or have.marker is None or new.table is not None or old.table is not None:
        return fold_table(new.table) == fold_table(old.table)
    return (want.marker.sha256, new.size) == (have.marker.sha256, old.size)


def _markers(function: Function, live: LiveState) -> Iterator[Marker]:
    for ref in function.resources:
        carrier = live.get(resource_key(ref.name)) if ref.is_own else None
        if carrier is not None and carrier.marker is not None:
            yield carrier.marker


def _versions(live: LiveState, stack: str) -> Callable[[], frozenset[str]]:
    """Return what tells the plain names of which a stack has versions; asked for only where something is new."""
    return cache(
        lambda: frozenset(
            plain
            for have in live.values()
            if have.marker and have.marker.stack == stack and (plain := version_of(have))
        )
    )


def _evidence(desired: DesiredState, live: LiveState, stack: str, last: Entry | None) -> Callable[[Key], bool]:
    """Return a test that says whether the ledger, or something in the project, still speaks of an object that is gone."""
    remembered = last.objects if last else {}

    @cache
    def marks() -> set[str]:
        return {
            mark
            for key, have in live.items()
            # A superseded version names functions that may have been deleted on purpose since.
            if have.marker and have.marker.stack == stack and (key in desired or not version_of(have))
            for mark in have.marker.functions
        }

    @cache
    def listed() -> set[Key]:
        return {
            resource_key(ref.name)
            for have in live.values()
            if isinstance(have.object, Function) and managed_by(have, live) == stack
            for ref in have.object.resources
            if ref.is_own
        }

    return lambda key: (
        key in remembered or (key in listed() if key.kind == "resource" else name_mark(key.name) in marks())
    )


def _compared(
    key: Key, want: Desired, have: Live, alive: Callable[[], frozenset[str]], applied: Applied | None
) -> Change:
    found = differences(want, have)
    if not found and want.protected != (applied is not None and applied.protected):
        told = Difference("protect", *(("no", "yes") if want.protected else ("yes", "no")))
        return Change(Action.RECORD, key, want, have, Cause.MANIFEST, (told,))
    if not found:
        return Change(Action.KEEP, key, want, have)
    if isinstance(want.object, Resource) and isinstance(have.object, Resource):
        cause = _resource_cause(want, have, want.object, have.object, applied)
    else:
        assert isinstance(want.object, Function)
        assert isinstance(have.object, Function)
        cause = _function_cause(want.object, have.object, applied)
    return Change(Action.UPDATE, key, _with_kept_marks(want, have, alive()), have, cause, found)


def differences(want: Desired, have: Live) -> tuple[Difference, ...]:
    """Return what differs between an object as it should be and as it is."""
    if want.object == have.object and _carries(want, have):
        return ()
    if isinstance(want.object, Resource) and isinstance(have.object, Resource):
        return tuple(_resource_differences(want, have, want.object, have.object))
    assert isinstance(want.object, Function)
    assert isinstance(have.object, Function)
    return tuple(_function_differences(want.object, have.object))


def _carries(want: Desired, have: Live) -> bool:
    """Say whether a resource's mark names every function that it should."""
    return not want.marker or not have.marker or want.marker.functions <= have.marker.functions


def _resource_differences(want: Desired, have: Live, new: Resource, old: Resource) -> Iterator[Difference]:
    if new.type != old.type:
        yield Difference("type", old.type, new.type)
    if new.md5 != old.md5:
        yield Difference("content", _content(old.md5, old.size), _content(new.md5, new.size))
    if fold_table(new.table) != fold_table(old.table):
        yield Difference("table", old.table or "", new.table or "")
    if new.comment != old.comment:
        yield Difference("comment", old.comment, new.comment)
    if want.marker and have.marker and not _carries(want, have):
        added = want.marker.functions - have.marker.functions
        yield Difference("marker", "", f"carries the code of {count(len(added), 'more function')}")


def _resource_cause(want: Desired, have: Live, new: Resource, old: Resource, applied: Applied | None) -> Cause:
    outside = manifest = False
    if want.marker and have.marker and want.marker.md5 and have.marker.md5:
        outside, manifest = have.marker.md5 != old.md5, have.marker.md5 != want.marker.md5
    if applied is not None and isinstance(applied.object, Resource):
        # The mark has no memory of these; the ledger has.
        was = _beside_content(applied.object)
        outside, manifest = outside or was != _beside_content(old), manifest or was != _beside_content(new)
    return _cause(outside=outside, manifest=manifest)


def _beside_content(resource: Resource) -> tuple[str, str, str | None]:
    return resource.type, resource.comment, fold_table(resource.table)


def _cause(*, outside: bool, manifest: bool) -> Cause:
    if outside:
        return Cause.BOTH if manifest else Cause.OUTSIDE
    return Cause.MANIFEST if manifest else Cause.UNKNOWN


def _function_differences(new: Function, old: Function) -> Iterator[Difference]:
    # The class is case-sensitive [doc "Function operations"]; resources are looked up without regard to case, and
    # their order is kept because nothing says that it does not matter.
    if new.class_path != old.class_path:
        yield Difference("class", old.class_path, new.class_path)
    if [ref.folded for ref in new.resources] != [ref.folded for ref in old.resources]:
        yield Difference("resources", ", ".join(map(str, old.resources)), ", ".join(map(str, new.resources)))


def _function_cause(new: Function, old: Function, applied: Applied | None) -> Cause:
    if applied is None or not isinstance(applied.object, Function):
        return Cause.UNKNOWN
    outside = any(_function_differences(applied.object, old))
    manifest = any(_function_differences(new, applied.object))
    return _cause(outside=outside, manifest=manifest)


def _with_kept_marks(want: Desired, have: Live, alive: frozenset[str]) -> Desired:
    # A function that is about to be deleted stays named in the marker until it is gone: a run that is cut off between
    # the two must still know it for its own.
    if want.marker is None or have.marker is None:
        return want
    kept = have.marker.functions & alive
    return want._replace(marker=want.marker._replace(functions=want.marker.functions | kept))


def _content(md5: str | None, size: int) -> str:
    return f"{count(size, 'byte')}, md5 {md5 or 'unknown'}"


def fold_table(source: str | None) -> str | None:
    """Return a table's name in the form in which two are compared."""
    return None if source is None else "".join(source.lower().replace("`", "").replace('"', "'").split())


def explain_list(old: tuple[str, ...], new: tuple[str, ...]) -> Mapping[str, tuple[str, ...]]:
    """Return which elements were ``added`` and ``removed``; neither, when only the order differs."""
    from deepdiff import DeepDiff

    found = DeepDiff(list(old), list(new), ignore_order=True, report_repetition=False, verbose_level=2)
    added = [str(item) for item in found.get("iterable_item_added", {}).values()]
    removed = [str(item) for item in found.get("iterable_item_removed", {}).values()]
    for changed in found.get("values_changed", {}).values():
        removed.append(str(changed["old_value"]))
        added.append(str(changed["new_value"]))
    return {"added": tuple(sorted(added)), "removed": tuple(sorted(removed))}
