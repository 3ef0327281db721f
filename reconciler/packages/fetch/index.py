"""
Files of a package index: how they are named, and what an index can be asked for.

A file counts by its sha256; where it lies is found out anew each time, and never written down.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from reconciler.base.errors import PackageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from reconciler.manifest.runtimes import Runtime

FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+!-]{0,250}\Z")


@dataclass(frozen=True)
class Pin:
    """One file of the package index: an exact version and the hash of one of its wheels."""

    name: str
    version: str
    sha256: str
    size: int = field(default=0, compare=False)
    """Bytes, if they are known: the largest had best come first."""

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"

    def is_named_by(self, filename: str) -> bool:
        """Say whether a wheel of this name is of this distribution and version."""
        from packaging.specifiers import SpecifierSet
        from packaging.utils import canonicalize_name, parse_wheel_filename

        name, version, _, _ = parse_wheel_filename(filename)
        same = SpecifierSet(f"=={self.version}").contains(version, prereleases=True)
        return name == canonicalize_name(self.name) and same


def parse_pin(requirement: str, sha256: str) -> Pin:
    """Read a manifest's requirement, which must leave nothing open."""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        parsed = Requirement(requirement)
    except InvalidRequirement as error:
        raise _not_pinned(requirement, "it is not a requirement") from error
    exact = [
        specifier.version
        for specifier in parsed.specifier
        if specifier.operator == "==" and not specifier.version.endswith(".*")
    ]
    if len(exact) != 1 or len(parsed.specifier) != 1:
        raise _not_pinned(requirement, "it does not name one version with '=='")
    if parsed.extras or parsed.marker or parsed.url:
        raise _not_pinned(requirement, "extras, markers and addresses say nothing about one file")
    return Pin(parsed.name, exact[0], sha256)


def _not_pinned(requirement: str, why: str) -> PackageError:
    hint = "write the name and the exact version: numpy==1.19.2"
    return PackageError("E404", f"'{requirement}' is not pinned: {why}", hint=hint)


class IndexSilent(PackageError):
    """The index does not answer: there is no use in asking it for the next wheel."""


class Index(Protocol):
    """Where pinned wheels come from."""

    def direct(self, pin: Pin, folder: Path) -> Path | None:
        """Put the wheel into `folder` if that is easily done, and return its path. May be called from several threads."""
        ...

    def fetch(self, pin: Pin, runtime: Runtime, folder: Path) -> Path:
        """Put the wheel into `folder` and return its path. May be called from several threads."""
        ...

    def fetch_all(self, pins: Sequence[Pin], runtime: Runtime, folder: Path) -> list[Path]:
        """Put the wheels of all pins into `folder`, or none and raise: which one it is about, `fetch` tells."""
        ...

    def newest(self, name: str, runtime: Runtime, folder: Path) -> str | None:
        """
        Return the newest version of a distribution that has a wheel for the runtime, or None.

        None is also said of an index that does not answer soon: this is asked for the sake of a hint, so it takes a few
        seconds at most and fails silently.
        """
        ...

    def stop(self) -> None:
        """End what is running; the user has lost patience."""
        ...


@dataclass(frozen=True)
class Remote:
    """A file of an index, or of a folder of `find_links`."""

    file: str
    url: str = field(repr=False)
    """``https:`` or ``file:``. Kept while locking, and never written down."""

    sha256: str | None
    size: int | None = None

    def __post_init__(self) -> None:
        # The name comes from an index, and becomes a file's here.
        if not FILE_NAME.match(self.file):
            raise PackageError(
                "E475", f"the index names a file {self.file!r}, which no wheel or source archive is called"
            )
