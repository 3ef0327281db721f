"""
Lock making: resolve, choose, build what has no wheel, and write down the result.

Nothing is written here; who calls puts the finished lock into its place, whole or not at all.
"""

from __future__ import annotations

import re
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import structs

from reconciler.base import environments
from reconciler.base.activity import activity
from reconciler.base.errors import InterpreterError, InvalidManifest, PackageError, Problem, UdfsError
from reconciler.base.hints import Command
from reconciler.base.inputs import SHIPPED, copy_input
from reconciler.base.words import did_you_mean
from reconciler.manifest.runtimes import fitting_names, supported_tags, tags_of, why_not_loadable
from reconciler.packages import content
from reconciler.packages.build import BuildSource
from reconciler.packages.build.build import install_programs
from reconciler.packages.build.sources import copy_source
from reconciler.packages.fetch import indexes
from reconciler.packages.fetch.downloads import Downloads
from reconciler.packages.fetch.gateway import open_gateway
from reconciler.packages.fetch.indexes import FILE_NAME
from reconciler.packages.lock.file import BuiltFrom, Group, Lock, Locked
from reconciler.packages.lock.inputs import read_requests
from reconciler.packages.lock.pex import Pex
from reconciler.packages.lock.resolver import Question, Steps, Unsolvable
from reconciler.packages.lock.uv import Uv, can_answer
from reconciler.packages.lock.workshop import Workshop, find_interpreter, package_indexes
from reconciler.packages.projects import PROJECTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from reconciler.base.hints import Hint
    from reconciler.manifest.load import Loaded
    from reconciler.manifest.requirements import PackageRequirement
    from reconciler.manifest.runtimes import Runtime
    from reconciler.packages.content import Content
    from reconciler.packages.fetch.cache import Cache
    from reconciler.packages.fetch.gateway import Gateway
    from reconciler.packages.fetch.indexes import Remote
    from reconciler.packages.lock.debian import DebianLocker
    from reconciler.packages.lock.inputs import LockRequest
    from reconciler.packages.lock.resolver import Distribution

_THREADS = 4


@dataclass(frozen=True)
class Upgrade:
    """Which versions may move although nothing asks for it."""

    everything: bool = False
    names: frozenset[str] = frozenset()


def make_lock(
    loaded: Loaded,
    previous: Lock,
    upgrade: Upgrade,
    *,
    cache: Cache,
    env: Mapping[str, str],
    on_step: Callable[[str], None],
    on_warning: Callable[[Problem], None] = lambda problem: None,
    now: datetime | None = None,
    allow_unsigned: bool = False,
) -> Lock:
    """
    Resolve what the manifest requires, build what has no wheel, and return the lock.

    `on_warning` is told what a person should look at. Raises one error with the problems of all groups. Versions of `previous`
    are kept where they still fit, so that a lock changes only where something asks for it. `now` is what a release of Debian must not
    have expired by; with `allow_unsigned` one is believed whose signature cannot be checked.
    """
    requests = read_requests(loaded)
    # Filled by the first who asks, and until then half empty to every other thread: uv's own package asks in each of ours.
    sysconfig.get_config_vars()
    with ExitStack() as opened:
        workshop = opened.enter_context(Workshop(loaded, cache, env, on_step, on_warning))
        debian = None
        if any(request.inputs.debian for request in requests):
            from reconciler.packages.debian.suites import Mirrors
            from reconciler.packages.lock.debian import DebianLocker

            downloads = opened.enter_context(Downloads(indexes.pip_settings(env, Path(sys.prefix))))
            assert now is not None  # who locks Debian packages has a clock
            debian = DebianLocker(Mirrors(downloads, cache, env, allow_unsigned), now, on_step, on_warning)
        pool = ThreadPoolExecutor(_THREADS)
        try:
            groups = list(pool.map(partial(_group, previous, workshop, upgrade, debian), requests))
        except BaseException:  # Ctrl-C above all: what runs is ended before anybody waits for it
            pool.shutdown(wait=False, cancel_futures=True)
            workshop.stop()
            raise
        finally:
            pool.shutdown()
    problems = [problem for outcome in groups if isinstance(outcome, UdfsError) for problem in outcome.problems]
    if problems:
        raise PackageError.of(dict.fromkeys(problems))
    packages: dict[str, dict[str, Group]] = {}
    for request, group in zip(requests, groups, strict=True):
        assert isinstance(group, Group)
        packages.setdefault(request.package, {})[request.runtime.tag] = group
    return Lock(packages=packages)


