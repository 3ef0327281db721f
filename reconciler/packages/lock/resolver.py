"""
Resolvers: a question about requirements, the distributions that answer it, and the process that works it out.

A process sees of this machine what says where packages are, and is ended when it takes too long.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconciler.base.errors import PackageError
from reconciler.base.processes import CutOff, Output
from reconciler.packages.fetch.pip import mask

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from reconciler.base.processes import Tools
    from reconciler.manifest.requirements import PackageRequirement
    from reconciler.manifest.runtimes import Runtime
    from reconciler.packages.fetch.indexes import Remote


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
    build_requires: tuple[str, ...] = ()
    """What the metadata of a source archive is made with, too, where it names too little."""

    @property
    def lines(self) -> tuple[str, ...]:
        """The requirements as a resolver reads them."""
        lines = []
        for requirement in self.requirements:
            extras = f"[{','.join(requirement.extras)}]" if requirement.extras else ""
            path = requirement.path
            lines.append(requirement.text if path is None else f"{self.places[path]}{extras}")
        return tuple(lines)

    @property
    def pins(self) -> dict[str, str]:
        """The versions to keep, sorted."""
        return {name: version for name, version in sorted(self.preferred.items()) if name not in self.upgrade}

    def path_of(self, file: Path) -> str | None:
        """Return the path by which a requirement names what lies at a place."""
        return next((path for path, copy in self.places.items() if copy == file), None)


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
    index: str | None = None
    """The name of the index that the file is of; None for what lies in the folder."""


class Unsolvable(Exception):
    """No set of versions makes all requirements true."""

    def __init__(self, reasons: tuple[str, ...], without_wheels: frozenset[str] = frozenset()) -> None:
        super().__init__(reasons)
        self.without_wheels = without_wheels
        """Where only wheels were allowed: what has none that fits."""

        self.reasons = reasons
        """The engine's explanation, line by line."""


@dataclass(frozen=True)
class Resolved:
    """How a resolver ended, and what it said."""

    code: int
    out: str
    err: str


_STEP = re.compile(rb"DEBUG (Downloading source distribution|Preparing metadata for|Building): ([^ \n]*)[^\n]*\n")
_WORDS = {
    b"Downloading source distribution": "fetching ",
    b"Preparing metadata for": "making the metadata of ",
    b"Building": "building ",
}


@dataclass
class Steps:
    """What a resolver that runs is at, by what it says meanwhile; a source archive's metadata may take it minutes."""

    output: Output | None = None
    _position: int = 0
    _words: str = ""

    def follow(self, output: Output | None) -> None:
        """Begin with what another run says; None where none does."""
        self.output, self._position, self._words = output, 0, ""

    def last(self) -> str:
        """Return the last step that may take long; empty where there was none."""
        output = self.output
        with suppress(OSError, ValueError):  # the run ended meanwhile
            content = output.since(self._position) if output is not None else b""
            self._position += content.rfind(b"\n") + 1
            for verb, name in _STEP.findall(content):
                self._words = _WORDS[verb] + mask(name.decode("utf-8", "replace"))
        return self._words


def run_resolver(
    tools: Tools,
    command: Sequence[str],
    *,
    folder: Path,
    env: Mapping[str, str],
    seconds: float,
    steps: Steps | None = None,
) -> Resolved:
    """Run a resolver that sees `env` in `folder`, of our own: tools read settings of the project that they find themselves in."""
    steps = steps or Steps()
    with Output(folder) as out, Output(folder) as err:
        steps.follow(err)
        try:
            code = tools.run(
                command,
                cwd=folder,
                environment={**env, "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"},
                timeout=seconds,
                out=out,
                err=err,
            )
        except CutOff as error:
            if error.stopped:
                raise PackageError("E475", "resolving was stopped") from None
            hint = "is the package index reachable? 'pip config list' shows which one is used"
            raise PackageError("E475", f"no answer from the resolver within {seconds:g} seconds", hint=hint) from None
        except OSError as error:
            raise PackageError("E475", f"'{command[0]}' cannot be started: {error.strerror or error}") from error
        finally:
            steps.follow(None)
        return Resolved(code, out.text(), err.text())


def write_lines(path: Path, lines: Iterable[str]) -> str:
    """Write a file of requirements and return its path as an argument."""
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(path)


def index_failure(*, is_denied: bool, said: Iterable[str], more: str = "") -> PackageError:
    """Return the error for an index that refuses whoever asks, or does not answer; `more` ends the hint."""
    message = "refuses the credentials" if is_denied else "does not answer"
    hint = f"check {'user, password and rights' if is_denied else 'network and proxy'}; 'pip config list' shows which index is used"
    return PackageError("E475", f"the package index {message}", hint=hint + more, detail=tuple(map(mask, said))[:10])
