"""
Sources of interpreters: where the Python of an environment is taken from, and whether it can be packed and loads where workers are.

It is named by its path, copied out of a manylinux image, or looked for on this machine; an archive that is given has its own.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.base.errors import InterpreterError, PackageError
from reconciler.base.hints import spell
from reconciler.packages.build.engines import find_engine, image_of
from reconciler.packages.environment.containers import image_folder
from reconciler.packages.environment.prefix import find_prefix, prefix_files, relocate_program
from reconciler.packages.inspect import gate
from reconciler.packages.inspect.contents import FileFacts, Native
from reconciler.packages.inspect.elf import Damaged, read_elf
from reconciler.packages.inspect.files import is_elf
from reconciler.packages.lock.workshop import find_interpreter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from reconciler.manifest.model import WorkerEnvironment
    from reconciler.manifest.runtimes import Runtime
    from reconciler.packages.environment.prefix import Prefix
    from reconciler.packages.fetch.cache import Cache
    from reconciler.packages.inspect.files import FileFinding

_OTHERWISE = "name one under `interpreter:`, by the folder that has bin/python{0}, or `builder: container` takes that of an image"


@dataclass(frozen=True)
class InterpreterSource:
    """Where an interpreter comes from, for people."""

    is_ready: bool | None
    """None where it is fetched when it is needed."""

    text: str
    hint: str = ""


def locate_prefix(
    environment: WorkerEnvironment, runtime: Runtime, env: Mapping[str, str], copy_from_image: Callable[[], Path]
) -> Prefix:
    """
    Return the interpreter that is packed into an environment.

    Raises E661 for what is none, or of another version than the runtime, and E701 where this machine has none.
    """
    if environment.interpreter is not None:
        prefix = find_prefix(Path(environment.interpreter))
    elif environment.builder is not None:
        prefix = find_prefix(copy_from_image())
    else:
        prefix = find_prefix(_found_here(env, runtime))
    if prefix.version != runtime.python_version:
        version = ".".join(map(str, prefix.version))
        hint = f"name the folder of a {runtime.name}"
        raise PackageError(
            "E661", f"'{prefix.folder}' is CPython {version}, and the environment's Python {runtime.tag}", hint=hint
        )
    return prefix


def _found_here(env: Mapping[str, str], runtime: Runtime) -> Path:
    try:
        return find_interpreter(env, runtime).resolve()
    except InterpreterError as error:
        hint = _OTHERWISE.format("{}.{}".format(*runtime.python_version))
        raise InterpreterError("E701", str(error), hint=hint) from error


def describe_interpreter(
    environment: WorkerEnvironment, runtime: Runtime, env: Mapping[str, str], cache: Cache
) -> InterpreterSource:
    """Return where the interpreter of an environment comes from, or what is missing; no container is started."""
    if environment.archive is not None:
        text = f"{environment.archive} has a Python of its own, which udfs validate looks at"
        return InterpreterSource(True, text)
    try:
        if environment.builder is not None:
            image = image_of(runtime)[0]
            if not (image_folder(runtime, cache) / "lib").is_dir():
                engine = find_engine(env, "the interpreter")
                return InterpreterSource(None, f"{runtime.name} of {image}, which {engine} fetches once")
        prefix = locate_prefix(environment, runtime, env, lambda: image_folder(runtime, cache))
        whole = f"CPython {'.'.join(map(str, prefix.version))} in {prefix.folder}"
        misfit = next((finding for finding in _misfits(prefix, runtime) if finding.severity == "error"), None)
    except (PackageError, InterpreterError) as error:
        problem = error.problems[0]
        return InterpreterSource(False, f"{problem.code} {problem.message}", spell(problem.hint))
    if misfit is not None:
        hint = "`builder: container` takes an interpreter that was built on an older system"
        return InterpreterSource(False, f"{misfit.code} {whole} {misfit.message}", hint)
    return InterpreterSource(True, whole)


def _misfits(prefix: Prefix, runtime: Runtime) -> Iterator[FileFinding]:
    """Yield why a program or its library would not load in a runtime; raises E661 and E662 where they cannot be moved."""
    natives = []
    for file in prefix_files(prefix):
        if not file.is_executable or file.name.startswith(prefix.library):
            continue
        content = relocate_program(file)
        if is_elf(content):
            try:
                natives.append(Native(file.name, read_elf(io.BytesIO(content))))
            except Damaged as error:
                raise PackageError("E661", f"'{file.path}' cannot be read: {error}") from error
    yield from gate.misfits(FileFacts(natives=tuple(natives)), runtime, has_programs=True)
