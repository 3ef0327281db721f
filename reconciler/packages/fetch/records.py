"""
Records of the cache: small results that were worked out once, as typed JSON.

A record that cannot be read, or does not look right, counts as absent; one that cannot be written costs time and nothing else.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

import msgspec

from reconciler.base.files import replace_file

if TYPE_CHECKING:
    from pathlib import Path

_T = TypeVar("_T")


def record_path(root: Path, kind: str, key: str) -> Path:
    """Return where the record of a key is; the key is a hash of all that the record depends on."""
    return root / kind / key[:2] / f"{key}.json"


def load_record(path: Path, form: type[_T]) -> _T | None:
    """Return a record, if it is here."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=form)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def save_record(path: Path, record: object) -> None:
    """Write a record, whole or not at all."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, msgspec.json.encode(record))
