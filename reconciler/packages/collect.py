"""
Collection: from a manifest and its lock to artifacts, every file read once, every wheel found and checked.

The parts are found and judged in modules of their own: `wheels`, the `archives` made of them, `libraries` and resources.
Here they meet, and a function's whole set is judged. All problems are told at once, and what is wrong is not returned.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.base.activity import activity
from reconciler.base.environments import NO_BUILD, says_yes
from reconciler.base.errors import PackageError, Position, Problem
from reconciler.base.line_ends import LineEnds
from reconciler.base.names import is_package, module_name
from reconciler.packages.artifacts import Archive, Artifacts, ship, used_packages
from reconciler.packages.content import Content, why_no_source, why_too_large
from reconciler.packages.fetch.cache import Digests, read_file
from reconciler.packages.inspect import gate
from reconciler.packages.judged import Judged, is_wrong, judge, problem_of
from reconciler.packages.libraries import inspect_resources, resource_problems, soften
from reconciler.packages.wiring import make_tails, wire_module

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from reconciler.base.line_ends import Rule
    from reconciler.manifest.load import Loaded
    from reconciler.packages.artifacts import Keys, Shipment, Wheel
    from reconciler.packages.content import OwnPackage
    from reconciler.packages.debian.suites import Mirrors
    from reconciler.packages.fetch.cache import Cache
    from reconciler.packages.inspect.files import FileFinding
    from reconciler.packages.lock.use import Locks
    from reconciler.packages.pack.archives import PackedArchive
    from reconciler.packages.wheels import Supply, WheelRequest


@activity("reading and checking files")
def collect(loaded: Loaded, *, cache: Cache, env: Mapping[str, str], on_step: Callable[[str], None]) -> Artifacts:
    """Read and fetch what a manifest and its lock name, and check it; `on_step` is told of everything that takes long."""
    digests = Digests(cache.root, str(loaded.folder))
    cache = replace(cache, read=digests.read, line_ends=LineEnds(loaded.folder, loaded.manifest.line_ends))
    try:
        if not loaded.manifest.packages:
            return _collect(loaded, cache, None)
        with _supply(loaded, cache, env, on_step) as supply:
            return collect_from(loaded, supply)
    finally:
        digests.save()


def fetch_wheels(
    loaded: Loaded, *, cache: Cache, env: Mapping[str, str], on_step: Callable[[str], None]
) -> list[tuple[WheelRequest, Wheel]]:
    """Return the wheels of a manifest that fit, fetched and looked into; those that do not are left out in silence."""
    from reconciler.packages.wheels import find_wheels

    with _supply(loaded, cache, env, on_step) as supply:
        return find_wheels(loaded, supply).value


def look_into_scripts(
    loaded: Loaded, *, cache: Cache, env: Mapping[str, str], on_step: Callable[[str], None]
) -> tuple[Problem, ...]:
    """Return what scripts of a lock's Debian packages would have done; the packages are fetched for it."""
    if not any(package.debian for package in loaded.manifest.packages.values()):
        return ()
    from reconciler.packages.debian_files import script_problems

    on_step("looking into Debian packages")
    with _supply(loaded, cache, env, on_step) as supply:
        return tuple(script_problems(loaded, supply))


@contextmanager
def _supply(loaded: Loaded, cache: Cache, env: Mapping[str, str], on_step: Callable[[str], None]) -> Iterator[Supply]:
    """Open the sources of wheels; they are imported here, because most small manifests have no packages."""
    from reconciler.packages.fetch.pip import DirectIndex, PipIndex
    from reconciler.packages.missing import importer_of
    from reconciler.packages.wheels import Supply

    locks = workshop = None
    if any(package.is_locked for package in loaded.manifest.packages.values()):
        # Resolvers, builders and an HTTP client are imported only for a manifest that has a lock.
        from reconciler.packages.lock.use import use_lock
        from reconciler.packages.lock.workshop import Workshop, package_pip_environment

        locks, workshop = use_lock(loaded), Workshop(loaded, cache, env, on_step)
        env = package_pip_environment(loaded, env)
    with workshop or nullcontext(), DirectIndex(env) as shortcut, _open_mirrors(locks, cache, env) as mirrors:
        index = PipIndex(
            env,
            shortcut=shortcut,
            on_wait=lambda called: on_step(f"still waiting for the package index: {called}"),
        )
        yield Supply(
            cache,
            index,
            locks,
            workshop,
            None if says_yes(env, NO_BUILD) else importer_of(env, on_step),
            lambda requirement: on_step(f"fetching {requirement}"),
            mirrors,
        )


