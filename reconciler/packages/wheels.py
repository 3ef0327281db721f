"""
Wheels of a manifest's packages: where each comes from, and whether it loads.

A wheel is a file of the manifest's folder, a pin of the package index, or an entry of the lock: then fetched by its hash, or
built again where it was built. Work that waits runs in a few threads; judging comes afterwards, in the manifest's order, so
that the same manifest gives the same problems in the same order.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, TypeAlias

from reconciler.base.activity import BYTES, activity
from reconciler.base.errors import PackageError, Position, Problem
from reconciler.base.threads import gather
from reconciler.manifest.runtimes import Runtime, fitting_names, tags_of, why_not_loadable
from reconciler.packages.artifacts import Artifacts, Wheel, pairs
from reconciler.packages.content import Content, read_content, why_too_large
from reconciler.packages.fetch.cache import OtherBytes, read_file
from reconciler.packages.fetch.indexes import Index, IndexSilent, Pin, parse_pin
from reconciler.packages.inspect import gate
from reconciler.packages.inspect.contents import FileFacts, inspect_once
from reconciler.packages.inspect.site import installer_findings
from reconciler.packages.judged import Judged, is_wrong, place_problems, problem_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from reconciler.manifest.load import Loaded
    from reconciler.packages.artifacts import Keys
    from reconciler.packages.debian.suites import Mirrors
    from reconciler.packages.fetch.cache import Cache
    from reconciler.packages.lock.file import Locked
    from reconciler.packages.lock.inputs import LockRequest
    from reconciler.packages.lock.use import Locks
    from reconciler.packages.lock.workshop import Workshop
    from reconciler.packages.missing import Importer

_INSPECTING = BoundedSemaphore(os.cpu_count() or 1)
"""Unpacking keeps a core busy: more threads at it than there are cores hinder each other and the downloads."""


@dataclass(frozen=True)
class Supply:
    """What collecting takes from outside."""

    cache: Cache
    index: Index
    locks: Locks | None = None
    """What the lock has, of a manifest with requirements."""

    workshop: Workshop | None = None
    """Builds again what was built when the lock was made."""

    importer: Importer | None = None
    """Tries whether a package can be imported without what it leaves out; nobody does without one."""

    on_fetch: Callable[[str], None] = lambda requirement: None
    """Is told the requirement of each wheel that is not in the cache, from the thread that fetches it."""

    mirrors: Mirrors | None = None
    """Where the lock's Debian packages come from, if it has any."""

    def stop(self) -> None:
        """End what runs; the user has lost patience."""
        self.index.stop()
        if self.workshop is not None:
            self.workshop.stop()


@dataclass(frozen=True)
class Rebuild:
    """A wheel that was built when the lock was made, and is built again where the cache lacks it."""

    sha256: str
    wheel: Locked = field(compare=False)
    request: LockRequest = field(compare=False)


Origin: TypeAlias = Path | Pin | Rebuild


@dataclass(frozen=True)
class WheelRequest:
    """A wheel that a package names, for one runtime."""

    package: str
    runtime: Runtime
    origin: Origin
    requirement: str | None
    keys: Keys
    position: Position
    library: str | None = None
    """What alone is taken out of it."""


@dataclass(frozen=True)
class InspectedWheel:
    """A wheel's file and what is inside."""

    content: Content
    facts: FileFacts


