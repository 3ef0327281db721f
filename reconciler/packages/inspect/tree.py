"""
What is inside files and functions, as values that can be shown: ``udfs libs`` and ``udfs deps``.

Pure: built from facts that were read before. `look` judges a set of files as if one function shipped them together;
`of_function` is what a manifest's function really ships.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reconciler.manifest.runtimes import runtime_of, why_not
from reconciler.packages.collect import parts_of, sizes_of
from reconciler.packages.inspect import gate
from reconciler.packages.inspect.closure import Part, needs
from reconciler.packages.inspect.contents import Facts, is_library_name
from reconciler.packages.inspect.members import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from reconciler.manifest.model import Manifest
    from reconciler.manifest.runtimes import Runtime
    from reconciler.packages import Artifacts
    from reconciler.packages.inspect.closure import Need
    from reconciler.packages.inspect.contents import Kind, Native
    from reconciler.packages.pack.layout import LeftOut


@dataclass(frozen=True)
class NativeFile:
    """A native file and where it gets what it needs."""

    native: Native
    needs: tuple[Need, ...]
    newest: tuple[str, ...]
    """The newest version of each family of symbols that it takes."""


@dataclass(frozen=True)
class Verdict:
    """Whether a file loads in a runtime, and what there is to say about it."""

    runtime: Runtime
    findings: tuple[Finding, ...]

    @property
    def loads(self) -> bool:
        return all(finding.severity != "error" for finding in self.findings)


@dataclass(frozen=True)
class Looked:
    """One file, looked through."""

    name: str
    size: int
    kind: Kind
    level: int | None
    """The lowest glibc 2.x level that has every version it takes; None where no level has, or nothing is native."""

    natives: tuple[NativeFile, ...]
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True)
class Shipped:
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

    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True)
class Group:
    """What a function has by one of its packages, or by itself where `package` is None."""

    package: str | None
    resources: tuple[Shipped, ...]


@dataclass(frozen=True)
class Dependencies:
    """Everything that one function ships."""

    function: str
    runtime: Runtime
    size: int
    groups: tuple[Group, ...]


def look(files: Sequence[tuple[Part, int]], runtimes: Iterable[Runtime], shown: Runtime) -> tuple[Looked, ...]:
    """Look through files that travel together, each with its size; `shown` is the runtime whose base system counts."""
    parts = [part for part, _ in files]
    every = tuple(runtimes)
    return tuple(
        Looked(
            part.name,
            size,
            part.facts.kind,
            level_of(part.facts),
            tuple(NativeFile(native, found, gate.newest([native])) for native, found in needs(part, parts, shown)),
            tuple(Verdict(runtime, tuple(_findings(part, parts, runtime))) for runtime in every),
        )
        for part, size in files
    )


def level_of(facts: Facts) -> int | None:
    """Return the level of the native files among the facts, if there are any."""
    return gate.level(facts) if facts.natives else None


def of_function(name: str, manifest: Manifest, found: Artifacts) -> Dependencies:
    """Return what a function ships: what is its own first, then package by package."""
    function = manifest.functions[name]
    runtime = runtime_of(manifest, function)
    users = _users(manifest, found)
    sizes = sizes_of(manifest, found, function)
    parts = {part.name: part for part in _parts(name, manifest, found)}

    def shipped(resource: str) -> Shipped:
        one = _shipped(resource, parts[resource], [*parts.values()], sizes.get(resource, 0), users, name, runtime)
        archive = packed.get(resource)
        made_of = tuple(wheel.filename for wheel in archive.wheels) if archive else ()
        return replace(one, file=renamed.get(resource), wheels=made_of, left_out=archive.left_out if archive else ())

    packed = {
        archive.name: archive for archives in found.archives.values() for archive in archives if archive.is_packed
    }
    renamed = {
        library.name: library.path
        for _, library in found.libraries_of(function.packages)
        if library.path.rpartition("/")[2] != library.name
    }
    by_package = {package: _of_package(package, runtime.tag, found) for package in function.packages}
    packaged = {one for resources in by_package.values() for one in resources}
    own = [resource for resource in parts if resource not in packaged]
    groups = [Group(None, tuple(map(shipped, own)))] if own else []
    groups += [Group(package, tuple(map(shipped, resources))) for package, resources in by_package.items()]
    return Dependencies(name, runtime, sum(sizes.values()), tuple(groups))


def _findings(part: Part, parts: Sequence[Part], runtime: Runtime) -> Iterator[Finding]:
    yield from part.facts.faults
    if part.facts.kind == "file" and is_library_name(part.name):
        yield Finding("E411", "is not a native library: it is no ELF file", "a GNU ld script names the real library")
    if part.facts.kind == "wheel":
        try:
            reason = why_not(part.name, runtime)
        except ValueError:
            reason = "its name is not a wheel's"
        if reason:
            yield Finding("E401", f"has tags that do not fit: {reason}")
            return
    yield from gate.misfits(part.facts, runtime)
    yield from (finding for _, finding in gate.missing(part, parts, runtime))


def _parts(name: str, manifest: Manifest, found: Artifacts) -> Iterator[Part]:
    """Yield every resource of a function, those without an inside too."""
    function = manifest.functions[name]
    known = {part.name: part for part, _ in parts_of(manifest, found, function)}
    source = [function.source.rpartition("/")[2]] if function.source else []
    modules = [module for module, *_ in found.modules(function)]
    for resource in dict.fromkeys([*source, *function.resources, *modules, *known]):
        yield known.get(resource, Part(resource, Facts()))


def _of_package(package: str, runtime: str, found: Artifacts) -> list[str]:
    archives = [archive.name for archive in found.archives[package, runtime]]
    return [*archives, *(library.name for _, library in found.libraries_of([package]))]


def _users(manifest: Manifest, found: Artifacts) -> dict[str, list[str]]:
    users: dict[str, list[str]] = {}
    for name in manifest.functions:
        for part in _parts(name, manifest, found):
            users.setdefault(part.name.lower(), []).append(name)
    return users


def _shipped(
    name: str,
    part: Part,
    parts: Sequence[Part],
    size: int,
    users: dict[str, list[str]],
    function: str,
    runtime: Runtime,
) -> Shipped:
    natives = part.facts.natives
    outside = [need for _, found in needs(part, parts, runtime) for need in found if need.where not in gate.AT_HAND]
    brings = [native.elf.soname for native in natives if native.elf.soname and native.elf.soname != name]
    others = tuple(other for other in users[name.lower()] if other != function)
    leans = tuple(dict.fromkeys(outside))
    return Shipped(name, size, len(natives), level_of(part.facts), tuple(dict.fromkeys(brings)), leans, others)
