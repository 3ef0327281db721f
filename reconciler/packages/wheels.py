"""
Which wheels a manifest's packages are made of, where they come from, and whether they load.

A wheel is a file of the manifest's folder, a pin of the package index, or an entry of the lock: then fetched by its hash, or
built again where it was built. Work that waits runs in a few threads; judging what came is done afterwards, in the
manifest's order, so that the same manifest gives the same problems in the same order.
"""

from __future__ import annotations

import os
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache as once_each
from functools import partial
from pathlib import Path
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Protocol, TypeAlias

from reconciler.base.errors import PackageError, Position, Problem
from reconciler.base.names import wheel_archive, why_not_a_resource_name
from reconciler.base.tasks import gather, tried
from reconciler.manifest.runtimes import Runtime, runtimes_of, tags_of, why_not
from reconciler.packages import Artifacts, Wheel
from reconciler.packages.content import Content, read, why_too_large
from reconciler.packages.fetch.cache import OtherBytes
from reconciler.packages.fetch.pip import Index, IndexSilent, Pin, pin
from reconciler.packages.inspect import gate
from reconciler.packages.inspect.contents import Facts, inspected
from reconciler.packages.inspect.problems import Places, is_wrong, placed, problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from reconciler.manifest.model import Manifest
    from reconciler.packages.fetch.cache import Cache


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
    def size(self) -> int | None:
        """Bytes, if the index told."""
        ...

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
    stop: Callable[[], None] = lambda: None
    """Ends what `rebuild` does; the user has lost patience."""


NO_LOCKS = Locks()
"""Of a manifest without requirements."""


@dataclass(frozen=True)
class Built:
    """A wheel that was built when the lock was made, and is built again where the cache lacks it."""

    sha256: str
    again: Callable[[], Content] = field(compare=False)


_LOOKING = BoundedSemaphore(os.cpu_count() or 1)
"""Unpacking keeps a core busy: more threads at it than there are cores hinder each other and the downloads."""

_Source: TypeAlias = Path | Pin | Built


@dataclass(frozen=True)
class Wanted:
    """A wheel that a package names, for one runtime."""

    package: str
    runtime: Runtime
    source: _Source
    requirement: str | None
    place: tuple[str | int, ...]
    at: Position


@dataclass(frozen=True)
class Found:
    """A wheel's file and what is inside."""

    content: Content
    facts: Facts


def find_wheels(
    manifest: Manifest,
    folder: Path,
    cache: Cache,
    index: Index,
    at: Places,
    locks: Locks,
    on_fetch: Callable[[str], None],
    problems: list[Problem],
) -> list[tuple[Wanted, Wheel]]:
    """Return every wheel that fits the runtime it is wanted for; what is wrong with the others is added to `problems`."""
    wanted = list(_wanted(manifest, folder, at, problems, locks))
    on_fetch = once_each(on_fetch)  # what does not come in one way is tried in the next
    come, failed = _prefetch(wanted, cache, index, on_fetch)
    get = partial(_get, cache, partial(_fetch, cache, index, on_fetch, come, failed))

    def stop() -> None:
        index.stop()
        locks.stop()

    return list(_fitting_wheels(wanted, problems, get, partial(_newest, cache, index), stop))


def pairs(manifest: Manifest) -> list[tuple[str, str]]:
    """Return each package with each runtime that uses it. What no function uses is not fetched."""
    functions = manifest.functions.values()
    return list(dict.fromkeys((name, f.python or manifest.python) for f in functions for name in f.packages))


def used(manifest: Manifest) -> list[str]:
    return list(dict.fromkeys(name for name, _ in pairs(manifest)))


def _wanted(manifest: Manifest, folder: Path, at: Places, problems: list[Problem], locks: Locks) -> Iterator[Wanted]:
    runtimes = runtimes_of(manifest)
    for package, tag in pairs(manifest):
        declared = manifest.packages[package]
        where = ("packages", package, "requirements" if declared.requirements else "requirements_file")
        for one in locks.wheels.get((package, tag), ()):
            yield Wanted(
                package, runtimes[tag], _locked(one, folder, locks), f"{one.name}=={one.version}", where, at(*where)
            )
        for number, wheel in enumerate(manifest.packages[package].wheels):
            place = ("packages", package, "wheels", number)
            try:
                if isinstance(wheel, str):
                    yield Wanted(package, runtimes[tag], folder / wheel, None, place, at(*place))
                else:
                    source = pin(wheel.requirement, wheel.sha256)
                    yield Wanted(package, runtimes[tag], source, wheel.requirement, place, at(*place))
            except PackageError as error:
                problems += placed(error, at(*place))


