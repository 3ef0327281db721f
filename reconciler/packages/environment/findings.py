"""
Environment findings: why a worker would not start, or not run its functions, from an archive.

A service tells of these in the log of a worker, minutes after the upload, in words of its own (*error=13, Permission denied*), or not at all: a
link that was stored as text leaves a task hanging. Everything here is pure and reads what `contents` has found; findings become problems where
the place in the manifest is known.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from reconciler.packages.environment.contents import BrokenLink
from reconciler.packages.inspect import gate
from reconciler.packages.inspect.contents import FileFacts
from reconciler.packages.inspect.files import FileFinding, shorten

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from reconciler.manifest.runtimes import Runtime
    from reconciler.packages.environment.contents import EnvironmentArchive
    from reconciler.packages.inspect.contents import Native

_AGAIN = "pack it on Linux with `zip -ry`, which keeps links and modes, or let udfs build it"
_STDLIB = re.compile(r"lib/python(?P<major>\d)\.(?P<minor>\d+)/os\.py\Z")
_FOR_CPYTHON = re.compile(r"\.cpython-(?P<major>\d)(?P<minor>\d+)[a-z]*-[\w-]+\.so\Z")
_LIBPYTHON = re.compile(r"libpython\d\.\d+[a-z]*\.so")
_PKG_RESOURCES_GONE = Version("82")
_BEAM_WITHOUT = Version("2.50")
"""
The first Beam that is taken to do without ``pkg_resources``. That of PyFlink 1.20, 2.48, does not [run]; that of 2.2, 2.61, does [its metadata];
where between them the change is, is a guess.
"""

LARGE = 200_000_000
"""Bytes that the vendor's console takes of one file at most [Use Python dependencies]; by OSS more is taken."""


@dataclass(frozen=True)
class WorkerSpec:
    """What an engine asks of the environment in which its Python functions run."""

    engine: str
    """As messages call it: ``flink-1.20``."""

    version: tuple[int, int]
    """Of Flink: the worker's PyFlink has to be of the same."""

    runtime: Runtime
    """The Python, and the system that it runs on."""


def find_program_faults(archive: EnvironmentArchive, program: str) -> Iterator[FileFinding]:
    """Yield why a program of the archive cannot be started."""
    yield from _link_findings(archive)
    try:
        resolved = archive.follow(program)
    except BrokenLink:
        return  # told as a link
    member = archive.members.get(resolved)
    if member is None:
        by_name = sorted(name for name in archive.members if re.search(r"(\A|/)bin/python[\d.]*\Z", name))
        hint = (
            f"it has {' and '.join(by_name[:3])}"
            if by_name
            else "an environment has its interpreter at venv/bin/python"
        )
        where = f"'{program}'" if resolved == program else f"'{program}', which leads to {resolved}"
        yield FileFinding("E640", f"has no program {where}", hint)
        return
    if not member.mode & 0o100:
        mode = f"has the mode {member.mode:04o}" if member.mode else "has no mode: the archive knows nothing of Unix"
        yield FileFinding("E641", f"has a program that must not be started: {resolved} {mode}", _AGAIN)
    if member.program == "other":
        message = f"has a text where a program should be: {resolved} is neither an ELF file nor a script; a link was stored as text"
        yield FileFinding("E643", message, _AGAIN)


def _link_findings(archive: EnvironmentArchive) -> Iterator[FileFinding]:
    broken: list[str] = []
    for name, member in archive.members.items():
        if member.target is not None:
            try:
                archive.follow(name)
            except BrokenLink as error:
                broken.append(str(error))
    if broken:
        hint = "`python -m venv` links to the interpreter of this machine: put a copy of it into the archive, or let udfs build it"
        yield FileFinding(
            "E642", f"has a link that leads out of it: {broken[0]}", hint, shorten(broken) if broken[1:] else ()
        )


def find_environment_faults(archive: EnvironmentArchive, program: str, worker: WorkerSpec) -> Iterator[FileFinding]:
    """Yield everything because of which a worker would not run from an archive; `program` is the interpreter's path in it."""
    yield from archive.faults
    if archive.faults:
        return
    faults = list(find_program_faults(archive, program))
    yield from faults
    if any(fault.code in {"E640", "E642"} for fault in faults):
        return
    resolved = archive.follow(program)
    prefix = posixpath.dirname(posixpath.dirname(resolved))
    yield from _relocation_findings(archive, resolved, prefix)
    version = _python_version(archive, prefix)
    if version is None:
        return
    if version != worker.runtime.python_version:
        theirs, ours = _join_numbers(version), _join_numbers(worker.runtime.python_version)
        hint = f"build it for {ours}, or say so under `python:`"
        yield FileFinding("E647", f"has Python {theirs}, and {worker.runtime.tag} is {ours}", hint)
    yield from _foreign_modules(archive.natives, version)
    site = posixpath.join(prefix, f"lib/python{_join_numbers(version)}/site-packages")
    yield from _system_findings(archive, site, worker.runtime)
    yield from _package_findings(archive, site, worker)


def _system_findings(archive: EnvironmentArchive, site: str, runtime: Runtime) -> Iterator[FileFinding]:
    """Yield what keeps native files from loading: of the interpreter itself, whose programs count as much as its modules, and of packages."""
    packages = tuple(native for native in archive.natives if native.path.startswith(f"{site}/"))
    interpreter = tuple(native for native in archive.natives if native not in packages)
    by_code = {finding.code: finding for finding in reversed([*gate.misfits(FileFacts(natives=interpreter), runtime)])}
    for code in sorted(by_code):
        hint = "take an interpreter that was built on such a system: `builder: container` does"
        yield replace(by_code[code], severity="error", hint=hint)
    yield from gate.misfits(FileFacts(natives=packages), runtime)


