"""
From a manifest to its artifacts: every file read once, every wheel found and checked, every problem told.

Work that waits (hashing, fetching) runs in a few threads; judging what came is done afterwards, in the manifest's order,
so that the same manifest gives the same problems in the same order.
"""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

from reconciler import errors
from reconciler.artifacts import Archive, Artifacts, Library, Wheel, gate
from reconciler.artifacts.closure import Part
from reconciler.artifacts.content import Content, read, why_too_large
from reconciler.artifacts.fetch import Index, IndexSilent, Pin, pin
from reconciler.artifacts.folders import pack_folder
from reconciler.artifacts.inspection import Facts, inspected
from reconciler.artifacts.missed import lacks_something, missed
from reconciler.artifacts.pack import Made, pack
from reconciler.artifacts.runtime import Runtime, runtime_of, runtimes_of, tags_of, why_not
from reconciler.artifacts.shape import Shape
from reconciler.errors import PackageError, Position, Problem
from reconciler.manifest.check import resource_type
from reconciler.names import bundle_archive, repacked_archive, wheel_archive, why_not_a_resource_name

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence

    from reconciler.artifacts.cache import Cache
    from reconciler.artifacts.members import Finding
    from reconciler.artifacts.missed import Importer
    from reconciler.manifest.model import Function, Manifest

_K = TypeVar("_K", bound="Hashable")
_T = TypeVar("_T")
_THREADS = 4
_ALWAYS = {"E421", "E422", "E423"}
"""What is wrong with an archive of `resources:` even if nobody loads what is in it."""


