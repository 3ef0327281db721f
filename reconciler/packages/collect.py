"""
From a manifest to its artifacts: every file read once, every wheel found and checked, every problem told.

The parts are found and judged in modules of their own: `wheels`, the `archives` made of them, `libraries` and resources.
Here they meet, and a function's whole set is judged.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from reconciler.base.errors import PackageError, Position, Problem
from reconciler.base.names import is_package, module_name
from reconciler.base.tasks import gather
from reconciler.manifest.check import resource_type
from reconciler.manifest.runtimes import runtime_of
from reconciler.packages import Archive, Artifacts, OwnPackage
from reconciler.packages.archives import find_archives, idle, missed_problems
from reconciler.packages.content import Content, why_too_large
from reconciler.packages.inspect import gate
from reconciler.packages.inspect.closure import Part
from reconciler.packages.inspect.problems import Places, is_wrong, placed, problem
from reconciler.packages.libraries import find_libraries, inspect_resources, library_clashes, resource_problems, weighed
from reconciler.packages.pack.folders import pack_folder, pack_package
from reconciler.packages.wheels import NO_LOCKS, Locks, clashes, find_wheels, read_file, used
from reconciler.packages.wiring import wire, wiring

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from reconciler.manifest.model import Function, Manifest
    from reconciler.packages.fetch.cache import Cache
    from reconciler.packages.fetch.pip import Index
    from reconciler.packages.inspect.members import Finding
    from reconciler.packages.inspect.missing import Importer
    from reconciler.packages.pack.archives import Made


def build(
    manifest: Manifest,
    *,
    folder: Path,
    cache: Cache,
    index: Index,
    at: Places,
    locks: Locks = NO_LOCKS,
    on_fetch: Callable[[str], None] = lambda requirement: None,
    importer: Importer | None = None,
) -> Artifacts:
    """
    Read, fetch and check everything that the functions of `manifest` are made of.

    `folder` is the manifest's; what `requirements:` want is what `locks` has. `on_fetch` is told the requirement of each
    wheel that is not in the cache, from the thread that fetches it. `importer` tries whether a package can be imported
    without what it leaves out; nobody does without one. Raises one PackageError with all problems.
    """
    problems: list[Problem] = []
    files = dict(_read_files(manifest, folder, cache, at, problems))
    folders = dict(_pack_folders(manifest, folder, cache, at, problems))
    packages = dict(_pack_packages(manifest, folder, cache, at, problems))
    wheels = find_wheels(manifest, folder, cache, index, at, locks, on_fetch, problems)
    archives = dict(find_archives(manifest, wheels, cache, at, problems))
    found = Artifacts(
        files,
        archives,
        dict(find_libraries(manifest, files, at, problems, cache.inspections)),
        folders=folders,
        packages=packages,
    )
    found = replace(found, facts=inspect_resources(manifest, found, cache.inspections))
    problems += [*clashes(wheels, found), *library_clashes(manifest, found, at)]
    problems += resource_problems(manifest, found, at)
    if not is_wrong(problems):  # what is not there cannot be missed, and would be
        problems += _function_problems(manifest, found, at)
        problems += missed_problems(manifest, found, importer, cache, at) if importer else ()
    told = tuple(dict.fromkeys(problems))
    if is_wrong(told):
        raise PackageError.of(told)
    entries = {source: wire(source, files[source], added, cache) for source, added in wiring(manifest, found).items()}
    return replace(found, entries=entries, warnings=told)


# --- Files ----------------------------------------------------------------------------------------------------------------


def _read_files(
    manifest: Manifest, folder: Path, cache: Cache, at: Places, problems: list[Problem]
) -> Iterator[tuple[str, Content]]:
    places: dict[str, tuple[str | int, ...]] = {}
    for name, resource in manifest.resources.items():
        if resource.file is not None and not (folder / resource.file).is_dir():
            places.setdefault(resource.file, ("resources", name, "file"))
    for name, function in manifest.functions.items():
        if function.source is not None:
            places.setdefault(function.source, ("functions", name, "source"))
        for number, module in enumerate(function.modules):
            if not is_package(module):
                places.setdefault(module, ("functions", name, "modules", number))
    for name in used(manifest):
        for number, library in enumerate(manifest.packages[name].libraries):
            places.setdefault(library, ("packages", name, "libraries", number))
    outcomes = gather({file: partial(read_file, cache, folder / file, file) for file in places})
    for file, outcome in outcomes.items():
        if isinstance(outcome, PackageError):
            problems += placed(outcome, at(*places[file]))
        elif reason := why_too_large(outcome.size):
            problems.append(Problem("E405", f"'{file}' is too large: {reason}", at(*places[file])))
        else:
            yield file, outcome


def _pack_folders(
    manifest: Manifest, folder: Path, cache: Cache, at: Places, problems: list[Problem]
) -> Iterator[tuple[str, Made]]:
    declared = {name: resource.file for name, resource in manifest.resources.items() if resource.file is not None}
    tasks = {
        name: partial(_pack_folder, name, folder / file, file, manifest.resources[name].exclude, cache)
        for name, file in declared.items()
        if (folder / file).is_dir()
    }
    for name, outcome in gather(tasks).items():
        if isinstance(outcome, PackageError):
            problems += placed(outcome, at("resources", name, "file"))
            continue
        if reason := why_too_large(outcome.content.size):
            problems.append(Problem("E405", f"'{name}' is too large: {reason}", at("resources", name, "file")))
        problems += idle([outcome], manifest.resources[name].exclude, ("resources", name), at)
        yield name, outcome


def _pack_packages(
    manifest: Manifest, folder: Path, cache: Cache, at: Places, problems: list[Problem]
) -> Iterator[tuple[str, OwnPackage]]:
    used: dict[str, tuple[str, int]] = {}
    old: dict[str, tuple[str, int]] = {}
    for name, function in manifest.functions.items():
        for number, path in enumerate(function.modules):
            if is_package(path):
                used.setdefault(path, (name, number))
                if (function.python or manifest.python) == "cp27":
                    old.setdefault(path, (name, number))
    is_versioned = manifest.rollout == "versioned"
    for path, outcome in gather(
        {one: partial(pack_package, folder / one, one, cache, is_versioned) for one in used}
    ).items():
        name, number = old.get(path, used[path])
        if isinstance(outcome, PackageError):
            problems += placed(outcome, at("functions", name, "modules", number))
            continue
        if path in old and f"{module_name(path)}/__init__.py" not in outcome.sources:
            message, hint = f"'{path}' has no __init__.py, and is no package to Python 2.7", "an empty file will do"
            problems.append(Problem("E372", message, at("functions", name, "modules", number), hint))
        yield path, outcome


def _pack_folder(name: str, folder: Path, file: str, exclude: Sequence[str], cache: Cache) -> Made:
    try:
        return pack_folder(name, folder, file, exclude, cache)
    except OSError as error:
        raise PackageError("E305", f"'{file}' cannot be read: {error.strerror or error}") from error


# --- Functions ------------------------------------------------------------------------------------------------------------


def _function_problems(manifest: Manifest, found: Artifacts, at: Places) -> Iterator[Problem]:
    lacking: dict[tuple[str, Finding, Position], list[str]] = defaultdict(list)
    ships: dict[Position, list[str]] = defaultdict(list)
    for name, function in manifest.functions.items():
        shipped = list(parts_of(manifest, found, function))
        parts, runtime = [part for part, _ in shipped], runtime_of(manifest, function)
        for part, keys in shipped:
            ships[at(*keys)].append(name)
            is_complete = all(resource in manifest.resources for resource in function.resources)
            for _, finding in gate.missing(part, parts, runtime, is_complete=is_complete):
                judged = finding if keys[0] == "packages" else weighed(finding, part.facts)
                lacking[part.name, judged, at(*keys)].append(name)
        yield from (problem(name, one, at("functions", name)) for one in _of_function(manifest, found, function))
    for (part_name, finding, place), names in lacking.items():
        partly = (f"in {', '.join(names)}",) if names != ships[place] else ()
        yield problem(part_name, replace(finding, detail=(*finding.detail, *partly)), place)


def parts_of(manifest: Manifest, found: Artifacts, function: Function) -> Iterator[tuple[Part, tuple[str | int, ...]]]:
    """Yield everything with an inside that a function ships, and where in the manifest it stands."""
    runtime = function.python or manifest.python
    for package in function.packages:
        for archive in found.archives[package, runtime]:
            yield Part(archive.name, archive.facts), archive.place or ("packages", package)
    for package, library in found.libraries_of(function.packages):
        yield library.part, ("packages", package, "libraries", library.number)
    for name in function.resources:
        facts = found.facts.get(name)
        if facts is not None:
            yield Part(name, facts, "library" if facts.kind == "library" else "archive"), ("resources", name, "file")


def _of_function(manifest: Manifest, found: Artifacts, function: Function) -> Iterator[Finding]:
    runtime = function.python or manifest.python
    archives = {one.name: one for package in function.packages for one in found.archives[package, runtime]}
    sizes = sizes_of(manifest, found, function)
    yield from gate.too_much(sizes, len({*function.resources} - {*sizes}))
    own = {name: manifest.resources[name] for name in function.resources if name in manifest.resources}
    modules = {name: (name[:-3],) for name, one in own.items() if resource_type(name, one) == "py"}
    imports = {name: archive.facts.imports for name, archive in archives.items()}
    yield from gate.twins(
        {**imports, **modules}, [brought for archive in archives.values() for brought in _distributions(archive)]
    )


def sizes_of(manifest: Manifest, found: Artifacts, function: Function) -> dict[str, int]:
    """Return the bytes of each resource of a function that is a file of this manifest, by name."""
    runtime = function.python or manifest.python
    own = {name: manifest.resources[name].file for name in function.resources if name in manifest.resources}
    return {
        **({function.source.rpartition("/")[2]: found.entry(function.source).size} if function.source else {}),
        **{name: one.size for name, file in own.items() if file and (one := found.resource(name, file))},
        **{name: content.size for name, _, content, _ in found.modules(function)},
        **{archive.name: archive.content.size for one in function.packages for archive in found.archives[one, runtime]},
        **{library.name: library.content.size for _, library in found.libraries_of(function.packages)},
    }


def _distributions(archive: Archive) -> Iterator[tuple[str, str, str]]:
    """Yield what an archive brings: its own name, and the name and the version of a distribution."""
    from packaging.utils import parse_wheel_filename

    for wheel in archive.wheels:
        name, version, _, _ = parse_wheel_filename(wheel.filename)
        yield archive.name, str(name), str(version)