def _locked(one: LockedWheel, folder: Path, locks: Locks) -> _Source:
    if one.path is not None:
        return folder / one.path
    if one.source is not None and locks.rebuild is not None:
        return Built(one.sha256, partial(locks.rebuild, one))
    return Pin(one.name, one.version, one.sha256, one.size or 0)


def _prefetch(
    wanted: Iterable[Wanted], cache: Cache, index: Index, on_fetch: Callable[[str], None]
) -> tuple[dict[str, Content], dict[str, PackageError]]:
    """
    Fetch what the cache lacks: directly what comes that way, and the rest of each runtime in one go by pip.

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
    missing = sorted((one for batch in lacking.values() for one, _ in batch.values()), key=lambda one: -one.size)
    for one in missing:
        on_fetch(str(one))
    outcomes = gather({one.sha256: partial(_directly, cache, index, one) for one in missing}, index.stop)
    come.update((sha256, content) for sha256, content in outcomes.items() if isinstance(content, Content))
    failed: dict[str, PackageError] = {}
    for batch in lacking.values():
        rest = [pin for pin, _ in batch.values() if pin.sha256 not in come]
        if len(rest) < 2:
            continue
        runtime = next(iter(batch.values()))[1]
        with suppress(PackageError):
            come.update(_fetch_batch(rest, runtime, cache, index))
            continue
        try:  # one alone is explained; if it is the index that does not answer, the others need not try
            come.update(_fetch_batch(rest[:1], runtime, cache, index))
        except IndexSilent as error:
            failed.update(dict.fromkeys((pin.sha256 for pin in rest), error))
        except PackageError:
            pass
    return come, failed


def _directly(cache: Cache, index: Index, pin: Pin) -> Content | None:
    """Fetch a wheel and look into it, while others arrive; what is found is kept in the cache, as if nobody had hurried."""
    with cache.workspace() as folder:
        file = index.direct(pin, folder)
        if file is None:
            return None
        try:
            content = cache.put(file, pin.sha256)
        except OtherBytes:  # pip tells who announced what
            return None
    with _LOOKING:
        inspected(content.path, content.sha256, cache.inspections)
    return content


def _fetch_batch(pins: Sequence[Pin], runtime: Runtime, cache: Cache, index: Index) -> Iterator[tuple[str, Content]]:
    with cache.workspace() as folder:
        for file in index.fetch_all(pins, runtime, folder):
            # pip has compared it with the pin's; here it tells which of the pins it is.
            sha256 = read(file).sha256
            if any(pin.sha256 == sha256 for pin in pins):
                yield sha256, cache.put(file, sha256)


def _fitting_wheels(
    wanted: Sequence[Wanted],
    problems: list[Problem],
    get: Callable[[_Source, list[Runtime]], Found],
    newest: Callable[[str, Runtime], str | None],
    stop: Callable[[], None],
) -> Iterator[tuple[Wanted, Wheel]]:
    runtimes: dict[_Source, list[Runtime]] = {}  # one file is got once, however many packages and runtimes name it
    for one in wanted:
        runtimes.setdefault(one.source, []).append(one.runtime)
    outcomes = gather({source: partial(get, source, fitting) for source, fitting in runtimes.items()}, stop)
    instead = gather({pair: partial(newest, *pair) for pair in _refused(wanted, outcomes)}, stop)
    for one in wanted:
        outcome = outcomes[one.source]
        if isinstance(outcome, PackageError):
            problems += placed(outcome, one.at)
        else:
            found = list(_wheel_problems(one, outcome, _advice(one, instead)))
            problems += found
            if not is_wrong(found):
                yield one, _wheel(one, outcome)


def _get(
    cache: Cache, fetch: Callable[[Pin, list[Runtime]], Content], source: _Source, runtimes: list[Runtime]
) -> Found:
    if isinstance(source, Path):
        file = read_file(cache, source, source.name)
    else:
        file = source.again() if isinstance(source, Built) else fetch(source, runtimes)
    return Found(file, inspected(file.path, file.sha256, cache.inspections))


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
        outcome = tried(partial(_fetch_for, runtime, cache, index, pin))
        if isinstance(outcome, Content):
            return outcome
        failures.append(outcome)
    raise failures[0]


def _fetch_for(runtime: Runtime, cache: Cache, index: Index, pin: Pin) -> Content:
    with cache.workspace() as folder:
        return cache.put(index.fetch(pin, runtime, folder), pin.sha256)


def _refused(
    wanted: Iterable[Wanted], outcomes: Mapping[_Source, Found | PackageError]
) -> Iterator[tuple[str, Runtime]]:
    """
    Yield what the index may have something better for.

    Only of what came from the index: the names of wheels that lie in the manifest's folder are nobody else's business.
    """
    for one in wanted:
        found = outcomes[one.source]
        if isinstance(one.source, Pin) and isinstance(found, Found) and _misfit(one, found):
            yield one.source.name, one.runtime


def _newest(cache: Cache, index: Index, name: str, runtime: Runtime) -> str | None:
    with cache.workspace() as folder:
        return index.newest(name, runtime, folder)


def _wheel(one: Wanted, found: Found) -> Wheel:
    name = found.content.path.name
    tagged = any(tag.platform != "any" for tag in tags_of(name))
    native = tagged or found.facts.has_compiled_code
    is_built = isinstance(one.source, Built)
    return Wheel(name, found.content, native, one.requirement, is_built, found.facts, one.place)


def _misfit(one: Wanted, found: Found) -> str | None:
    """Return why a wheel's name says that it does not load, if it is the name of a wheel and says so."""
    try:
        return why_not(found.content.path.name, one.runtime)
    except ValueError:
        return None


