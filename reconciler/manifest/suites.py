"""Suites of Debian by their code names: which release each is, and with which glibc its packages are built."""

from __future__ import annotations

from typing import NamedTuple


class Suite(NamedTuple):
    """A stable release of Debian."""

    release: int
    glibc: tuple[int, int]


SUITES = {
    "stretch": Suite(9, (2, 24)),
    "buster": Suite(10, (2, 28)),
    "bullseye": Suite(11, (2, 31)),
    "bookworm": Suite(12, (2, 36)),
    "trixie": Suite(13, (2, 41)),
}
"""From the oldest to the newest. Older ones have no InRelease with SHA256 on mirrors of today."""


def fitting_suite(glibc: tuple[int, int]) -> str | None:
    """Return the newest suite all of whose packages load on a system with this glibc; None if none does."""
    return next((name for name, suite in reversed(SUITES.items()) if suite.glibc <= glibc), None)
