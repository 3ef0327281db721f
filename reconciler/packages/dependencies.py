"""
Dependencies of files and functions, as values that can be shown: ``udfs libs`` and ``udfs deps``.

Pure: built from facts that were read before. `look` judges a set of files as if one function shipped them together;
`dependencies` is what a manifest's function really ships.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.manifest.runtimes import fitting_names, why_not_loadable
from reconciler.packages.artifacts import Archive
from reconciler.packages.inspect import gate
from reconciler.packages.inspect.files import FileFinding, is_library_name
from reconciler.packages.inspect.gate import find_needs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from reconciler.manifest.runtimes import Runtime
    from reconciler.packages.artifacts import Item, Shipment
    from reconciler.packages.inspect.contents import FileFacts, Native
    from reconciler.packages.inspect.files import FileKind
    from reconciler.packages.inspect.gate import Need, Part
    from reconciler.packages.pack.archives import Omission


@dataclass(frozen=True)
class NativeFile:
    """A native file and where it gets what it needs."""

    native: Native
    needs: tuple[Need, ...]
    newest: tuple[str, ...]
    """The newest version of each family of symbols that it takes."""


@dataclass(frozen=True)
class LoadVerdict:
    """Whether a file loads in a runtime, and what there is to say about it."""

    runtime: Runtime
    findings: tuple[FileFinding, ...]

    @property
    def loads(self) -> bool:
        return all(finding.severity != "error" for finding in self.findings)


@dataclass(frozen=True)
class FileReport:
    """One file, looked through."""

    name: str
    size: int
    kind: FileKind
    level: int | None
    """The lowest glibc 2.x level that has every version it takes; None where no level has, or nothing is native."""

    natives: tuple[NativeFile, ...]
    verdicts: tuple[LoadVerdict, ...]


@dataclass(frozen=True)
class ShippedItem:
    """One resource of a function."""

    name: str
    size: int
    native: int
    """How many native files are in it."""

    level: int | None
    brings: tuple[str, ...]
    """The SONAMEs in it: libraries, as against extension modules, which have none."""

    leans_on: tuple[Need, ...]
    """What it needs that is neither in it nor in the base system."""

    also_in: tuple[str, ...]
    """The other functions of the manifest that list it."""

    file: str | None = None
    """Of a library whose file has another name than its SONAME, under which it is uploaded: the file."""

    wheels: tuple[str, ...] = ()
    """Of an archive that was packed here: what it is made of."""

    left_out: tuple[Omission, ...] = ()


@dataclass(frozen=True)
class ShippedGroup:
    """What a function has by one of its packages, or by itself where `package` is None."""

    package: str | None
    resources: tuple[ShippedItem, ...]


@dataclass(frozen=True)
class Dependencies:
    """Everything that one function ships."""

    function: str
    runtime: Runtime
    size: int
    groups: tuple[ShippedGroup, ...]


def inspect_together(
    files: Sequence[tuple[Part, int]], runtimes: Iterable[Runtime], shown: Runtime
) -> tuple[FileReport, ...]:
    """Look through files that travel together, each with its size; `shown` is the runtime whose base system counts."""
    parts = [part for part, _ in files]
    every = tuple(runtimes)
    return tuple(
        FileReport(
            part.name,
            size,
            part.facts.kind,
            level_of(part.facts),
            tuple(
                NativeFile(native, needed, gate.newest_versions([native]))
                for native, needed in find_needs(part, parts, shown)
            ),
            tuple(LoadVerdict(runtime, tuple(_findings(part, parts, runtime))) for runtime in every),
        )
        for part, size in files
    )


def level_of(facts: FileFacts) -> int | None:
    """Return the level of the native files among the facts, if there are any."""
    return gate.glibc_level(facts) if facts.natives else None


def list_dependencies(function: str, shipments: Mapping[str, Shipment]) -> Dependencies:
    """Return what a function ships: what is its own first, then package by package."""
    shipment = shipments[function]
    users: dict[str, list[str]] = {}
    for name, other in shipments.items():
        for item in other.items:
            users.setdefault(item.label.lower(), []).append(name)
    parts = [item.part for item in shipment.items]
    groups: dict[str | None, list[ShippedItem]] = {}
    # What is the function's own is listed as one writes it: the source, the resources, the modules.
    for item, part in sorted(zip(shipment.items, parts, strict=True), key=lambda pair: pair[0].package is not None):
        also_in = tuple(name for name in users[item.label.lower()] if name != function)
        groups.setdefault(item.package, []).append(_ship_item(item, part, parts, shipment.runtime, also_in))
    size = sum(item.content.size for item in shipment.items if item.content is not None)
    return Dependencies(
        function, shipment.runtime, size, tuple(ShippedGroup(package, tuple(of)) for package, of in groups.items())
    )


def _findings(part: Part, parts: Sequence[Part], runtime: Runtime) -> Iterator[FileFinding]:
    yield from part.facts.faults
    if part.facts.kind == "file" and is_library_name(part.name):
        yield FileFinding(
            "E411", "is not a native library: it is no ELF file", "a GNU ld script names the real library"
        )
    if part.facts.kind == "wheel":
        try:
            reason = why_not_loadable(part.name, runtime)
        except ValueError:
            reason = "its name is not a wheel's"
        if reason:
            yield FileFinding("E401", f"has tags that do not fit: {reason}", fitting_names(runtime))
            return
    yield from gate.misfits(part.facts, runtime)
    yield from (finding for _, finding in gate.missing_libraries(part, parts, runtime))


def _ship_item(
    item: Item, part: Part, parts: Sequence[Part], runtime: Runtime, also_in: tuple[str, ...]
) -> ShippedItem:
    natives = part.facts.natives
    sonames = dict.fromkeys(native.elf.soname for native in natives if native.elf.soname)
    is_renamed = item.role == "library" and item.file is not None and item.file.rpartition("/")[2] != item.name
    packed = item.made_of if isinstance(item.made_of, Archive) and item.made_of.is_packed else None
    return ShippedItem(
        item.label,
        item.content.size if item.content is not None else 0,
        len(natives),
        level_of(part.facts),
        tuple(soname for soname in sonames if soname != item.label),
        _outside(part, parts, runtime),
        also_in,
        item.file if is_renamed else None,
        tuple(wheel.filename for wheel in packed.wheels) if packed else (),
        packed.left_out if packed else (),
    )


def _outside(part: Part, parts: Sequence[Part], runtime: Runtime) -> tuple[Need, ...]:
    every = (need for _, needed in find_needs(part, parts, runtime) for need in needed)
    return tuple(dict.fromkeys(need for need in every if need.where not in gate.AT_HAND))
