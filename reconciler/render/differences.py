"""Differences of one object, field by field, in words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reconciler.base.words import safe
from reconciler.core.diff import explain_list

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.core.kind import Difference

_VERSION = re.compile(r"__([0-9a-f]{8})(?=\.)")


def difference_texts(differences: Sequence[Difference]) -> Iterator[tuple[str, str]]:
    """Yield each field that differs, with what it was and will be; or the version, if nothing else moves."""
    if switch := version_switch(differences):
        yield "version", f"{switch[0]} → {switch[1]}"
        return
    for difference in differences:
        if difference.field not in {"marker", "name", "protect"}:
            yield difference.field, _difference(difference)


def version_switch(differences: Sequence[Difference]) -> tuple[str, str] | None:
    """Return the digests of two versions if an object moves from the one to the other, and is else as it was."""
    unversioned = [(_VERSION.sub("", difference.old), _VERSION.sub("", difference.new)) for difference in differences]
    if [difference.form for difference in differences] != ["text", "list"] or any(
        old != new for old, new in unversioned
    ):
        return None
    old, new = _VERSION.search(differences[0].old), _VERSION.search(differences[0].new)
    return (old[1], new[1]) if old and new else None


def _difference(difference: Difference) -> str:
    old, new = difference.old, difference.new
    if difference.form == "list":
        words = explain_list(tuple(old.split(", ")) if old else (), tuple(new.split(", ")) if new else ())
        moves = [*(f"- {name}" for name in words["removed"]), *(f"+ {name}" for name in words["added"])]
        return safe(", ".join(moves)) if moves else f"in another order: {safe(new)}"
    if difference.form == "quoted":
        return f"{safe(old)!r} → {safe(new)!r}"
    return f"{_shorten_digests(safe(old)) or '(none)'} → {_shorten_digests(safe(new)) or '(none)'}"


def _shorten_digests(text: str) -> str:
    # People tell digests apart by eight digits; documents keep them whole.
    return re.sub(r"\b([0-9a-f]{8})[0-9a-f]{24,}\b", r"\1…", text)
