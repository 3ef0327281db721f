"""doctor: what is on this machine, and what is missing."""

from __future__ import annotations

import json
import os
import platform
from contextlib import suppress
from dataclasses import asdict
from importlib import metadata
from typing import TYPE_CHECKING

import click

from reconciler import __version__
from reconciler.base.errors import UdfsError
from reconciler.base.hints import Command
from reconciler.cli.support.access import diagnose_access, trust_result
from reconciler.cli.support.diagnosis import Diagnosis
from reconciler.cli.support.interpreter import find_root_of, python_standing_for, variable_of
from reconciler.cli.support.options import Options, command, handover_options, manifest_options
from reconciler.cli.support.output import Result
from reconciler.cli.support.project import cache_folder, open_manifest, user_cache
from reconciler.cli.support.secrecy import HINT, describe_barrier, secret_names
from reconciler.local.runner import (
    SERVICE_ABI,
    Interpreter,
    InterpreterNotFound,
    RunnerError,
    find_sandbox,
    how_to_get,
    locate,
)
from reconciler.targets import TARGETS, adapter_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.manifest.load import Loaded
    from reconciler.targets.powers import Equipment


_APART = (
    "let a job without them run `",
    Command("test"),
    "` and build (udfs build --wheels DIR), and this one take what came of it: --no-build --wheels DIR",
)


@command()
@manifest_options
@handover_options
@click.option("--trust", is_flag=True, help="Print the policies by which a role trusts this repository's pipelines.")
@click.option(
    "--environment", metavar="NAME", help="With --trust: the environment of GitHub's jobs; else the target's name."
)
@click.option(
    "--branch", default="main", show_default=True, metavar="NAME", help="With --trust: the branch that is applied."
)
def doctor(options: Options, trust: bool, environment: str | None, branch: str) -> Result:
    """Tell what is on this machine, what is missing, and how to get it. Reads the project, changes nothing.

    With --target it makes a plan, and says which permissions that needs and lacks, with the statements that grant them. Exits
    with 1 when something that the manifest needs is missing.
    """
    if trust:
        return trust_result(options, environment, branch)
    manifest = _manifest(options)
    kinds = [adapter() for adapter in TARGETS.values()] if isinstance(manifest, UdfsError) else [adapter_of(manifest)]
    equipment = [adapter.equipment for adapter in kinds]
    findings = [
        *_tool(equipment),
        *_isolation(options),
        *_packaging(),
        *_interpreters(equipment, manifest),
        *_pythons(equipment, manifest),
        *_environments(options, manifest),
        *_tools(options, manifest),
        *_project(options, manifest),
    ]
    code = 0 if all(finding.ok is not False for finding in findings) else 1
    if options.as_json:
        return Result(json.dumps([asdict(finding) for finding in findings], indent=2) + "\n", code)
    return Result((line for finding in findings for line in finding.lines()), code)


def _manifest(options: Options) -> Loaded | UdfsError:
    """Return the manifest, or why there is none."""
    try:
        return open_manifest(options)
    except UdfsError as error:
        return error


def _isolation(options: Options) -> Iterator[Diagnosis]:
    is_complete, finding = describe_barrier()
    beside = secret_names(os.environ)
    if is_complete:
        yield Diagnosis(True, "isolation", finding)
        if beside and os.environ.get("CI") and not options.no_build:
            # The kernel keeps processes apart; files, sockets and the network of the job stay within reach.
            finding = f"this job of a pipeline holds {', '.join(beside)}, and builds and tests would run beside them"
            yield Diagnosis(None, "secrets", finding, options.invocation.spell(_APART), warns=True)
        return
    finding += f"; secrets here: {', '.join(beside)}" if beside else "; no secrets are here"
    yield Diagnosis(None, "isolation", finding, options.invocation.spell(HINT), warns=True)


def _tool(equipment: Sequence[Equipment]) -> Iterator[Diagnosis]:
    libraries = [*(name for kind in equipment for name in kind.distributions), "pydantic", "PyYAML"]
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in libraries)
    yield Diagnosis(True, "udfs", f"{__version__} on Python {platform.python_version()}, {versions}")
    yield Diagnosis(None, "cache", str(cache_folder()))
    names = ", ".join(dict.fromkeys(name for kind in equipment for name in kind.credentials if os.environ.get(name)))
    without = "; ".join(dict.fromkeys(["none in the environment", *(kind.without_credentials for kind in equipment)]))
    yield Diagnosis(None, "credentials", names or without)


