"""
Resolver uv: fast, and for a Python and a platform that are not this machine's.

It answers in PEP 751's format, for Pythons since 3.6 and platforms since manylinux2014 (`can_answer`). [uv 0.13; measured]
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from reconciler.base.errors import PackageError
from reconciler.base.hints import Command
from reconciler.base.inputs import REPORT, read_input
from reconciler.base.processes import Tools
from reconciler.manifest.runtimes import supported_tags
from reconciler.packages.build.log import more_to_build_with
from reconciler.packages.fetch.indexes import Remote
from reconciler.packages.fetch.pip import mask
from reconciler.packages.lock.resolver import (
    Distribution,
    Steps,
    Unsolvable,
    index_failure,
    run_resolver,
    write_lines,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from packaging.markers import Environment
    from packaging.pylock import PackageSdist, PackageWheel

    from reconciler.manifest.runtimes import Runtime
    from reconciler.packages.lock.resolver import Question

_OLDEST = (3, 6)
_LOWEST_GLIBC = (2, 17)
_OURS = re.compile(
    r"UV_(PYTHON|SYSTEM_PYTHON|CONSTRAINT|BUILD_CONSTRAINT|OVERRIDE|EXCLUDE|PRERELEASE|RESOLUTION|FORK_STRATEGY|NO_BINARY|"
    r"NO_BUILD|TORCH_BACKEND|CUSTOM_COMPILE_COMMAND|REQUIRE_HASHES|NO_DEPS|PYTHON_DOWNLOADS|OUTPUT_FORMAT|PROJECT|"
    r"WORKING_DIRECTORY|WORKING_DIR)\w*\Z"
)
"""Settings that would change what is wanted, which the manifest alone says."""

_EDGE = re.compile(
    r"DEBUG Adding transitive dependency for (?P<parent>[\w.-]+)==(?P<version>[^:\s]+): (?P<child>[\w.-]+)"
)
_SILENT = re.compile(
    r"Request failed|error sending request|Could not connect|timed out|Failed to fetch|dns error", re.IGNORECASE
)
_DENIED = re.compile(r"lack of valid authentication credentials|40[137] (Unauthorized|Forbidden|Proxy)", re.IGNORECASE)
_NO_SUCH = re.compile(r"not found in the package registry", re.IGNORECASE)
_UNLESS = ", unless UV_DEFAULT_INDEX is set"
_NO_WHEEL = re.compile(r"Wheels are required for `([\w.-]+)`")
_HINTS = re.compile(r"\n\s*hint: .*", re.DOTALL)


def can_answer(runtime: Runtime) -> bool:
    """Say whether uv knows this Python and this platform."""
    return runtime.python_version >= _OLDEST and runtime.glibc >= _LOWEST_GLIBC


@dataclass(frozen=True)
class Uv:
    """The resolver of uv."""

    environment: Mapping[str, str] = field(repr=False)
    """What it is to see (`environments.for_resolver`), and where packages are (`Gateway.variables`)."""

    workspace: Path
    """A folder of our own."""

    python: Callable[[], Path | None] = lambda: None
    """Finds the runtime's CPython: the metadata of some source archives depends on the Python that makes it."""

    seconds: float = 600
    tools: Tools = field(default_factory=Tools)
    steps: Steps = field(default_factory=Steps)

    def resolve(self, question: Question) -> tuple[Distribution, ...]:
        """Answer, or raise `Unsolvable`, or PackageError if the engine itself fails."""
        program = executable(self.environment)
        # Looking for the runtime's interpreter takes longer than most answers, and few need one. Told of none, uv would ask
        # every Python on the PATH for its version, each time.
        # What a build was told to take is meant for the runtime's: for another it may have to be built itself.
        ours = ("--python", str((question.build_requires and self.python()) or sys.executable))
        if question.prefer_binary and (answers := self._with_wheels(program, question, ours)):
            return answers
        failure: PackageError | None = None
        try:
            answers = self._resolve(program, question, ours)
        except PackageError as error:
            failure, answers = error, ()
        is_built = any(
            distribution.sdist or (distribution.path and not distribution.path.endswith(".whl"))
            for distribution in answers
        )
        if failure is None and not is_built:
            return answers
        python = self.python()
        if python is not None:
            return self._resolve(program, question, ("--python", str(python)))
        if failure is not None:
            raise failure
        return answers

    def _with_wheels(self, program: str, question: Question, python: tuple[str, ...]) -> tuple[Distribution, ...]:
        """Answer with wheels, and with source archives of what has no wheel that fits; nothing where that does not come out."""
        built: list[str] = []
        while True:
            sources = (argument for name in built for argument in ("--no-binary", name))
            try:
                return self._resolve(program, question, (*python, "--only-binary", ":all:", *sources))
            except Unsolvable as error:
                if error.without_wheels <= set(built):
                    return ()
                built = sorted({*built, *error.without_wheels})
            except PackageError:
                if not built:
                    raise
                return ()
            # What is built is asked by the Python that will build it.
            python = ("--python", str(interpreter)) if (interpreter := self.python()) else python

    def _resolve(self, program: str, question: Question, extra: tuple[str, ...]) -> tuple[Distribution, ...]:
        output = self.workspace / "pylock.udfs.toml"
        output.unlink(missing_ok=True)
        if question.pins:  # uv keeps the versions that it finds in the file it is to write
            entries = (
                f'[[packages]]\nname = "{name}"\nversion = "{version}"\n' for name, version in question.pins.items()
            )
            output.write_text("".join(['lock-version = "1.0"\ncreated-by = "udfs"\n', *entries]), encoding="utf-8")
        kept = {name: value for name, value in self.environment.items() if not _OURS.match(name)}
        if question.build_requires:
            kept.pop("UV_NO_CONFIG", None)
            kept["UV_CONFIG_FILE"] = str(self._write_build_requires(question))
        ended = run_resolver(
            self.tools,
            [program, *self._arguments(question), *extra, "--output-file", str(output)],
            folder=self.workspace,
            env={**kept, "UV_PYTHON_DOWNLOADS": "never", "RUST_LOG": "uv_resolver=debug,uv_distribution=debug"},
            seconds=self.seconds,
            steps=self.steps,
        )
        if ended.code != 0:
            raise _failure(ended.err)
        # Which distribution asks for which, the answer does not say; uv's log does.
        return tuple(_answers(read_input(output, REPORT), question, self.workspace, _edges(ended.err)))

    def _arguments(self, question: Question) -> Iterator[str]:
        from packaging.requirements import Requirement

        runtime = question.runtime
        yield from ("pip", "compile", write_lines(self.workspace / "requirements.in", question.lines), "--quiet")
        # Indexes are known to the gateway alone.
        yield "--no-config"
        yield from ("--format", "pylock.toml", "--no-header", "--no-progress", "--no-annotate")
        # In full: 3.7 would be read as 3.7.0, and everything that says >=3.7.1 refused.
        yield from (
            "--python-version",
            runtime.full_version,
            "--python-platform",
            f"{runtime.machine}-manylinux_2_{runtime.glibc[1]}",
        )
        if question.constraints:
            yield from ("--constraints", write_lines(self.workspace / "constraints.txt", question.constraints))
        if question.build_requires:
            limits = [f"{limit.name}{limit.specifier}" for limit in map(Requirement, question.build_requires)]
            yield from ("--build-constraints", write_lines(self.workspace / "builds.txt", limits))
        if question.exclude:
            yield from ("--excludes", write_lines(self.workspace / "excludes.txt", question.exclude))
        # uv itself reads no such variable.
        if self.environment.get("UV_NO_INDEX"):
            yield "--no-index"
        for folder in question.find_links:
            yield from ("--find-links", str(folder))
        if question.pre_release:
            yield from ("--prerelease", "allow")
        if question.no_deps:
            yield "--no-deps"

    def _write_build_requires(self, question: Question) -> Path:
        """Write a configuration by which those that are required have their metadata made with what they forgot to name."""
        needs = json.dumps(question.build_requires)
        names = sorted({requirement.name for requirement in question.requirements if requirement.name})
        lines = ["[extra-build-dependencies]", *(f"{json.dumps(name)} = {needs}" for name in names)]
        path = self.workspace / "uv.toml"
        write_lines(path, lines)
        return path


