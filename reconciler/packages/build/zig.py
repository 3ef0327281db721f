"""
Compilers of a build on this machine: Zig's clang, told which glibc to link with.

Zig brings headers and stubs of every glibc from 2.0 on, so what it links runs on systems as old as one says; it brings its own
C++ library too and links it in. PyPI has it as ``ziglang``, 400 MB unpacked, hence the extra ``udfs[build]``.

A build's compilers are scripts in the workspace that start `compiler`.
"""

from __future__ import annotations

import json
import os
import platform
import shlex
import shutil
import sys
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.base.errors import count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.manifest.runtimes import Runtime
    from reconciler.packages.build.environment import InterpreterFacts

_LONGEST_WORK = 1 << 20
"""Bytes: names of ten thousand files."""

_NAMES = {
    "cc": ("cc", "gcc", "clang", "x86_64-linux-gnu-gcc", "aarch64-linux-gnu-gcc"),
    "c++": ("c++", "g++", "clang++", "x86_64-linux-gnu-g++", "aarch64-linux-gnu-g++"),
    "ar": ("ar", "gcc-ar"),
    "ranlib": ("ranlib", "gcc-ranlib"),
    "fortran": ("gfortran", "f77", "f95", "g77", "flang"),
}
"""What `compiler` can be → the names by which builds call it."""


@dataclass(frozen=True)
class Zig:
    """An installed ``ziglang``."""

    program: Path
    version: str


def find_zig() -> Zig | None:
    """Return the ``ziglang`` of this Python's environment, if there is one for this machine."""
    spec = util.find_spec("ziglang")
    if spec is None or spec.origin is None:
        return None
    program = Path(spec.origin).with_name("zig")
    return Zig(program, metadata.version("ziglang")) if program.is_file() else None


def why_not_here(runtime: Runtime) -> str | None:
    """Return why extensions for a runtime cannot be compiled on this machine, whatever is installed."""
    system, machine = platform.system(), platform.machine()
    if (system, machine) == ("Linux", runtime.machine):
        return None
    return (
        f"the headers of this machine's Python are for {system} on {machine}, and the workers are Linux on "
        f"{runtime.machine}"
    )


@dataclass(frozen=True)
class Compilers:
    """Scripts in a workspace that are compilers to a build."""

    folder: Path
    """To be the first of PATH."""

    marks: Path

    def called_tools(self) -> set[str]:
        """Return which of them a build has called: ``cc``, ``c++``, ``ar``, ``ranlib``, ``fortran``."""
        return {path.name for path in self.marks.iterdir()}

    def work(self) -> str:
        """Return what they were last at, and for how many files; empty before they were called."""
        # The build may write there too: a link is not followed, nothing is waited for, and no more than a screenful counts.
        with suppress(OSError):
            descriptor = os.open(self.marks.parent / "work", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as stream:
                *_, last = lines = ["", *stream.read(_LONGEST_WORK).decode(errors="replace").splitlines()]
            number = sum(line.startswith("compiling") for line in lines)
            return f"{last}, {count(number, 'file')} so far" if number > 1 else last
        return ""

    @property
    def variables(self) -> dict[str, str]:
        """What a build is told of them."""
        cc, cxx = f"{self.folder}/cc", f"{self.folder}/c++"
        return {
            "CC": cc,
            "CXX": cxx,
            "CPP": f"{cc} -E",
            "LDSHARED": f"{cc} -shared",
            "LDCXXSHARED": f"{cxx} -shared",
            "AR": f"{self.folder}/ar",
            "RANLIB": f"{self.folder}/ranlib",
            **dict.fromkeys(("FC", "F77", "F90", "F95"), f"{self.folder}/gfortran"),
        }


def install_compilers(
    zig: Zig | None,
    workspace: Path,
    runtime: Runtime,
    *,
    python: InterpreterFacts | None,
    headers: Sequence[Path],
    libraries: Path,
    cache: Path,
    refusal: str | None,
) -> Compilers:
    """
    Write the scripts; with a `refusal` each of them ends with these words instead.

    `libraries` is a folder to link from, `cache` one where Zig keeps what it compiled of glibc and its own libraries.
    """
    folder, marks, include = workspace / "bin", workspace / "marks", workspace / "include"
    for directory in (folder, marks, include):
        directory.mkdir()
    (include / "crypt.h").touch()  # CPython up to 3.8 includes it everywhere and uses it in one module of its own
    if python is not None:
        _lead_to_second_headers(python, include)
    target = f"{runtime.machine}-linux-gnu.{runtime.glibc[0]}.{runtime.glibc[1]}"
    settings = {
        "zig": str(zig.program if zig else ""),
        "refusal": refusal,
        "marks": str(marks),
        "before": ["-target", target],
        "after": [
            *(f"-I{path}" for path in (*headers, include)),
            f"-L{libraries}",
            # Zig would add traps for undefined behaviour, and the path of the workspace differs each time.
            *("-fno-sanitize=undefined", "-g0", "-Wno-unused-command-line-argument"),
            "-Wno-date-time",  # an error to Zig, though SOURCE_DATE_EPOCH says which date it is
            f"-ffile-prefix-map={workspace}=/build",
        ],
        "environment": {"ZIG_GLOBAL_CACHE_DIR": str(cache), "ZIG_LOCAL_CACHE_DIR": str(cache)},
    }
    config = workspace / "compilers.json"
    config.write_text(json.dumps(settings), encoding="utf-8")
    script = shutil.copyfile(Path(__file__).with_name("compiler.py"), workspace / "compiler.py")
    for tool, names in _NAMES.items():
        started = shlex.join([sys.executable, "-I", "-S", str(script), str(config), tool])
        for name in names:
            (folder / name).write_text(f'#!/bin/sh\nexec {started} "$@"\n', encoding="utf-8")
            (folder / name).chmod(0o755)
    return Compilers(folder, marks)


def _lead_to_second_headers(python: InterpreterFacts, own_include: Path) -> None:
    """
    Make Debian's Python usable: its pyconfig.h includes <MULTIARCH/pythonX.Y/pyconfig.h>, from this machine's headers.

    Those are not searched, because everything else in them belongs to this machine's glibc.
    """
    include = Path(python.include)
    second = include.parent / python.multiarch / include.name
    if python.multiarch and second.is_dir():
        (own_include / python.multiarch).mkdir()
        (own_include / python.multiarch / include.name).symlink_to(second)
