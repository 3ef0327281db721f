"""Imported objects, for people."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from reconciler.base.errors import count
from reconciler.base.words import safe, size
from reconciler.targets.maxcompute.objects import Function, Resource
from reconciler.targets.maxcompute.selection import is_file, path_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.core.identity import Key
    from reconciler.core.state import Live
    from reconciler.render.styled import Line
    from reconciler.targets.maxcompute.selection import Imported

_NAMED = 5
"""Of names in a sentence."""


def import_lines(imported: Imported, command: str) -> Iterator[Line]:
    """Yield what was written, what was left out and why, and `command` as the next step."""
    for live, python in imported.functions:
        assert isinstance(live.object, Function)
        text = f", class {safe(live.object.class_path)}, {count(len(live.object.resources), 'resource')}, {python}"
        yield ("create", "  + "), ("name", f"function {safe(live.object.name)}"), ("", text)
    yield from map(_resource, imported.resources)
    if not imported.is_empty:
        yield ()
    yield from _left_out(imported)
    if imported.present:
        yield ("quiet", f"In the manifest already: {_names(imported.present)}"), ("", "")
    if imported.lost_comments:
        text = f"Comments that are not ASCII cannot be in a manifest, and go when it is adopted: {_names(imported.lost_comments)}"
        yield ("warning", text), ("", "")
    if imported.unproven:
        text = f"The service gives no MD5, so only the size was compared: {_names(imported.unproven)}"
        yield ("warning", text), ("", "")
    if imported.is_empty:
        yield (("name", "Nothing to import, nothing was written"),)
        return
    pythons = Counter(python for _, python in imported.functions)
    if pythons:
        text = ", ".join(f"{tag} for {number:,}" for tag, number in pythons.most_common())
        yield (("", f"Python is a guess from the sources, the service does not keep it: {text}"),)
    wrote = f"{count(len(imported.functions), 'function')} and {count(len(imported.resources), 'resource')}"
    total = sum(
        resource.object.size
        for resource in imported.resources
        if isinstance(resource.object, Resource) and is_file(resource)
    )
    yield (("name", f"Wrote {safe(imported.manifest)}: {wrote}, {size(total)} in files"),)
    yield ("help", "Next: "), ("", command)


def _resource(live: Live) -> Line:
    assert isinstance(live.object, Resource)
    what = (
        f" → {path_of(live.object)}, {size(live.object.size)}"
        if is_file(live)
        else f", {safe(live.object.table or '')}"
    )
    return ("create", "  + "), ("name", f"resource {safe(live.object.name)}"), ("", what)


def _left_out(imported: Imported) -> Iterator[Line]:
    if imported.left_out:
        yield (("warning", "Left out:"),)
        for skipped in imported.left_out:
            yield ("warning", "  ! "), ("name", safe(str(skipped.key))), ("", f": {safe(skipped.reason)}")
        yield ()


def _names(keys: Sequence[Key]) -> str:
    more = f" and {len(keys) - _NAMED:,} more" if len(keys) > _NAMED else ""
    return ", ".join(safe(key.name) for key in keys[:_NAMED]) + more
