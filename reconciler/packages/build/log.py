"""
Log of one build: everything that its tools said, and the one thing to do about a failure.

It is kept, so no credentials may get into it: tools write into a file without a name, and what is copied from there is
masked. A message quotes the lines that tell most, and names the log that has the rest.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from reconciler.base.errors import PackageError
from reconciler.base.inputs import REPORT, read_input
from reconciler.base.processes import CutOff, Output
from reconciler.packages.fetch.pip import mask, mask_secrets
from reconciler.packages.projects import PROJECTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from reconciler.base.processes import Tools
    from reconciler.manifest.runtimes import Runtime


@dataclass
class BuildLog:
    """The file in which it is kept."""

    path: Path
    follower: Follower | None = None
    """Of the command that runs."""

    def last_line(self) -> str:
        """Return what the command that runs said last; what it said until now is in the file then."""
        follower = self.follower
        return follower.catch_up() if follower is not None else ""

    def start(self) -> None:
        """Begin anew: in a new file, because another process may be writing into one of this name."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.unlink(missing_ok=True)
        self.path.touch(mode=0o600)

    def add(self, text: str) -> None:
        with self.path.open("a", encoding="utf-8") as stream:
            stream.writelines(f"{mask_secrets(line)}\n" for line in text.splitlines())

    def text(self) -> str:
        return read_input(self.path, REPORT).decode("utf-8", "replace")


class Follower:
    """Brings what a command says into the log while it runs. May be used from several threads."""

    def __init__(self, output: Output, log: BuildLog) -> None:
        self._output, self._log, self._lock = output, log, Lock()
        self._position, self._last = 0, ""

    def catch_up(self, *, is_over: bool = False) -> str:
        """Copy the lines that have come since, and return the last that says something."""
        with self._lock, suppress(OSError, ValueError):  # the command ended meanwhile
            content = self._output.since(self._position)
            whole = content if is_over else content[: content.rfind(b"\n") + 1]
            self._position += len(whole)
            text = whole.decode("utf-8", "replace")
            self._log.add(text)
            lines = [line.strip() for line in text.splitlines() if line.strip()]
            # Which file, and not the gateway that it comes through.
            self._last = _FOLDERS.sub("", mask(lines[-1]))[:_WIDEST] if lines else self._last
        return self._last


def run_logged(
    tools: Tools,
    command: Sequence[str],
    *,
    cwd: Path,
    environment: Mapping[str, str],
    log: BuildLog,
    label: str,
    timeout: float,
    on_abandon: Callable[[], None] = lambda: None,
    trusted: bool = False,
) -> tuple[int, str]:
    """
    Return a command's exit code and what it said, which is in the log too; raises E447 where it is cut off.

    `on_abandon` is called when the command was ended before it was done.
    """
    log.add(f"$ {' '.join(command)}")
    code: int | None = None
    with Output(log.path.parent) as output:  # not in the working directory: that is the project's
        follower = log.follower = Follower(output, log)
        try:
            code = tools.run(command, cwd=cwd, environment=environment, timeout=timeout, out=output, trusted=trusted)
        except CutOff as error:
            if error.stopped:
                raise PackageError("E447", f"building {label} was stopped") from None
            message = f"building {label} did not end within {timeout:g} seconds"
            raise PackageError("E447", message, hint=f"what it was doing is in {log.path}") from None
        finally:
            said = output.text()
            log.follower = None
            follower.catch_up(is_over=True)
            if code is None:
                on_abandon()
    return code, said


_HEADER = re.compile(r"fatal error: '?(?P<name>[\w./+-]+\.h(pp|xx)?)'?( file not found|: No such file)")
_LIBRARY = re.compile(
    r"unable to find \w+ system library '?\"?(?P<zig>[\w.+-]+)|cannot find -l(?P<ld>[\w.+-]+)|unable to find library -l(?P<lld>[\w.+-]+)"
)
_NOT_FOUND = re.compile(r"Could NOT find (?P<name>\w+)")
"""CMake's words for what a project cannot do without."""

_PROGRAM = re.compile(
    r"(?P<name>\w+[-_]config)\b[^\n]{0,40}not found|No such file or directory: '(?P<file>\w+[-_]config)'"
)
"""What a project asks where its library is."""

