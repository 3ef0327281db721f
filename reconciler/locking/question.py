"""What is asked of a resolver, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from reconciler.artifacts.runtime import Runtime
    from reconciler.manifest.requirement import Wanted


@dataclass(frozen=True)
class Question:
    """Which distributions, in which versions, make these requirements true in this runtime?"""

    runtime: Runtime
    requirements: tuple[Wanted, ...]
    folder: Path
    """Where the paths of requirements begin."""

    constraints: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    find_links: tuple[Path, ...] = ()
    prefer_binary: bool = False
    pre_release: bool = False
    no_deps: bool = False
    preferred: Mapping[str, str] = field(default_factory=dict)
    """Distribution → the version to keep if nothing speaks against it."""

    upgrade: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Remote:
    """A file of an index, or of a folder of `find_links`."""

    file: str
    url: str = field(repr=False)
    """``https:`` or ``file:``. Kept while locking, and never written down."""

    sha256: str | None
    size: int | None = None


@dataclass(frozen=True)
class Answer:
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


class Engine(Protocol):
    """Something that resolves."""

    def resolve(self, question: Question) -> tuple[Answer, ...]:
        """Answer, or raise `Unsolvable`, or PackageError if the engine itself fails."""
        ...


class Unsolvable(Exception):
    """No set of versions makes all requirements true."""

    def __init__(self, reasons: tuple[str, ...]) -> None:
        super().__init__(reasons)
        self.reasons = reasons
        """The engine's explanation, line by line."""