def _group(
    previous: Lock, workshop: Workshop, upgrade: Upgrade, debian: DebianLocker | None, request: LockRequest
) -> Group | UdfsError:
    """Return what was resolved for a request, or the error, at a place of the manifest."""
    workshop.on_step(f"resolving {request.package} for {request.runtime.tag}")
    before = previous.group(request.package, request.runtime.tag)
    steps, words = Steps(), f"{request.package} for {request.runtime.tag}"
    try:
        with activity("resolving") as resolving, resolving.at(words, steps.last):
            files = (
                _resolve(before, workshop, upgrade, request, steps) if request.requirements or request.carried else []
            )
            group = Group(inputs=request.inputs, files=files)
            if debian is None or not request.inputs.debian:
                return group
            part = debian.lock(request, before, upgrade.names, everything=upgrade.everything)
            return structs.replace(group, **part._asdict())
    except UdfsError as error:
        position = next(iter(request.places.values()), None)
        return PackageError.of(replace(problem, at=problem.at or position) for problem in error.problems)


def _resolve(
    before: Group | None, workshop: Workshop, upgrade: Upgrade, request: LockRequest, steps: Steps
) -> list[Locked]:
    prefix = Path(sys.prefix)
    pip, sources = indexes.pip_settings(workshop.env, prefix), package_indexes(workshop.env, prefix, request)
    addresses = tuple(index.address for index in (*sources.every, *sources.sources.values()))
    with workshop.cache.workspace() as folder, Downloads(pip, addresses) as downloads:
        workspace = folder.resolve()
        question = _question(workshop, request, before, upgrade, _copy_local(workshop, request, workspace))
        with open_gateway(sources.every, downloads, sources.sources, pip) as gateway:
            resolver = _resolver(workshop, request, workspace, gateway, steps)
            try:
                answers = resolver.resolve(question) if request.requirements else ()
                carriers = _carriers(resolver, question, request, None if upgrade.everything else before)
            except Unsolvable as error:
                raise _conflict(error, request) from error
            except PackageError as error:
                raise _with_failures(error, gateway) from error
            distributions = [_from_real_index(distribution, gateway) for distribution in answers]
            _tell_of_others(distributions, gateway, request, workshop)
            maker = _Maker(workshop, request, downloads, workspace)
            wheels = [maker.lock(distribution) for distribution in distributions]
            for library, carrier in carriers:
                wheels.append(structs.replace(maker.lock(_from_real_index(carrier, gateway)), carries=library))
            everything = (*distributions, *(carrier for _, carrier in carriers))
            remotes = [distribution.wheel for distribution in everything if distribution.wheel]
            sizes = _sizes(remotes, before.files if before else (), downloads)
    complete = [
        wheel if wheel.size is not None else structs.replace(wheel, size=sizes.get(wheel.sha256)) for wheel in wheels
    ]
    return sorted(complete, key=lambda wheel: (wheel.name, wheel.file))


def _carriers(
    resolver: Uv | Pex, question: Question, request: LockRequest, before: Group | None
) -> list[tuple[str, Distribution]]:
    """Return the distributions whose wheels carry libraries: each alone, whatever else the package has of it."""
    carriers: list[tuple[str, Distribution]] = []
    for library, requirement in request.carried:
        files = before.files if before else ()
        preferred = {wheel.name: wheel.version for wheel in files if wheel.carries == library}
        alone = replace(question, requirements=(requirement,), constraints=(), exclude=(), preferred=preferred)
        (carrier,) = resolver.resolve(replace(alone, no_deps=True, prefer_binary=True))
        if carrier.wheel is None:
            message = f"'{requirement.text}' has no wheel for {request.runtime.tag} to take '{library}' out of"
            position = request.places[f"library {library}"]
            raise PackageError("E486", message, at=position, hint="another version may have one")
        carriers.append((library, carrier))
    return carriers


def _sizes(remotes: Iterable[Remote], before: Iterable[Locked], downloads: Downloads) -> dict[str | None, int]:
    """Return the sizes of wheels by sha256: those that the previous lock has, and the index's for the others."""
    sizes: dict[str | None, int] = {wheel.sha256: wheel.size for wheel in before if wheel.size is not None}
    missing = [remote for remote in remotes if remote.sha256 not in sizes]
    by_url = downloads.sizes(missing)
    return sizes | {remote.sha256: by_url[remote.url] for remote in missing if remote.url in by_url}


def _from_real_index(distribution: Distribution, gateway: Gateway) -> Distribution:
    """Return an answer with the address that the gateway stood for, and the index that it came from."""
    wheel, sdist, index = distribution.wheel, distribution.sdist, None
    if wheel is not None:
        wheel, index = gateway.origin(wheel)
    elif sdist is not None:
        sdist, index = gateway.origin(sdist)
    return replace(distribution, wheel=wheel, sdist=sdist, index=index)