class BuiltFrom(Protocol):
    """From what a locked wheel was built, and with what."""

    @property
    def file(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    @property
    def built_with(self) -> str: ...
    @property
    def requires(self) -> Sequence[str]: ...


class LockedWheel(Protocol):
    """A wheel that the lock names (`locking.lockfile.Locked`)."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    @property
    def path(self) -> str | None:
        """Where it lies in the manifest's folder, if it does."""
        ...

    @property
    def source(self) -> BuiltFrom | None: ...


@dataclass(frozen=True)
class Locks:
    """What the lock has to say, and how a wheel that it says was built comes about again."""

    wheels: Mapping[tuple[str, str], Sequence[LockedWheel]] = field(default_factory=dict)
    """By package and runtime tag."""

    rebuild: Callable[[LockedWheel], Content] | None = None


class Places(Protocol):
    """Tells where in the manifest something stands: ``at("packages", "numpy", "wheels", 0)``."""

    def __call__(self, *path: str | int) -> Position: ...


@dataclass(frozen=True)
class _Built:
    """A wheel that was built when the lock was made, and is built again where the cache lacks it."""

    sha256: str
    again: Callable[[], Content] = field(compare=False)


_Source: TypeAlias = Path | Pin | _Built


@dataclass(frozen=True)
class _Wanted:
    """A wheel that a package names, for one runtime."""

    package: str
    runtime: Runtime
    source: _Source
    requirement: str | None
    place: tuple[str | int, ...]
    at: Position


@dataclass(frozen=True)
class _Found:
    """A wheel's file and what is inside."""

    content: Content
    facts: Facts


def build(
    manifest: Manifest,
    *,
    folder: Path,
    cache: Cache,
    index: Index,
    at: Places,
    locks: Locks = Locks(),
    on_fetch: Callable[[str], None] = lambda requirement: None,
    importer: Importer | None = None,
) -> Artifacts:
    """
    Read, fetch and check everything that the functions of `manifest` are made of.

    `folder` is the manifest's; what `requirements:` want is what `locks` has. `on_fetch` is told the requirement of each
    wheel that is not in the cache, from the thread that fetches it. `importer` tries whether a package can be imported without what it leaves out; nobody does
    without one. Raises one PackageError with all problems.
    """
    problems: list[Problem] = []
    files = dict(_read_files(manifest, folder, cache, at, problems))
    folders = dict(_pack_folders(manifest, folder, cache, at, problems))
    wanted = list(_wanted(manifest, folder, at, problems, locks))
    come, failed = _prefetch(wanted, cache, index, on_fetch)
    get = partial(_get, cache, partial(_fetch, cache, index, on_fetch, come, failed))
    wheels = list(_find_wheels(wanted, problems, get, partial(_newest, cache, index), index.stop))
    archives = dict(_find_archives(manifest, wheels, cache, at, problems))
    found = Artifacts(
        files,
        archives,
        dict(_find_libraries(manifest, files, at, problems, inspections(cache))),
        folders=folders,
    )
    found = replace(found, facts=_inspect_resources(manifest, found, inspections(cache)))
    problems += [*_clashes(wheels, found), *_library_clashes(manifest, found, at)]
    problems += _resource_problems(manifest, found, at)
    if not _errors(problems):  # what is not there cannot be missed, and would be
        problems += _function_problems(manifest, found, at)
        problems += _missed_problems(manifest, found, importer, cache, at) if importer else ()
    told = tuple(dict.fromkeys(problems))
    if _errors(told):
        raise PackageError.of(told)
    return replace(found, warnings=told)


def inspections(cache: Cache) -> Path:
    """Return where what was found inside files is kept."""
    return cache.root / "inspections"


def _errors(problems: Iterable[Problem]) -> bool:
    return any(problem.severity == "error" for problem in problems)


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
    for name in _used(manifest):
        for number, library in enumerate(manifest.packages[name].libraries):
            places.setdefault(library, ("packages", name, "libraries", number))
    outcomes = _gather({file: partial(_read, cache, folder / file, file) for file in places})
    for file, outcome in outcomes.items():
        if isinstance(outcome, PackageError):
            problems += _placed(outcome, at(*places[file]))
        elif reason := why_too_large(outcome.size):
            problems.append(Problem("E405", f"'{file}' is too large: {reason}", at(*places[file])))
        else:
            yield file, outcome


def _read(cache: Cache, path: Path, name: str) -> Content:
    try:
        return cache.read(path)
    except OSError as error:
        raise PackageError("E305", f"'{name}' cannot be read: {error.strerror or error}") from error


def _pack_folders(
    manifest: Manifest, folder: Path, cache: Cache, at: Places, problems: list[Problem]
) -> Iterator[tuple[str, Made]]:
    declared = {name: resource.file for name, resource in manifest.resources.items() if resource.file is not None}
    tasks = {
        name: partial(_pack_folder, name, folder / file, file, manifest.resources[name].exclude, cache)
        for name, file in declared.items()
        if (folder / file).is_dir()
    }
    for name, outcome in _gather(tasks).items():
        if isinstance(outcome, PackageError):
            problems += _placed(outcome, at("resources", name, "file"))
            continue
        if reason := why_too_large(outcome.content.size):
            problems.append(Problem("E405", f"'{name}' is too large: {reason}", at("resources", name, "file")))
        problems += _idle([outcome], manifest.resources[name].exclude, ("resources", name), at)
        yield name, outcome


def _pack_folder(name: str, folder: Path, file: str, exclude: Sequence[str], cache: Cache) -> Made:
    try:
        return pack_folder(name, folder, file, exclude, cache)
    except OSError as error:
        raise PackageError("E305", f"'{file}' cannot be read: {error.strerror or error}") from error


# --- Wheels: which, whence ------------------------------------------------------------------------------------------------


def _pairs(manifest: Manifest) -> list[tuple[str, str]]:
    """Return each package with each runtime that uses it. What no function uses is not fetched."""
    functions = manifest.functions.values()
    return list(dict.fromkeys((name, f.python or manifest.python) for f in functions for name in f.packages))


def _used(manifest: Manifest) -> list[str]:
    return list(dict.fromkeys(name for name, _ in _pairs(manifest)))


def _wanted(manifest: Manifest, folder: Path, at: Places, problems: list[Problem], locks: Locks) -> Iterator[_Wanted]:
    runtimes = runtimes_of(manifest)
    for package, tag in _pairs(manifest):
        declared = manifest.packages[package]
        where = ("packages", package, "requirements" if declared.requirements else "requirements_file")
        for one in locks.wheels.get((package, tag), ()):
            yield _Wanted(
                package, runtimes[tag], _locked(one, folder, locks), f"{one.name}=={one.version}", where, at(*where)
            )
        for number, wheel in enumerate(manifest.packages[package].wheels):
            place = ("packages", package, "wheels", number)
            try:
                if isinstance(wheel, str):
                    yield _Wanted(package, runtimes[tag], folder / wheel, None, place, at(*place))
                else:
                    source = pin(wheel.requirement, wheel.sha256)
                    yield _Wanted(package, runtimes[tag], source, wheel.requirement, place, at(*place))
            except PackageError as error:
                problems += _placed(error, at(*place))


def _locked(one: LockedWheel, folder: Path, locks: Locks) -> _Source:
    if one.path is not None:
        return folder / one.path
    if one.source is not None and locks.rebuild is not None:
        return _Built(one.sha256, partial(locks.rebuild, one))
    return Pin(one.name, one.version, one.sha256)


def _prefetch(
    wanted: Iterable[_Wanted], cache: Cache, index: Index, on_fetch: Callable[[str], None]
) -> tuple[dict[str, Content], dict[str, PackageError]]:
    """
    Fetch what the cache lacks, all wheels of a runtime in one go: starting pip takes longer than most downloads.

    Returns what is here, and what need not be tried again because the index does not answer, both by sha256. Of a batch
    that failed otherwise, each wheel is tried alone afterwards, so that the error is about one.
    """
    lacking: dict[str, dict[str, tuple[Pin, Runtime]]] = defaultdict(dict)
    come: dict[str, Content] = {}
    for source, runtime in ((one.source, one.runtime) for one in wanted):
        if isinstance(source, Pin) and source.sha256 not in come:
            if found := cache.get(source.sha256):
                come[source.sha256] = found
            elif not any(source.sha256 in others for others in lacking.values()):
                lacking[runtime.tag][source.sha256] = (source, runtime)
    failed: dict[str, PackageError] = {}
    for batch in lacking.values():
        if len(batch) < 2:
            continue
        pins = [source for source, _ in batch.values()]
        for one in pins:
            on_fetch(str(one))
        try:
            come.update(_fetch_batch(pins, next(iter(batch.values()))[1], cache, index))
        except IndexSilent as error:
            failed.update(dict.fromkeys(batch, error))
        except PackageError:
            pass
    return come, failed


def _fetch_batch(pins: Sequence[Pin], runtime: Runtime, cache: Cache, index: Index) -> Iterator[tuple[str, Content]]:
    with cache.workspace() as folder:
        for file in index.fetch_all(pins, runtime, folder):
            sha256 = read(file).sha256  # pip has compared it with the pin's; here it tells which of the pins it is
            if any(pin.sha256 == sha256 for pin in pins):
                yield sha256, cache.put(file, sha256)


def _find_wheels(
    wanted: Sequence[_Wanted],
    problems: list[Problem],
    get: Callable[[_Source, list[Runtime]], _Found],
    newest: Callable[[str, Runtime], str | None],
    stop: Callable[[], None],
) -> Iterator[tuple[_Wanted, Wheel]]:
    runtimes: dict[_Source, list[Runtime]] = {}  # one file is got once, however many packages and runtimes name it
    for one in wanted:
        runtimes.setdefault(one.source, []).append(one.runtime)
    outcomes = _gather({source: partial(get, source, fitting) for source, fitting in runtimes.items()}, stop)
    instead = _gather({pair: partial(newest, *pair) for pair in _refused(wanted, outcomes)}, stop)
    for one in wanted:
        outcome = outcomes[one.source]
        if isinstance(outcome, PackageError):
            problems += _placed(outcome, one.at)
        else:
            found = list(_wheel_problems(one, outcome, _advice(one, instead)))
            problems += found
            if not _errors(found):
                yield one, _wheel(one, outcome)


def _get(
    cache: Cache, fetch: Callable[[Pin, list[Runtime]], Content], source: _Source, runtimes: list[Runtime]
) -> _Found:
    if isinstance(source, Path):
        content = _read(cache, source, source.name)
    else:
        content = source.again() if isinstance(source, _Built) else fetch(source, runtimes)
    return _Found(content, inspected(content.path, content.sha256, inspections(cache)))


def _fetch(
    cache: Cache,
    index: Index,
    on_fetch: Callable[[str], None],
    come: Mapping[str, Content],
    failed: Mapping[str, PackageError],
    pin: Pin,
    runtimes: list[Runtime],
) -> Content:
    if pin.sha256 in come:
        return come[pin.sha256]
    if pin.sha256 in failed:
        raise failed[pin.sha256]
    on_fetch(str(pin))
    failures = []
    for runtime in dict.fromkeys(runtimes):  # the hash names one file, and only some of the runtimes may fit it
        outcome = _outcome(partial(_fetch_for, runtime, cache, index, pin))
        if isinstance(outcome, Content):
            return outcome
        failures.append(outcome)
    raise failures[0]


def _fetch_for(runtime: Runtime, cache: Cache, index: Index, pin: Pin) -> Content:
    with cache.workspace() as folder:
        return cache.put(index.fetch(pin, runtime, folder), pin.sha256)


def _refused(
    wanted: Iterable[_Wanted], outcomes: Mapping[_Source, _Found | PackageError]
) -> Iterator[tuple[str, Runtime]]:
    """
    Yield what the index may have something better for.

    Only of what came from the index: the names of wheels that lie in the manifest's folder are nobody else's business.
    """
    for one in wanted:
        found = outcomes[one.source]
        if isinstance(one.source, Pin) and isinstance(found, _Found) and _misfit(one, found):
            yield one.source.name, one.runtime


def _newest(cache: Cache, index: Index, name: str, runtime: Runtime) -> str | None:
    with cache.workspace() as folder:
        return index.newest(name, runtime, folder)


# --- Wheels: do they fit --------------------------------------------------------------------------------------------------


def _wheel(one: _Wanted, found: _Found) -> Wheel:
    name = found.content.path.name
    tagged = any(tag.platform != "any" for tag in tags_of(name))
    native = tagged or found.facts.has_compiled_code
    return Wheel(name, found.content, native, one.requirement, found.facts, one.place)


def _misfit(one: _Wanted, found: _Found) -> str | None:
    """Return why a wheel's name says that it does not load, if it is the name of a wheel and says so."""
    try:
        return why_not(found.content.path.name, one.runtime)
    except ValueError:
        return None


def _wheel_problems(one: _Wanted, found: _Found, advice: str) -> Iterator[Problem]:
    content, name = found.content, found.content.path.name
    yield from (_problem(name, fault, one.at) for fault in found.facts.faults)
    try:
        misfit = why_not(name, one.runtime)
    except ValueError:
        hint = "name it as its build did: name-version-python-abi-platform.whl"
        yield Problem("E406", f"'{name}' is not the name of a wheel", one.at, hint)
        return
    if misfit:
        yield Problem(
            "E401", f"'{name}' does not load in {one.runtime.label}: {misfit}", one.at, advice + _fitting(one.runtime)
        )
    else:
        yield from (_problem(name, finding, one.at) for finding in gate.misfits(found.facts, one.runtime))
    if isinstance(one.source, Pin) and not one.source.is_named_by(name):
        yield Problem("E402", f"the sha256 of {one.source} is that of '{name}'", one.at, "correct the one or the other")
    if reason := why_not_a_resource_name(wheel_archive(name)):
        yield Problem("E302", f"'{wheel_archive(name)}' cannot be the name of a resource: {reason}", one.at)
    if reason := why_too_large(content.size):
        yield Problem("E405", f"'{name}' is too large: {reason}", one.at)


def _advice(one: _Wanted, instead: Mapping[tuple[str, Runtime], str | PackageError | None]) -> str:
    if not isinstance(one.source, Pin):
        return ""
    version, name = instead.get((one.source.name, one.runtime)), one.source.name
    return f"{version} is the newest version of {name} that has a wheel for it; " if isinstance(version, str) else ""


def _fitting(runtime: Runtime) -> str:
    start, newest, oldest = f"{runtime.tag}-{runtime.abi}-", runtime.platforms[1], runtime.platforms[-1]
    up_to = f", up to {start}{newest}.whl," if newest != oldest else ""
    return f"what fits ends in {start}{oldest}.whl{up_to} or in py{runtime.python_version[0]}-none-any.whl"


def _clashes(wheels: Iterable[tuple[_Wanted, Wheel]], found: Artifacts) -> Iterator[Problem]:
    """Tell of different wheels of one name. What is packed here is named otherwise."""
    first: dict[str, Wheel] = {}
    uploaded = {archive.name for archives in found.archives.values() for archive in archives if not archive.is_packed}
    for one, wheel in wheels:
        name = wheel_archive(wheel.filename)
        other = first.setdefault(name.lower(), wheel)
        if other.content.sha256 != wheel.content.sha256 and name in uploaded:
            message = f"'{wheel.filename}' is named twice with different bytes, and both would be '{name}'"
            yield Problem("E309", message, one.at, "keep one of the files")


def _problem(name: str, finding: Finding, place: Position) -> Problem:
    message = f"'{name}' {finding.message}"
    return Problem(finding.code, message, place, finding.hint, severity=finding.severity, detail=finding.detail)


# --- Archives -------------------------------------------------------------------------------------------------------------


def _find_archives(
    manifest: Manifest, wheels: Sequence[tuple[_Wanted, Wheel]], cache: Cache, at: Places, problems: list[Problem]
) -> Iterator[tuple[tuple[str, str], tuple[Archive, ...]]]:
    """Yield what is uploaded of each package for each runtime that uses it."""
    of = {pair: [w for one, w in wheels if (one.package, one.runtime.tag) == pair] for pair in _pairs(manifest)}
    outcomes = _gather({pair: partial(_archives, manifest, *pair, found, cache) for pair, found in of.items()})
    for (package, tag), outcome in outcomes.items():
        if isinstance(outcome, PackageError):
            problems += _placed(outcome, at("packages", package))
            yield (package, tag), ()
        else:
            yield (package, tag), tuple(archive for archive, _ in outcome)
            problems += _archive_problems(outcome, package, manifest.packages[package].exclude, at)


def _archives(
    manifest: Manifest, name: str, tag: str, wheels: Sequence[Wheel], cache: Cache
) -> list[tuple[Archive, Made | None]]:
    package = manifest.packages[name]
    shape = Shape(package.slim, tuple(package.exclude), package.byte_compile)
    if package.bundle and wheels:
        bundle = bundle_archive(name, tag, manifest.python)
        return [_packed(bundle, pack(bundle, wheels, shape, cache), wheels, cache)]
    return [
        _packed(None, pack(wheel_archive(wheel.filename), [wheel], shape, cache), [wheel], cache)
        if _needs_packing(wheel, shape)
        else (Archive(wheel_archive(wheel.filename), wheel.content, (wheel,), wheel.facts), None)
        for wheel in wheels
    ]


def _needs_packing(wheel: Wheel, shape: Shape) -> bool:
    """Say whether a wheel cannot be uploaded as it is: with modules in ``.data``, nothing would find them."""
    return not shape.is_plain or not {"purelib", "platlib"}.isdisjoint(wheel.facts.data_parts)


def _packed(name: str | None, made: Made, wheels: Sequence[Wheel], cache: Cache) -> tuple[Archive, Made]:
    facts = inspected(made.content.path, made.content.sha256, inspections(cache))
    called = name or repacked_archive(wheels[0].filename, made.content.sha256)
    return Archive(called, made.content, tuple(wheels), facts, made.left_out, is_packed=True), made


def _archive_problems(
    found: Sequence[tuple[Archive, Made | None]], package: str, patterns: Sequence[str], at: Places
) -> Iterator[Problem]:
    for archive, made in found:
        if made is not None and (reason := why_too_large(archive.content.size)):
            yield Problem("E405", f"'{archive.name}' is too large: {reason}", at("packages", package))
    yield from _idle([made for _, made in found if made is not None], patterns, ("packages", package), at)


def _missed_problems(
    manifest: Manifest, found: Artifacts, importer: Importer, cache: Cache, at: Places
) -> Iterator[Problem]:
    """Yield what can no longer be imported from packages that lack something, or that nobody here can tell."""
    runtimes = runtimes_of(manifest)
    for (package, tag), archives in found.archives.items():
        if not lacks_something(archives):
            continue
        place, result = at("packages", package), missed(runtimes[tag], archives, importer, cache)
        if result is None:
            message = f"whether '{package}' can be imported without what is left out was not checked"
            hint = f"that takes a CPython for {tag}, which is not on this machine: `udfs doctor` tells how to get one"
            yield Problem("E428", message, place, hint, severity="warning")
            continue
        if result.lost:
            message = f"without what is left out, '{package}' cannot be imported in {tag}: {', '.join(result.lost)}"
            hint = "leave `slim` out, or less with `exclude:`"
            yield Problem("E427", message, place, hint, detail=tuple(f"{n}: {why}" for n, why in result.lost.items()))
        if result.unjudged:
            names = ", ".join(result.unjudged)
            message = (
                f"'{package}' cannot be imported in {tag} even with everything in it, so nobody tried more: {names}"
            )
            hint = "another package may bring what it needs; a wheel that needs it can be in the same package"
            detail = tuple(f"{name}: {why}" for name, why in result.unjudged.items())
            yield Problem("E428", message, place, hint, severity="warning", detail=detail)


def _idle(packed: Sequence[Made], patterns: Sequence[str], here: tuple[str, str], at: Places) -> Iterator[Problem]:
    """Tell of patterns that leave out nothing anywhere."""
    for number, pattern in enumerate(patterns):
        if packed and all(pattern in made.idle for made in packed):
            message = f"the pattern '{pattern}' leaves nothing out"
            yield Problem("E425", message, at(*here, "exclude", number), severity="warning")


# --- Libraries and resources ----------------------------------------------------------------------------------------------


def _find_libraries(
    manifest: Manifest, files: Mapping[str, Content], at: Places, problems: list[Problem], known: Path
) -> Iterator[tuple[str, tuple[Library, ...]]]:
    for package in _used(manifest):
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
    yield from (_problem(library.path, fault, place) for fault in library.facts.faults)
    runtimes = runtimes_of(manifest)
    for tag in dict.fromkeys(tag for name, tag in _pairs(manifest) if name == package):
        yield from (_problem(library.path, one, place) for one in gate.misfits(library.facts, runtimes[tag]))
    if reason := why_not_a_resource_name(library.name):
        message = f"'{library.path}' cannot be uploaded under its SONAME '{library.name}': {reason}"
        yield Problem("E302", message, place, "link it with -Wl,-soname and a plain file name")


def _library_clashes(manifest: Manifest, found: Artifacts, at: Places) -> Iterator[Problem]:
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


def _inspect_resources(manifest: Manifest, found: Artifacts, known: Path) -> dict[str, Facts]:
    contents = {name: found.resource(name, one.file) for name, one in manifest.resources.items() if one.file}
    tasks = {name: partial(inspected, one.path, one.sha256, known) for name, one in contents.items() if one}
    return {name: facts for name, facts in _gather(tasks).items() if isinstance(facts, Facts) and facts.kind != "file"}


def _resource_problems(manifest: Manifest, found: Artifacts, at: Places) -> Iterator[Problem]:
    for name, resource in manifest.resources.items():
        if (facts := found.facts.get(name)) is None:
            continue
        place = at("resources", name, "file")
        users = [f for f in manifest.functions.values() if name in f.resources]
        runtimes = dict.fromkeys(runtime_of(manifest, function) for function in users)
        findings = [*facts.faults, *(one for runtime in runtimes for one in gate.misfits(facts, runtime))]
        yield from (_problem(resource.file or "", _weighed(one, facts), place) for one in findings)


def _weighed(finding: Finding, facts: Facts) -> Finding:
    """Archives of `resources:` may be data, so what would not load in them is a warning."""
    is_harmless = facts.kind != "library" and finding.code not in _ALWAYS
    return replace(finding, severity="warning") if is_harmless else finding


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
                weighed = finding if keys[0] == "packages" else _weighed(finding, part.facts)
                lacking[part.name, weighed, at(*keys)].append(name)
        yield from (_problem(name, one, at("functions", name)) for one in _of_function(manifest, found, function))
    for (part_name, finding, place), names in lacking.items():
        partly = (f"in {', '.join(names)}",) if names != ships[place] else ()
        yield _problem(part_name, replace(finding, detail=(*finding.detail, *partly)), place)


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
        **({function.source.rpartition("/")[2]: found.files[function.source].size} if function.source else {}),
        **{name: one.size for name, file in own.items() if file and (one := found.resource(name, file))},
        **{archive.name: archive.content.size for one in function.packages for archive in found.archives[one, runtime]},
        **{library.name: library.content.size for _, library in found.libraries_of(function.packages)},
    }


