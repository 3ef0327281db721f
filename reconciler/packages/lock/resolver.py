"""Resolver protocol: a question about requirements, and the distributions that answer it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from reconciler.manifest.requirements import PackageRequirement
    from reconciler.manifest.runtimes import Runtime
    from reconciler.packages.fetch.index import Remote


@dataclass(frozen=True)
class Question:
    """Which distributions, in which versions, make these requirements true in this runtime?"""

    runtime: Runtime
    requirements: tuple[PackageRequirement, ...]
    places: Mapping[str, Path] = field(default_factory=dict)
    """Path of a requirement → a copy of what is there, for the resolver alone: it may leave things in a project."""

    constraints: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    find_links: tuple[Path, ...] = ()
    prefer_binary: bool = False
    pre_release: bool = False
    no_deps: bool = False
    preferred: Mapping[str, str] = field(default_factory=dict)
    """Distribution → the version to keep if nothing speaks against it."""

    upgrade: frozenset[str] = frozenset()

    @property
    def lines(self) -> tuple[str, ...]:
        """The requirements as a resolver reads them."""
        return tuple(map(self._line, self.requirements))

    def path_of(self, file: Path) -> str | None:
        """Return the path by which a requirement names what lies at a place."""
        return next((path for path, copy in self.places.items() if copy == file), None)

    def _line(self, requirement: PackageRequirement) -> str:
        if requirement.path is None:
            return requirement.text
        extras = f"[{','.join(requirement.extras)}]" if requirement.extras else ""
        return f"{self.places[requirement.path]}{extras}"


@dataclass(frozen=True)
class Distribution:
    """One distribution."""

    name: str
    """Normalised."""

    version: str | None
    """None for a project in a folder: its build will tell."""

    wheel: Remote | None = None
    """The one that suits the runtime best."""

    sdist: Remote | None = None
    path: str | None = None
    """Of a wheel, a source archive or a project that a requirement names, relative to the folder."""

    needed_by: tuple[str, ...] = ()


class Resolver(Protocol):
    """Something that resolves."""

    def resolve(self, question: Question) -> tuple[Distribution, ...]:
        """Answer, or raise `Unsolvable`, or PackageError if the engine itself fails."""
        ...


class Unsolvable(Exception):
    """No set of versions makes all requirements true."""

    def __init__(self, reasons: tuple[str, ...]) -> None:
        super().__init__(reasons)
        self.reasons = reasons
        """The engine's explanation, line by line."""
