"""The files of `libraries:` and of `resources:`: what is inside them, and what is wrong with it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from reconciler.base.errors import Position, Problem
from reconciler.base.names import why_not_a_resource_name
from reconciler.base.tasks import gather
from reconciler.manifest.check import resource_type
from reconciler.manifest.runtimes import runtime_of, runtimes_of
from reconciler.packages import Artifacts, Library
from reconciler.packages.inspect import gate
from reconciler.packages.inspect.contents import Facts, inspected
from reconciler.packages.inspect.problems import Places, problem
from reconciler.packages.wheels import pairs, used

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from reconciler.manifest.model import Manifest
    from reconciler.packages.content import Content
    from reconciler.packages.inspect.members import Finding

_ALWAYS = {"E421", "E422", "E423"}
"""What is wrong with an archive of `resources:` even if nobody loads what is in it."""


def find_libraries(
    manifest: Manifest, files: Mapping[str, Content], at: Places, problems: list[Problem], known: Path
) -> Iterator[tuple[str, tuple[Library, ...]]]:
    for package in used(manifest):
        found = []
        for number, path in enumerate(manifest.packages[package].libraries):
            if path in files:  # what cannot be read is told already
                library = _library(path, number, files[path], known)
                found.append(library)
                problems += _library_problems(library, package, manifest, at("packages", package, "libraries", number))
        yield package, tuple(found)


def _library(path: str, number: int, content: Content, known: Path) -> Library:
    file = path.rpartition("/")[2]
    facts = inspected(content.path, content.sha256, known)
    soname = next((native.elf.soname for native in facts.natives), None) if facts.kind == "library" else None
    return Library(soname or file, path, number, content, facts)


def _library_problems(library: Library, package: str, manifest: Manifest, place: Position) -> Iterator[Problem]:
    if library.facts.kind != "library":
        hint = "`libraries:` takes .so files; a GNU ld script of that name points to the real one"
        yield Problem("E411", f"'{library.path}' is not a native library: it is no ELF file", place, hint)
    yield from (problem(library.path, fault, place) for fault in library.facts.faults)
    runtimes = runtimes_of(manifest)
    for tag in dict.fromkeys(tag for name, tag in pairs(manifest) if name == package):
        yield from (problem(library.path, one, place) for one in gate.misfits(library.facts, runtimes[tag]))
    if reason := why_not_a_resource_name(library.name):
        message = f"'{library.path}' cannot be uploaded under its SONAME '{library.name}': {reason}"
        yield Problem("E302", message, place, "link it with -Wl,-soname and a plain file name")


def library_clashes(manifest: Manifest, found: Artifacts, at: Places) -> Iterator[Problem]:
    """Tell of libraries whose SONAME is the name of something else; only their bytes know it, so it is told here."""
    first: dict[str, str | None] = {}
    for name, resource in manifest.resources.items():
        content = found.resource(name, resource.file or "")
        first[name.lower()] = content.sha256 if content else None
    for archives in found.archives.values():
        first.update({archive.name.lower(): archive.content.sha256 for archive in archives})
    for function in manifest.functions.values():
        if function.source is not None:
            first[function.source.rpartition("/")[2].lower()] = None
    for package, libraries in found.libraries.items():
        for one in libraries:
            if first.setdefault(one.name.lower(), one.content.sha256) != one.content.sha256:
                message = f"'{one.path}' would be uploaded as '{one.name}', its SONAME, and so would another file"
                yield Problem(
                    "E309", message, at("packages", package, "libraries", one.number), "keep one of the files"
                )


def inspect_resources(manifest: Manifest, found: Artifacts, known: Path) -> dict[str, Facts]:
    contents = {name: found.resource(name, one.file) for name, one in manifest.resources.items() if one.file}
    tasks = {name: partial(inspected, one.path, one.sha256, known) for name, one in contents.items() if one}
    return {name: facts for name, facts in gather(tasks).items() if isinstance(facts, Facts) and facts.kind != "file"}


def resource_problems(manifest: Manifest, found: Artifacts, at: Places) -> Iterator[Problem]:
    for name, resource in manifest.resources.items():
        if (facts := found.facts.get(name)) is None:
            continue
        place = at("resources", name, "file")
        users = [f for f in manifest.functions.values() if name in f.resources]
        runtimes = dict.fromkeys(runtime_of(manifest, function) for function in users)
        findings = [*facts.faults, *(one for runtime in runtimes for one in gate.misfits(facts, runtime))]
        yield from (problem(resource.file or "", weighed(one, facts), place) for one in findings)
        if users and resource_type(name, resource) == "file" and (finding := gate.packed_away(facts)):
            yield problem(resource.file or "", finding, at("resources", name, *(("type",) if resource.type else ())))


def weighed(finding: Finding, facts: Facts) -> Finding:
    """Archives of `resources:` may be data, so what would not load in them is a warning."""
    is_harmless = facts.kind != "library" and finding.code not in _ALWAYS
    return replace(finding, severity="warning") if is_harmless else finding
