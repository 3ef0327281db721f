"""
Canonical JSON: one text for each value that the service takes for the same, so that frozen objects can hold and compare settings.

The service fills in what nobody named, and answers nothing, null or an empty mapping for what is not set. So empty values are left
out, and a value covers another that has more in it.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def canonical(value: Any) -> str:
    """Return the one text of a JSON value; empty for what is not set."""
    trimmed = _trim(value)
    return "" if trimmed is None else _encode(trimmed)


def _trim(value: Any) -> Any:
    """Return a value without what is empty in it; None for what is empty itself. False and 0 say something."""
    if isinstance(value, dict):
        return {name: part for name, part in ((str(n), _trim(v)) for n, v in value.items()) if part is not None} or None
    if isinstance(value, list | tuple):
        return [_trim(part) for part in value] or None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return None if value == "" else value


def parse_text(text: str) -> Any:
    """Return the value of a canonical text; None for what is not set."""
    return json.loads(text) if text else None


def covers(new: str, old: str) -> bool:
    """Say whether all that one canonical text names stands so in another, which may have more."""
    return new == old or _covers(parse_text(new), parse_text(old))


def _covers(new: Any, old: Any) -> bool:
    if isinstance(new, dict):
        return isinstance(old, dict) and all(_covers(part, old.get(name)) for name, part in new.items())
    if isinstance(new, list):
        return isinstance(old, list) and len(new) == len(old) and all(map(_covers, new, old))
    # JSON's true is no 1.
    return bool(new == old) and isinstance(new, bool) == isinstance(old, bool)


def digest_text(text: str, digits: int = 8) -> str:
    """Return the first hex digits of the sha256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:digits]