def executable(env: Mapping[str, str]) -> str:
    """Return the path of uv: the one installed beside udfs, or the one on the PATH."""
    try:
        from uv import find_uv_bin

        return str(find_uv_bin())
    except (ImportError, FileNotFoundError):
        program = shutil.which("uv", path=env.get("PATH", ""))
    if program is None:
        hint = ("pip install 'udfs[lock]'; only `", Command("lock"), "` needs it, plan and apply do not")
        raise PackageError("E474", "uv, which resolves requirements, is not installed", hint=hint)
    return program


def _edges(log: str) -> dict[tuple[str, str], set[str]]:
    """Return who needs what: (distribution, version) → the distributions it asks for."""
    children: dict[tuple[str, str], set[str]] = defaultdict(set)
    for line in log.splitlines():
        if edge := _EDGE.match(line.strip()):
            children[edge["parent"], edge["version"]].add(edge["child"])
    return children


def _answers(
    content: bytes, question: Question, workspace: Path, edges: Mapping[tuple[str, str], set[str]]
) -> Iterator[Distribution]:
    from packaging.pylock import PackageArchive, PackageDirectory, PackageVcs, PackageWheel, Pylock

    lock = Pylock.from_dict(_toml(content))
    # By the runtime's own list of tags, so a wheel for too new a glibc is never chosen.
    chosen = list(
        lock.select(environment=cast("Environment", markers(question.runtime)), tags=supported_tags(question.runtime))
    )
    needed: dict[str, set[str]] = defaultdict(set)
    for package, _ in chosen:
        for name, version in edges:
            if name == package.name and (package.version is None or version == str(package.version)):
                for child in edges[name, version]:
                    needed[child].add(package.name)
    for package, file in chosen:
        needed_by = tuple(sorted(needed[package.name] - {package.name}))
        stated = str(package.version) if package.version is not None else None
        if isinstance(file, (PackageArchive, PackageDirectory)):
            yield Distribution(
                package.name,
                stated,
                path=question.path_of((workspace / (file.path or "")).resolve()),
                needed_by=needed_by,
            )
        elif isinstance(file, PackageVcs):
            raise PackageError("E471", f"'{package.name}' comes from a repository, whose address a lock would need")
        elif isinstance(file, PackageWheel):
            yield Distribution(package.name, stated, wheel=_remote(file, workspace), needed_by=needed_by)
        else:
            yield Distribution(package.name, stated, sdist=_remote(file, workspace), needed_by=needed_by)