def _wheel_problems(one: Wanted, found: Found, advice: str) -> Iterator[Problem]:
    content, name = found.content, found.content.path.name
    yield from (problem(name, fault, one.at) for fault in found.facts.faults)
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
        yield from (problem(name, finding, one.at) for finding in gate.misfits(found.facts, one.runtime))
    if isinstance(one.source, Pin) and not one.source.is_named_by(name):
        yield Problem("E402", f"the sha256 of {one.source} is that of '{name}'", one.at, "correct the one or the other")
    if reason := why_not_a_resource_name(wheel_archive(name)):
        yield Problem("E302", f"'{wheel_archive(name)}' cannot be the name of a resource: {reason}", one.at)
    if reason := why_too_large(content.size):
        yield Problem("E405", f"'{name}' is too large: {reason}", one.at)


def _advice(one: Wanted, instead: Mapping[tuple[str, Runtime], str | PackageError | None]) -> str:
    if not isinstance(one.source, Pin):
        return ""
    version, name = instead.get((one.source.name, one.runtime)), one.source.name
    return f"{version} is the newest version of {name} that has a wheel for it; " if isinstance(version, str) else ""


def _fitting(runtime: Runtime) -> str:
    start, newest, oldest = f"{runtime.tag}-{runtime.abi}-", runtime.platforms[1], runtime.platforms[-1]
    up_to = f", up to {start}{newest}.whl," if newest != oldest else ""
    return f"what fits ends in {start}{oldest}.whl{up_to} or in py{runtime.python_version[0]}-none-any.whl"


def clashes(wheels: Iterable[tuple[Wanted, Wheel]], found: Artifacts) -> Iterator[Problem]:
    """Tell of different wheels of one name. What is packed here is named otherwise."""
    first: dict[str, Wheel] = {}
    uploaded = {archive.name for archives in found.archives.values() for archive in archives if not archive.is_packed}
    for one, wheel in wheels:
        name = wheel_archive(wheel.filename)
        other = first.setdefault(name.lower(), wheel)
        if other.content.sha256 != wheel.content.sha256 and name in uploaded:
            message = f"'{wheel.filename}' is named twice with different bytes, and both would be '{name}'"
            yield Problem("E309", message, one.at, "keep one of the files")


def read_file(cache: Cache, path: Path, name: str) -> Content:
    try:
        return cache.read(path)
    except OSError as error:
        raise PackageError("E305", f"'{name}' cannot be read: {error.strerror or error}") from error