def find_wheels(loaded: Loaded, supply: Supply) -> Judged[list[tuple[WheelRequest, Wheel]]]:
    """Return every wheel that fits the runtime it is wanted for, and what is wrong with the others."""
    requests = _requests(loaded, supply.locks)
    fetcher = _Fetcher(supply)
    fetcher.prefetch(requests.value)
    runtimes: dict[Origin, list[Runtime]] = {}  # one file is fetched once, however many packages and runtimes name it
    for request in requests.value:
        runtimes.setdefault(request.origin, []).append(request.runtime)
    outcomes = gather(
        {origin: partial(fetcher.wheel, origin, fitting) for origin, fitting in runtimes.items()}, supply.stop
    )
    refused = dict.fromkeys(_refused_pairs(requests.value, outcomes))
    newest = gather({pair: partial(fetcher.newest, *pair) for pair in refused}, supply.stop)
    wheels: list[tuple[WheelRequest, Wheel]] = []
    problems = [*requests.problems]
    for request in requests.value:
        outcome = outcomes[request.origin]
        if isinstance(outcome, PackageError):
            problems += place_problems(outcome, request.position)
            continue
        wrong = list(_wheel_problems(request, outcome, newest, loaded.forced))
        problems += wrong
        if not is_wrong(wrong):
            wheels.append((request, _wheel(request, outcome)))
    return Judged(wheels, tuple(problems))


# --- What is wanted -------------------------------------------------------------------------------------------------------


def _requests(loaded: Loaded, locks: Locks | None) -> Judged[list[WheelRequest]]:
    requests: list[WheelRequest] = []
    problems: list[Problem] = []
    for package, runtime in pairs(loaded):
        declared = loaded.manifest.packages[package]
        of_requirements: Keys = ("packages", package, "requirements" if declared.requirements else "requirements_file")
        carried = {library.library: number for number, library in declared.wheel_libraries.items()}
        for locked, lock_request in locks.wheels(package, runtime.tag) if locks else ():
            keys = ("packages", package, "libraries", carried[locked.carries]) if locked.carries else of_requirements
            origin = _origin(locked, lock_request, loaded.folder)
            requirement, position = f"{locked.name}=={locked.version}", loaded.at(*keys)
            requests.append(WheelRequest(package, runtime, origin, requirement, keys, position, locked.carries))
        for number, wheel in enumerate(declared.wheels):
            keys = ("packages", package, "wheels", number)
            position = loaded.at(*keys)
            if isinstance(wheel, str):
                requests.append(WheelRequest(package, runtime, loaded.folder / wheel, None, keys, position))
                continue
            try:
                pin = parse_pin(wheel.requirement, wheel.sha256)
                requests.append(WheelRequest(package, runtime, pin, wheel.requirement, keys, position))
            except PackageError as error:
                problems += place_problems(error, position)
    return Judged(requests, tuple(problems))


def _origin(locked: Locked, request: LockRequest, folder: Path) -> Origin:
    if locked.path is not None:
        return folder / locked.path
    if locked.source is not None:
        return Rebuild(locked.sha256, locked, request)
    return Pin(locked.name, locked.version, locked.sha256, locked.size or 0)


# --- Fetching -------------------------------------------------------------------------------------------------------------


