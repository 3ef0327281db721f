"""
Files of `libraries:` and of `resources:`: what is inside them, and what is wrong with it.

A library goes up under its SONAME, so only its bytes tell whose name it takes.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from reconciler.base.errors import PackageError, Problem
from reconciler.base.threads import gather
from reconciler.packages.artifacts import Library, pairs, used_packages
from reconciler.packages.inspect import gate
from reconciler.packages.inspect.files import file_kind
from reconciler.packages.judged import Judged, problem_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from reconciler.manifest.load import Loaded
    from reconciler.packages.artifacts import Artifacts, Wheel
    from reconciler.packages.content import Content
    from reconciler.packages.fetch.cache import Cache
    from reconciler.packages.inspect.contents import FileFacts
    from reconciler.packages.inspect.files import FileFinding
    from reconciler.packages.wheels import WheelRequest

_ALWAYS = {"E421", "E422", "E423"}
"""What is wrong with an archive of `resources:` even if nobody loads what is in it."""


def find_libraries(
    loaded: Loaded, files: Mapping[str, Content], carriers: Iterable[tuple[WheelRequest, Wheel]], cache: Cache
) -> Judged[dict[str, tuple[Library, ...]]]:
    """
    Return the libraries of packages that functions use, by package; what could not be read is missing.

    `carriers` are the wheels out of which a library is taken.
    """
    libraries: dict[str, tuple[Library, ...]] = {}
    problems: list[Problem] = []
    taken: dict[str, list[Library]] = {}
    for request, wheel in carriers:
        from reconciler.packages.carried import take_out  # with all that packs archives

        outcome = take_out(request, wheel, cache)
        if isinstance(outcome, Problem):
            problems.append(outcome)
        else:
            taken.setdefault(request.package, []).append(outcome)
    for package in used_packages(loaded):
        paths = enumerate(loaded.manifest.packages[package].libraries)
        read = [
            _library(path, number, files[path], cache.inspections)
            for number, path in paths
            if isinstance(path, str) and path in files
        ]
        read += dict.fromkeys(taken.get(package, ()))
        libraries[package] = tuple(read)
        problems += (problem for library in read for problem in _library_problems(library, package, loaded))
    return Judged(libraries, tuple(problems))


def _library(path: str, number: int, content: Content, inspections: Path) -> Library:
    from reconciler.packages.inspect.contents import inspect_once

    file = path.rpartition("/")[2]
    facts = inspect_once(content.path, content.sha256, inspections)
    soname = next((native.elf.soname for native in facts.natives), None) if facts.kind == "library" else None
    return Library(soname or file, path, number, content, facts)


def _library_problems(library: Library, package: str, loaded: Loaded) -> Iterator[Problem]:
    position = loaded.at("packages", package, "libraries", library.number)
    if library.facts.kind != "library":
        hint = "`libraries:` takes .so files; a GNU ld script of that name points to the real one"
        yield Problem("E411", f"'{library.path}' is not a native library: it is no ELF file", position, hint)
    yield from (problem_of(library.path, fault, position, loaded.forced) for fault in library.facts.faults)
    for runtime in (runtime for name, runtime in pairs(loaded) if name == package):
        yield from (
            problem_of(library.path, finding, position, loaded.forced)
            for finding in gate.misfits(library.facts, runtime)
        )
    if reason := loaded.manifest.service.why_not_a_resource_name(library.name):
        message = f"'{library.path}' cannot be uploaded under its SONAME '{library.name}': {reason}"
        yield Problem("E302", message, position, "link it with -Wl,-soname and a plain file name")


def library_clashes(loaded: Loaded, artifacts: Artifacts) -> Iterator[Problem]:
    """Yield libraries whose SONAME is the name of something else; the manifest's own checks cannot know it."""
    first: dict[str, str | None] = {}
    for name, resource in loaded.manifest.resources.items():
        content = artifacts.resource(name, resource.file or "")
        first[name.lower()] = content.sha256 if content else None
    for archives in artifacts.archives.values():
        first.update({archive.name.lower(): archive.content.sha256 for archive in archives})
    for function in loaded.manifest.functions.values():
        if function.source is not None:
            first[function.source.rpartition("/")[2].lower()] = None
    for package, libraries in artifacts.libraries.items():
        for library in libraries:
            if first.setdefault(library.name.lower(), library.content.sha256) != library.content.sha256:
                position = loaded.at("packages", package, "libraries", library.number)
                message = (
                    f"'{library.path}' would be uploaded as '{library.name}', its SONAME, and so would another file"
                )
                yield Problem("E309", message, position, "keep one of the files")


def inspect_resources(loaded: Loaded, artifacts: Artifacts, inspections: Path) -> dict[str, FileFacts]:
    """Return what is inside the archives and native files of `resources:`, by name."""
    files = {name: resource.file for name, resource in loaded.manifest.resources.items() if resource.file}
    contents = {name: artifacts.resource(name, file) for name, file in files.items()}
    tasks = {name: partial(_look_inside, content, inspections) for name, content in contents.items() if content}
    outcomes = gather(tasks).items()
    return {name: facts for name, facts in outcomes if facts is not None and not isinstance(facts, PackageError)}


def _look_inside(content: Content, inspections: Path) -> FileFacts | None:
    """Return what is inside a file; None where it is none that has an inside, and needs nothing that opens one."""
    if file_kind(content.path) == "file":
        return None
    from reconciler.packages.inspect.contents import inspect_once

    return inspect_once(content.path, content.sha256, inspections)


def resource_problems(loaded: Loaded, artifacts: Artifacts) -> Iterator[Problem]:
    """Yield what is wrong with the archives and native files of `resources:` for the functions that list them."""
    for name, resource in loaded.manifest.resources.items():
        if (facts := artifacts.facts.get(name)) is None:
            continue
        file, position = resource.file or "", loaded.at("resources", name, "file")
        users = [user for user, function in loaded.manifest.functions.items() if name in function.resources]
        runtimes = dict.fromkeys(loaded.code[user].runtime for user in users)
        findings = [*facts.faults, *(finding for runtime in runtimes for finding in gate.misfits(facts, runtime))]
        yield from (problem_of(file, soften(finding, facts), position, loaded.forced) for finding in findings)
        if users and loaded.types[name] == "file" and (packed := gate.unloadable_in_file(facts)):
            yield problem_of(file, packed, loaded.at("resources", name, "type"), loaded.forced)


def soften(finding: FileFinding, facts: FileFacts) -> FileFinding:
    """Archives of `resources:` may be data, so what would not load in them is a warning."""
    is_harmless = facts.kind != "library" and finding.code not in _ALWAYS
    return replace(finding, severity="warning") if is_harmless else finding
