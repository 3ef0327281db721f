"""
What the functions of a stack are made of, as a list and a graph: the parts of a software bill of materials.

A part is one file that somebody else may have made, named by its sha256: a wheel or a native library. The graph comes from the
lock, which knows for each wheel who asked for it; what no lock knows, the manifest itself asked for.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from reconciler.packages.inspect.metadata import licences

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.packages import Artifacts, Wheel
    from reconciler.packages.lock.file import Group, Lock, Locked


@dataclass(frozen=True)
class Part:
    """One file."""

    kind: Literal["wheel", "library"]
    name: str
    """Of a wheel its distribution, normalised; of a library its SONAME."""

    version: str | None
    file: str
    sha256: str
    licences: tuple[str, ...] = ()
    built_from: tuple[str, str] | None = None
    """Of a wheel that was built because the index has none that loads: the source's file and its sha256."""


@dataclass(frozen=True)
class Inventory:
    """All parts of a stack."""

    stack: str
    parts: tuple[Part, ...]
    asked_for: tuple[str, ...]
    """By sha256: what the manifest names, and did not come along with something else."""

    needs: tuple[tuple[str, tuple[str, ...]], ...]
    """Part → the parts that it asked for, by sha256; every part is there."""


def take(stack: str, artifacts: Artifacts, lock: Lock | None) -> Inventory:
    """List what the functions of a stack are made of; the same artifacts give the same inventory."""
    parts: dict[str, Part] = {}
    asked_for: set[str] = set()
    needs: dict[str, set[str]] = defaultdict(set)
    for (package, runtime), archives in artifacts.archives.items():
        locked = _by_hash(lock.group(package, runtime) if lock else None)
        for wheel in (wheel for archive in archives for wheel in archive.wheels):
            sha256 = wheel.content.sha256
            known = locked.get(sha256)
            parts.setdefault(sha256, _wheel(wheel, known))
            if known is None or known.requirements:
                asked_for.add(sha256)
            for other in _askers(known, locked):
                needs[other].add(sha256)
    for libraries in artifacts.libraries.values():
        for library in libraries:
            part = Part("library", library.name, None, library.path.rpartition("/")[2], library.content.sha256)
            parts.setdefault(part.sha256, part)
            asked_for.add(part.sha256)
    listed = sorted(parts.values(), key=lambda part: (part.kind, part.name, part.version or "", part.file, part.sha256))
    return Inventory(
        stack,
        tuple(listed),
        tuple(part.sha256 for part in listed if part.sha256 in asked_for),
        tuple((part.sha256, tuple(sorted(needs[part.sha256] & parts.keys()))) for part in listed),
    )


def _by_hash(group: Group | None) -> dict[str, Locked]:
    return {file.sha256: file for file in group.files} if group else {}


def _wheel(wheel: Wheel, known: Locked | None) -> Part:
    from packaging.utils import parse_wheel_filename

    name, version, _, _ = parse_wheel_filename(wheel.filename)
    source = (known.source.file, known.source.sha256) if known and known.source else None
    content = wheel.content
    return Part("wheel", str(name), str(version), wheel.filename, content.sha256, licences(content.path), source)


def _askers(known: Locked | None, locked: dict[str, Locked]) -> Iterator[str]:
    for other in locked.values():
        if known and other.name in known.needed_by:
            yield other.sha256
