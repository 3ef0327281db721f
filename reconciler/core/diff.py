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
from fnmatch import fnmatchcase
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.base.errors import count
from reconciler.core.kind import CONTENT, Difference, Key, fingerprint
from reconciler.core.state import version_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from reconciler.core.kind import Key, Kind, Mark
    from reconciler.core.record import Applied, Entry, Reading
    from reconciler.core.state import Desired, DesiredState, Live, LiveState, Object
    from reconciler.manifest.model import Ignored


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
    """A version that nothing lists any more, and whose grace is over."""

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
    changes: list[Change] = []
    superseded: list[Live] = []
    clashes, shared, foreign = [], [], 0
    live, last, holders = reading.live, reading.last, reading.holders
    why_absent = _absences(desired, reading, stack)
    # Fingerprints of the objects that keep no mark.
    alive = cache(lambda: frozenset(fingerprint(k.folded) for k, have in live.items() if not have.object.kind.has_mark))
    # Both come nearly in order, which sorting them makes use of; a set of them has none.
    for key in sorted({**desired, **live}, key=attrgetter("kind", "folded")):
        want, have = desired.get(key), live.get(key)
        if want is None:
            if have is None or holders[key] != stack:
                foreign += 1
            elif retire and version_of(have):
                superseded.append(have)
            else:
                cause = Cause.REMOVED if last is None or key in last.objects else Cause.UNRECORDED
                changes.append(Change(Action.DELETE, key, None, have, cause))
        elif have is None:
            changes.append(Change(Action.CREATE, key, want, None, why_absent(key, want)))
        elif (holder := holders[key]) == stack:
            changes.append(_compare_object(key, want, have, alive, last))
        elif holder is not None and _is_shared(want, have):
            shared.append(Change(Action.KEEP, key, want, have))
        else:
            clashes.append(Clash(key, want, have, holder))
    changes, superseded = _take_along(changes, superseded)
    return Comparison(tuple(changes), tuple(clashes), tuple(shared), foreign, tuple(superseded))


def _take_along(changes: list[Change], superseded: list[Live]) -> tuple[list[Change], list[Live]]:
    """Return changes with the old versions that something is deleted under, and those that stay: without it they are nobody's way back."""
    deleted = {change.key: change.cause for change in changes if change.action is Action.DELETE}
    going = {
        have.object.key: Change(Action.DELETE, have.object.key, None, have, deleted[need])
        for have in superseded
        if (need := next((need for need in have.object.kind.needs(have.object) if need in deleted), None))
    }
    if not going:
        return changes, superseded
    staying = [have for have in superseded if have.object.key not in going]
    return sorted([*changes, *going.values()], key=attrgetter("key.kind", "key.folded")), staying


def _is_shared(want: Desired, have: Live) -> bool:
    shares = want.object.kind.shares
    return shares is not None and shares(want.object, want.mark, have.object, have.mark)


def _absences(desired: DesiredState, reading: Reading, stack: str) -> Callable[[Key, Desired], Cause]:
    """
    Return what says why an object is not there: the ledger, or something in the project, may still speak of it.

    Each look at the whole project is taken once, and only where something is absent.
    """
    live = reading.live
    remembered = reading.last.objects if reading.last else {}

    @cache
    def read_versions() -> set[str]:
        marked = (have for have in live.values() if have.mark and have.mark.stack == stack)
        return {plain for have in marked if (plain := version_of(have))}

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

    def why_absent(key: Key, want: Desired) -> Cause:
        is_missed = key in remembered or key in read_needs()
        if is_missed or (not want.object.kind.has_mark and fingerprint(key.folded) in read_names()):
            return Cause.MISSING
        return Cause.MANIFEST if version_of(want) in read_versions() else Cause.NEW

    return why_absent


def _compare_object(
    key: Key, want: Desired, have: Live, alive: Callable[[], frozenset[str]], last: Entry | None
) -> Change:
    applied = last.applied_for_certain(key) if last else None
    if changed_fields := differences(want, have):
        is_recorded = last is None or key in last.objects
        certain = last.last_certain(key) if last else None
        cause = _cause(want, have, certain) if is_recorded else Cause.UNRECORDED
        if want.mark and have.mark:
            # An object that is about to be deleted stays named in the mark of its carrier until it is gone: a run that is
            # cut off between the two must still know it for its own.
            names = want.mark.names | have.mark.names & alive()
            want = want._replace(mark=want.mark._replace(names=names))
        return Change(Action.UPDATE, key, want, have, cause, changed_fields)
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


def keep_vouched(desired: DesiredState, reading: Reading) -> DesiredState:
    """
    Return the desired state, with content as it is where mark and ledger say that it is the manifest's in other bytes.

    An archive that somebody else packed of the same files gets such a mark when it is adopted: our sha256, the service's digest of theirs.
    The mark alone is not believed: whoever edits content may write its digest too.
    """
    state, applied = dict(desired), reading.last.objects if reading.last else {}
    for key, want in desired.items():
        have = reading.live.get(key)
        if want.mark is None or have is None or have.mark is None:
            continue
        kind, digest = want.object.kind, have.object.kind.digest(have.object)
        if want.mark.digest == digest or key not in applied:
            continue
        is_ours = want.mark.sha256 == have.mark.sha256 == applied[key].sha256
        if is_ours and have.mark.digest == digest == kind.digest(applied[key].object):
            content = kind.take(want.object, have.object, {CONTENT})
            state[key] = want._replace(object=content, mark=want.mark._replace(digest=digest))
    return state


def ignoring(desired: DesiredState, live: LiveState, rules: Collection[Ignored]) -> DesiredState:
    """Return the desired state, with what `rules` ignore as it is in the project."""
    if not rules:
        return desired
    state = dict(desired)
    for key in desired.keys() & live.keys():
        want, kind = desired[key], desired[key].object.kind
        fits = (rule for rule in rules if fnmatchcase(key.folded, kind.key(rule.object).folded))
        if fields := {field for rule in fits for field in rule.what}:
            state[key] = want._replace(object=kind.take(want.object, live[key].object, fields))
    return state
