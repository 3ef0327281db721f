"""
Cache of results between runs, each under the hash of all that it depends on.

One file a manifest: it is read once and written once, holds only what the last run used, and can be deleted. What
cannot be read or does not look right is forgotten, never an error: it can be worked out again.
"""

from __future__ import annotations

import hashlib
import json
import sys
from contextlib import suppress
from dataclasses import astuple
from typing import TYPE_CHECKING, Any

from reconciler.base import files as whole
from reconciler.checks import VERSION, Finding

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.checks import Use


def key(sha256: str, uses: tuple[Use, ...], rules: int) -> str:
    """Return what a result is kept under. `rules` is the version of the service's. The parser is this Python's, so its version is part of it, too."""
    return hashlib.sha256(repr((VERSION, rules, sys.version_info[:3], sha256, uses)).encode()).hexdigest()


class Memory:
    """The results of one manifest's last run."""

    def __init__(self, root: Path, name: str) -> None:
        """Take the file for `name`, which is the manifest's place, in the folder of caches."""
        self._path = root / "sources" / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.json"
        self._known = _read(self._path)
        self._asked: dict[str, list[list[Any]]] = {}

    def get(self, name: str) -> tuple[Finding, ...] | None:
        """Return a result, or None if it is not known."""
        rows = self._known.get(name)
        if rows is None:
            return None
        try:
            findings = tuple(_finding(row) for row in rows)
        except (TypeError, ValueError):
            return None
        self._asked[name] = rows
        return findings

    def put(self, name: str, findings: tuple[Finding, ...]) -> None:
        """Keep a result."""
        self._asked[name] = [list(astuple(finding)) for finding in findings]

    def save(self) -> None:
        """Write what was asked for, if it is not what is there."""
        if self._asked == self._known:
            return
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            whole.replace_file(self._path, json.dumps(self._asked).encode())


def _read(path: Path) -> dict[str, list[list[Any]]]:
    try:
        kept = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return kept if isinstance(kept, dict) and all(isinstance(rows, list) for rows in kept.values()) else {}


_FIELDS: tuple[Any, ...] = (int, int, str, str, (str, type(None)), int, str, str)


def _finding(row: list[Any]) -> Finding:
    if len(row) != len(_FIELDS) or not all(isinstance(value, kind) for value, kind in zip(row, _FIELDS, strict=True)):
        raise ValueError("not a finding")
    return Finding(*row)
