"""
Description of an instance, and of what goes in and comes out: all that running a function takes, and nothing of where it came from.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

UNHANDLED = "UnhandledInvocationError"
"""What the header X-Fc-Error-Type says of every error of a Python function ("Error handling")."""


@dataclass(frozen=True)
class InstanceDescription:
    """A function, as an instance of it is started."""

    runtime: str
    """A key of `RUNTIMES`."""

    code: Path
    """The unpacked folder, which the function sees as /code."""

    handler: str
    layers: tuple[Path, ...] = ()
    """Unpacked folders, which the function sees merged as /opt; of two files with one name that of the first layer."""

    command: tuple[str, ...] = ()
    """With a custom runtime: what starts its HTTP server; without, the handler is called as built-in runtimes do."""

    port: int = 9000
    initializer: str | None = None
    memory: int = 512
    """MiB."""

    disk: int = 512
    """MiB of /tmp."""

    timeout: float = 60
    """Seconds of a call."""

    initializer_timeout: float = 300
    """Seconds that starting may take: the import of the handler's module, and the initializer."""

    environment: Mapping[str, str] = field(default_factory=dict)
    """The function's own variables."""

    name: str = "function"
    region: str = "cn-hangzhou"
    account: str = "0"
    version: str = "LATEST"
    qualifier: str = "LATEST"
    log_project: str = ""
    log_store: str = ""
    credentials: tuple[str, str, str] | None = None
    """Key, secret and token that the function is to get; never the caller's own."""

    network: bool = False


@dataclass(frozen=True)
class EventRequest:
    """What one call has of its own."""

    id: str = ""
    timeout: float | None = None
    """Seconds, where they are to be fewer than the function's."""


@dataclass(frozen=True)
class FunctionAnswer:
    """What came of one event."""

    payload: bytes
    """The result, or the JSON that the service makes of an error."""

    error: str | None
    """What X-Fc-Error-Type says; None if it went well."""

    error_type: str
    """The name of the exception, or of what happened to the process; empty if it went well."""

    log: str
    milliseconds: float
    memory: int
    """Bytes, the most that its process has had so far."""

    request_id: str
    is_cold: bool
    """Whether an instance was started for it."""

    @property
    def failure(self) -> dict[str, Any]:
        """The error as the service tells it: errorMessage, errorType, stackTrace; empty if it went well."""
        if not self.error:
            return {}
        try:
            failure = json.loads(self.payload)
        except (ValueError, RecursionError):  # a custom runtime may answer what it likes
            failure = None
        return failure if isinstance(failure, dict) else {"errorMessage": self.payload.decode("utf-8", "replace")}