def _distributions(archive: Archive) -> Iterator[tuple[str, str, str]]:
    """Yield what an archive brings: its own name, and the name and the version of a distribution."""
    from packaging.utils import parse_wheel_filename

    for wheel in archive.wheels:
        name, version, _, _ = parse_wheel_filename(wheel.filename)
        yield archive.name, str(name), str(version)


# --- Waiting --------------------------------------------------------------------------------------------------------------


def _gather(
    tasks: Mapping[_K, Callable[[], _T]], stop: Callable[[], None] = lambda: None
) -> dict[_K, _T | PackageError]:
    """Do all tasks, some at a time. A failure that a person can act on is an outcome like any other."""
    pool = ThreadPoolExecutor(_THREADS)
    try:
        futures = {name: pool.submit(_outcome, task) for name, task in tasks.items()}
        return {name: future.result() for name, future in futures.items()}
    except BaseException:  # Ctrl-C above all: nobody wants the other downloads any more
        pool.shutdown(wait=False, cancel_futures=True)
        stop()
        raise
    finally:
        pool.shutdown()


def _outcome(task: Callable[[], _T]) -> _T | PackageError:
    try:
        return task()
    except PackageError as error:
        return error


def _placed(error: PackageError, place: Position) -> Iterator[Problem]:
    return (errors.at(problem, place) for problem in error.problems)
