"""
Software bill of materials of a stack, as a list and a graph.

A part is one file that somebody else may have made, named by its sha256: a wheel, a native library or a Debian package. The graph
comes from the lock, which knows for each who asked for it; what no lock knows, the manifest itself asked for.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal
from zipfile import ZipFile

from reconciler.base.inputs import SHIPPED, open_input
from reconciler.packages.inspect.members import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from reconciler.manifest.runtimes import Runtime
    from reconciler.packages.artifacts import Artifacts, Wheel
    from reconciler.packages.lock.file import Group, Lock, Locked


@dataclass(frozen=True)
class InventoryPart:
    """One file."""

    kind: Literal["deb", "library", "wheel"]
    name: str
    """Of a wheel its distribution, normalised; of a library its SONAME."""

    version: str | None
    file: str
    """Of a Debian package its path on a mirror."""

    sha256: str
    licences: tuple[str, ...] = ()
    built_from: tuple[str, str] | None = None
    """Of a wheel that was built because the index has none that loads: the source's file and its sha256."""

    architecture: str | None = None
    """Of a Debian package."""

    suite: str | None = None
    """Of a Debian package: the release that it was chosen from."""


@dataclass(frozen=True)
class Inventory:
    """All parts of a stack."""

    stack: str
    parts: tuple[InventoryPart, ...]
    asked_for: tuple[str, ...]
    """By sha256: what the manifest names, and did not come along with something else."""

    needs: tuple[tuple[str, tuple[str, ...]], ...]
    """Part → the parts that it asked for, by sha256; every part is there."""


def take_inventory(
    stack: str, artifacts: Artifacts, uses: Iterable[tuple[str, Runtime]], lock: Lock | None
) -> Inventory:
    """List what a stack's packages are made of, for the runtimes that use them; the same artifacts give the same inventory."""
    parts: dict[str, InventoryPart] = {}
    asked_for: set[str] = set()
    needs: dict[str, set[str]] = defaultdict(set)
    for part, is_asked_for, askers in _parts(artifacts, uses, lock):
        parts.setdefault(part.sha256, part)
        asked_for |= {part.sha256} if is_asked_for else set()
        for asker in askers:
            needs[asker].add(part.sha256)
    listed = sorted(parts.values(), key=lambda part: (part.kind, part.name, part.version or "", part.file, part.sha256))
    return Inventory(
        stack,
        tuple(listed),
        tuple(part.sha256 for part in listed if part.sha256 in asked_for),
        tuple((part.sha256, tuple(sorted(needs[part.sha256] & parts.keys()))) for part in listed),
    )


def _parts(
    artifacts: Artifacts, uses: Iterable[tuple[str, Runtime]], lock: Lock | None
) -> Iterator[tuple[InventoryPart, bool, tuple[str, ...]]]:
    """Yield each part once a package and runtime: whether the manifest names it, and what else asked for it."""
    read = cache(licences)  # from the wheel's metadata: of one wheel that many packages ship, once
    for package, runtime in uses:
        for library in artifacts.libraries.get(package, ()):
            file = library.path.rpartition("/")[2]
            yield InventoryPart("library", library.name, None, file, library.content.sha256), True, ()
        group = lock.group(package, runtime.tag) if lock else None
        files = group.files if group else []
        for wheel in artifacts.wheels_of(package, runtime.tag):
            entry = next((file for file in files if file.sha256 == wheel.content.sha256), None)
            askers = tuple(other.sha256 for other in files if entry and other.name in entry.needed_by)
            yield _wheel(wheel, entry, read(wheel.content.path)), entry is None or bool(entry.requirements), askers
        yield from _debs(group) if group else ()


def _debs(group: Group) -> Iterator[tuple[InventoryPart, bool, tuple[str, ...]]]:
    by_name = {deb.name: deb.sha256 for deb in group.debs}
    for deb in group.debs:
        part = InventoryPart(
            "deb",
            deb.name,
            deb.version,
            deb.file,
            deb.sha256,
            architecture=deb.architecture,
            suite=deb.suite or group.inputs.suite,
        )
        yield part, deb.because is None, (by_name[deb.because],) if deb.because in by_name else ()


def _wheel(wheel: Wheel, entry: Locked | None, licences: tuple[str, ...]) -> InventoryPart:
    from packaging.utils import parse_wheel_filename

    name, version, _, _ = parse_wheel_filename(wheel.filename)
    source = (entry.source.file, entry.source.sha256) if entry and entry.source else None
    return InventoryPart("wheel", str(name), str(version), wheel.filename, wheel.content.sha256, licences, source)


_METADATA = re.compile(r"[^/]+\.dist-info/METADATA\Z")
_MAX_BYTES = 4 << 20
_LONGEST_NAME = 80
"""Of what can be the name of a licence; what is longer, or has lines, is the licence's text."""


def licences(wheel: Path) -> tuple[str, ...]:
    """Return what a wheel says that it is licensed under: an SPDX expression, or names; nothing if it says nothing."""
    from packaging.metadata import parse_email

    metadata, _ = parse_email(_metadata(wheel))
    if expression := metadata.get("license_expression"):
        return (expression,)
    classified = [
        classifier.split(" :: ")[-1]
        for classifier in metadata.get("classifiers", ())
        if classifier.startswith("License :: ")
    ]
    named = (metadata.get("license") or "").strip()
    if named and named != "UNKNOWN" and len(named) <= _LONGEST_NAME and named.isprintable():
        return (named,)
    return tuple(dict.fromkeys(classifier for classifier in classified if classifier != "OSI Approved"))


def _metadata(wheel: Path) -> bytes:
    try:
        with open_input(wheel, SHIPPED) as file, ZipFile(file) as archive:
            for name in filter(_METADATA.match, archive.namelist()):
                with archive.open(name) as member:
                    return member.read(_MAX_BYTES)
    except UNREADABLE:  # `collect` has judged the file, and not each of its members
        pass
    return b""
