"""A folder with a manifest in it, and what is wrong with that manifest, short enough to compare."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

from reconciler.base.errors import InvalidManifest
from reconciler.manifest.load import load_manifest
from reconciler.targets.dialects import DIALECTS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from reconciler.base.errors import Problem
    from reconciler.manifest.load import Loaded


class Folder:
    """Writes manifests, and the files that they name."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.manifest = path / "udfs.yaml"

    def files(self, *names: str) -> Folder:
        """Make empty files."""
        for name in names:
            path = self.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return self

    def load(self, text: str | bytes, *, target: str | None = None, env: Mapping[str, str] | None = None) -> Loaded:
        """Load a manifest of this text."""
        content = text if isinstance(text, bytes) else dedent(text).encode()
        self.manifest.write_bytes(content)
        return load_manifest(self.manifest, DIALECTS, target=target, env=env or {}, shown="udfs.yaml")

    def problems(
        self, text: str | bytes, *, target: str | None = None, env: Mapping[str, str] | None = None
    ) -> tuple[Problem, ...]:
        """Return what is wrong with a manifest of this text; nothing if nothing is."""
        try:
            self.load(text, target=target, env=env)
        except InvalidManifest as error:
            return error.problems
        return ()

    def says(self, text: str | bytes, *, target: str | None = None, env: Mapping[str, str] | None = None) -> list[str]:
        """Return the problems as ``line:column code message``."""
        return [brief(problem) for problem in self.problems(text, target=target, env=env)]


def brief(problem: Problem) -> str:
    """Return a problem on one line, without its hint."""
    place = f"{problem.at.line}:{problem.at.column} " if problem.at else ""
    return f"{place}{problem.code} {problem.message}"


def underlined(problem: Problem) -> str:
    """Return the part of the source line that the caret underlines."""
    assert problem.at is not None
    assert problem.source is not None
    start = problem.at.column - 1
    return problem.source[start : start + problem.width]