def _tell_of_others(
    distributions: Sequence[Distribution], gateway: Gateway, request: LockRequest, workshop: Workshop
) -> None:
    """Warn of names that several indexes have: one of them may be somebody else's."""
    clashes: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for distribution in distributions:
        chosen = distribution.index
        if chosen and (others := gateway.others_with(distribution.name, chosen)):
            clashes.setdefault((chosen, others), []).append(distribution.name)
    for (chosen, others), names in clashes.items():
        listed = ", ".join(f"'{name}'" for name in names)
        message = (
            f"{listed} {'is' if len(names) == 1 else 'are'} on several indexes, which have no file in common: taken from "
            f"{chosen}, and on {', '.join(others)} too"
        )
        pins = ", ".join(f"{name}: {chosen}" for name in names)
        hint = (
            f"the first index that has a name gives it; say which is meant in the package '{request.package}': "
            f"`index: {{{pins}}}`, or {' or '.join(others)} instead"
        )
        texts = [asking.text for asking in request.requirements if asking.name in names]
        position = next((request.places[text] for text in texts if text in request.places), None)
        position = position or next(iter(request.places.values()), None)
        workshop.on_warning(Problem("E485", message, position, hint, severity="warning"))


def _with_failures(error: PackageError, gateway: Gateway) -> UdfsError:
    """Add which index it was that did not answer, which the tool could not know."""
    failures = tuple(dict.fromkeys(gateway.failures))[:10]
    return PackageError.of(
        replace(problem, detail=(*failures, *problem.detail) if problem.code == "E475" else problem.detail)
        for problem in error.problems
    )


def _resolver(workshop: Workshop, request: LockRequest, workspace: Path, gateway: Gateway, steps: Steps) -> Uv | Pex:
    env, tools, home = workshop.env, workshop.tools, workspace / "home"
    home.mkdir()
    declared, programs = workshop.loaded.manifest.packages[request.package], workspace / "programs"
    install_programs((workshop.loaded.folder / path for path in declared.build.programs), programs)
    uv, pip, pex = (workshop.cache.folder(name) for name in ("uv", "pip", "pex"))
    seen = {
        "UV_CACHE_DIR": str(uv),
        "PIP_CACHE_DIR": str(pip),
        **environments.for_resolver(env),
        "HOME": str(home),
        "PATH": ":".join(filter(None, (str(programs), env.get("PATH")))),
        **gateway.variables(),
    }
    if not can_answer(request.runtime):
        return Pex(seen, workspace, pex, tools=tools)

    def find_python() -> Path | None:
        with suppress(InterpreterError):
            return find_interpreter(env, request.runtime)
        return None

    return Uv(seen, workspace, find_python, tools=tools, steps=steps)


def _copy_local(workshop: Workshop, request: LockRequest, workspace: Path) -> dict[str, Path]:
    """Copy what requirements name by their paths: builds of metadata write into a project, and pex reads no path with a space."""
    places: dict[str, Path] = {}
    for number, path in enumerate(sorted(request.inputs.local)):
        source, folder = workshop.loaded.folder / path, workspace / f"local{number}"
        folder.mkdir()
        if source.is_dir():
            places[path] = copy_source(BuildSource(source, path, request.inputs.local[path]), folder / "project")
        else:
            # An index could not name it otherwise, and resolvers take signs in a name for something else.
            ending = next((end for end in (".whl", ".tar.gz", ".tgz", ".zip") if path.endswith(end)), "")
            places[path] = folder / (source.name if FILE_NAME.match(source.name) else f"source{ending}")
            copy_input(source, places[path], SHIPPED)
    return places


def _question(
    workshop: Workshop, request: LockRequest, before: Group | None, upgrade: Upgrade, places: Mapping[str, Path]
) -> Question:
    inputs = request.inputs
    files = [wheel for wheel in before.files if wheel.path is None and wheel.carries is None] if before else []
    keep = {wheel.name: wheel.version for wheel in files}
    return Question(
        request.runtime,
        request.requirements,
        places,
        tuple(wheel.text for wheel in request.constraints),
        tuple(inputs.without),
        tuple(workshop.loaded.folder / path for path in inputs.find_links),
        inputs.prefer_binary,
        inputs.pre_release,
        inputs.no_deps,
        {} if upgrade.everything else keep,
        upgrade.names,
        tuple(workshop.loaded.manifest.packages[request.package].build.requires),
    )


