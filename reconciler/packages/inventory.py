"""
Software bill of materials of a stack, as a list and a graph.

A part is one file that somebody else may have made, named by its sha256: a wheel or a native library. The graph comes from the
lock, which knows for each wheel who asked for it; what no lock knows, the manifest itself asked for.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from reconciler.packages.artifacts import Archive, Library
from reconciler.packages.inspect.metadata import licences

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.packages.artifacts import Shipment, Wheel
    from reconciler.packages.lock.file import Group, Lock, Locked


@dataclass(frozen=True)
class InventoryPart:
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
    parts: tuple[InventoryPart, ...]
    asked_for: tuple[str, ...]
    """By sha256: what the manifest names, and did not come along with something else."""

    needs: tuple[tuple[str, tuple[str, ...]], ...]
    """Part → the parts that it asked for, by sha256; every part is there."""


def take_inventory(stack: str, shipments: Iterable[Shipment], lock: Lock | None) -> Inventory:
    """List what the functions of a stack are made of; the same shipments give the same inventory."""
    parts: dict[str, InventoryPart] = {}
    asked_for: set[str] = set()
    needs: dict[str, set[str]] = defaultdict(set)
    for shipment in shipments:
        for item in shipment.items:
            if isinstance(item.made_of, Library):
                part = _library(item.made_of)
                parts.setdefault(part.sha256, part)
                asked_for.add(part.sha256)
            if not isinstance(item.made_of, Archive):
                continue
            locked = _by_hash(lock.group(item.package or "", shipment.runtime.tag) if lock else None)
            for wheel in item.made_of.wheels:
                sha256 = wheel.content.sha256
                known = locked.get(sha256)
                if sha256 not in parts:
                    parts[sha256] = _wheel(wheel, known)
                if known is None or known.requirements:
                    asked_for.add(sha256)
                for other in _askers(known, locked):
                    needs[other].add(sha256)
    listed = sorted(parts.values(), key=lambda part: (part.kind, part.name, part.version or "", part.file, part.sha256))
    return Inventory(
        stack,
        tuple(listed),
        tuple(part.sha256 for part in listed if part.sha256 in asked_for),
        tuple((part.sha256, tuple(sorted(needs[part.sha256] & parts.keys()))) for part in listed),
    )


def _by_hash(group: Group | None) -> dict[str, Locked]:
    return {file.sha256: file for file in group.files} if group else {}


def _library(library: Library) -> InventoryPart:
    file = library.path.rpartition("/")[2]
    return InventoryPart("library", library.name, None, file, library.content.sha256)


def _wheel(wheel: Wheel, known: Locked | None) -> InventoryPart:
    from packaging.utils import parse_wheel_filename

    name, version, _, _ = parse_wheel_filename(wheel.filename)
    source = (known.source.file, known.source.sha256) if known and known.source else None
    content = wheel.content
    return InventoryPart(
        "wheel", str(name), str(version), wheel.filename, content.sha256, licences(content.path), source
    )


def _askers(known: Locked | None, locked: dict[str, Locked]) -> Iterator[str]:
    for other in locked.values():
        if known and other.name in known.needed_by:
            yield other.sha256
