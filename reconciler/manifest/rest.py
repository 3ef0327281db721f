"""
Rest of a broken manifest: what is left of it when that which does not fit is taken out.

Of it can be said what is wrong elsewhere, so that one run tells all. Nothing is ever planned from it. An entry that something was
taken out of is touched: only what does not depend on the rest of it is said of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic

from reconciler.base.words import closest
from reconciler.manifest.reader import Mapping, nothing
from reconciler.manifest.section import Mismatches, S, read_section

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.manifest.dialect import Flaw
    from reconciler.manifest.reader import Document
    from reconciler.manifest.section import Keys, Mismatch

_ROUNDS = 4
"""What is taken out may be needed, and then what it is part of goes, until that is an entry of the manifest."""

_STAND_INS = {"stack": lambda: "unnamed", "functions": nothing}
_OF_ANY_ENTRY = frozenset({"E304", "E305"})
"""Codes of what is so whatever else an entry says: a path that leads out, a file that is not there."""


@dataclass(frozen=True)
class Rest(Generic[S]):
    """What is left of a manifest, and where something was taken out."""

    manifest: S
    touched: frozenset[Keys]

    def is_touched(self, *keys: str | int) -> bool:
        """Say whether something of what `keys` lead to was taken out."""
        return any(each[: len(keys)] == keys or keys[: len(each)] == each for each in self.touched)

    def is_certain(self, flaw: Flaw, document: Document) -> bool:
        """Say whether a flaw of the rest is one of the manifest, too, and one that is not told yet."""
        removed = [each[1] for each in self.touched if len(each) > 1]
        if flaw.is_warning or document.value(*flaw.keys) in removed:
            return False
        return flaw.code in _OF_ANY_ENTRY or not self.is_touched(*flaw.keys[:2])


def take_rest(document: Document, model: type[S]) -> Rest[S] | None:
    """Take what does not fit out of a document, and return the rest; None where nothing is left."""
    document.root = _copy(document.root)
    touched: set[Keys] = set()
    for _ in range(_ROUNDS):
        try:
            return Rest(read_section(model, document.root), frozenset(touched))
        except Mismatches as error:
            if any(mismatch.path == () for mismatch in error.mismatches):
                return None  # it is no mapping
            # Misspelt keys first: what they are meant to be is not missing then.
            for mismatch in sorted(error.mismatches, key=lambda mismatch: mismatch.kind != "unknown"):
                touched.add(_take_out(document.root, mismatch, error.mismatches))
    return None


def _take_out(root: Mapping, mismatch: Mismatch, mismatches: Iterable[Mismatch]) -> Keys:
    """Take out what does not fit, and return where that was."""
    kind, path, _ = mismatch
    parent, key = _value(root, path[:-1]), path[-1]
    # Within a list there is no such parent, and the list leaves as a whole.
    if kind == "unknown" and isinstance(parent, Mapping):
        missing = [other.path[-1] for other in mismatches if other.kind == "missing" and other.path[:-1] == path[:-1]]
        if meant := closest(str(key), map(str, missing)):
            parent[meant], parent.marks[meant] = parent[str(key)], parent.marks[str(key)]
    elif kind == "missing":
        if isinstance(parent, Mapping) and key in parent:
            return path  # it was misspelt
        if len(path) == 1:
            if key in _STAND_INS:
                root[str(key)], root.marks[str(key)] = _STAND_INS[str(key)](), (0, 0)
            return path
        path = path[:-1]
    # An item of a list leaves with the list: the places of the others would move.
    path = next((path[:index] for index, step in enumerate(path) if isinstance(step, int)), path)
    parent = _value(root, path[:-1])
    if isinstance(parent, Mapping):
        parent.pop(str(path[-1]), None)
    return path


def _value(root: Any, path: Keys) -> Any:
    for step in path:
        root = root.get(step) if isinstance(root, dict) else None
    return root


def _copy(value: Any) -> Any:
    """Return a value whose mappings can be changed; lists are left as they are."""
    if not isinstance(value, Mapping):
        return value
    copy = Mapping({key: _copy(item) for key, item in value.items()})
    copy.marks = dict(value.marks)
    return copy