@contextmanager
def _open_mirrors(locks: Locks | None, cache: Cache, env: Mapping[str, str]) -> Iterator[Mirrors | None]:
    """Open the mirrors of Debian for a lock that has packages of it."""
    if locks is None or not any(group.debs for group, _ in locks.groups.values()):
        yield None
        return
    from reconciler.packages.debian.suites import Mirrors
    from reconciler.packages.fetch.downloads import Downloads
    from reconciler.packages.fetch.indexes import pip_settings

    with Downloads(pip_settings(env, Path(sys.prefix))) as downloads:
        yield Mirrors(downloads, cache, env)


def collect_from(loaded: Loaded, supply: Supply) -> Artifacts:
    """Read, fetch and check everything that functions are made of; raises one PackageError with all problems."""
    return _collect(loaded, supply.cache, supply)


def _collect(loaded: Loaded, cache: Cache, supply: Supply | None) -> Artifacts:
    if loaded.manifest.engine is not None:
        from reconciler.packages.environment.collection import collect_environments

        environments, files = collect_environments(loaded, cache, supply), _read_files(loaded, cache)
        if is_wrong(files.problems):
            raise PackageError.of(dict.fromkeys(files.problems))
        return replace(environments, files=files.value)
    if loaded.manifest.service.code_folder:
        from reconciler.packages.layers import collect_code

        return collect_code(loaded, cache, supply, _read_files(loaded, cache))
    files, folders, packages = _read_files(loaded, cache), _pack_folders(loaded, cache), _pack_packages(loaded, cache)
    problems = [problem for step in (files, folders, packages) for problem in step.problems]
    artifacts = Artifacts(files.value, {}, {}, packages=packages.value, folders=folders.value)
    if supply is not None:
        distributions = _find_distributions(loaded, artifacts, supply)
        artifacts, problems = distributions.value, [*problems, *distributions.problems]
    artifacts = replace(artifacts, facts=inspect_resources(loaded, artifacts, cache.inspections))
    problems += resource_problems(loaded, artifacts)
    if is_wrong(problems):  # what is not there cannot be missed, and would be
        raise PackageError.of(dict.fromkeys(problems))
    shipments = ship(loaded, artifacts)
    problems += _function_problems(loaded, shipments.values())
    if supply is not None and supply.importer is not None:
        from reconciler.packages.missing import lost_import_problems

        problems += lost_import_problems(loaded, artifacts, supply.importer, cache)
    if is_wrong(problems):
        raise PackageError.of(dict.fromkeys(problems))
    # A tail names what is shipped, and a module is named by its content: the shipment is complete when it is wired.
    modules = {
        source: wire_module(source, artifacts.files[source], added, cache)
        for source, added in make_tails(loaded, shipments.values()).items()
    }
    artifacts = replace(artifacts, modules=modules, warnings=tuple(dict.fromkeys(problems)))
    return replace(artifacts, shipments=ship(loaded, artifacts) if modules else shipments)


