"""
Workshop: what making and using a lock have in common, above all wheels built where the index has none that loads.

A lock that is made takes what the build gives; a lock that is used gets the very same bytes again, or an error.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from reconciler.base import environments
from reconciler.base.activity import activity
from reconciler.base.errors import InterpreterError, PackageError
from reconciler.base.hints import Command
from reconciler.base.processes import Tools
from reconciler.packages.build import BuildOptions, BuildSource
from reconciler.packages.build.build import Builder
from reconciler.packages.content import export_files
from reconciler.packages.fetch import indexes
from reconciler.packages.fetch.downloads import Downloads, find_file
from reconciler.packages.fetch.gateway import Gateway, open_gateway
from reconciler.packages.fetch.pip import PipIndex
from reconciler.packages.lock.inputs import read_requests
from reconciler.packages.lock.uv import can_answer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from typing_extensions import Self

    from reconciler.base.errors import Position, Problem
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
    names = [name for package in packages for name in (*package.extra_index, *package.index.values())]
    more = [env[name] for name in names if env.get(name)]
    links = [str(loaded.folder / path) for package in packages for path in package.find_links]
    return indexes.pip_environment(env, list(dict.fromkeys(more)), list(dict.fromkeys(links)))


def package_indexes(env: Mapping[str, str], prefix: Path, request: LockRequest) -> PackageIndexes:
    """
    Return the indexes of a package, in the order in which they are asked, and those of single distributions.

    Raises E481 where a variable that the manifest names is not set.
    """
    inputs = request.inputs
    preferred = [
        _variable_index(env, name, request.places.get(f"extra_index {name}"), "extra_index")
        for name in inputs.extra_index
    ]
    every = indexes.find_indexes(env, prefix, preferred, of_uv=can_answer(request.runtime))
    by_name = {index.name: index for index in every}
    sources = {
        name: by_name.get(label) or _variable_index(env, label, request.places.get(f"index {name}"), "index")
        for name, label in inputs.index.items()
    }
    return PackageIndexes(every, sources)


def _variable_index(env: Mapping[str, str], name: str, position: Position | None, key: str) -> indexes.NamedIndex:
    if address := env.get(name):
        return indexes.NamedIndex(name, address)
    hint = f"set {name} to the address of the index"
    raise PackageError("E481", f"the environment variable {name} of `{key}:` is not set", hint=hint, at=position)


def find_interpreter(env: Mapping[str, str], runtime: Runtime) -> Path:
    """Return the CPython of a runtime on this machine; raises InterpreterError where there is none."""
    from reconciler.local.runner import RUNTIMES, InterpreterNotFound, locate

    if runtime.interpreter not in RUNTIMES:
        raise InterpreterError("E701", f"no {runtime.name} is looked for on this machine: nothing is built for it here")
    try:
        return locate(runtime.interpreter, env).path
    except InterpreterNotFound as error:
        raise InterpreterError("E701", str(error)) from error


@dataclass(frozen=True)
class PackageIndexes:
    """Where the distributions of a package come from."""

    every: tuple[indexes.NamedIndex, ...]
    sources: Mapping[str, indexes.NamedIndex]


@dataclass
class Workshop:
    """Builds wheels for one manifest. May be used from several threads; use it in a ``with``, which ends its gateway."""

    loaded: Loaded
    cache: Cache
    env: Mapping[str, str] = field(repr=False)
    on_step: Callable[[str], None]
    """Is told what happens now, from any thread."""

    on_warning: Callable[[Problem], None] = lambda problem: None
    """Is told what a person should look at, from any thread."""

    tools: Tools = field(default_factory=Tools, init=False, repr=False)
    """The resolvers that run."""

    _open_until_closed: ExitStack = field(default_factory=ExitStack, init=False, repr=False)
    _builder: Builder | None = field(default=None, init=False, repr=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open_until_closed.close()

    def build(self, source: BuildSource, request: LockRequest, constraints: tuple[str, ...] = ()) -> BuiltWheel:
        """Return the wheel of a source, as the package that asks for it has it built."""
        self._require_building_here(source.label)
        declared = self.loaded.manifest.packages[request.package]
        folder = self.loaded.folder
        options = BuildOptions(
            declared.build.builder,
            tuple(declared.build.requires),
            constraints,
            tuple({**environments.passed_to_builds(self.env), **declared.build.environment}.items()),
            tuple(folder / path for path in declared.build.headers),
            tuple(folder / path for path in declared.build.programs),
            tuple(folder / path for path in declared.library_files),
            tuple(folder / path for path in declared.build.libraries),
        )
        tag, started = request.runtime.tag, list[Callable[[], str]]()

        def on_start(label: str, log: Path, doing: Callable[[], str]) -> None:
            self.on_step(f"building {label} for {tag}, which may take minutes; log: {log}")
            started.append(doing)

        def ask() -> str:
            return started[0]() if started else ""

        with activity("building") as building, building.at(f"{source.label} for {tag}", ask):
            return self._open().wheel(source, request.runtime, options, on_start=on_start)

    def rebuild(self, request: LockRequest, wheel: Locked) -> Content:
        """Return a wheel that was built when the lock was made: from the cache, or built again to the very same bytes."""
        if kept := self.cache.get(wheel.sha256) or self._take_over(wheel):
            return kept
        label = f"{wheel.name} {wheel.version}"
        self._require_building_here(label, f"{wheel.file} (sha256 {wheel.sha256})")
        built_from = wheel.source
        assert built_from is not None  # else it was not built
        is_local = built_from.file in request.inputs.local
        path = self.loaded.folder / built_from.file if is_local else self._archive(request, wheel.name, built_from)
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

    def _require_building_here(self, label: str, file: str = "") -> None:
        if not environments.says_yes(self.env, environments.NO_BUILD):
            return
        what = f"{label} has to be built, and {environments.NO_BUILD} says that nothing is built here"
        build, plan = Command("build", "--wheels DIR"), Command("plan", "--wheels DIR")
        hint = (
            "where no credentials are, `",
            build,
            f"` writes {file or 'its wheel'}; here `",
            plan,
            "` takes it by its sha256",
        )
        raise PackageError("E487", what, hint=hint)

    def _take_over(self, wheel: Locked) -> Content | None:
        """Return a wheel that was built elsewhere and handed over, if it is the one that the lock names."""
        folder = self.env.get(environments.WHEELS)
        path = Path(folder or "", wheel.file)
        if not folder or not path.is_file():
            return None
        with self.cache.workspace() as workspace:
            export_files([(wheel.file, path, wheel.sha256)], workspace)
            return self.cache.put(workspace / wheel.file, wheel.sha256)

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
        addresses = [index.address for index in self._indexes([request])]
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
                interpreter = partial(find_interpreter, self.env)
                self._builder = Builder(self.cache, PipIndex(pip), interpreter, self.env, gateway=self._gateway())
            return self._builder

    def _gateway(self) -> Gateway:
        """Return the way to what builds need: the indexes of all packages, whichever of them is built."""
        requests = read_requests(self.loaded)
        every = self._indexes(requests)
        by_name = {index.name: index for index in every}
        sources = {
            name: by_name.get(label) or indexes.NamedIndex(label, self.env[label])
            for request in requests
            for name, label in request.inputs.index.items()
            if label in by_name or self.env.get(label)
        }
        pip = indexes.pip_settings(self.env, Path(sys.prefix))
        addresses = tuple(index.address for index in (*every, *sources.values()))
        downloads = self._open_until_closed.enter_context(Downloads(pip, addresses))
        folders = [str(self.loaded.folder / path) for request in requests for path in request.inputs.find_links]
        return self._open_until_closed.enter_context(open_gateway(every, downloads, sources, pip, folders))

    def _indexes(self, requests: Iterable[LockRequest]) -> tuple[indexes.NamedIndex, ...]:
        """Return the indexes of some packages; those whose variable is not set are left out, for a cache may do without."""
        names = dict.fromkeys(name for request in requests for name in request.inputs.extra_index)
        preferred = [indexes.NamedIndex(name, self.env[name]) for name in names if self.env.get(name)]
        return indexes.find_indexes(self.env, Path(sys.prefix), preferred)
