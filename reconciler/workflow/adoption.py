"""
Plans that change whose an object is: adopt and release.

A marker is written with the content it describes, so the bytes of each object are at hand before the plan is made.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from reconciler.base.threads import Threads
from reconciler.core import ownership
from reconciler.core.state import WITH_CONTENT, Resource
from reconciler.packages.content import Content, read
from reconciler.workflow.planning import apply_policy, apply_quiet_times, destination, policy_breaches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from reconciler.base.names import Key
    from reconciler.core.plan import Plan
    from reconciler.core.record import Reading
    from reconciler.core.state import LiveState, Object
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
    side = _ownership_side(prepared.loaded, reading)
    keys = ownership.to_adopt(names, prepared.desired, side)
    side = replace(side, live={**side.live, **_read_each(keys, target)})
    contents = _load_contents(keys, side.live, prepared, target, folder)
    plan = apply_policy(
        ownership.adoption(keys, prepared.desired, side, contents), prepared.loaded, policy_breaches(prepared)
    )
    return apply_quiet_times(plan, prepared.loaded, target), _paths_by_sha256(contents)


def make_release(
    prepared: Prepared, reading: Reading, target: Target, names: Sequence[str], folder: Path
) -> tuple[Plan, Mapping[str, Path]]:
    """Plan how named objects stop being managed; as `make_adoption`."""
    side = _ownership_side(prepared.loaded, reading)
    keys = ownership.to_release(names, prepared.desired, side)
    contents = _load_contents([*keys, *ownership.carriers(keys, side)], side.live, prepared, target, folder)
    plan = ownership.release(keys, side, contents, prepared.loaded.at("stack"))
    return apply_quiet_times(plan, prepared.loaded, target), _paths_by_sha256(contents)


def _ownership_side(loaded: Loaded, reading: Reading) -> ownership.Side:
    return ownership.Side(reading.live, loaded.manifest.stack, destination(loaded), reading.last)


def _read_each(keys: Iterable[Key], target: Target) -> LiveState:
    """Return resources as they are when asked for one by one: a listing has no MD5 of what is not ours."""
    resources = [key for key in keys if key.kind == "resource"]
    return {key: live for key, live in _ask_concurrently(target.read_one, resources).items() if live}


def _load_contents(
    keys: Iterable[Key], live: LiveState, prepared: Prepared, target: Target, folder: Path
) -> Mapping[Key, Content]:
    """Return the bytes that resources hold: the manifest's own file where it has the same, else downloaded."""
    local, contents = {}, prepared.contents
    for key in keys:
        obj, desired = live[key].object, prepared.desired.get(key)
        marker = desired.marker if desired else None
        if marker and marker.sha256 and marker.md5 and isinstance(obj, Resource) and marker.md5 == obj.md5:
            local[key] = Content(contents[marker.sha256], marker.sha256, marker.md5, obj.size)

    missing = [key for key in keys if key not in local and _has_content(live[key].object)]
    paths = {key: folder / str(number) for number, key in enumerate(missing)}

    def download(key: Key) -> Content:
        target.download(live[key].object.name, paths[key])
        return read(paths[key])

    return {**local, **_ask_concurrently(download, missing)}


def _has_content(obj: Object) -> bool:
    return isinstance(obj, Resource) and obj.type in WITH_CONTENT


def _ask_concurrently(ask: Callable[[Key], _T], keys: Sequence[Key]) -> dict[Key, _T]:
    """Ask for several objects at a time; nothing more is asked for after an error or Ctrl-C."""
    with Threads(_READERS) as threads:
        return dict(zip(keys, threads.map(ask, keys), strict=True))


def _paths_by_sha256(contents: Mapping[Key, Content]) -> Mapping[str, Path]:
    return {content.sha256: content.path for content in contents.values()}