def _find_distributions(loaded: Loaded, artifacts: Artifacts, supply: Supply) -> Judged[Artifacts]:
    """Return the artifacts with what the manifest's packages add: the archives of wheels, and libraries."""
    from reconciler.packages.archives import find_archives
    from reconciler.packages.libraries import find_libraries, library_clashes
    from reconciler.packages.wheels import clashes, find_wheels

    wheels = find_wheels(loaded, supply)
    carriers = [(request, wheel) for request, wheel in wheels.value if request.library is not None]
    shipped = [(request, wheel) for request, wheel in wheels.value if request.library is None]
    archives = find_archives(loaded, shipped, supply.cache)
    libraries = find_libraries(loaded, artifacts.files, carriers, supply.cache)
    artifacts = replace(artifacts, archives=archives.value, libraries=libraries.value)
    problems = [problem for step in (wheels, archives, libraries) for problem in step.problems]
    problems += [*clashes(shipped, artifacts), *library_clashes(loaded, artifacts)]
    return Judged(artifacts, tuple(problems))


# --- Files ----------------------------------------------------------------------------------------------------------------


def _read_files(loaded: Loaded, cache: Cache) -> Judged[dict[str, Content]]:
    places: dict[str, Keys] = {}
    rules: dict[str, Rule | None] = {}
    for file, keys, rule in _files(loaded):
        places.setdefault(file, keys)
        rules.setdefault(file, rule)
    return judge(
        {file: partial(read_file, cache, loaded.folder / file, file, rule) for file, rule in rules.items()},
        lambda file: loaded.at(*places[file]),
        lambda file, content: _too_large(file, content, loaded, places[file]),
    )


def _too_large(name: str, content: Content, loaded: Loaded, keys: Keys) -> Iterator[Problem]:
    if reason := why_no_source(name, content.size) or why_too_large(content.size, loaded.manifest.service):
        yield Problem("E405", f"'{name}' is too large: {reason}", loaded.at(*keys))


def _files(loaded: Loaded) -> Iterator[tuple[str, Keys, Rule | None]]:
    """Yield every file that the manifest names and that is read as it is, where, and what it says of the line ends."""
    manifest = loaded.manifest
    for name, resource in manifest.resources.items():
        if resource.file is not None and not (loaded.folder / resource.file).is_dir():
            yield resource.file, ("resources", name, "file"), resource.line_ends
    for name, function in manifest.functions.items():
        if function.source is not None and not (loaded.folder / function.source).is_dir():
            yield function.source, ("functions", name, "source"), None
        for number, module in enumerate(function.modules):
            if not is_package(module):
                yield module, ("functions", name, "modules", number), None
    for path, keys in manifest.shipped_files.items():
        yield path, keys, None
    for name in used_packages(loaded):
        for number, library in enumerate(manifest.packages[name].libraries):
            if isinstance(library, str):
                yield library, ("packages", name, "libraries", number), "keep"


def _pack_folders(loaded: Loaded, cache: Cache) -> Judged[dict[str, PackedArchive]]:
    resources = loaded.manifest.resources
    folders = {
        name: resource.file
        for name, resource in resources.items()
        if resource.file is not None and (loaded.folder / resource.file).is_dir()
    }
    if not folders:
        return Judged({}, ())
    from reconciler.packages.archives import idle_patterns
    from reconciler.packages.pack.folders import pack_folder

    def look(name: str, packed: PackedArchive) -> Iterator[Problem]:
        yield from _too_large(name, packed.content, loaded, ("resources", name, "file"))
        yield from idle_patterns([packed], resources[name].exclude, ("resources", name), loaded)

    tasks = {
        name: partial(pack_folder, name, loaded.folder / file, file, resources[name], cache)
        for name, file in folders.items()
    }
    return judge(tasks, lambda name: loaded.at("resources", name, "file"), look)


def _pack_packages(loaded: Loaded, cache: Cache) -> Judged[dict[str, OwnPackage]]:
    first: dict[str, Keys] = {}
    first_on_27: dict[str, Keys] = {}
    for name, function in loaded.manifest.functions.items():
        for number, path in enumerate(function.modules):
            if is_package(path):
                first.setdefault(path, ("functions", name, "modules", number))
                if loaded.code[name].runtime.python_version < (3,):
                    first_on_27.setdefault(path, ("functions", name, "modules", number))
    if not first:
        return Judged({}, ())
    from reconciler.packages.pack.folders import pack_package

    def look(path: str, package: OwnPackage) -> Iterator[Problem]:
        if path in first_on_27 and f"{module_name(path)}/__init__.py" not in package.sources:
            message = f"'{path}' has no __init__.py, and is no package to Python 2.7"
            yield Problem("E372", message, loaded.at(*first_on_27[path]), "an empty file will do")

    is_versioned = loaded.manifest.rollout == "versioned"
    tasks = {path: partial(pack_package, loaded.folder / path, path, cache, is_versioned) for path in first}
    return judge(tasks, lambda path: loaded.at(*first_on_27.get(path, first[path])), look)


