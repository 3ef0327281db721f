"""
From a manifest and its lock to artifacts, and from its requirements to a lock: where packages meet this machine.

Environment, cache and interpreters come together here; `locking` and `building` are loaded only where a package has
requirements, or a wheel has to be built.
"""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass, field, replace
from functools import cache as cache_calls
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.base.errors import InterpreterError, PackageError
from reconciler.base.hints import Command
from reconciler.packages.build import Source
from reconciler.packages.collect import build
from reconciler.packages.fetch.digests import Digests
from reconciler.packages.fetch.pip import PipIndex
from reconciler.packages.wheels import Locks

_HURRY = 5.0
"""Seconds without a byte after which pip, which knows this machine's settings and has more patience, is asked instead."""

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from reconciler.manifest.load import Loaded
    from reconciler.manifest.runtimes import Runtime
    from reconciler.packages import Artifacts
    from reconciler.packages.build import Built
    from reconciler.packages.build.build import Builder
    from reconciler.packages.content import Content
    from reconciler.packages.fetch.cache import Cache
    from reconciler.packages.fetch.direct import Direct
    from reconciler.packages.fetch.pip import Pin
    from reconciler.packages.lock.file import Lock
    from reconciler.packages.lock.inputs import Request
    from reconciler.packages.lock.make import Made, Means, Upgrade
    from reconciler.packages.wheels import LockedWheel


def artifacts_of(loaded: Loaded, *, cache: Cache, env: Mapping[str, str], on_step: Callable[[str], None]) -> Artifacts:
    """Read and fetch what a manifest and its lock name, and check it; `on_step` is told of everything that takes long."""
    digests = Digests(cache.root, str(loaded.folder))
    cache = replace(cache, read=digests.read)
    locks, pip = Locks(), env
    if any(package.is_locked for package in loaded.manifest.packages.values()):  # not loaded for nothing
        from reconciler.packages.lock.use import locks as locks_of

        pip = _pip_environment(loaded, env)
        workshop = _Workshop(loaded, cache, env, on_step)
        locks = replace(locks_of(loaded, workshop.again), stop=workshop.stop)
    shortcut = _Shortcut(pip)
    try:
        return build(
            loaded.manifest,
            folder=loaded.folder,
            cache=cache,
            index=PipIndex(
                pip,
                shortcut=_Shortcut(pip),
                on_wait=lambda called: on_step(f"still waiting for the package index: {called}"),
            ),
            at=loaded.at,
            locks=locks,
            on_fetch=lambda requirement: on_step(f"fetching {requirement}"),
            importer=partial(_not_importable, env, cache_calls(on_step)),  # it is asked twice and told of once
        )
    finally:
        shortcut.close()
        digests.save()


def _not_importable(
    env: Mapping[str, str],
    on_step: Callable[[str], None],
    runtime: Runtime,
    archives: Sequence[tuple[str, Path]],
    names: Sequence[str],
) -> Mapping[str, str] | None:
    """Return which modules cannot be imported from archives; None if no CPython of this machine can tell."""
    from reconciler.local.runner import InterpreterNotFound, RunnerError, failures, locate

    try:
        interpreter = locate(runtime.tag, env)
        on_step(f"importing packages that lack something, in {runtime.name}")
        return failures(interpreter, archives, names)
    except (InterpreterNotFound, RunnerError):
        return None


def make_lock(
    loaded: Loaded,
    previous: Lock,
    upgrade: Upgrade,
    *,
    cache: Cache,
    env: Mapping[str, str],
    on_step: Callable[[str], None],
) -> Lock:
    """Resolve what the manifest requires, build what has no wheel, and return the lock."""
    from reconciler.packages.lock.make import make
    from reconciler.packages.lock.use import requests

    return make(requests(loaded), previous, _means(loaded, cache, env, on_step), upgrade)


