"""
Runtimes: which wheels and libraries a Python of a service loads.

A wheel's file name ends in three tags, ``<python>-<abi>-<platform>``: which interpreter, which binary interface of it,
which system. `supported_tags` spells out every triple that loads, and `why_not` says in one sentence what is wrong with a
wheel that has none of them. Which Pythons there are, and on what systems they run, a kind of target says.

A wheel's tags are what its builder claims; its ELF files are what is. `LEVELS` has the newest symbol version that each
level of glibc brings, so that files without a tag, and tags that lie, can be judged too. [manylinux policy] is the data
file of auditwheel (manylinux-policy.json, 6.8.2), the reference for what the manylinux levels promise.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from packaging.tags import Tag


BITS = 64
"""Of every cluster there is."""

ALIASES = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
"""Names of glibc 2.x levels from before PEP 600."""


Version: TypeAlias = tuple[int, ...]

LEVELS: Mapping[str, Mapping[int, Mapping[str, Version]]] = {
    machine: {
        int(level): {family: tuple(map(int, newest.split("."))) for family, newest in families.items()}
        for level, families in levels.items()
    }
    for machine, levels in json.loads(Path(__file__).with_name("levels.json").read_text(encoding="utf-8")).items()
}
"""
Machine → glibc 2.x → the newest version of each family of symbols on the oldest system of that level [manylinux policy].

Level 17 is CentOS 7, with which "Custom images" compares the workers, and RHEL 5 of the pack table is level 5; that a
worker has just these versions of the C++ library is inferred from that. The policy promises no zlib at level 5; that of
level 12 is taken for it. ARM64 Linux begins with glibc 2.17, and that of CentOS 7 has one symbol of 2.18 besides.
"""

FAMILIES = frozenset(("GLIBC", "GLIBCXX", "CXXABI", "GCC", "ZLIB"))
"""The families of symbols that `LEVELS` is about."""

NUMBERLESS = {"CXXABI_TM_1": 17, "CXXABI_FLOAT128": 24, "GLIBC_ABI_DT_RELR": 36}
"""Versions that are words, and the level from which systems have them [manylinux policy]."""

LINKERS = {"x86_64": "ld-linux-x86-64.so.2", "aarch64": "ld-linux-aarch64.so.1"}
"""Machine → its dynamic linker, which is the one library that every process has."""

DESKTOP = frozenset((
    *("libX11.so.6", "libXext.so.6", "libXrender.so.1", "libICE.so.6", "libSM.so.6", "libGL.so.1", "libexpat.so.1"),
    *("libgobject-2.0.so.0", "libgthread-2.0.so.0", "libglib-2.0.so.0", "libatomic.so.1"),
))  # fmt: skip
"""Libraries that manylinux lets a wheel lean on and that a server may well be without; whether a worker is: unknown."""

_LIBPYTHON = re.compile(r"libpython(?P<version>\d\.\d+)[a-z]*\.so")


@dataclass(frozen=True)
class Service:
    """A service, as far as one must know it to make what is uploaded."""

    name: str
    """As messages call it."""

    max_resource: int = sys.maxsize
    """Bytes of one resource."""

    max_job: int = sys.maxsize
    """Bytes of all resources of one job."""

    wheel_archive: Callable[[str], str] = lambda path: path.rpartition("/")[2]
    """The name under which a wheel file is uploaded."""

    why_not_a_resource_name: Callable[[str], str | None] = lambda name: None
    archive_folder: str = ""
    """Where archives are unpacked, seen from the folder that a function runs in; it ends in a slash."""

    library_loader: str = ""
    """Python, 2.7 and 3, that defines ``__udfs_load__(library)``: it loads a library that was uploaded beside a function."""

    code_folder: str = ""
    """Where the one archive of a function lies, for a service to which a function is that: ``/code/``; it ends in a slash."""

    layer_folder: str = ""
    """Where the layers of a function lie, all in one folder: ``/opt/``; it ends in a slash."""


@dataclass(frozen=True)
class Platform:
    """A kind of cluster: the system that a function finds on its worker."""

    name: str
    machine: str
    glibc: tuple[int, int]
    """The newest that a wheel may ask for."""

    documented: frozenset[str]
    """The runtimes for which its vendor documents it."""

    libraries: frozenset[str]
    """What every worker has, besides the dynamic linker."""

    is_assumed: bool = False
    """Whether functions run there where the manifest says nothing."""

    suite: str = ""
    """Debian's code name for it, if it is one of Debian's: ``bookworm``."""


@dataclass(frozen=True)
class Engine:
    """What starts interpreters of a user's own, and speaks with them by a library that they have to have."""

    name: str
    """As a manifest names it: ``flink-1.20``."""

    library: str
    """The distribution."""

    version: tuple[int, int]
    """Of engine and library: both have to be of the same."""


