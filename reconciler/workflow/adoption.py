"""
Plans that change whose an object is: adopt and release.

A marker is written with the content it describes, so the bytes of each object are at hand before the plan is made.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from reconciler.base.threads import Threads
from reconciler.core import ownership
from reconciler.packages.content import Content, read_content
from reconciler.workflow.planning import apply_policy, apply_quiet_times, plan_destination
from reconciler.workflow.preparation import policy_breaches

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from reconciler.core.kind import Key
    from reconciler.core.plan import Plan
    from reconciler.core.record import Reading
    from reconciler.core.state import LiveState
    from reconciler.core.target import Target
    from reconciler.manifest.load import Loaded
    from reconciler.workflow.preparation import Prepared

_T = TypeVar("_T")
_READERS = 8


def make_adoption(
    prepared: Prepared, reading: Reading, target: Target, names: Sequence[str], folder: Path
) -> tuple[Plan, Mapping[str, Path]]:
    """
    Plan how named objects of the manifest come under management; `folder` takes what has to be downloaded for that.

    Returns the plan and where the bytes are that it sends.
    """
    side = _ownership_side(prepared.loaded, reading, target)
    return _adopt(ownership.to_adopt(names, prepared.desired, side), prepared, side, target, folder)


def make_takeover(
    prepared: Prepared, reading: Reading, target: Target, objects: Collection[Key], folder: Path
) -> tuple[Plan, Mapping[str, Path]]:
    """As `make_adoption`, for objects that were imported, with what they list; what nobody manages, of all of it."""
    side = _ownership_side(prepared.loaded, reading, target)
    return _adopt(ownership.to_take_over(objects, prepared.desired, side), prepared, side, target, folder)


def _adopt(
    keys: tuple[Key, ...], prepared: Prepared, side: ownership.Side, target: Target, folder: Path
) -> tuple[Plan, Mapping[str, Path]]:
    reading = side.reading
    side = replace(side, reading=replace(reading, live={**side.live, **_read_each(keys, side.live, target)}))
    contents = _load_contents(keys, side.live, prepared, target, folder)
    same = _with_same_files(contents, side.live, prepared)
    plan = ownership.adoption(keys, prepared.desired, side, contents, same)
    plan = apply_policy(plan, prepared.loaded, policy_breaches(prepared))
    return apply_quiet_times(plan, prepared.loaded, target), _paths_by_sha256(contents)


def make_release(
    prepared: Prepared, reading: Reading, target: Target, names: Sequence[str], folder: Path
) -> tuple[Plan, Mapping[str, Path]]:
    """Plan how named objects stop being managed; as `make_adoption`."""
    side = _ownership_side(prepared.loaded, reading, target)
    keys = ownership.to_release(names, prepared.desired, side)
    contents = _load_contents([*keys, *ownership.carriers(keys, side)], side.live, prepared, target, folder)
    plan = ownership.release(keys, side, contents, prepared.loaded.at("stack"))
    return apply_quiet_times(plan, prepared.loaded, target), _paths_by_sha256(contents)


def _ownership_side(loaded: Loaded, reading: Reading, target: Target) -> ownership.Side:
    return ownership.Side(reading, loaded.manifest.stack, plan_destination(loaded), target.catalog.kinds)


def _read_each(keys: Iterable[Key], live: LiveState, target: Target) -> LiveState:
    """Return objects as they are when asked for one by one, where a listing does not tell all of what is not ours."""
    unlisted = [key for key in keys if live[key].object.kind.as_listed]
    return {key: current for key, current in _ask_concurrently(target.read_one, unlisted).items() if current}


def _load_contents(
    keys: Iterable[Key], live: LiveState, prepared: Prepared, target: Target, folder: Path
) -> Mapping[Key, Content]:
    """Return the bytes that objects hold: the manifest's own file where it has the same, else downloaded."""
    local, by_sha256 = {}, {content.sha256: content for content in prepared.artifacts.contents}
    for key in keys:
        obj, desired = live[key].object, prepared.desired.get(key)
        mark = desired.mark if desired else None
        if mark and mark.sha256 and mark.digest and mark.digest == obj.kind.digest(obj):
            local[key] = by_sha256[mark.sha256]

    missing = [key for key in keys if key not in local and live[key].object.kind.holds_content(live[key].object)]
    paths = {key: folder / str(number) for number, key in enumerate(missing)}

    def download(key: Key) -> Content:
        target.download(live[key].object.key, paths[key])
        return read_content(paths[key])

    return {**local, **_ask_concurrently(download, missing)}


def _with_same_files(contents: Mapping[Key, Content], live: LiveState, prepared: Prepared) -> frozenset[Key]:
    """Return the objects that hold the manifest's files in other bytes: somebody else packed them."""
    by_sha256 = {content.sha256: content for content in prepared.artifacts.contents}
    same = set()
    for key, content in contents.items():
        mark = prepared.desired[key].mark
        packed = by_sha256.get(mark.sha256 or "") if mark else None
        is_other = packed is not None and packed.sha256 != content.sha256
        if packed is not None and is_other and live[key].object.kind.same_files(content.path, packed.path):
            same.add(key)
    return frozenset(same)


def _ask_concurrently(ask: Callable[[Key], _T], keys: Sequence[Key]) -> dict[Key, _T]:
    """Ask for several objects at a time; nothing more is asked for after an error or Ctrl-C."""
    with Threads(_READERS) as threads:
        return dict(zip(keys, threads.map(ask, keys), strict=True))


def _paths_by_sha256(contents: Mapping[Key, Content]) -> Mapping[str, Path]:
    return {content.sha256: content.path for content in contents.values()}
