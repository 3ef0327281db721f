"""
Workshop: what making and using a lock have in common, above all wheels built where the index has none that loads.

A lock that is made takes what the build gives; a lock that is used gets the very same bytes again, or an error.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from reconciler.base.errors import InterpreterError, PackageError
from reconciler.base.hints import Command
from reconciler.base.processes import Tools
from reconciler.packages.build import BuildOptions, BuildSource
from reconciler.packages.build.build import Builder
from reconciler.packages.fetch import indexes
from reconciler.packages.fetch.downloads import Downloads, find_file
from reconciler.packages.fetch.pip import PipIndex

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.manifest.load import Loaded
    from reconciler.manifest.runtimes import Runtime
    from reconciler.packages.build import BuiltWheel
    from reconciler.packages.content import Content
    from reconciler.packages.fetch.cache import Cache
    from reconciler.packages.lock.file import BuiltFrom, Locked
    from reconciler.packages.lock.inputs import LockRequest


def package_pip_environment(loaded: Loaded, env: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for pip, with the indexes and folders that packages name: what is fetched is held to its sha256."""
    packages = loaded.manifest.packages.values()
    more = [env[name] for package in packages for name in package.extra_index if env.get(name)]
    links = [str(loaded.folder / path) for package in packages for path in package.find_links]
    return indexes.pip_environment(env, list(dict.fromkeys(more)), list(dict.fromkeys(links)))


def find_interpreter(env: Mapping[str, str], runtime: Runtime) -> Path:
    """Return the CPython of a runtime on this machine; raises InterpreterError where there is none."""
    from reconciler.local.runner import InterpreterNotFound, locate

    try:
        return locate(runtime.tag, env).path
    except InterpreterNotFound as error:
        raise InterpreterError("E701", str(error)) from error


@dataclass
class Workshop:
    """Builds wheels for one manifest. May be used from several threads."""

    loaded: Loaded
    cache: Cache
    env: Mapping[str, str] = field(repr=False)
    on_step: Callable[[str], None]
    """Is told what happens now, from any thread."""

    tools: Tools = field(default_factory=Tools, init=False, repr=False)
    """The resolvers that run."""

    _builder: Builder | None = field(default=None, init=False, repr=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)

    def build(self, source: BuildSource, request: LockRequest, constraints: tuple[str, ...] = ()) -> BuiltWheel:
        """Return the wheel of a source, as the package that asks for it has it built."""
        declared = self.loaded.manifest.packages[request.package]
        folder = self.loaded.folder
        options = BuildOptions(
            declared.build.builder,
            tuple(declared.build.requires),
            constraints,
            tuple(declared.build.environment.items()),
            tuple(folder / path for path in declared.build.headers),
            tuple(folder / path for path in declared.libraries),
            tuple(folder / path for path in declared.build.libraries),
        )
        tag = request.runtime.tag
        return self._open().wheel(
            source,
            request.runtime,
            options,
            on_start=lambda label: self.on_step(f"building {label} for {tag}, which may take minutes"),
        )

    def rebuild(self, request: LockRequest, wheel: Locked) -> Content:
        """Return a wheel that was built when the lock was made: from the cache, or built again to the very same bytes."""
        if cached := self.cache.get(wheel.sha256):
            return cached
        built_from = wheel.source
        assert built_from is not None  # else it was not built
        is_local = built_from.file in request.inputs.local
        path = self.loaded.folder / built_from.file if is_local else self._archive(request, wheel.name, built_from)
        label = f"{wheel.name} {wheel.version}"
        source = BuildSource(path, label, built_from.sha256)
        built = self.build(source, request, tuple(built_from.requires))
        if built.content.sha256 != wheel.sha256:
            raise PackageError(
                "E479",
                f"{label}, built again, is not what the lock says: it has sha256 {built.content.sha256}, not {wheel.sha256}",
                hint=(
                    (
                        f"use the tools that the lock names ({built_from.built_with}), share the cache of the machine that made "
                        "the lock, or run `"
                    ),
                    Command("lock", f"--upgrade {wheel.name}"),
                    "` here",
                ),
                detail=(f"built here with {built.how}", f"log: {built.log}"),
            )
        return built.content

    def stop(self) -> None:
        """End what runs; the user has lost patience."""
        self.tools.stop()
        if self._builder is not None:
            self._builder.stop()

    def _archive(self, request: LockRequest, name: str, source: BuiltFrom) -> Path:
        """Fetch the source archive from whatever index this machine uses."""
        if cached := self.cache.get(source.sha256):
            return cached.path
        pip = indexes.pip_settings(self.env, Path(sys.prefix))
        more = [self.env[name] for name in request.inputs.extra_index if self.env.get(name)]
        addresses = [*more, *indexes.all_of(pip)]
        self.on_step(f"fetching {source.file}")
        for folder in request.inputs.find_links:
            if (file := self.loaded.folder / folder / source.file).is_file():
                return file
        with self.cache.workspace() as workspace, Downloads(pip, tuple(addresses)) as downloads:
            remote = find_file(downloads, addresses, name, source.file, source.sha256)
            return self.cache.put(downloads.fetch(remote, workspace), source.sha256).path

    def _open(self) -> Builder:
        """Return the one builder of all threads, so that whatever it runs can be ended."""
        with self._lock:
            if self._builder is None:
                pip = package_pip_environment(self.loaded, self.env)
                self._builder = Builder(self.cache, PipIndex(pip), partial(find_interpreter, self.env), pip)
            return self._builder
