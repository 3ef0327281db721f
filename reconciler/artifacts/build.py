"""
From a manifest to its artifacts: every file read once, every wheel found and checked, every problem told.

Work that waits (hashing, fetching) runs in a few threads; judging what came is done afterwards, in the manifest's order,
so that the same manifest gives the same problems in the same order.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar
from zipfile import BadZipFile, ZipFile

from reconciler import errors
from reconciler.artifacts import Artifacts, Wheel
from reconciler.artifacts.content import Content, read, why_too_large
from reconciler.artifacts.fetch import Index, Pin, pin
from reconciler.artifacts.runtime import RUNTIMES, Runtime, tags_of, why_not
from reconciler.errors import PackageError, Position, Problem
from reconciler.names import why_not_a_resource_name

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping

    from reconciler.artifacts.cache import Cache
    from reconciler.manifest.model import Manifest

_Source: TypeAlias = Path | Pin
_K = TypeVar("_K", bound="Hashable")
_T = TypeVar("_T")
_THREADS = 4
_LIBRARY = re.compile(r"\.so(\.[0-9]+)*\Z")


class Places(Protocol):
    """Tells where in the manifest something stands: ``at("packages", "numpy", "wheels", 0)``."""

    def __call__(self, *path: str | int) -> Position: ...


@dataclass(frozen=True)
class _Wanted:
    """A wheel that a package names, for one runtime."""

    package: str
    runtime: Runtime
    source: _Source
    requirement: str | None
    at: Position


@dataclass(frozen=True)
class _Found:
    """A file that is a zip archive, as a wheel is."""

    content: Content
    members: tuple[str, ...]


def build(
    manifest: Manifest,
    *,
    folder: Path,
    cache: Cache,
    index: Index,
    at: Places,
    on_fetch: Callable[[str], None] = lambda requirement: None,
) -> Artifacts:
    """
    Read, fetch and check everything that the functions of `manifest` are made of.

    `folder` is the manifest's. `on_fetch` is told the requirement of each wheel that is not in the cache, from the
    thread that fetches it. Raises one PackageError with all problems.
    """
    problems: list[Problem] = []
    files = dict(_read_files(manifest, folder, at, problems))
    wheels = list(_find_wheels(manifest, folder, at, problems, partial(_fetch, cache, index, on_fetch), index.stop))
    problems += _clashes(wheels)
    if problems:
        raise PackageError.of(dict.fromkeys(problems))
    pairs = _pairs(manifest)
    return Artifacts(
        files, {pair: tuple(w for one, w in wheels if (one.package, one.runtime.tag) == pair) for pair in pairs}
    )


# --- Files ----------------------------------------------------------------------------------------------------------------


def _read_files(manifest: Manifest, folder: Path, at: Places, problems: list[Problem]) -> Iterator[tuple[str, Content]]:
    places: dict[str, tuple[str, ...]] = {}
    for name, resource in manifest.resources.items():
        if resource.file is not None:
            places.setdefault(resource.file, ("resources", name, "file"))
    for name, function in manifest.functions.items():
        if function.source is not None:
            places.setdefault(function.source, ("functions", name, "source"))
    outcomes = _gather({file: partial(_read, folder / file, file) for file in places})
    for file, outcome in outcomes.items():
        if isinstance(outcome, PackageError):
            problems += _placed(outcome, at(*places[file]))
        elif reason := why_too_large(outcome.size):
            problems.append(Problem("E405", f"'{file}' is too large: {reason}", at(*places[file])))
        else:
            yield file, outcome


def _read(path: Path, name: str) -> Content:
    try:
        return read(path)
    except OSError as error:
        raise PackageError("E305", f"'{name}' cannot be read: {error.strerror or error}") from error


# --- Wheels: which, whence ------------------------------------------------------------------------------------------------


def _pairs(manifest: Manifest) -> list[tuple[str, str]]:
    """Return each package with each runtime that uses it. What no function uses is not fetched."""
    functions = manifest.functions.values()
    return list(dict.fromkeys((name, f.python or manifest.python) for f in functions for name in f.packages))


def _wanted(manifest: Manifest, folder: Path, at: Places, problems: list[Problem]) -> Iterator[_Wanted]:
    for package, tag in _pairs(manifest):
        for number, wheel in enumerate(manifest.packages[package].wheels):
            place = at("packages", package, "wheels", number)
            try:
                if isinstance(wheel, str):
                    yield _Wanted(package, RUNTIMES[tag], folder / wheel, None, place)
                else:
                    source = pin(wheel.requirement, wheel.sha256)
                    yield _Wanted(package, RUNTIMES[tag], source, wheel.requirement, place)
            except PackageError as error:
                problems += _placed(error, place)


def _find_wheels(
    manifest: Manifest,
    folder: Path,
    at: Places,
    problems: list[Problem],
    fetch: Callable[[Pin, list[Runtime]], Content],
    stop: Callable[[], None],
) -> Iterator[tuple[_Wanted, Wheel]]:
    wanted = list(_wanted(manifest, folder, at, problems))
    runtimes: dict[_Source, list[Runtime]] = {}  # one file is got once, however many packages and runtimes name it
    for one in wanted:
        runtimes.setdefault(one.source, []).append(one.runtime)
    outcomes = _gather({source: partial(_get, source, fitting, fetch) for source, fitting in runtimes.items()}, stop)
    for one in wanted:
        outcome = outcomes[one.source]
        if isinstance(outcome, PackageError):
            problems += _placed(outcome, one.at)
        elif found := list(_wheel_problems(one, outcome.content)):
            problems += found
        else:
            yield one, _wheel(one, outcome)


def _get(source: _Source, runtimes: list[Runtime], fetch: Callable[[Pin, list[Runtime]], Content]) -> _Found:
    content = _read(source, source.name) if isinstance(source, Path) else fetch(source, runtimes)
    return _Found(content, _members(content.path))


def _fetch(cache: Cache, index: Index, on_fetch: Callable[[str], None], pin: Pin, runtimes: list[Runtime]) -> Content:
    if found := cache.get(pin.sha256):
        return found
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


def _members(path: Path) -> tuple[str, ...]:
    """Return the names in a wheel, which is a zip archive with a file WHEEL in its metadata."""
    hint = "build or download it again"
    try:
        with ZipFile(path) as archive:
            names = tuple(archive.namelist())
    except (BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise PackageError("E406", f"'{path.name}' is not a wheel: {error}", hint=hint) from error
    if not any(name.endswith(".dist-info/WHEEL") for name in names):
        raise PackageError("E406", f"'{path.name}' is not a wheel: it has no .dist-info/WHEEL", hint=hint)
    return names


# --- Wheels: do they fit --------------------------------------------------------------------------------------------------


def _wheel(one: _Wanted, found: _Found) -> Wheel:
    name = found.content.path.name
    tagged = any(tag.platform != "any" for tag in tags_of(name))
    native = tagged or any(_LIBRARY.search(member) for member in found.members)
    return Wheel(name, archive_name(name), found.content, native, one.requirement)


def archive_name(filename: str) -> str:
    """Return the resource name of a wheel: MaxCompute does not unpack .whl, and the documentation renames it."""
    return filename.removesuffix(".whl") + ".zip"


def _wheel_problems(one: _Wanted, content: Content) -> Iterator[Problem]:
    name = content.path.name
    try:
        misfit = why_not(name, one.runtime)
    except ValueError:
        hint = "name it as its build did: name-version-python-abi-platform.whl"
        yield Problem("E406", f"'{name}' is not the name of a wheel", one.at, hint)
        return
    if misfit:
        yield Problem("E401", f"'{name}' does not load in {one.runtime.tag}: {misfit}", one.at, _fitting(one.runtime))
    if isinstance(one.source, Pin) and not one.source.is_named_by(name):
        yield Problem("E402", f"the sha256 of {one.source} is that of '{name}'", one.at, "correct the one or the other")
    if reason := why_not_a_resource_name(archive_name(name)):
        yield Problem("E302", f"'{archive_name(name)}' cannot be the name of a resource: {reason}", one.at)
    if reason := why_too_large(content.size):
        yield Problem("E405", f"'{name}' is too large: {reason}", one.at)


def _fitting(runtime: Runtime) -> str:
    start, newest = f"{runtime.tag}-{runtime.abi}-", runtime.platforms[1]
    pure = f"py{runtime.python_version[0]}-none-any.whl"
    return f"what fits ends in {start}manylinux1_x86_64.whl, up to {start}{newest}.whl, or in {pure}"


def _clashes(wheels: Iterable[tuple[_Wanted, Wheel]]) -> Iterator[Problem]:
    first: dict[str, Wheel] = {}
    for one, wheel in wheels:
        other = first.setdefault(wheel.archive.lower(), wheel)
        if other.content.sha256 != wheel.content.sha256:
            message = f"'{wheel.filename}' is named twice with different bytes, and both would be '{wheel.archive}'"
            yield Problem("E309", message, one.at, "keep one of the files")


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
