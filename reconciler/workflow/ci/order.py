"""
Order of manifests: as they were named, and each behind those that its ``after:`` names.

What is named has to be a manifest of the repository, and nothing waits for itself; both are told with their places.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reconciler.base.errors import InvalidManifest, Problem, UdfsError
from reconciler.base.words import quote
from reconciler.manifest.effective import read_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from reconciler.workflow.ci.manifests import ManifestFile, Repository


@dataclass(frozen=True)
class Order:
    """Manifests in an order in which they can be applied."""

    manifests: tuple[ManifestFile, ...]
    before: Mapping[str, frozenset[str]]
    """For the name of each, the names of those that come before it; those that are not among `manifests` left out."""


def order_manifests(manifests: Sequence[ManifestFile], repository: Repository) -> Order:
    """Return manifests in order; raises E569 for an ``after:`` that names none, or that comes back to where it began."""
    problems: list[Problem] = []
    waits = {manifest.name: dict(_waits(manifest, repository, problems)) for manifest in manifests}
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
    return Order(tuple(names[name] for name in ordered), before)


def _waits(manifest: ManifestFile, repository: Repository, problems: list[Problem]) -> Iterator[tuple[str, Problem]]:
    """Yield the names of what a manifest waits for, each with a problem at its place; `problems` gets what is not there."""
    try:
        texts = read_names(manifest.path, "after", "E569")
    except UdfsError:
        return  # it fails when it is its turn
    for text, problem in texts:
        base = posixpath.dirname(manifest.name) if text.startswith(("./", "../")) else ""
        name = posixpath.normpath(posixpath.join(base, text))
        if not (repository.top / name).is_file():
            message = f"there is no manifest {quote(name)} in this repository"
            hint = "after: takes paths from the repository's top, or from this file where they begin with ./ or ../"
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
