"""
Sources before and after: the texts of a plan's changes, as the project has them and as they will be.

What is versioned is another object for another content, so its two sides are found by what needs them: what an object
needed, and what it will need under the same plain name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.base.inputs import SHIPPED, read_input
from reconciler.core.diff import Action
from reconciler.core.history import version_pairs
from reconciler.core.kind import CONTENT
from reconciler.core.plan import needs
from reconciler.core.report import SourceChange
from reconciler.core.state import version_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from reconciler.core.diff import Change
    from reconciler.core.kind import Key
    from reconciler.core.record import Entry
    from reconciler.core.state import Desired, Live, LiveState
    from reconciler.core.target import Target

_LARGEST = 1_000_000
"""Bytes; nobody reads the difference of larger texts."""


def source_changes(
    changes: Sequence[Change], live: LiveState, target: Target, contents: Mapping[str, Path], folder: Path
) -> tuple[SourceChange, ...]:
    """Return the texts that differ; `folder` takes those of the project, which are asked for. What is no text has none."""
    texts: list[SourceChange] = []
    for number, (key, desired) in enumerate(dict(_pairs(changes, live)).items()):
        path = contents.get(desired.mark.sha256 or "") if desired.mark else None
        kind = live[key].object.kind
        if path is None or max(kind.size(live[key].object), kind.size(desired.object)) > _LARGEST:
            continue
        target.download(key, folder / str(number))
        old, new = _text(folder / str(number)), _text(path)
        if old is not None and new is not None and old != new:
            texts.append(SourceChange(version_of(desired) or desired.object.name, old, new))
    return tuple(texts)


def entry_sources(
    before: Entry, entry: Entry, live: LiveState, target: Target, folder: Path
) -> tuple[SourceChange, ...]:
    """Return the texts that an apply changed, as far as the project still has both versions; `folder` takes them."""
    texts: list[SourceChange] = []
    for number, (name, *keys) in enumerate(version_pairs(before, entry)):
        sides = []
        for side, key in zip(("old", "new"), keys, strict=True):
            if key in live and live[key].object.kind.size(live[key].object) <= _LARGEST:
                target.download(key, folder / f"{number}-{side}")
                sides.append(_text(folder / f"{number}-{side}"))
        if len(sides) == 2 and (old := sides[0]) is not None and (new := sides[1]) is not None and old != new:
            texts.append(SourceChange(name, old, new))
    return tuple(texts)


def _pairs(changes: Sequence[Change], live: LiveState) -> Iterator[tuple[Key, Desired]]:
    """Yield each object of the project that holds another content than what takes its place."""
    written = {change.key: change.desired for change in changes if change.desired is not None}
    for change in changes:
        if change.action is not Action.UPDATE or change.live is None or change.desired is None:
            continue
        if change.kind.holds_content(change.object):
            if any(difference.field == CONTENT for difference in change.differences):
                yield change.live.object.key, change.desired
            continue
        yield from _moves(change.live, change.desired, written, live)


def _moves(old: Live, new: Desired, written: Mapping[Key, Desired], live: LiveState) -> Iterator[tuple[Key, Desired]]:
    """Yield what an object needed and needs no more, each with what comes under the same plain name."""
    before, after = needs(old.object), needs(new.object)
    coming = {version_of(written[key]): written[key] for key in after if key not in before and key in written}
    for key in before:
        if key not in after and key in live and (plain := version_of(live[key])) and plain in coming:
            yield key, coming[plain]


def _text(path: Path) -> str | None:
    """Return a file as text; None for what is none."""
    try:
        text = read_input(path, SHIPPED).decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text
