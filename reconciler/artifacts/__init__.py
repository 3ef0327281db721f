"""
Artifacts: the bytes that a manifest names, found, checked and measured before anything is planned.

A MaxCompute function is a class path and a list of resources. The bytes of those resources come from three places:

* files in the manifest's folder (sources, ``resources:``), which are only read and hashed;
* wheels in the manifest's folder, checked against the runtime first: a wheel says in its file name which Python, ABI
  and platform it was built for, and MaxCompute loads few of them (`runtime`);
* wheels of the package index, each pinned by version and sha256, so that the name means the same bytes everywhere.
  pip fetches them (`fetch`) into a cache in which a file is found by its hash (`cache`).

A wheel is a zip archive in the layout that ``sys.path`` wants, but MaxCompute does not know the ending ``.whl``: the
documentation renames it to ``.zip`` and uploads it as an ARCHIVE, which each worker unpacks to ``work/<name>.zip/``
[doc "Resource operations", "Use third-party packages"]. `Wheel.archive` is that name; the bytes stay the vendor's.

`build` is the way in. Values live here; effects are in `fetch` (the network), `cache` (its folder) and `content`
(reading).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.artifacts.content import Content


@dataclass(frozen=True)
class Wheel:
    """A wheel that fits the runtime it is wanted for."""

    filename: str
    archive: str
    """The name of the resource: the file's, with ``.zip`` for ``.whl``."""

    content: Content
    native: bool
    """Whether it holds compiled code, which needs flags of its own in SQL (`runtime.flags`)."""

    requirement: str | None = None
    """The pin, for wheels of the package index."""


@dataclass(frozen=True)
class Artifacts:
    """Everything that a manifest's functions are made of."""

    files: Mapping[str, Content]
    """Sources and resource files, by the path that the manifest gives."""

    wheels: Mapping[tuple[str, str], tuple[Wheel, ...]]
    """By package and runtime tag, for the pairs that functions use; in the manifest's order."""

    def is_native(self, packages: tuple[str, ...] | list[str], runtime: str) -> bool:
        """Say whether a function with these packages runs compiled code."""
        return any(wheel.native for package in packages for wheel in self.wheels[package, runtime])