_FORTRAN = re.compile(
    r"no Fortran compiler|Unknown compiler\(s\): .*gfortran|Fortran compiler .*not found", re.IGNORECASE
)
_SCM = re.compile(
    r"(setuptools[_-]scm|hatch[_-]vcs|versioningit|pbr).*(unable|could not|failed)|SETUPTOOLS_SCM_PRETEND_VERSION"
)
_OF_A_COMPILER = re.compile(r":\d+: (fatal )?error: |^(ld\.lld: )?error: (?!command )|undefined symbol: ")
_TELLING = re.compile(r"(?<!-W)error\b(?!=)|\w+(Error|Exception):", re.IGNORECASE)
_HOLLOW = re.compile(
    r"^\s*(error: command .* failed|subprocess-exited|.*CalledProcessError)|\d+ (errors?|warnings?) generated"
)
_FOLDERS = re.compile(r"https?://\S*/")
_SHOWN = 4
_WIDEST = 100
_PACKAGES = {
    "ffi.h": "libffi",
    "openssl/": "OpenSSL",
    "zlib.h": "zlib",
    "libxml/": "libxml2",
    "libpq-fe.h": "PostgreSQL's libpq",
    "mysql.h": "MySQL's client library",
    "jpeglib.h": "libjpeg",
    "lzma.h": "xz",
    "bzlib.h": "bzip2",
    "yaml.h": "LibYAML",
    "geos_c.h": "GEOS",
    "gdal.h": "GDAL",
    "proj.h": "PROJ",
    "omp.h": "OpenMP (libgomp)",
}
"""Beginnings of headers' names → what brings them."""

_WITH_WHEELS = {
    "psycopg2": "psycopg2-binary",
    "mysqlclient": "pymysql",
    "python-ldap": "ldap3",
    "pycrypto": "pycryptodome",
}
"""Distributions that are published as source alone and need a library → what is used in their place and has wheels."""


def build_failure(label: str, runtime: Runtime, why: str, said: str, log: Path) -> PackageError:
    """Return the error for a backend that made no wheel: the most specific one that its words allow."""
    lines = telling_lines(said)
    if _FORTRAN.search(said):
        return PackageError(
            "E445",
            f"{label} cannot be built for {runtime.label}: it has parts in Fortran, and there is no compiler for that here",
            hint=f"take a version that has a wheel, or build one in a container that has gfortran; the whole log is in {log}",
            detail=lines,
        )
    if match := _HEADER.search(said):
        brought = next((f", of {name}" for start, name in _PACKAGES.items() if match["name"].startswith(start)), "")
        return _needs(label, runtime, f"the header {match['name']}{brought}", log, lines)
    if match := _LIBRARY.search(said):
        return _needs(label, runtime, f"the library lib{match['zig'] or match['ld'] or match['lld']}", log, lines)
    if match := _NOT_FOUND.search(said):
        return _needs(label, runtime, f"{match['name'].partition('_')[0]}, which its CMake looks for", log, lines)
    if match := _PROGRAM.search(said):
        program = match["name"] or match["file"]
        return _needs(label, runtime, f"the program {program} (`build: {{programs: […/{program}]}}`)", log, lines)
    hint = f"the whole log is in {log}"
    if _SCM.search(said):
        hint = f"its version comes from Git, and builds see no .git: set SETUPTOOLS_SCM_PRETEND_VERSION for it; {hint}"
    if need := more_to_build_with(said):
        hint = f"{need}; {hint}"
    words = lines[0] if lines else mask(why)
    return PackageError("E440", f"{label} cannot be built for {runtime.label}: {words}", hint=hint, detail=lines[1:])


_NO_MODULE = re.compile(r"No module named '?([A-Za-z_]\w*)")


def more_to_build_with(said: str) -> str | None:
    """Return what to write where a project forgot to name what its build imports, or was made for an older setuptools."""
    if match := _PROGRAM.search(said):
        return f"write build: {{programs: [vendor/{match['name'] or match['file']}]}} in the package: a program that says where the library is"
    missing = [name for name in _NO_MODULE.findall(said) if name not in ("pip", "distutils")]
    need = (
        "setuptools<58"
        if "use_2to3 is invalid" in said
        else PROJECTS.get(missing[-1], missing[-1])
        if missing
        else None
    )
    return need and f"write build: {{requires: ['{need}']}} in the package, and it is built with that"


def _needs(label: str, runtime: Runtime, what: str, log: Path, lines: tuple[str, ...]) -> PackageError:
    instead = _WITH_WHEELS.get(re.split(r"[ =<>!~\[;]", label, maxsplit=1)[0].lower())
    return PackageError(
        "E444",
        f"{label} cannot be built for {runtime.label}: it needs {what}, and a build sees none of this machine's libraries",
        hint=(f"{instead} is used in its place and has wheels; or " if instead else "")
        + "give the build its headers and the library itself (`build: {headers: […], libraries: […]}`), built for "
        f"glibc {runtime.glibc[0]}.{runtime.glibc[1]} or older, or take a version that has a wheel; the whole log is in {log}",
        detail=lines,
    )


def telling_lines(said: str) -> tuple[str, ...]:
    """
    Return a few lines that say what is wrong, the most telling first.

    A compiler's first complaint causes its others; of a traceback the last line counts.
    """
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    if complaints := [line for line in lines if _OF_A_COMPILER.search(line)]:
        chosen_lines = complaints[:_SHOWN]
    else:
        chosen_lines = [line for line in lines if _TELLING.search(line) and not _HOLLOW.search(line)] or lines
        chosen_lines = chosen_lines[: -_SHOWN - 1 : -1]
    return tuple(mask(line) for line in dict.fromkeys(chosen_lines))