@dataclass(frozen=True)
class Runtime:
    """One Python of a service."""

    tag: str
    """As the manifest names it."""

    python_version: tuple[int, int]
    full_version: str
    """With the patch level, against which a package's ``Requires-Python`` is judged: 3.7 would be read as 3.7.0, and
    everything that says >=3.7.1 refused."""

    abi: str
    platform: Platform
    """Where it runs."""

    service: Service = field(repr=False, compare=False)

    @property
    def name(self) -> str:
        """As people call it."""
        return f"CPython {self.python_version[0]}.{self.python_version[1]}"

    @property
    def interpreter(self) -> str:
        """As tags of wheels call it."""
        return f"cp{self.python_version[0]}{self.python_version[1]}"

    @property
    def label(self) -> str:
        """The tag, with the platform where it is not the one that is assumed."""
        return self.tag if self.platform.is_assumed else f"{self.tag} on {self.platform.name}"

    @property
    def machine(self) -> str:
        return self.platform.machine

    @property
    def glibc(self) -> tuple[int, int]:
        return self.platform.glibc

    @property
    def ceilings(self) -> Mapping[str, Version]:
        """The newest version of each family of symbols that the runtime's system has."""
        return LEVELS[self.machine][self.glibc[1]]

    def has_library(self, name: str) -> bool | None:
        """
        Say whether a worker has a library by itself; None where nobody knows.

        The interpreter's own library is such a case. A wheel must not need it (PEP 513), because a Python may be built
        without; builds with ``-lpython3.7m`` exist all the same, and nothing is published about the workers' Python.
        """
        if name in self.platform.libraries or name == LINKERS[self.machine]:
            return True
        libpython = _LIBPYTHON.match(name)
        is_own = libpython is not None and libpython["version"] == f"{self.python_version[0]}.{self.python_version[1]}"
        return None if name in DESKTOP or is_own else False

    @property
    def platforms(self) -> tuple[str, ...]:
        """The platform tags up to `glibc`, newest first, each level under both its names."""
        levels = range(self.glibc[1], min(LEVELS[self.machine]) - 1, -1)  # below there is no manylinux
        return tuple(
            f"{name}_{self.machine}"
            for level in levels
            for name in (f"manylinux_2_{level}", ALIASES.get(level))
            if name
        )


def platform_name(minor: int) -> str:
    """Return the older name of the systems with glibc 2.`minor`, if they have one: ``manylinux2014``, ``manylinux_2_28``."""
    return ALIASES.get(minor, f"manylinux_2_{minor}")


def level_name(minor: int) -> str:
    """Return what people call the systems with glibc 2.`minor`: ``manylinux_2_17 (manylinux2014)``."""
    alias = f" ({ALIASES[minor]})" if minor in ALIASES else ""
    return f"manylinux_2_{minor}{alias}"


@cache
def supported_tags(runtime: Runtime) -> tuple[Tag, ...]:
    """Return every tag that loads, the most specific first."""
    from packaging.tags import compatible_tags, cpython_tags

    version, platforms = runtime.python_version, runtime.platforms
    return (
        *cpython_tags(version, abis=[runtime.abi], platforms=platforms),
        *compatible_tags(version, runtime.interpreter, platforms),
    )


def tags_of(filename: str) -> frozenset[Tag]:
    """Return the tags in a wheel's file name; ValueError says that it is not a wheel's."""
    from packaging.utils import parse_wheel_filename

    return parse_wheel_filename(filename)[3]


def fitting_names(runtime: Runtime) -> str:
    """Say how the names of wheels end that a runtime loads."""
    start, oldest = f"{runtime.interpreter}-{runtime.abi}-", runtime.platforms[-1]
    newest = f"{platform_name(runtime.glibc[1])}_{runtime.machine}"
    up_to = f", up to {start}{newest}.whl," if newest != oldest else ""
    return f"what fits ends in {start}{oldest}.whl{up_to} or in py{runtime.python_version[0]}-none-any.whl"


