"""
Comparison of a project with its manifest: every difference, with its cause.

`compare` is a function of two states. Equality of frozen values decides *whether* an object changes; `deepdiff` is
asked only to put the difference of one changed list into words, so that an upgrade of a library can change words and
never actions.

Three sides are told apart without a state file: what the manifest wants, what is live, and what udfs put there last,
of which marks keep the digests of contents, and the ledger the rest. So a difference has a cause: the manifest moved,
somebody changed the object behind its back, or both.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.base.errors import count
from reconciler.core.identity import Key, fingerprint
from reconciler.core.kind import CONTENT, Difference
from reconciler.core.state import version_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from reconciler.core.identity import Mark
    from reconciler.core.kind import Kind
    from reconciler.core.record import Applied, Entry, Reading
    from reconciler.core.state import Desired, DesiredState, Live, LiveState, Object


class Action(enum.Enum):
    """What is done to one object."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    KEEP = "keep"

    ADOPT = "adopt"
    """It comes under management as it is: it gets the mark, or an entry in the ledger where its kind has none."""

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


class Change(NamedTuple):
    """What is to be done to one object, and the two sides it was concluded from."""

    action: Action
    key: Key
    desired: Desired | None
    live: Live | None
    cause: Cause = Cause.NONE
    differences: tuple[Difference, ...] = ()

    @property
    def mark(self) -> Mark | None:
        """The mark that the object will have."""
        return None if self.desired is None or self.action is Action.RELEASE else self.desired.mark

    @property
    def kind(self) -> Kind[Any]:
        """What is known of the object."""
        return self.object.kind

    @property
    def object(self) -> Object:
        """The object as it should be, or as it is where it is to go."""
        side = self.desired or self.live
        assert side is not None
        return side.object


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
    """What is wanted, and what another stack manages with the very content: used, and left to that stack."""

    foreign: int
    """Objects in the project that this stack neither wants nor manages."""

    superseded: tuple[Live, ...] = ()
    """Versions of this stack that are not wanted, and stay for who still runs them and for a way back."""


def compare(desired: DesiredState, reading: Reading, stack: str, *, retire: bool = True) -> Comparison:
    """
    Return what separates a project from `desired`, as far as it belongs to `stack`.

    Without an entry of the ledger, marks alone decide: less is known of objects that have none, and nothing foreign
    becomes ours. Versions that are not wanted stay, unless `retire` says otherwise.
    """
    changes, disputed, superseded, foreign = [], [], [], 0
    live, last = reading.live, reading.last
    versions = _versions(live, stack)
    is_missed = _evidence(desired, reading, stack)
    alive = cache(lambda: _unmarked_names(live))
    # Both come nearly in order, which sorting them makes use of; a set of them has none.
    for key in sorted({**desired, **live}, key=attrgetter("kind", "folded")):
        want, have = desired.get(key), live.get(key)
        holder = None if have is None else reading.holder(key)
        if want is None and holder != stack:
            foreign += 1
        elif want is not None and have is not None and holder != stack:
            disputed.append(Clash(key, want, have, holder))
        elif have is None:
            assert want is not None
            changes.append(Change(Action.CREATE, key, want, None, _cause_of_new(key, want, is_missed, versions)))
        elif want is None and retire and version_of(have):
            superseded.append(have)
        elif want is None:
            changes.append(Change(Action.DELETE, key, None, have, Cause.REMOVED))
        else:
            changes.append(_compare_object(key, want, have, alive, last.applied_for_certain(key) if last else None))
    shared, clashes = _settle(disputed)
    return Comparison(_with_unrecorded(changes, last), clashes, shared, foreign, tuple(superseded))


def _unmarked_names(live: LiveState) -> frozenset[str]:
    """Return the fingerprints of the objects that keep no mark."""
    return frozenset(fingerprint(key.folded) for key, have in live.items() if not have.object.kind.has_mark)


def _cause_of_new(
    key: Key, want: Desired, is_missed: Callable[[Key, Desired], bool], versions: Callable[[], frozenset[str]]
) -> Cause:
    if is_missed(key, want):
        return Cause.MISSING
    return Cause.MANIFEST if version_of(want) in versions() else Cause.NEW


def _with_unrecorded(changes: Iterable[Change], last: Entry | None) -> tuple[Change, ...]:
    """Return changes with their cause where a mark calls an object ours and the ledger does not know it."""
    if last is None:
        return tuple(changes)
    return tuple(
        change._replace(cause=Cause.UNRECORDED)
        if (change.action is Action.UPDATE or change.action is Action.DELETE) and change.key not in last.objects
        else change
        for change in changes
    )


def _settle(disputed: Iterable[Clash]) -> tuple[tuple[Change, ...], tuple[Clash, ...]]:
    """Return what is used as another stack has it, and what stands in the way."""
    shared, clashes = [], []
    for clash in disputed:
        if _is_shared(clash):
            shared.append(Change(Action.KEEP, clash.key, clash.desired, clash.live))
        else:
            clashes.append(clash)
    return tuple(shared), tuple(clashes)