@dataclass(frozen=True)
class _Maker:
    """Turns answers into files of the lock."""

    workshop: Workshop
    request: LockRequest
    downloads: Downloads
    workspace: Path

    def lock(self, distribution: Distribution) -> Locked:
        """Return the file of a distribution, built if need be, with who asks for it."""
        name = distribution.path or distribution.name
        requirements = [asking for asking in self.request.requirements if (asking.path or asking.name) == name]
        try:
            wheel = self._file(distribution)
            self._require_hash(wheel, distribution.name, requirements)
        except PackageError as error:
            position = self.request.places.get(requirements[0].text) if requirements else None
            position = position or next(iter(self.request.places.values()), None)
            raise PackageError.of(replace(p, at=p.at or position) for p in error.problems) from error
        texts = sorted(requirement.text for requirement in requirements)
        return structs.replace(wheel, requirements=texts, needed_by=[*distribution.needed_by])

    def _require_hash(self, wheel: Locked, name: str, requirements: Sequence[PackageRequirement]) -> None:
        """Raise unless a file has one of the hashes that requirements and constraints list, if they list any."""
        constraints = [constraint for constraint in self.request.constraints if constraint.name == name]
        allowed = {sha256 for requirement in (*requirements, *constraints) for sha256 in requirement.hashes}
        if allowed and (wheel.source or wheel).sha256 not in allowed:
            message = f"'{wheel.file}' has none of the hashes that the requirements file allows"
            raise PackageError(
                "E482", message, hint="the hashes are of other files: of another Python or platform, perhaps"
            )

    def _file(self, distribution: Distribution) -> Locked:
        if distribution.path is not None:
            return self._local(distribution, distribution.path)
        if distribution.wheel is not None:
            return self._remote(distribution, distribution.wheel)
        assert distribution.sdist is not None
        file = self._fetch(distribution.sdist)
        label = f"{distribution.name} {distribution.version}"
        return self._build(distribution, file.path, file.sha256, file.size, distribution.sdist.file, label)

    def _remote(self, distribution: Distribution, wheel: Remote) -> Locked:
        assert distribution.version is not None
        if wheel.sha256 is None:
            hint = "an index that gives no sha256 cannot be locked to"
            raise PackageError("E482", f"the index gives no sha256 of '{wheel.file}'", hint=hint)
        return Locked(
            name=distribution.name,
            version=distribution.version,
            file=wheel.file,
            tag=_tag(wheel.file, self.request.runtime),
            sha256=wheel.sha256,
            size=wheel.size,
            index=distribution.index,
        )

    def _local(self, distribution: Distribution, path: str) -> Locked:
        file_path = self.workshop.loaded.folder / path
        sha256 = self.request.inputs.local.get(path)
        assert sha256 is not None  # every path of a requirement was hashed
        if not path.endswith(".whl"):
            size = file_path.stat().st_size if file_path.is_file() else None
            return self._build(distribution, file_path, sha256, size, path, path)
        if reason := why_not_loadable(file_path.name, self.request.runtime):
            message = f"'{file_path.name}' does not load in {self.request.runtime.tag}: {reason}"
            raise PackageError("E401", message, hint=fitting_names(self.request.runtime))
        file = content.read_content(file_path)
        return Locked(
            name=distribution.name,
            version=distribution.version or _name_and_version(file_path.name)[1],
            file=file_path.name,
            tag=_tag(file_path.name, self.request.runtime),
            sha256=file.sha256,
            size=file.size,
            path=path,
        )

    def _fetch(self, sdist: Remote) -> Content:
        if sdist.sha256 and (cached := self.workshop.cache.get(sdist.sha256)):
            return cached
        self.workshop.on_step(f"fetching {sdist.file}")
        file = self.downloads.fetch(sdist, self.workspace)
        return self.workshop.cache.put(file, sdist.sha256 or content.read_content(file).sha256)

    def _build(
        self, distribution: Distribution, source: Path, sha256: str, size: int | None, file: str, label: str
    ) -> Locked:
        built = self.workshop.build(BuildSource(source, label, sha256), self.request)
        wheel = built.content.path.name
        name, version = _name_and_version(wheel)
        if (name, distribution.version or version) != (distribution.name, version):
            raise PackageError(
                "E484",
                f"{label} was built as {name} {version}, and is {distribution.name} {distribution.version or ''}".rstrip(),
                hint="the setuptools that Python 2.7 has read no [project] table: give name and version in setup.cfg or setup.py"
                if self.request.runtime.python_version < (3,)
                else "its metadata and its build give different names or versions",
            )
        return Locked(
            name=name,
            version=version,
            file=wheel,
            tag=_tag(wheel, self.request.runtime),
            sha256=built.content.sha256,
            size=built.content.size,
            source=BuiltFrom(
                file=file,
                sha256=sha256,
                size=size,
                index=distribution.index,
                built_with=built.how,
                requires=sorted(built.requires),
            ),
        )


