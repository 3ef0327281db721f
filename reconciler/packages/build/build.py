"""Builder: from a source to a wheel that loads in its runtime, or to the reason why there is none."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sys
import zlib
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.base import environments
from reconciler.base.errors import InterpreterError, PackageError, Problem
from reconciler.base.hints import Command
from reconciler.base.inputs import SHIPPED, copy_input, open_input
from reconciler.base.processes import Tools
from reconciler.manifest.runtimes import fitting_names, tags_of, why_not_loadable
from reconciler.packages.build import BuildOptions, BuiltWheel, environment, zig
from reconciler.packages.build.engines import Container, Engine, LocalEngine, container
from reconciler.packages.build.frontend import BackendFailed, Frontend
from reconciler.packages.build.log import BuildLog, build_failure, run_logged, telling_lines
from reconciler.packages.build.sources import copy_source, tree_digest
from reconciler.packages.build.wheels import normalize_wheel
from reconciler.packages.content import read_content
from reconciler.packages.fetch import indexes
from reconciler.packages.fetch.cache import load_record, record_path, save_record
from reconciler.packages.fetch.downloads import Downloads
from reconciler.packages.fetch.gateway import open_gateway
from reconciler.packages.inspect import gate
from reconciler.packages.inspect.contents import inspect_file
from reconciler.packages.inspect.elf import Damaged, read_elf
from reconciler.packages.inspect.members import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from reconciler.manifest.runtimes import Runtime
    from reconciler.packages.build import BuildSource
    from reconciler.packages.fetch.cache import Cache
    from reconciler.packages.fetch.gateway import Gateway
    from reconciler.packages.fetch.indexes import Index

VERSION = 1
"""Of what a build does with the same input. Wheels that another version built are built again."""

_EPOCH = "315532800"
"""1980-01-01, the first moment that a zip archive can hold."""


@dataclass(frozen=True)
class _BuiltRecord:
    """What a build made, for the cache."""

    sha256: str
    how: str
    requires: tuple[str, ...]
    log: str


@dataclass
class Builder:
    """Makes wheels. One may be used from several threads."""

    cache: Cache
    index: Index
    """Gives the pip that installs what builds need; that pip then asks the same index."""

    interpreter: Callable[[Runtime], Path]
    """Finds the CPython of a runtime on this machine; raises InterpreterError where there is none."""

    environment: Mapping[str, str] = field(repr=False)
    """Of the command. What is started gets what is for it (`base.environments`), and no build anything else."""

    timeout: float = 3600
    """Seconds for one step."""

    gateway: Gateway | None = None
    """The way to what builds need, of somebody who closes it; without one each build opens one to the indexes of pip."""

    tools: Tools = field(default_factory=Tools, init=False, repr=False)

    def wheel(
        self,
        source: BuildSource,
        runtime: Runtime,
        options: BuildOptions | None = None,
        *,
        fresh: bool = False,
        on_start: Callable[[str, Path, Callable[[], str]], None] = lambda label, log, doing: None,
    ) -> BuiltWheel:
        """
        Return the wheel of a source for a runtime, from the cache if it was built before.

        `fresh` builds it again: what the build needs may have newer versions now. `on_start` is told the label of what
        is really built, the log's path, and whom to ask what is done right now. Raises PackageError, with E401 and E410 to E423 where the gate refuses what came out.
        """
        options = options or BuildOptions()
        # Commands run in other folders than this process.
        options = replace(options, headers=tuple(folder.absolute() for folder in options.headers))
        with self.cache.workspace() as workspace:
            build = _Build(self, source, runtime, options, workspace.resolve())
            build.prepare()
            path = record_path(self.cache.root, "built", build.key)
            record = None if fresh else load_record(path, _BuiltRecord)
            if record and (content := self.cache.get(record.sha256)):
                return BuiltWheel(content, record.how, record.requires, Path(record.log))
            on_start(source.label, build.log.path, build.doing)
            built = build.run()
            save_record(path, _BuiltRecord(built.content.sha256, built.how, built.requires, str(built.log)))
            return built

    def stop(self) -> None:
        """End what is running; the user has lost patience."""
        self.index.stop()
        self.tools.stop()


@dataclass
class _Build:
    """One build in its workspace."""

    builder: Builder
    source: BuildSource
    runtime: Runtime
    options: BuildOptions
    workspace: Path

    engine: Engine = field(init=False)
    ziglang: zig.Zig | None = field(default=None, init=False)
    python: environment.InterpreterFacts | None = field(default=None, init=False)
    is_stand_in: bool = field(default=False, init=False)
    key: str = field(default="", init=False)
    log: BuildLog = field(init=False)
    compilers: zig.Compilers | None = field(default=None, init=False)
    requires: tuple[str, ...] = field(default=(), init=False)

    # --- Before: with what, and was it done already

    def prepare(self) -> None:
        """Choose the tools, and name what they make of this source."""
        if len(str(self.workspace).split()) > 1:
            raise PackageError(
                "E407",
                f"nothing can be built under '{self.workspace.parent}': builds take a path with a space for two",
                hint="choose another folder for the cache: UDFS_CACHE_DIR",
            )
        for name in ("home", "tmp", "lib"):
            (self.workspace / name).mkdir()
        self.log = BuildLog(self.workspace / "log")
        self.log.start()
        if self.options.builder == "container":
            self.engine = container(
                self.runtime, self.builder.environment, self.workspace, self.options.headers, self.source.label
            )
        else:
            self.engine = self._here()
            self.python = environment.ask_interpreter(self._run_checked, self.engine.python)
            self.ziglang = zig.find_zig()
        self.key = self._key()
        slug = re.sub(r"[^\w.-]+", "-", self.source.label, flags=re.ASCII).strip("-.") or "source"
        self.log = BuildLog(self.builder.cache.root.absolute() / "logs" / f"build-{slug}-{self.key[:12]}.log")

    def _here(self) -> LocalEngine:
        try:
            return LocalEngine(str(self.builder.interpreter(self.runtime).absolute()))
        except InterpreterError:
            if self.runtime.python_version < (3,):
                raise  # its pure code would be judged, and perhaps rewritten, by a Python 3
            self.is_stand_in = True
            return LocalEngine(sys.executable)

    @property
    def how(self) -> str:
        if isinstance(self.engine, Container):
            return f"container {self.engine.image}"
        standing = f" standing in for {self.runtime.name}" if self.is_stand_in else ""
        compiler = f", zig {self.ziglang.version}" if self.ziglang and not self.is_stand_in else ""
        return f"CPython {self.python.version if self.python else '?'}{standing}{compiler}"

    def _key(self) -> str:
        options = self.options
        parts = {
            "version": VERSION,
            "source": self.source.sha256,
            "runtime": [self.runtime.tag, self.runtime.abi, self.runtime.machine, *self.runtime.glibc],
            "tools": [self.how, environment.pip_of(self.runtime), zlib.ZLIB_RUNTIME_VERSION],
            "requires": sorted(options.requires),
            "constraints": sorted(options.constraints),
            "environment": sorted(options.environment),
            "headers": [tree_digest(folder) for folder in options.headers],
            "libraries": [read_content(path).sha256 for path in options.libraries],
            "grafted": [read_content(path).sha256 for path in options.grafted],
        }
        if options.programs:
            parts["programs"] = [[path.name, read_content(path).sha256] for path in options.programs]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    # --- The build

    def doing(self) -> str:
        """Return what the build is at, in a few words."""
        said = self.log.last_line()
        return (self.compilers.work() if self.compilers is not None else "") or said

    def run(self) -> BuiltWheel:
        self.log.start()
        self.log.add(f"{self.source.label} for {self.runtime.label}: {self.how}")
        project = copy_source(self.source, self.workspace / "source")
        self._link_libraries()
        install_programs(self.options.programs, self.workspace / "programs")
        refusal = self._install_compilers()
        try:
            wheel = self._call_backend(project)
        except BackendFailed as error:
            self._refuse_if(refusal)
            raise build_failure(self.source.label, self.runtime, error.why, error.said, self.log.path) from error
        self._refuse_if(refusal, wheel)
        if self.options.grafted:
            wheel = self._repair(wheel)
        try:
            wheel = normalize_wheel(wheel, self.workspace / "normal")
        except UNREADABLE as error:
            why = f"what its build backend made is no wheel: {error}"
            raise build_failure(self.source.label, self.runtime, why, "", self.log.path) from error
        self._judge(wheel)
        content = self.builder.cache.put(wheel, read_content(wheel).sha256)
        return BuiltWheel(content, self.how, self.requires, self.log.path)

    def _link_libraries(self) -> None:
        """Put each library under its SONAME, which the linker writes down, and under the name that ``-l`` means."""
        for path in (*self.options.libraries, *self.options.grafted):
            soname = _soname(path)
            copy_input(path, self.workspace / "lib" / soname, SHIPPED)
            link = self.workspace / "lib" / f"{soname.partition('.so')[0]}.so"
            if not link.exists():
                link.symlink_to(soname)

    def _install_compilers(self) -> PackageError | None:
        """Write the compilers of a build on this machine; return what is to be said if it calls them in vain."""
        if isinstance(self.engine, Container):
            return None
        refusal = self._why_no_compiler()
        self.compilers = zig.install_compilers(
            self.ziglang,
            self.workspace,
            self.runtime,
            python=self.python,
            headers=self.options.headers,
            libraries=self.workspace / "lib",
            cache=self.builder.cache.folder("zig").absolute(),
            refusal=str(refusal) if refusal else None,
        )
        return refusal

    def _why_no_compiler(self) -> PackageError | None:
        label, runtime = self.source.label, self.runtime
        if self.is_stand_in:
            return self._needs_the_runtime()
        if reason := zig.why_not_here(runtime):
            hint = "build it on such a machine, or with 'builder: container'"
            return PackageError("E441", f"{label} has parts to compile for {runtime.label}, and {reason}", hint=hint)
        if self.ziglang is None:
            return PackageError(
                "E441",
                f"{label} has parts to compile for {runtime.label}, and the compiler, ziglang, is not installed",
                hint="pip install 'udfs[build]' into the environment of udfs (400 MB), or use 'builder: container'",
            )
        return None

    def _needs_the_runtime(self) -> PackageError:
        name = self.runtime.name
        return PackageError(
            "E446",
            f"{self.source.label} is not Python alone, and there is no {name} on this machine to build it with",
            hint=("'", Command("doctor"), "' tells how to get one"),
        )

    def _refuse_if(self, refusal: PackageError | None, wheel: Path | None = None) -> None:
        """
        Refuse what was made without a compiler that it asked for.

        A project whose extension is optional makes a wheel all the same; it would be another wheel on another machine.
        """
        called_compiler = self.compilers is not None and not self.compilers.called_tools() <= {"fortran"}
        if refusal and called_compiler:
            raise refusal
        if wheel and self.is_stand_in and any(tag.platform != "any" for tag in tags_of(wheel.name)):
            raise self._needs_the_runtime()

    def _call_backend(self, project: Path) -> Path:
        path = {"PYTHONPATH": f"{self.workspace / 'site'}"}
        frontend = Frontend(
            project,
            self.source.label,
            python=self.engine.python,
            is_2=self.runtime.python_version < (3,),
            scripts=self.workspace / "hooks",
            run=lambda command, extra, cwd: self._run(command, self._build_environment({**path, **extra}), cwd=cwd),
        )
        first = frontend.requires | set(self.options.requires)
        self._prepare_environment(first)
        if more := frontend.more_requires() - first:
            self._prepare_environment(first | more)
        wheel = frontend.wheel(self.workspace / "wheels")
        if not wheel.is_file() or wheel.suffix != ".whl":
            raise BackendFailed("its build backend made no wheel", "")
        return wheel

    def _prepare_environment(self, requires: set[str]) -> None:
        """Install what the backend needs, all of it anew: one resolution, so that the parts fit each other."""
        folder = self.workspace / "packages"
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir()
        if requires:
            self.requires = self._install(requires, folder)
        site = self.workspace / "site"
        site.mkdir(exist_ok=True)
        (site / "sitecustomize.py").write_text(environment.SITE % str(folder), encoding="utf-8")

    def _install(self, requires: set[str], folder: Path) -> tuple[str, ...]:
        with ExitStack() as opened:
            gateway = self.builder.gateway or opened.enter_context(_pip_gateway(self.builder.environment, opened))
            return environment.install_requirements(
                partial(self._run_pip, gateway.variables()),
                python=self.engine.python,
                pip=environment.unpack_pip(
                    self.runtime, self.builder.index, self.builder.cache, self.workspace / "pip"
                ),
                requires=requires,
                constraints=self.options.constraints,
                target=folder,
                label=self.source.label,
                log=self.log.path,
            )

    def _repair(self, wheel: Path) -> Path:
        from importlib import util

        if util.find_spec("repairwheel") is None:
            raise PackageError(
                "E449",
                f"{self.source.label} is to carry its libraries, and repairwheel, which puts them in, is not installed",
                hint="pip install 'udfs[build]' into an environment of udfs with Python 3.11 or newer",
            )
        folder = self.workspace / "repaired"
        command = [sys.executable, "-m", "repairwheel", "-o", str(folder), "-l", str(self.workspace / "lib")]
        outside = [part for path in self.options.libraries for part in ("-e", _soname(path))]
        engine = LocalEngine(sys.executable)
        code, said = self._run(
            [*command, *outside, "--no-sys-paths", str(wheel)], self._build_environment({}), engine=engine
        )
        wheels = list(folder.glob("*.whl"))
        if code != 0 or len(wheels) != 1:
            raise PackageError(
                "E449",
                f"the libraries of {self.source.label} cannot be put into its wheel",
                hint=f"the whole log is in {self.log.path}",
                detail=telling_lines(said),
            )
        return wheels[0]

    def _judge(self, wheel: Path) -> None:
        facts = inspect_file(wheel, "wheel")
        findings = [*facts.faults, *gate.misfits(facts, self.runtime)]
        label, name = self.source.label, wheel.name
        problems = [
            Problem(
                finding.code,
                f"what {label} was built into, '{name}', {finding.message}",
                hint=finding.hint,
                detail=finding.detail,
            )
            for finding in findings
            if finding.severity == "error"
        ]
        # The tag of what needs too new a system says so too, and less of it.
        if not problems and (misfit := why_not_loadable(name, self.runtime)):
            abi = (
                "`prefer_binary: true` takes a version that has a wheel; or build by a CPython of the runtime's ABI, as `",
                Command("doctor"),
                "` says how to get",
            )
            hint = abi if "ABI" in misfit else fitting_names(self.runtime)
            message = f"what {label} was built into, '{name}', does not load in {self.runtime.label}: {misfit}"
            problems.append(Problem("E401", message, hint=hint))
        if problems:
            raise PackageError.of(problems)

    # --- Commands

    def _build_environment(self, extra: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of a build, made here: what it does may depend on nothing else."""
        folders = [str(self.workspace / "packages" / "bin"), "/usr/local/bin", "/usr/bin", "/bin"]
        if self.compilers:
            folders.insert(0, str(self.compilers.folder))
        folders.insert(0, str(self.workspace / "programs"))
        # How a compiler that is not ours learns of headers and libraries, and forgets the workspace.
        headers = [f"-I{folder}" for folder in self.options.headers]
        flags = {
            "CFLAGS": " ".join([*headers, f"-fdebug-prefix-map={self.workspace}=/build", "-g0"]),
            "LDFLAGS": f"-L{self.workspace / 'lib'} -s",
        }
        return {
            "PATH": ":".join(folders),
            "HOME": str(self.workspace / "home"),
            "TMPDIR": str(self.workspace / "tmp"),
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "SOURCE_DATE_EPOCH": _EPOCH,
            "PYTHONHASHSEED": "0",
            "PYTHONNOUSERSITE": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PKG_CONFIG_LIBDIR": str(self.workspace / "lib"),
            **(self.compilers.variables if self.compilers else flags),
            **dict(self.options.environment),
            **extra,
        }

    def _run_pip(self, gateway: Mapping[str, str], command: list[str], settings: Mapping[str, str]) -> tuple[int, str]:
        """Run pip, which builds what has no wheel: what it sees, anybody's ``setup.py`` sees."""
        variables = {
            "PIP_CACHE_DIR": str(self.builder.cache.folder("pip").absolute()),
            **environments.for_resolver(self.builder.environment),
            "HOME": str(self.workspace / "home"),
            "TMPDIR": str(self.workspace / "tmp"),
            "LC_ALL": "C.UTF-8",
            "PYTHONIOENCODING": "utf-8",
            **(self.compilers.variables if self.compilers else {}),
        }
        return self._run(command, {**variables, **settings}, gateway=gateway)

    def _run_checked(self, command: list[str], settings: Mapping[str, str]) -> str:
        code, said = self._run(command, settings)
        if code != 0:
            raise PackageError(
                "E446", f"{command[0]} cannot be run to build {self.source.label}", detail=telling_lines(said)
            )
        return said

    def _run(
        self,
        command: list[str],
        settings: Mapping[str, str],
        *,
        cwd: Path | None = None,
        gateway: Mapping[str, str] | None = None,
        engine: Engine | None = None,
    ) -> tuple[int, str]:
        engine, cwd = engine or self.engine, cwd or self.workspace
        started, variables = engine.command(command, settings, cwd=cwd, gateway=gateway)
        code, said = run_logged(
            self.builder.tools,
            started,
            cwd=cwd,
            environment=variables,
            log=self.log,
            label=self.source.label,
            timeout=self.builder.timeout,
            on_abandon=lambda: self._clean_up(engine, variables),
            trusted=engine.is_isolated,
        )
        if isinstance(engine, Container) and code in (125, 126, 127):  # the engine's own failures [docs of docker run]
            raise PackageError(
                "E448",
                f"the container that is to build {self.source.label} does not start",
                hint=f"the whole log is in {self.log.path}",
                detail=telling_lines(said),
            )
        return code, said

    def _clean_up(self, engine: Engine, variables: Mapping[str, str]) -> None:
        if command := engine.cleanup_command():
            run_logged(
                Tools(),
                command,
                cwd=self.workspace,
                environment=variables,
                log=self.log,
                label=self.source.label,
                timeout=30,
                trusted=True,
            )


def _pip_gateway(env: Mapping[str, str], opened: ExitStack) -> Gateway:
    prefix = Path(sys.prefix)
    pip, every = indexes.pip_settings(env, prefix), indexes.find_indexes(env, prefix)
    downloads = opened.enter_context(Downloads(pip, tuple(index.address for index in every)))
    return open_gateway(every, downloads, {}, pip)


def install_programs(programs: Iterable[Path], folder: Path) -> None:
    """Put programs into a folder for the PATH of what asks them, whatever rights they have where they lie."""
    folder.mkdir()
    for path in programs:
        copy_input(path, folder / path.name, SHIPPED)
        (folder / path.name).chmod(0o755)


def _soname(path: Path) -> str:
    """Return the name by which what is linked against a library will ask for it."""
    try:
        with open_input(path, SHIPPED) as stream:
            return read_elf(stream).soname or path.name
    except (OSError, Damaged) as error:
        raise PackageError("E411", f"'{path}' is not a native library: {error}") from error
