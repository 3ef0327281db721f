"""
Redaction: secrets of this process by their values, taken out of whatever is written.

Whoever comes by a secret says so (`conceal`), at the start or in the middle of a run; every sink asks `redact`: both
streams, files that a command writes, texts for the ledger. Sessions are renewed while a command runs, so nothing keeps a
list of its own.
"""

from __future__ import annotations

import re
from threading import Lock
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterable

HIDDEN = "…"
"""What stands in the place of a secret."""

_SHORTEST = 8
"""Below this it is no secret but a word, such as the local service's, and may stand in a message."""

_SIGNATURE = re.compile(r"\bODPS\s+[^\s:]+:[\w+/=-]{16,}")
_FIELD = re.compile(
    r"((?:access_?key_?secret|security_?token|sts_?token|id_?token|access_?key)[\"']?\s*[:=]\s*[\"']?)[^\s\"',}&<]{8,}",
    re.IGNORECASE,
)
"""Secrets that nobody could conceal yet, in answers and messages of others."""


class _Secrets:
    def __init__(self) -> None:
        self._lock = Lock()
        self._forms: set[str] = set()
        self._text: re.Pattern[str] | None = None
        self._bytes: re.Pattern[bytes] | None = None

    def add(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets if len(secret) >= _SHORTEST for form in _forms(secret)}
        with self._lock:
            if forms <= self._forms:
                return
            self._forms |= forms
            # The longest first: one secret may begin like another.
            ordered = "|".join(re.escape(form) for form in sorted(self._forms, key=len, reverse=True))
            self._text, self._bytes = re.compile(ordered), re.compile(ordered.encode())

    def clear(self) -> None:
        with self._lock:
            self._forms, self._text, self._bytes = set(), None, None

    def redact(self, text: str) -> str:
        pattern = self._text
        return pattern.sub(HIDDEN, text) if pattern else text

    def redact_bytes(self, content: bytes) -> bytes:
        pattern = self._bytes
        return pattern.sub(HIDDEN.encode(), content) if pattern else content


_SECRETS = _Secrets()


def _forms(secret: str) -> set[str]:
    """Return a secret as it is, and as Python, JSON and addresses write it."""
    import json
    from urllib.parse import quote, quote_plus

    return {secret, repr(secret)[1:-1], json.dumps(secret)[1:-1], quote(secret, safe=""), quote_plus(secret)}


def conceal(*secrets: str | None) -> None:
    """Keep some values from every sink from now on; those of fewer than eight characters are words."""
    _SECRETS.add(secret for secret in secrets if secret)


def forget_secrets() -> None:
    """Begin anew: a command does not hide what an earlier one of the same process knew."""
    _SECRETS.clear()


def redact(text: str) -> str:
    """Return a text without the secrets of this process."""
    return _SECRETS.redact(text)


def redact_bytes(content: bytes) -> bytes:
    """Return the bytes of a text without the secrets of this process."""
    return _SECRETS.redact_bytes(content)


def redact_foreign(text: str) -> str:
    """Return what a service or a library said without secrets, those included that only they can know."""
    return _FIELD.sub(rf"\g<1>{HIDDEN}", _SIGNATURE.sub(f"ODPS {HIDDEN}", redact(text)))


class RedactedStream:
    """A stream of text that no secret gets through; else it is the stream that it stands for."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(redact(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    @property
    def buffer(self) -> _RedactedBytes:
        return _RedactedBytes(self._stream.buffer)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _RedactedBytes:
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, content: bytes) -> int:
        self._stream.write(redact_bytes(content))
        return len(content)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