def why_not_loadable(filename: str, runtime: Runtime) -> str | None:
    """
    Return why a wheel does not load, or None.

    A name may carry many tags. The sentence is about the one that comes nearest: a wheel for the right Python and the
    wrong system is told about the system. The platform ``linux_x86_64`` promises nothing about the system, so the name
    alone is no reason to refuse it: its ELF files tell (`packages.inspect`).
    """
    tags = tags_of(filename)
    if not tags.isdisjoint(supported_tags(runtime)) or any(_is_bare_and_fits(tag, runtime) for tag in tags):
        return None
    # Sorted first, so that of two tags equally near the same one is always explained.
    return max((_obstacle(tag, runtime) for tag in sorted(tags, key=str)), key=lambda obstacle: obstacle[0])[1]


def _is_bare_and_fits(tag: Tag, runtime: Runtime) -> bool:
    fits = not _interpreter_obstacle(tag, runtime) and not _abi_obstacle(tag, runtime)
    return fits and tag.platform == f"linux_{runtime.machine}"


def _obstacle(tag: Tag, runtime: Runtime) -> tuple[int, str]:
    """Return how near a tag comes to the runtime (0 to 2), and what stops it."""
    if reason := _interpreter_obstacle(tag, runtime):
        return 0, reason
    if reason := _abi_obstacle(tag, runtime):
        return 1, reason
    return 2, _platform_obstacle(tag.platform, runtime)


def _interpreter_obstacle(tag: Tag, runtime: Runtime) -> str | None:
    match = re.fullmatch(r"(cp|py)([0-9])([0-9]*)", tag.interpreter)
    if match is None or (match[1] == "cp" and not match[3]):
        return f"it is for the interpreter '{tag.interpreter}', and {runtime.service.name} has {runtime.name}"
    name = "CPython" if match[1] == "cp" else "Python"
    version = f"{match[2]}.{match[3]}" if match[3] else match[2]
    same_major, minor = int(match[2]) == runtime.python_version[0], int(match[3] or 0)
    if same_major and minor == runtime.python_version[1]:
        return None
    or_newer = match[1] == "py" or tag.abi == "abi3"
    if same_major and or_newer and minor < runtime.python_version[1]:
        return None
    return (
        f"it is for {name} {version}{' or newer' if or_newer and same_major else ''}, and the runtime is {runtime.name}"
    )


def _abi_obstacle(tag: Tag, runtime: Runtime) -> str | None:
    allowed = {"none"} if tag.interpreter.startswith("py") else {"none", runtime.abi}
    if tag.interpreter.startswith("cp") and runtime.python_version >= (3, 2):
        allowed.add("abi3")  # PEP 384: built for 3.x, loads in every later 3.y
    # A wheel of another CPython has that one's ABI; only the stable ABI outlives it.
    if tag.interpreter.startswith("cp") and tag.interpreter != runtime.interpreter:
        allowed = {"abi3"}
    if tag.abi in allowed:
        return None
    if tag.abi == "cp27mu":
        return f"its ABI is cp27mu, Python 2.7 with wide Unicode, and {runtime.service.name}'s is cp27m, with narrow"
    return f"its ABI is '{tag.abi}', and the runtime's is {runtime.abi}"


def _platform_obstacle(platform: str, runtime: Runtime) -> str:
    system = f"{runtime.machine} Linux with glibc {runtime.glibc[0]}.{runtime.glibc[1]}"
    if platform.startswith("musllinux"):
        return f"it is linked with musl, and {runtime.service.name} is {system}"
    if platform.startswith("macosx"):
        return f"it is for macOS, and {runtime.service.name} is {system}"
    if platform.startswith("win"):
        return f"it is for Windows, and {runtime.service.name} is {system}"
    if not platform.endswith(f"_{runtime.machine}"):
        return f"its platform is '{platform}', and {runtime.service.name} is {system}"
    platform = next((f"manylinux_2_{level}_" for level, name in ALIASES.items() if platform.startswith(name)), platform)
    match = re.match(r"manylinux_(\d+)_(\d+)_", platform)
    if match and (int(match[1]), int(match[2])) > runtime.glibc:
        return f"it needs glibc {match[1]}.{match[2]}, and {runtime.service.name} has {runtime.glibc[0]}.{runtime.glibc[1]}"
    return f"its platform is '{platform}', and {runtime.service.name} is {system}"
