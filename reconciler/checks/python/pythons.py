"""
Versions of Python by the tags of runtimes, and the top-level modules of each one's standard library.

`stdlib.txt` has the modules: all that are there under the first version of each major one, then what came and went. Collected
from real interpreters on Linux: from 3.10 on by ``sys.stdlib_module_names`` less what is for Windows and macOS, before that by
listing the library folder, ``lib-dynload`` and ``sys.builtin_module_names``. Test modules are left out. What a service's own
builds lack (a module whose C library was not there when it was compiled) is not published, so a name in there is no promise.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@cache
def python_version(runtime: str) -> tuple[int, int]:
    """Return the Python of a runtime's tag, as PEP 425 writes it: ``cp311``. Read here, because this hot path imports no runtimes."""
    digits = runtime.removeprefix("cp")
    return int(digits[0]), int(digits[1:])


def runtime_name(runtime: str) -> str:
    """Return a runtime as people call it."""
    return "CPython {}.{}".format(*python_version(runtime))


def _history() -> Iterator[tuple[tuple[int, int], set[str]]]:
    """Yield, line by line, the version that a line belongs to and the modules so far: a set that is changed later."""
    version, modules = (0, 0), set[str]()
    for line in Path(__file__).with_name("stdlib.txt").read_text(encoding="utf-8").splitlines():
        sign, *names = line.split()
        if sign == "+":
            modules.update(names)
        elif sign == "-":
            modules.difference_update(names)
        else:
            major, minor = map(int, sign.split("."))
            modules, version = (modules if major == version[0] else set()), (major, minor)
        yield version, modules


@cache
def library_history() -> dict[tuple[int, int], frozenset[str]]:
    """Return the modules of every version that was looked at, the oldest first."""
    return {version: frozenset(modules) for version, modules in _history()}


@cache
def standard_modules(version: tuple[int, int]) -> frozenset[str]:
    """Return the modules of a version's library; of one that nobody looked at, those of the last before it."""
    modules = set[str]()
    for known, changing in _history():  # no further than needed: most runs ask about one version
        if known > version:
            break
        modules = changing
    return frozenset(modules)