def _relocation_findings(archive: EnvironmentArchive, resolved: str, prefix: str) -> Iterator[FileFinding]:
    if home := archive.homes.get(prefix):
        message = f"cannot be moved: it is a venv of the interpreter in {home}, which no worker has"
        yield FileFinding("E644", message, "an environment needs an interpreter of its own: let udfs build it")
    elif archive.members[resolved].program == "elf" and _python_version(archive, prefix) is None:
        landmark = posixpath.join(prefix, "lib/python3.N/os.py")
        message = f"has an interpreter without its standard library: there is no {landmark}"
        yield FileFinding("E645", message, "pack the interpreter's whole prefix")
    program = next((native for native in archive.natives if native.path == resolved), None)
    for library in program.elf.needed if program is not None else ():
        if program is not None and _LIBPYTHON.match(library) and not _finds_beside(program, library, archive):
            where = f"in {', '.join(program.elf.rpath)}" if program.elf.rpath else "in the folders of the system"
            message = f"cannot be moved: its interpreter looks for {library} {where}"
            hint = "patchelf --set-rpath '$ORIGIN/../lib' on the interpreter, or let udfs build it"
            yield FileFinding("E646", message, hint)


def _finds_beside(program: Native, library: str, archive: EnvironmentArchive) -> bool:
    """Say whether a program looks for a library in a folder of the archive that has it."""
    folders = [folder.replace("${ORIGIN}", "$ORIGIN") for folder in program.elf.rpath]
    origin = posixpath.dirname(program.path)
    relative = [folder.replace("$ORIGIN", origin) for folder in folders if folder.startswith("$ORIGIN")]
    return any(posixpath.normpath(f"{folder}/{library}") in archive.members for folder in relative)


def _python_version(archive: EnvironmentArchive, prefix: str) -> tuple[int, int] | None:
    top = f"{prefix}/" if prefix else ""
    matches = (
        _STDLIB.fullmatch(name.removeprefix(top)) for name in archive.members if name.startswith(f"{top}lib/python")
    )
    return next(((int(match["major"]), int(match["minor"])) for match in matches if match), None)


def _foreign_modules(natives: Sequence[Native], version: tuple[int, int]) -> Iterator[FileFinding]:
    foreign = [
        native.path
        for native in natives
        if (match := _FOR_CPYTHON.search(native.name)) and (int(match["major"]), int(match["minor"])) != version
    ]
    if foreign:
        message = (
            f"has modules that were compiled for another Python than its own, {_join_numbers(version)}: {foreign[0]}"
        )
        yield FileFinding("E647", message, "install the packages with the interpreter of the archive", shorten(foreign))


def _package_findings(archive: EnvironmentArchive, site: str, worker: WorkerSpec) -> Iterator[FileFinding]:
    installed, flink = archive.distributions(site), _join_numbers(worker.version)
    pin = f"apache-flink=={flink}.*"
    if f"{site}/pyflink/__init__.py" not in archive.members:
        hint = f"install {pin}; its jars, apache-flink-libraries, are not needed there"
        yield FileFinding("E648", "has no PyFlink, without which a worker cannot start", hint)
    elif (version := installed.get("apache-flink")) and not version.startswith(f"{flink}."):
        message = f"has PyFlink {version}, and {worker.engine} talks to that of {flink} alone"
        yield FileFinding("E649", message, f"install {pin}")
    beam, setuptools = _version(installed.get("apache-beam")), _version(installed.get("setuptools"))
    if beam is not None and beam < _BEAM_WITHOUT and (setuptools is None or setuptools >= _PKG_RESOURCES_GONE):
        has = f"setuptools {setuptools} has it no more" if setuptools else "setuptools is not there"
        message = (
            f"cannot import Apache Beam {beam}, with which PyFlink runs functions: it needs pkg_resources, and {has}"
        )
        yield FileFinding("E650", message, "add 'setuptools<82' to its requirements")


def find_pandas_faults(archive: EnvironmentArchive, functions: Iterable[str]) -> Iterator[FileFinding]:
    """Yield what functions over pandas lack in an archive."""
    names = sorted(functions)
    present = {
        name for path in archive.members for name in ("pandas", "pyarrow") if path.endswith(f"/{name}/__init__.py")
    }
    if names and (missing := sorted({"pandas", "pyarrow"} - present)):
        users = f"'{names[0]}'" + (f" and {len(names) - 1} more" if names[1:] else "")
        message = f"has no {' and no '.join(missing)}, and {users} {'take' if names[1:] else 'takes'} pandas"
        yield FileFinding("E651", message, f"add {' and '.join(missing)} to its requirements", tuple(names[1:]))


def find_size_note(size: int) -> Iterator[FileFinding]:
    """Yield a warning about what the vendor's console would refuse."""
    if size > LARGE:
        message = f"has {size / 1e6:,.1f} MB, and the console takes {LARGE // 1_000_000} at most"
        yield FileFinding("E659", message, "upload it by OSS, which takes it", severity="warning")


def _version(text: str | None) -> Version | None:
    try:
        return Version(text) if text else None
    except InvalidVersion:
        return None


def _join_numbers(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
