"""Settings that every local server has, whatever service it speaks for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """The switches of one server; every default is what a newcomer wants. Raises ValueError for what cannot be."""

    access_id: str | None = None
    access_key: str | None = None
    """With both given, every request must be signed, by this key or by another one of the server's. Without, whoever asks is served."""

    hosts: tuple[str, ...] = ()
    """Names a Host header may give, beside loopback's and the address itself: a web page cannot have one of these."""

    control: bool = False
    """Serve ``/_control`` (request log and faults). It can kill processes, so it is for tests and for loopback only."""

    latency_ms: int = 0
    """Wait this long before each answer; requests wait side by side, not in a queue."""

    sync: bool = False
    """Wait for the disk at each write. A kill loses nothing either way; a power cut may lose the last seconds."""

    def __post_init__(self) -> None:
        if (self.access_id is None) != (self.access_key is None):
            raise ValueError("access_id and access_key are given together or not at all")
        self.require_at_least(0, "latency_ms")

    @property
    def is_signed(self) -> bool:
        """Whether requests must carry a valid signature."""
        return self.access_id is not None

    def require_at_least(self, least: int, *names: str) -> None:
        """Raise ValueError where a number is too small."""
        for name in names:
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}")