@dataclass
class _Fetcher:
    """Wheels by their origin. May be used from several threads once `prefetch` has returned."""

    supply: Supply
    arrived: dict[str, Content] = field(default_factory=dict)
    """By sha256: what is in the cache."""

    failed: dict[str, PackageError] = field(default_factory=dict)
    """By sha256: what need not be tried again, because the index does not answer."""

    _announced: set[str] = field(default_factory=set)

    def prefetch(self, requests: Iterable[WheelRequest]) -> None:
        """
        Fetch what the cache lacks: directly what comes that way, and the rest of each runtime in one go by pip.

        Of a batch that failed, each wheel is tried alone afterwards, so that the error is about one.
        """
        batches = self._lacking(requests)
        pins = sorted((pin for _, batch in batches.values() for pin in batch.values()), key=lambda pin: -pin.size)
        for pin in pins:
            self._announce(pin)
        with activity("fetching") as fetching:
            if pins and all(pin.size for pin in pins):
                fetching.plan(BYTES, sum(pin.size for pin in pins))
            outcomes = gather({pin.sha256: partial(self._fetch_directly, pin) for pin in pins}, self.supply.index.stop)
        self.arrived.update((sha256, file) for sha256, file in outcomes.items() if isinstance(file, Content))
        for runtime, batch in batches.values():
            rest = [pin for pin in batch.values() if pin.sha256 not in self.arrived]
            if len(rest) > 1:
                self._fetch_by_pip(rest, runtime)

    def wheel(self, origin: Origin, runtimes: Sequence[Runtime]) -> InspectedWheel:
        """Return a wheel's file, which some of these runtimes may load, and look into it."""
        cache = self.supply.cache
        if isinstance(origin, Path):
            file = read_file(cache, origin, origin.name)
        elif isinstance(origin, Rebuild):
            assert self.supply.workshop is not None  # who has a lock has one
            file = self.supply.workshop.rebuild(origin.request, origin.wheel)
        else:
            file = self._fetch(origin, runtimes)
        return InspectedWheel(file, inspect_once(file.path, file.sha256, cache.inspections))

    def newest(self, name: str, runtime: Runtime) -> str | None:
        """Return the newest version that has a wheel for the runtime, if the index tells soon."""
        with self.supply.cache.workspace() as folder:
            return self.supply.index.newest(name, runtime, folder)

    def _lacking(self, requests: Iterable[WheelRequest]) -> dict[str, tuple[Runtime, dict[str, Pin]]]:
        """Return the pins that are not in the cache, each once, by runtime and sha256; what is there has arrived."""
        batches: dict[str, tuple[Runtime, dict[str, Pin]]] = {}
        seen: set[str] = set()
        for request in requests:
            pin = request.origin
            if not isinstance(pin, Pin) or pin.sha256 in seen:
                continue
            seen.add(pin.sha256)
            if content := self.supply.cache.get(pin.sha256):
                self.arrived[pin.sha256] = content
            else:
                batches.setdefault(request.runtime.tag, (request.runtime, {}))[1][pin.sha256] = pin
        return batches

    def _announce(self, pin: Pin) -> None:
        # What does not come in one way is tried in the next, and nobody wants to read of it twice.
        if str(pin) not in self._announced:
            self._announced.add(str(pin))
            self.supply.on_fetch(str(pin))

    def _fetch_directly(self, pin: Pin) -> Content | None:
        """Fetch a wheel and look into it while others arrive; the cache keeps what is found."""
        cache = self.supply.cache
        with cache.workspace() as folder:
            file = self.supply.index.direct(pin, folder)
            if file is None:
                return None
            try:
                content = cache.put(file, pin.sha256)
            except OtherBytes:  # pip tells who announced what
                return None
        with _INSPECTING:
            inspect_once(content.path, content.sha256, cache.inspections)
        return content

    def _fetch_by_pip(self, pins: Sequence[Pin], runtime: Runtime) -> None:
        with suppress(PackageError):
            self.arrived.update(self._batch(pins, runtime))
            return
        try:  # one alone is explained; if it is the index that does not answer, the others need not try
            self.arrived.update(self._batch(pins[:1], runtime))
        except IndexSilent as error:
            self.failed.update(dict.fromkeys((pin.sha256 for pin in pins), error))
        except PackageError:
            pass

    def _batch(self, pins: Sequence[Pin], runtime: Runtime) -> Iterator[tuple[str, Content]]:
        with self.supply.cache.workspace() as folder:
            for file in self.supply.index.fetch_all(pins, runtime, folder):
                # pip has compared it with the pin's; here it tells which of the pins it is.
                sha256 = read_content(file).sha256
                if any(pin.sha256 == sha256 for pin in pins):
                    yield sha256, self.supply.cache.put(file, sha256)

    def _fetch(self, pin: Pin, runtimes: Sequence[Runtime]) -> Content:
        if pin.sha256 in self.arrived:
            return self.arrived[pin.sha256]
        if pin.sha256 in self.failed:
            raise self.failed[pin.sha256]
        self._announce(pin)
        failures = []
        for runtime in dict.fromkeys(runtimes):  # the hash names one file, and only some of the runtimes may fit it
            try:
                with self.supply.cache.workspace() as folder:
                    return self.supply.cache.put(self.supply.index.fetch(pin, runtime, folder), pin.sha256)
            except PackageError as error:
                failures.append(error)
        raise failures[0]