def _remote(file: PackageWheel | PackageSdist, workspace: Path) -> Remote:
    url = file.url or (workspace / (file.path or "")).resolve().as_uri()
    return Remote.at(url, file.hashes.get("sha256"), file.size)


def _toml(content: bytes) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        from tomllib import loads
    else:
        from tomli import loads
    table: dict[str, Any] = loads(content.decode("utf-8"))
    return table


def markers(runtime: Runtime) -> dict[str, str]:
    """Return the environment of PEP 508's markers as the runtime has it."""
    major, minor = runtime.python_version
    is_old = runtime.python_version < (3, 3)
    return {
        "implementation_name": "" if is_old else "cpython",
        "implementation_version": "0" if is_old else runtime.full_version,
        "os_name": "posix",
        "platform_machine": runtime.machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": runtime.full_version,
        "python_version": f"{major}.{minor}",
        "sys_platform": "linux2" if is_old else "linux",
    }


def _failure(log: str) -> Exception:
    """Turn uv's words into ours."""
    quiet = [line for line in log.splitlines() if not line.startswith(("DEBUG ", "TRACE ", "INFO ", "warning: "))]
    lines = [line.strip() for line in quiet if line.strip()]
    text = "\n".join(quiet)
    if _DENIED.search(text):  # what uv then says, that there is no such distribution, would mislead
        return index_failure(is_denied=True, said=filter(_DENIED.search, lines), more=_UNLESS)
    is_conflict = "No solution found" in text
    if _SILENT.search(text) and (is_conflict or not _NO_SUCH.search(text)):
        return index_failure(is_denied=False, said=lines, more=_UNLESS)
    if is_conflict:
        cause = _HINTS.sub("", text.partition("cause:")[2] or text.partition("╰─▶")[2] or text)
        return Unsolvable(tuple(filter(None, map(str.strip, cause.splitlines()))), frozenset(_NO_WHEEL.findall(text)))
    if _NO_SUCH.search(text):
        return Unsolvable(tuple(lines))
    # The head says what was to be built, the tail of a traceback why it was not.
    telling = lines if len(lines) <= 40 else [*lines[:5], "…", *lines[-30:]]
    hint = more_to_build_with(text)
    return PackageError("E475", "uv failed to resolve the requirements", hint=hint, detail=tuple(map(mask, telling)))