def _packaging() -> Iterator[Diagnosis]:
    for subject, name, what, extra in (
        ("uv", "uv", "resolves requirements", "lock"),
        ("pex", "pex", "resolves for Python 2.7 and for old systems", "lock"),
        ("zig", "ziglang", "compiles what has no wheel", "build"),
    ):
        try:
            yield Diagnosis(True, subject, f"{metadata.version(name)}, {what}")
        except metadata.PackageNotFoundError:
            yield Diagnosis(None, subject, f"not installed; it {what}", f"pip install 'udfs[{extra}]'")


def _interpreters(equipment: Sequence[Equipment], manifest: Loaded | UdfsError) -> Iterator[Diagnosis]:
    code = {} if isinstance(manifest, UdfsError) else manifest.code
    required = {function.runtime.tag for function in code.values()}
    for tag in dict.fromkeys(tag for kind in equipment for tag in kind.interpreters):
        try:
            interpreter = locate(tag, os.environ)
        except InterpreterNotFound as missing:
            is_ok = False if tag in required else None
            yield Diagnosis(is_ok, tag, "no CPython of this runtime", missing.hint or "")
            continue
        yield from _sandbox(interpreter)
        version = ".".join(map(str, interpreter.version))
        python = f"CPython {version} {interpreter.abi}, {interpreter.path}"
        if interpreter.abi == SERVICE_ABI[tag]:
            yield Diagnosis(True, tag, python)
        else:
            finding = f"{python}; not {SERVICE_ABI[tag]}, so it runs pure Python only"
            yield Diagnosis(None, tag, finding, how_to_get(tag))


def _pythons(equipment: Sequence[Equipment], manifest: Loaded | UdfsError) -> Iterator[Diagnosis]:
    """Say what stands here for each runtime of the manifest's functions whose Python is any of its version."""
    code = {} if isinstance(manifest, UdfsError) else manifest.code
    named = {tag for kind in equipment for tag in kind.interpreters}
    for runtime in dict.fromkeys(function.runtime for function in code.values()):
        if runtime.tag in named:
            continue
        version = "{}.{}".format(*runtime.python_version)
        if root := find_root_of(runtime):
            yield Diagnosis(True, runtime.tag, f"root of {root.released}")
        elif python := python_standing_for(runtime):
            yield Diagnosis(True, runtime.tag, f"CPython {python}")
        else:
            hint = f"uv python install {version}\nor name one you have: {variable_of(runtime)}=/path/to/python{version}"
            yield Diagnosis(False, runtime.tag, f"no CPython {version}", hint)


def _environments(options: Options, manifest: Loaded | UdfsError) -> Iterator[Diagnosis]:
    """Say where the interpreter of each environment comes from, and what keeps it from being packed."""
    if isinstance(manifest, UdfsError) or not manifest.manifest.environments:
        return
    from reconciler.packages.environment.sources import describe_interpreter

    for name, environment in manifest.manifest.environments.items():
        source = describe_interpreter(environment, manifest.runtimes[environment.python], options.env, user_cache())
        yield Diagnosis(source.is_ready, f"environment {name}", source.text, source.hint)


def _tools(options: Options, manifest: Loaded | UdfsError) -> Iterator[Diagnosis]:
    """Say what else the target of a manifest needs here."""
    if not isinstance(manifest, UdfsError):
        for tool in adapter_of(manifest).find_tools(manifest, options.env):
            yield Diagnosis(tool.is_there, tool.name, tool.text, tool.hint)


def _sandbox(interpreter: Interpreter) -> Iterator[Diagnosis]:
    """Say what keeps functions without isolation in the sandbox, as far as it can be tried."""
    with suppress(RunnerError):
        finding = f"functions without isolation are kept in it by {find_sandbox(interpreter)}"
        yield Diagnosis(True, f"{interpreter.runtime} sandbox", finding)


def _project(options: Options, manifest: Loaded | UdfsError) -> Iterator[Diagnosis]:
    try:
        if isinstance(manifest, UdfsError):
            raise manifest
        yield Diagnosis(True, "manifest", f"{options.file}, stack {manifest.manifest.stack}")
        yield from diagnose_access(options, manifest)
    except UdfsError as error:
        first = error.problems[0]
        subject = "manifest" if first.code < "E6" else "target"
        # No manifest is no fault where none was named.
        is_ok = None if first.code == "E101" and not options.file.exists() else False
        yield Diagnosis(is_ok, subject, f"{first.code} {first.message}", options.invocation.spell(first.hint))
        return