# --- Judging --------------------------------------------------------------------------------------------------------------


def _refused_pairs(
    requests: Iterable[WheelRequest], outcomes: Mapping[Origin, InspectedWheel | PackageError]
) -> Iterator[tuple[str, Runtime]]:
    """
    Yield what the index may have something better for.

    Only of what came from the index: the names of wheels that lie in the manifest's folder are nobody else's business.
    """
    for request in requests:
        wheel = outcomes[request.origin]
        with suppress(ValueError):  # it has not the name of a wheel
            if (
                isinstance(request.origin, Pin)
                and isinstance(wheel, InspectedWheel)
                and why_not_loadable(wheel.content.path.name, request.runtime)
            ):
                yield request.origin.name, request.runtime


def _wheel(request: WheelRequest, inspected: InspectedWheel) -> Wheel:
    name, facts = inspected.content.path.name, inspected.facts
    native = facts.has_compiled_code or any(tag.platform != "any" for tag in tags_of(name))
    is_built = isinstance(request.origin, Rebuild)
    return Wheel(name, inspected.content, native, request.requirement, is_built, facts, request.keys)


def _wheel_problems(
    request: WheelRequest,
    wheel: InspectedWheel,
    newest: Mapping[tuple[str, Runtime], str | PackageError | None],
    forced: AbstractSet[str],
) -> Iterator[Problem]:
    name, runtime, position = wheel.content.path.name, request.runtime, request.position
    yield from (
        problem_of(name, fault, position, forced)
        for fault in (*wheel.facts.faults, *installer_findings(wheel.facts.site))
    )
    try:
        misfit = why_not_loadable(name, runtime)
    except ValueError:
        hint = "name it as its build did: name-version-python-abi-platform.whl"
        yield Problem("E406", f"'{name}' is not the name of a wheel", position, hint)
        return
    if misfit:
        pinned = request.origin.name if isinstance(request.origin, Pin) else ""
        better = newest.get((pinned, runtime))
        advice = (
            f"{better} is the newest version of {pinned} that has a wheel for it; " if isinstance(better, str) else ""
        )
        hint = advice + fitting_names(runtime)
        yield Problem("E401", f"'{name}' does not load in {runtime.label}: {misfit}", position, hint)
    else:
        yield from (problem_of(name, finding, position, forced) for finding in gate.misfits(wheel.facts, runtime))
    if isinstance(request.origin, Pin) and not request.origin.is_named_by(name):
        yield Problem(
            "E402", f"the sha256 of {request.origin} is that of '{name}'", position, "correct the one or the other"
        )
    archive = runtime.service.wheel_archive(name)
    if reason := runtime.service.why_not_a_resource_name(archive):
        yield Problem("E302", f"'{archive}' cannot be the name of a resource: {reason}", position)
    if reason := why_too_large(wheel.content.size, runtime.service):
        yield Problem("E405", f"'{name}' is too large: {reason}", position)


def clashes(wheels: Iterable[tuple[WheelRequest, Wheel]], artifacts: Artifacts) -> Iterator[Problem]:
    """Yield different wheels of one name. What is packed here is named otherwise."""
    first: dict[str, Wheel] = {}
    uploaded = {a.name for archives in artifacts.archives.values() for a in archives if not a.is_packed}
    for request, wheel in wheels:
        name = request.runtime.service.wheel_archive(wheel.filename)
        other = first.setdefault(name.lower(), wheel)
        if other.content.sha256 != wheel.content.sha256 and name in uploaded:
            message = f"'{wheel.filename}' is named twice with different bytes, and both would be '{name}'"
            yield Problem("E309", message, request.position, "keep one of the files")