def _conflict(error: Unsolvable, request: LockRequest) -> UdfsError:
    """Say which of the manifest's lines cannot all be true, in the engine's reasoning and our words."""
    runtime = request.runtime
    said = [line.replace("the requested Python version", f"{runtime.tag}'s Python") for line in error.reasons]
    reasoning = " ".join(said)

    def is_named(name: str) -> bool:
        spelled = re.escape(name).replace(r"\-", "[-_.]")
        return re.search(rf"(?<![\w.-]){spelled}(?![\w-])", reasoning, re.IGNORECASE) is not None

    places = [
        (requirement.text, request.places[requirement.text])
        for requirement in (*request.requirements, *request.constraints)
        if requirement.name and is_named(requirement.name) and requirement.text in request.places
    ]
    first = places[0][1] if places else next(iter(request.places.values()), None)
    where = tuple(f"{position}: {text}" for text, position in places)
    return InvalidManifest(
        "E473",
        f"no versions fit the requirements of '{request.package}' for {runtime.tag} ({runtime.name}, full version "
        f"{runtime.full_version}, glibc up to {runtime.glibc[0]}.{runtime.glibc[1]})",
        at=first,
        hint=_way_out(reasoning, {requirement.name for requirement in request.requirements}),
        detail=(*where, *said[:_LINES], *([f"… and {len(said) - _LINES} lines more"] if len(said) > _LINES else [])),
    )


_LINES = 40
"""Of a resolver's reasoning that are shown."""
_NAMELESS = re.compile(
    r"([\w.-]+) was not found in the (?:package registry|provided package locations)|No matching distribution found for ([\w.-]+)\Z"
)
_NEEDS_PYTHON = re.compile(
    r"([\w.-]+?)(?:\[[\w,-]+\])?(?:[<>=!~][^ ]*)? (?:depends? on|requires?) (?:Python ?>=([0-9]{1,4}(?:\.[0-9]{1,4})*))?"
)


def _way_out(reasoning: str, required: set[str | None]) -> str:
    """Return what to do about a conflict: another name, an older version, or else looser requirements."""
    if absent := _NAMELESS.search(reasoning):
        name = absent[1] or absent[2]
        if name in PROJECTS:
            return f"'{name}' is imported from {PROJECTS[name]}: write {PROJECTS[name]}"
        if absent[1]:
            return f"see how '{name}' is written; an index of your own is named by `extra_index:`"
    needs = {(name, python) for name, python in _NEEDS_PYTHON.findall(reasoning) if name not in ("of", "and", "you")}
    if len({name for name, _ in needs}) == 1 and all(name in required and python for name, python in needs):
        ((name, _), *_) = needs
        least = min((python for _, python in needs), key=lambda text: tuple(map(int, text.split("."))))
        return f"every version of {name} that fits needs Python {least} or newer: allow older ones, or take a runtime of that Python"
    return "loosen one of these requirements, or add what fits under `constraints:`"


def _tag(file: str, runtime: Runtime) -> str:
    try:
        tags = tags_of(file)
    except ValueError as error:
        raise PackageError("E406", f"'{file}' is not the name of a wheel") from error
    return str(next((tag for tag in supported_tags(runtime) if tag in tags), min(tags, key=str)))


def _name_and_version(file: str) -> tuple[str, str]:
    from packaging.utils import parse_wheel_filename

    name, version, _, _ = parse_wheel_filename(file)
    return str(name), str(version)


def parse_upgrade(names: Iterable[str], previous: Lock) -> Upgrade:
    """Read the names after ``--upgrade``, or all if there are none."""
    from packaging.utils import canonicalize_name

    locked = {
        entry.name for runtimes in previous.packages.values() for group in runtimes.values() for entry in group.entries
    }
    # Names of Debian packages are taken as they are: libbz2-1.0.
    wished = frozenset(name if name in locked else canonicalize_name(name) for name in names)
    unknown = sorted(wished - locked)
    if unknown:
        everything: Hint = ("`", Command("lock", "--upgrade"), "` without a name upgrades everything")
        hint = did_you_mean(unknown[0], locked) or everything
        raise PackageError("E483", f"the lock has no distribution '{unknown[0]}'", hint=hint)
    return Upgrade(everything=not wished, names=frozenset(map(str, wished)))
