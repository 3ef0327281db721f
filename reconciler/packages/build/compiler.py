"""
Compiler wrapper: says to Zig's clang what a build says to the compiler that CPython was built with.

Run by the scripts that `zig` writes, as ``python -I -S compiler.py SETTINGS TOOL ARGUMENTS…``; imports nothing but the
standard library, because it starts once for every file that is compiled.

Python's sysconfig remembers the compiler, flags and folders of the machine on which that Python was built, and projects add
what their authors' gcc likes. What Zig refuses, and what would tie the result to this machine, is left out.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

_MACHINES_OWN = re.compile(r"/(usr/(local/)?)?(lib|lib64|include)(/[a-z0-9_]+-linux-gnu)?/?\Z")
"""Folders whose headers and libraries are this machine's, and newer than the runtime's."""

_DROPPED = re.compile(
    r"-flto(=.*)?|-fno-lto|-ffat-lto-objects|-fuse-linker-plugin|-fno-use-linker-plugin"  # gcc's link-time optimization
    r"|-f(no-)?var-tracking(-assignments)?|-fprofile-\S+|-fauto-profile\S*"
    r"|-fsanitize\S*|-m(arch|tune|cpu)=native|-B.*|-fuse-ld=.*|-specs=.*|-s"
    r"|-lpython\d\S*"  # an extension takes Python's symbols from the interpreter that loads it (PEP 513)
)
_DROPPED_BY_LINKER = re.compile(
    r"-Bsymbolic-functions|--icf=.*|--(no-)?sort-common.*|--push-state|--pop-state|--exclude-libs=.*"
    r"|-Map=.*|--dynamic-list=.*|--build-id.*|-rpath(-link)?=/.*|-R/.*"
)
_SOURCE = re.compile(r"\.(c|cc|cpp|cxx|c\+\+|m|mm|s)\Z", re.IGNORECASE)
_CXX_SOURCE = re.compile(r"\.(cc|cpp|cxx|c\+\+|C)\Z")
_NOT_LINKING = frozenset({"-c", "-E", "-S", "-M", "-MM", "-r", "--version", "-v"})
_TAKE_A_VALUE = ("--exclude-libs", "-Map", "--dynamic-list")
_PATHS = ("-rpath", "-rpath-link", "-R")


def translate_arguments(arguments: list[str], settings: dict[str, list[str]]) -> list[str]:
    """Return a compiler's arguments as Zig is to get them: `settings` names what is put before and after."""
    kept: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if argument in ("-I", "-L", "-isystem", "-idirafter"):
            value = next(rest, "")
            kept += [] if _MACHINES_OWN.match(value) else [argument, value]
        elif argument == "-Xlinker":
            kept += _for_linker([next(rest, "")])
        elif argument.startswith("-Wl,"):
            kept += _for_linker(argument.split(",")[1:])
        elif argument.startswith("-Wp,"):
            kept += argument.split(",")[1:]
        elif not _DROPPED.fullmatch(argument) and not (
            argument[:2] in ("-I", "-L") and _MACHINES_OWN.match(argument[2:])
        ):
            kept.append(argument)
    if "-shared" in kept:
        kept = [argument for argument in kept if argument not in ("-fPIE", "-fpie", "-pie")]
    strip = [] if _NOT_LINKING.intersection(kept) else ["-s"]
    return [*settings["before"], *kept, *settings["after"], *strip]


def driver_of(tool: str, arguments: list[str]) -> str:
    """
    Return which of Zig's compilers takes what was said to `tool`.

    setuptools has long compiled C++ with the C compiler. gcc goes by the file's name; Zig's ``cc`` knows the language and
    does not look where C++ has its headers. [zig 0.17]
    """
    return "c++" if any(map(_CXX_SOURCE.search, arguments)) else tool


def _for_linker(arguments: list[str]) -> list[str]:
    kept: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if argument in _TAKE_A_VALUE:
            next(rest, None)
        elif argument in _PATHS:
            path = next(rest, "")
            kept += [] if path.startswith("/") else [argument, path]
        elif argument == "-z":
            word = next(rest, "")
            kept += [] if word == "combreloc" else [argument, word]
        elif not _DROPPED_BY_LINKER.fullmatch(argument):
            kept.append(argument)
    return ["-Wl," + ",".join(kept)] if kept else []


def note_work(arguments: list[str], marks: Path) -> None:
    """Write down what is compiled or linked: some builds keep it to themselves for a quarter of an hour."""
    sources = [argument for argument in arguments if not argument.startswith("-") and _SOURCE.search(argument)]
    if sources:
        work = f"compiling {Path(sources[0]).name}"
    elif "-o" in arguments[:-1]:
        work = f"linking {Path(arguments[arguments.index('-o') + 1]).name}"
    else:
        return  # a question about the compiler
    with (marks.parent / "work").open("a", encoding="utf-8", errors="replace") as stream:
        stream.write(f"{work}\n")


def main(arguments: list[str]) -> None:
    config, tool, *rest = arguments
    settings = json.loads(Path(config).read_text(encoding="utf-8"))
    marks = Path(settings["marks"])
    (marks / tool).touch()
    if tool == "fortran":
        sys.exit("udfs: there is no Fortran compiler here")
    if settings["refusal"]:
        sys.exit(f"udfs: {settings['refusal']}")
    if tool in ("cc", "c++"):
        note_work(rest, marks)
        tool = driver_of(tool, rest)
        rest = translate_arguments(rest, settings)
    zig = settings["zig"]
    os.execve(zig, [zig, tool, *rest], {**os.environ, **settings["environment"]})  # noqa: TID251, of the build


if __name__ == "__main__":
    main(sys.argv[1:])
