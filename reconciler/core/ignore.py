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


def ignoring(desired: DesiredState, live: LiveState, rules: Collection[Ignored]) -> DesiredState:
    """Return the desired state, with what `rules` ignore as it is in the project."""
    if not rules:
        return desired
    return {key: _as_found(want, live.get(key), _fields(key, want, rules)) for key, want in desired.items()}


def _fields(key: Key, want: Desired, rules: Iterable[Ignored]) -> set[str]:
    fold = want.object.kind.key
    return {field for rule in rules if fnmatchcase(key.folded, fold(rule.object).folded) for field in rule.what}


def _as_found(want: Desired, have: Live | None, fields: Collection[str]) -> Desired:
    if have is None or not fields:
        return want
    return want._replace(object=want.object.kind.take(want.object, have.object, fields))
