"""
Order of manifests: as they were named, and each behind those that its ``after:`` names.

What is named has to be a manifest of the repository, and nothing waits for itself; both are told with their places.
"""

from __future__ import annotations

import posixpath
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reconciler.base.errors import InvalidManifest, Problem, UdfsError
from reconciler.base.words import did_you_mean, quote
from reconciler.manifest.effective import read_outline

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from reconciler.manifest.effective import Outline
    from reconciler.workflow.ci.manifests import ManifestFile, Repository


@dataclass(frozen=True)
class Order:
    """Manifests in an order in which they can be applied."""

    manifests: tuple[ManifestFile, ...]
    before: Mapping[str, frozenset[str]]
    """For the name of each, the names of those that come before it; those that are not among `manifests` left out."""

    outlines: Mapping[ManifestFile, Outline | None]
    """None of one that cannot be read, which is told when it is its turn."""

    def targets_of(self, manifest: ManifestFile) -> tuple[str, ...] | None:
        """Return the targets of a manifest; None of one that cannot be read."""
        outline = self.outlines[manifest]
        return outline.targets if outline else None


def order_manifests(manifests: Sequence[ManifestFile], repository: Repository) -> Order:
    """Return manifests in order; raises E569 for an ``after:`` that names none, or that comes back to where it began."""
    problems: list[Problem] = []
    outlines = {manifest: _outline(manifest) for manifest in manifests}
    waits = {
        manifest.name: dict(_waits(manifest, outline, repository, problems)) for manifest, outline in outlines.items()
    }
    if problems:
        raise InvalidManifest.of(problems)
    names = {manifest.name: manifest for manifest in manifests}
    before = {name: frozenset(waits[name]) & names.keys() for name in names}
    ordered: list[str] = []
    while len(ordered) < len(names):
        ready = next((name for name in names if name not in ordered and before[name] <= set(ordered)), None)
        if ready is None:
            raise _cycle_error({name: waits[name] for name in names if name not in ordered})
        ordered.append(ready)
    return Order(tuple(names[name] for name in ordered), before, outlines)


def _outline(manifest: ManifestFile) -> Outline | None:
    try:
        return read_outline(manifest.path)
    except UdfsError:
        return None


def _waits(
    manifest: ManifestFile, outline: Outline | None, repository: Repository, problems: list[Problem]
) -> Iterator[tuple[str, Problem]]:
    """Yield the names of what a manifest waits for, each with a problem at its place; `problems` gets what is not there."""
    for text, problem in outline.after if outline else ():
        base = posixpath.dirname(manifest.name) if text.startswith(("./", "../")) else ""
        name = posixpath.normpath(posixpath.join(base, text))
        if not (repository.top / name).is_file():
            message = f"there is no manifest {quote(name)} in this repository"
            takes = "after: takes paths from the repository's top, or from this file where they begin with ./ or ../"
            others: tuple[ManifestFile, ...] = ()
            with suppress(InvalidManifest):  # none has the usual name
                others = repository.manifests()
            hint = did_you_mean(name, (other.name for other in others)) or takes
            problems.append(replace(problem, message=message, hint=hint))
        yield name, problem


def _cycle_error(waits: Mapping[str, Mapping[str, Problem]]) -> UdfsError:
    """Return the error for manifests of which each waits for another one of them."""
    name = next(iter(waits))
    road: list[str] = []
    while name not in road:
        road.append(name)
        name = next(other for other in waits[name] if other in waits)
    circle = road[road.index(name) :]
    problems = []
    for manifest in circle:
        other = next(other for other in waits[manifest] if other in waits)
        message = f"{quote(manifest)} comes after {quote(other)}, and that after {quote(manifest)}"
        if len(circle) > 2:
            message += f": {' → '.join([*circle, circle[0]])}"
        elif other == manifest:
            message = f"{quote(manifest)} comes after itself"
        problems.append(replace(waits[manifest][other], message=message, hint="take one of them out"))
    return InvalidManifest.of(problems)
