"""Imported objects, for people."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from reconciler.base.errors import count
from reconciler.base.words import safe, size

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.core.identity import Key
    from reconciler.core.report import Imported
    from reconciler.render.styled import Line

_NAMED = 5
"""Of names in a sentence."""


def import_lines(imported: Imported, command: str) -> Iterator[Line]:
    """Yield what was written, what was left out and why, and `command` as the next step."""
    for obj in (*imported.functions, *imported.resources):
        yield ("create", "  + "), ("name", safe(str(obj.key))), ("", safe(obj.text))
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
    pythons = Counter(imported.pythons)
    if pythons:
        text = ", ".join(f"{tag} for {number:,}" for tag, number in pythons.most_common())
        yield (("", f"Python is a guess from the sources, the service does not keep it: {text}"),)
    wrote = f"{count(len(imported.functions), 'function')} and {count(len(imported.resources), 'resource')}"
    total = sum(resource.size for resource in imported.resources)
    yield (("name", f"Wrote {safe(imported.manifest)}: {wrote}, {size(total)} in files"),)
    yield ("help", "Next: "), ("", command)


def _left_out(imported: Imported) -> Iterator[Line]:
    if imported.left_out:
        yield (("warning", "Left out:"),)
        for skipped in imported.left_out:
            yield ("warning", "  ! "), ("name", safe(str(skipped.key))), ("", f": {safe(skipped.reason)}")
        yield ()


def _names(keys: Sequence[Key]) -> str:
    more = f" and {len(keys) - _NAMED:,} more" if len(keys) > _NAMED else ""
    return ", ".join(safe(key.name) for key in keys[:_NAMED]) + more
