"""
Python runtimes of Function Compute: which Python and which system each has.

From "Python runtimes" and "Custom runtimes" in the documentation, as of 2026; the glibc is that of the Debian release.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class RuntimeRow:
    """One runtime."""

    name: str
    python: tuple[int, int]
    debian: int
    glibc: tuple[int, int]
    is_custom: bool = False
    """Whether the function brings its own server, and nothing is set for layers."""

    @property
    def has_credentials(self) -> bool:
        """Whether `context` has credentials, service and tracing."""
        return self.python < (3, 12)

    @property
    def version_variable(self) -> str:
        """The variable that holds the version of the function."""
        return "FC_FUNCTION_VERSION" if self.debian >= 11 else "FC_VER_ID"


_GLIBC = {9: (2, 24), 10: (2, 28), 11: (2, 31), 12: (2, 36)}


def _row(name: str, python: tuple[int, int], debian: int) -> RuntimeRow:
    return RuntimeRow(name, python, debian, _GLIBC[debian], name.startswith("custom"))


RUNTIMES: Mapping[str, RuntimeRow] = {
    row.name: row
    for row in (
        _row("python3", (3, 6), 9),
        _row("python3.9", (3, 9), 9),
        _row("python3.10", (3, 10), 10),
        _row("python3.12", (3, 12), 11),
        _row("custom", (3, 7), 9),
        _row("custom.debian10", (3, 10), 10),
        _row("custom.debian11", (3, 12), 11),
        _row("custom.debian12", (3, 11), 12),
    )
}