def _pip_environment(loaded: Loaded, env: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for pip, with the indexes and folders that packages name: what is fetched is held to its sha256."""
    from reconciler.packages.fetch.indexes import for_pip

    packages = loaded.manifest.packages.values()
    more = [env[name] for package in packages for name in package.extra_index if env.get(name)]
    links = [str(loaded.folder / path) for package in packages for path in package.find_links]
    return for_pip(env, list(dict.fromkeys(more)), list(dict.fromkeys(links)))


@dataclass
class _Shortcut:
    """Wheels straight from the index; what it takes is loaded when the first one is missing."""

    pip: Mapping[str, str] = field(repr=False)
    _made: Direct | None = field(default=None, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def __call__(self, pin: Pin, folder: Path, /) -> Path | None:
        return self._direct(pin, folder)

    def stop(self) -> None:
        if self._made is not None:
            self._made.downloads.stop()

    def close(self) -> None:
        if self._made is not None:
            self._made.downloads.close()

    @property
    def _direct(self) -> Direct:
        from reconciler.packages.fetch import indexes
        from reconciler.packages.fetch.direct import Direct
        from reconciler.packages.fetch.downloads import Downloads

        with self._lock:
            if self._made is None:
                pip = indexes.pip_settings(self.pip, Path(sys.prefix))
                addresses = () if pip.no_index else indexes.all_of(pip)
                self._made = Direct(Downloads(pip, addresses, timeout=_HURRY), addresses)
            return self._made


def _means(loaded: Loaded, cache: Cache, env: Mapping[str, str], on_step: Callable[[str], None]) -> Means:
    from reconciler.packages.lock.make import Means

    workshop = _Workshop(loaded, cache, env, on_step)
    pythons = partial(_python, env)
    return Means(loaded.folder, env, Path(sys.prefix), cache, workshop, pythons, on_step, workshop.stop)


def _python(env: Mapping[str, str], runtime: Runtime) -> Path | None:
    """Return the CPython of a runtime on this machine, if there is one."""
    try:
        return _interpreter(env, runtime)
    except InterpreterError:
        return None


def _interpreter(env: Mapping[str, str], runtime: Runtime) -> Path:
    from reconciler.local.runner import InterpreterNotFound, locate

    try:
        return locate(runtime.tag, env).path
    except InterpreterNotFound as error:
        raise InterpreterError("E701", str(error)) from error


@dataclass
class _Workshop:
    """Makes wheels of what the manifest's packages need and the index has no wheel of."""

    loaded: Loaded
    cache: Cache
    env: Mapping[str, str] = field(repr=False)
    on_step: Callable[[str], None]
    _made: Builder | None = field(default=None, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def __call__(self, source: Path, sha256: str, label: str, request: Request, /) -> Made:
        """Build a wheel for a lock that is being made."""
        from reconciler.packages.lock.make import Made

        built = self._build(Source(source, label, sha256), request, ())
        return Made(built.content, built.how, built.requires)

    def again(self, request: Request, wheel: LockedWheel) -> Content:
        """Return a wheel that was built when the lock was made: from the cache, or built again to the very same bytes."""
        if known := self.cache.get(wheel.sha256):
            return known
        source = wheel.source
        assert source is not None  # it is asked for what was built
        place = (
            self.loaded.folder / source.file if source.file in request.inputs.local else self._archive(request, wheel)
        )
        label = f"{wheel.name} {wheel.version}"
        built = self._build(Source(place, label, source.sha256), request, tuple(source.requires))
        if built.content.sha256 != wheel.sha256:
            raise PackageError(
                "E479",
                f"{label}, built again, is not what the lock says: it has sha256 {built.content.sha256}, not {wheel.sha256}",
                hint=(
                    f"use the tools that the lock names ({source.built_with}), share the cache of the machine that made the lock, or run `",
                    Command("lock", f"--upgrade {wheel.name}"),
                    "` here",
                ),
                detail=(f"built here with {built.how}", f"log: {built.log}"),
            )
        return built.content

    def _archive(self, request: Request, wheel: LockedWheel) -> Path:
        """Fetch the source archive from whatever index this machine uses."""
        from reconciler.packages.fetch import indexes
        from reconciler.packages.fetch.downloads import Downloads
        from reconciler.packages.fetch.index_pages import find

        source = wheel.source
        assert source is not None
        if known := self.cache.get(source.sha256):
            return known.path
        pip = indexes.pip_settings(self.env, Path(sys.prefix))
        more = [self.env[name] for name in request.inputs.extra_index if self.env.get(name)]
        addresses = [*more, *indexes.all_of(pip)]
        self.on_step(f"fetching {source.file}")
        for folder in request.inputs.find_links:
            if (file := self.loaded.folder / folder / source.file).is_file():
                return file
        with self.cache.workspace() as workspace, Downloads(pip, tuple(addresses)) as downloads:
            remote = find(downloads, addresses, wheel.name, source.file, source.sha256)
            return self.cache.put(downloads.fetch(remote, workspace), source.sha256).path

    def _build(self, source: Source, request: Request, constraints: tuple[str, ...]) -> Built:
        from reconciler.packages.build import Options

        declared = self.loaded.manifest.packages[request.package]
        options = Options(
            declared.build.builder,
            tuple(declared.build.requires),
            constraints,
            tuple(declared.build.environment.items()),
            tuple(self.loaded.folder / path for path in declared.build.headers),
            tuple(self.loaded.folder / path for path in declared.libraries),
            tuple(self.loaded.folder / path for path in declared.build.libraries),
        )
        return self._builder.wheel(source, request.runtime, options, on_start=partial(self._started, request.runtime))

    @property
    def _builder(self) -> Builder:
        """One for all builds, of whatever thread, so that all of them can be ended; loaded when something is built."""
        from reconciler.packages.build.build import Builder

        with self._lock:
            if self._made is None:
                pip = _pip_environment(self.loaded, self.env)
                self._made = Builder(self.cache, PipIndex(pip), partial(_interpreter, self.env), pip)
            return self._made

    def stop(self) -> None:
        """End the builds that run; the user has lost patience."""
        self._builder.stop()

    def _started(self, runtime: Runtime, label: str) -> None:
        self.on_step(f"building {label} for {runtime.tag}, which may take minutes")
