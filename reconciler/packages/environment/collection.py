"""
Environment collection: the archives of a manifest's environments and of packages beside them, made of its lock or given, and each checked.

What is built here is checked by the same reading as what somebody else has packed.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from reconciler.base.errors import PackageError, Problem
from reconciler.base.names import versioned_name
from reconciler.packages.artifacts import Artifacts, PackedEnvironment
from reconciler.packages.environment.assembly import PROGRAM, Ingredients, assemble
from reconciler.packages.environment.contents import read_environment
from reconciler.packages.environment.findings import WorkerSpec, find_environment_faults, find_size_note
from reconciler.packages.fetch.cache import read_file
from reconciler.packages.inspect.gate import Part, missing_libraries
from reconciler.packages.judged import Judged, is_wrong, judge, problem_of
from reconciler.packages.pack.archives import Shape

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from reconciler.manifest.load import Loaded
    from reconciler.manifest.model import WorkerEnvironment
    from reconciler.packages.artifacts import Archive, Wheel
    from reconciler.packages.content import Content
    from reconciler.packages.environment.prefix import Prefix
    from reconciler.packages.fetch.cache import Cache
    from reconciler.packages.wheels import Supply, WheelRequest

_OF_ARCHIVES = frozenset({"E435", "E436"})
"""What wheels leave to an installer: here they are installed, with all that a site-packages does."""


def collect_environments(loaded: Loaded, cache: Cache, supply: Supply | None) -> Artifacts:
    """Return the archives of all environments; raises one PackageError with all problems."""
    wheels, archives, problems = _find_wheels(loaded, cache, supply)
    if is_wrong(problems):
        raise PackageError.of(dict.fromkeys(problems))
    environments = loaded.manifest.environments
    outcomes = judge(
        {name: partial(_archive, name, loaded, cache, supply, wheels.get(name, ())) for name in environments},
        lambda name: loaded.at("environments", name),
        lambda name, content: _judge_archive(name, environments[name], content, loaded, cache),
    )
    problems += outcomes.problems
    if is_wrong(problems):
        raise PackageError.of(dict.fromkeys(problems))
    packed = {
        name: PackedEnvironment(
            *(name, versioned_name(f"{name}.zip", content.sha256), _program(environments[name]), content),
            ("environments", name),
        )
        for name, content in outcomes.value.items()
    }
    by_runtime = {(name, environments[name].python): of_name for name, of_name in wheels.items()}
    warnings = tuple(dict.fromkeys(problems))
    return Artifacts({}, archives, wheels=by_runtime, environments=packed, warnings=warnings)


def _find_wheels(
    loaded: Loaded, cache: Cache, supply: Supply | None
) -> tuple[dict[str, tuple[Wheel, ...]], dict[tuple[str, str], tuple[Archive, ...]], list[Problem]]:
    """Return the wheels of each environment, and the archives of packages that travel beside one."""
    if supply is None:
        return {}, {}, []
    from reconciler.packages.archives import find_archives
    from reconciler.packages.wheels import find_wheels

    judged = find_wheels(loaded, supply)
    installed: dict[str, tuple[Wheel, ...]] = {}
    beside: list[tuple[WheelRequest, Wheel]] = []
    for request, wheel in judged.value:
        if request.package in loaded.manifest.environments:
            installed[request.package] = (*installed.get(request.package, ()), wheel)
        else:
            beside.append((request, wheel))
    places = {
        loaded.at("environments", name, key)
        for name in loaded.manifest.environments
        for key in ("requirements", "requirements_file")
    }
    problems = [problem for problem in judged.problems if problem.code not in _OF_ARCHIVES or problem.at not in places]
    archives = find_archives(loaded, beside, cache) if beside else Judged({}, ())
    packed = {pair: of for pair, of in archives.value.items() if of}
    return installed, packed, [*problems, *archives.problems, *_lacking(loaded, packed)]


def _lacking(loaded: Loaded, archives: Mapping[tuple[str, str], tuple[Archive, ...]]) -> Iterator[Problem]:
    """Yield the native libraries that a package needs and neither brings nor finds on the engine's system."""
    for (name, tag), of in archives.items():
        for archive in of:
            part = Part(archive.name, archive.facts, "archive")
            for _, finding in missing_libraries(part, [part], loaded.runtimes[tag], is_complete=True):
                yield problem_of(archive.name, finding, loaded.at("packages", name), loaded.forced)


def _archive(name: str, loaded: Loaded, cache: Cache, supply: Supply | None, wheels: tuple[Wheel, ...]) -> Content:
    environment = loaded.manifest.environments[name]
    if environment.archive is not None:
        return read_file(cache, loaded.folder / environment.archive, environment.archive)
    package = loaded.manifest.packages[name]
    shape = Shape(package.slim, tuple(package.exclude))
    prefix = _prefix(environment, loaded, supply)
    return assemble(f"{name}.zip", Ingredients(prefix, tuple(wheel.content for wheel in wheels), shape), cache).content


def _prefix(environment: WorkerEnvironment, loaded: Loaded, supply: Supply | None) -> Prefix:
    runtime = loaded.runtimes[environment.python]

    def copy_from_image() -> Path:
        from reconciler.packages.environment.containers import interpreter_of_image

        assert supply is not None  # what is built has packages, and they a workshop
        assert supply.workshop is not None
        return interpreter_of_image(runtime, supply.workshop.env, supply.cache, supply.workshop.tools)

    # Locks and containers are for what is built alone.
    from reconciler.packages.environment.sources import locate_prefix

    env: Mapping[str, str] = supply.workshop.env if supply is not None and supply.workshop is not None else {}
    return locate_prefix(environment, runtime, env, copy_from_image)


def _judge_archive(
    name: str, environment: WorkerEnvironment, content: Content, loaded: Loaded, cache: Cache
) -> Iterator[Problem]:
    engine = loaded.manifest.engine
    assert engine is not None  # who has environments has one
    spec = WorkerSpec(engine.name, engine.version, loaded.runtimes[environment.python])
    archive = read_environment(content.path, content.sha256, cache.inspections)
    shown = environment.archive or f"{name}.zip"
    keys = ("environments", name, "archive") if environment.archive else ("environments", name)
    findings = (*find_environment_faults(archive, _program(environment), spec), *find_size_note(content.size))
    yield from (problem_of(shown, finding, loaded.at(*keys), loaded.forced) for finding in findings)


def _program(environment: WorkerEnvironment) -> str:
    return environment.program if environment.archive is not None else PROGRAM