def _is_shared(clash: Clash) -> bool:
    """Say whether another stack manages the very content that is wanted, so that it can be used as it is."""
    want, have, shares = clash.desired, clash.live, clash.desired.object.kind.shares
    if clash.stack is None or shares is None:
        return False
    return shares(want.object, want.mark, have.object, have.mark)


def _versions(live: LiveState, stack: str) -> Callable[[], frozenset[str]]:
    """Return what tells the plain names of which a stack has versions; asked for only where something is new."""
    return cache(
        lambda: frozenset(
            plain for have in live.values() if have.mark and have.mark.stack == stack and (plain := version_of(have))
        )
    )


def _evidence(desired: DesiredState, reading: Reading, stack: str) -> Callable[[Key, Desired], bool]:
    """Return a test that says whether the ledger, or something in the project, still speaks of an object that is gone."""
    live = reading.live
    remembered = reading.last.objects if reading.last else {}

    @cache
    def read_names() -> set[str]:
        return {
            name
            for key, have in live.items()
            # A superseded version names objects that may have been deleted on purpose since.
            if have.mark and have.mark.stack == stack and (key in desired or not version_of(have))
            for name in have.mark.names
        }

    @cache
    def read_needs() -> set[Key]:
        ours = (have.object for key, have in live.items() if reading.holder(key) == stack)
        return {need for obj in ours for need in obj.kind.needs(obj)}

    def is_missed(key: Key, want: Desired) -> bool:
        if key in remembered or key in read_needs():
            return True
        return not want.object.kind.has_mark and fingerprint(key.folded) in read_names()

    return is_missed


def _compare_object(
    key: Key, want: Desired, have: Live, alive: Callable[[], frozenset[str]], applied: Applied | None
) -> Change:
    changed_fields = differences(want, have)
    if changed_fields:
        return Change(
            Action.UPDATE, key, _with_kept_names(want, have, alive()), have, _cause(want, have, applied), changed_fields
        )
    if want.protected != (applied is not None and applied.protected):
        difference = Difference("protect", *(("no", "yes") if want.protected else ("yes", "no")))
        return Change(Action.RECORD, key, want, have, Cause.MANIFEST, (difference,))
    return Change(Action.KEEP, key, want, have)


def differences(want: Desired, have: Live) -> tuple[Difference, ...]:
    """Return what differs between an object as it should be and as it is."""
    is_carried = not want.mark or not have.mark or want.mark.names <= have.mark.names
    if is_carried and want.object == have.object:
        return ()
    kind = want.object.kind
    own = tuple(kind.differences(want.object, have.object))
    if is_carried:
        return own
    assert want.mark is not None
    assert have.mark is not None
    added = len(want.mark.names - have.mark.names)
    return *own, Difference("marker", "", f"carries the code of {count(added, kind.carries)}")


def _cause(want: Desired, have: Live, applied: Applied | None) -> Cause:
    """Return who moved: the mark remembers the content, and the ledger all the rest."""
    kind, outside, manifest = want.object.kind, False, False
    if want.mark and have.mark and want.mark.digest and have.mark.digest:
        outside = have.mark.digest != kind.digest(have.object)
        manifest = have.mark.digest != want.mark.digest
    if applied is not None and applied.object.kind is kind:
        outside = outside or _is_otherwise(kind, applied.object, have.object)
        manifest = manifest or _is_otherwise(kind, want.object, applied.object)
    if outside:
        return Cause.BOTH if manifest else Cause.OUTSIDE
    return Cause.MANIFEST if manifest else Cause.UNKNOWN


def _is_otherwise(kind: Kind[Any], new: Object, old: Object) -> bool:
    """Say whether two objects differ in what no mark remembers."""
    return any(difference.field != CONTENT or not kind.has_mark for difference in kind.differences(new, old))


def _with_kept_names(want: Desired, have: Live, alive: frozenset[str]) -> Desired:
    # An object that is about to be deleted stays named in the mark of its carrier until it is gone: a run that is cut off
    # between the two must still know it for its own.
    if want.mark is None or have.mark is None:
        return want
    return want._replace(mark=want.mark._replace(names=want.mark.names | have.mark.names & alive))


def explain_list(old: tuple[str, ...], new: tuple[str, ...]) -> Mapping[str, tuple[str, ...]]:
    """Return which elements were ``added`` and ``removed``; neither, when only the order differs."""
    from deepdiff import DeepDiff

    delta = DeepDiff(list(old), list(new), ignore_order=True, report_repetition=False, verbose_level=2)
    added = [str(item) for item in delta.get("iterable_item_added", {}).values()]
    removed = [str(item) for item in delta.get("iterable_item_removed", {}).values()]
    for changed in delta.get("values_changed", {}).values():
        removed.append(str(changed["old_value"]))
        added.append(str(changed["new_value"]))
    return {"added": tuple(sorted(added)), "removed": tuple(sorted(removed))}