# --- Functions ------------------------------------------------------------------------------------------------------------


def _function_problems(loaded: Loaded, shipments: Iterable[Shipment]) -> Iterator[Problem]:
    lacking: dict[tuple[str, FileFinding, Position], list[str]] = defaultdict(list)
    users: dict[Position, list[str]] = defaultdict(list)
    for shipment in shipments:
        name = shipment.function
        items = [item for item in shipment.items if item.facts is not None]
        parts = [item.part for item in items]
        is_complete = all(item.type is not None for item in shipment.items)
        for item, part in zip(items, parts, strict=True):
            position = loaded.at(*item.keys)
            users[position].append(name)
            for _, finding in gate.missing_libraries(part, parts, shipment.runtime, is_complete=is_complete):
                judged = finding if item.package is not None else soften(finding, part.facts)
                lacking[part.name, judged, position].append(name)
        yield from (
            problem_of(name, finding, loaded.at("functions", name), loaded.forced) for finding in _findings(shipment)
        )
        yield from _site_problems(shipment, loaded)
    for (part_name, finding, position), names in lacking.items():
        partly = (f"in {', '.join(names)}",) if names != users[position] else ()
        yield problem_of(part_name, replace(finding, detail=(*finding.detail, *partly)), position, loaded.forced)


def _site_problems(shipment: Shipment, loaded: Loaded) -> Iterator[Problem]:
    """Yield what import does not find in a function's archives, for want of one folder for all."""
    facts = {item.name: item.facts for item in shipment.of("archive") if item.facts}
    if not facts:
        return
    from reconciler.packages.inspect.site import useless_archives

    positions = {item.name: loaded.at(*item.keys) for item in shipment.items}
    sites = [(name, of.site, of.modules) for name, of in facts.items()]
    for archive, finding in useless_archives(sites, shipment.runtime.python_version):
        yield problem_of(archive, finding, positions[archive], loaded.forced)
    if loaded.manifest.functions[shipment.function].wire:
        return
    for archive, path in ((archive, path) for archive, of in facts.items() for path in of.site.paths):
        message = (
            f"'{archive}' has modules in '{path}', which a .pth file puts on sys.path, and the function is not wired"
        )
        hint = f"sys.path.insert(0, '{loaded.manifest.service.archive_folder}{archive}/{path}')"
        yield Problem("E435", message, loaded.at("functions", shipment.function), hint, severity="warning")


def _findings(shipment: Shipment) -> Iterator[FileFinding]:
    sizes = {item.label: item.content.size for item in shipment.items if item.content is not None}
    yield from gate.excess(sizes, len(shipment.items) - len(sizes), shipment.runtime.service)
    archives = {item.name: item.made_of for item in shipment.of("archive") if isinstance(item.made_of, Archive)}
    modules = {item.name: (item.name[:-3],) for item in shipment.of("resource") if item.type == "py"}
    imports = {name: archive.facts.imports for name, archive in archives.items()}
    distributions = [distribution for archive in archives.values() for distribution in _distributions(archive)]
    yield from gate.duplicates({**imports, **modules}, distributions)


def _distributions(archive: Archive) -> Iterator[tuple[str, str, str]]:
    """Yield what an archive brings: its own name, and the name and the version of a distribution."""
    from packaging.utils import parse_wheel_filename

    for wheel in archive.wheels:
        name, version, _, _ = parse_wheel_filename(wheel.filename)
        yield archive.name, str(name), str(version)
