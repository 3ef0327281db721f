"""
Ignored fields: what the manifest says to leave as it is in the project, whoever put it there.

A field that is ignored is wanted as it is found, so that no plan, no drift and no apply speaks of it. Content is
never among them: it is always written whole.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from reconciler.core.identity import Key
    from reconciler.core.state import Desired, DesiredState, Live, LiveState
    from reconciler.manifest.model import Ignored


def ignoring(desired: DesiredState, live: LiveState, rules: Iterable[Ignored]) -> DesiredState:
    """Return the desired state, with what `rules` ignore as it is in the project."""
    taken = [(rule.object.lower(), rule.what) for rule in rules]
    if not taken:
        return desired
    return {key: _as_found(want, live.get(key), _fields(key, taken)) for key, want in desired.items()}


def _fields(key: Key, rules: Iterable[tuple[str, Collection[str]]]) -> set[str]:
    return {field for pattern, what in rules if fnmatchcase(key.folded, pattern) for field in what}


def _as_found(want: Desired, have: Live | None, fields: Collection[str]) -> Desired:
    if have is None or not fields:
        return want
    return want._replace(object=want.object.kind.take(want.object, have.object, fields))
