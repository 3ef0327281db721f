"""
What a MaxCompute Python loads, as data.

A wheel's file name ends in three tags, ``<python>-<abi>-<platform>``: which interpreter, which binary interface of it,
which system. `RUNTIMES` says what each runtime has where nothing else is known, `runtime_of` what a function's has by its
manifest's settings, `supported_tags` spells out every triple that loads there, and `why_not` tells in one sentence what is
wrong with a wheel that has none of them.

Sources. "UDF pages": the vendor's "Python 2 UDFs" and "Python 3 UDFs". "Pack table": the list of ABI and platform tags in
PyODPS, docs/source/pyodps-pack.rst. "Images": "Built-in images" and "Custom images". "manylinux policy": the data file of
auditwheel (manylinux-policy.json, 6.8.2), the reference for what the manylinux levels promise. What nobody publishes is
marked as a guess.

What is installed beside the standard library, the images, the flags' names and the limits are in `service`.

A wheel's tags are what its builder claims; its ELF files (`elf`) are what is. `LEVELS` has the newest symbol version that
each level of glibc brings, so that files without a tag, and tags that lie, can be judged too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

from reconciler.manifest.service import FLAGS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packaging.tags import Tag

    from reconciler.manifest.model import Function, Manifest

BITS = 64
"""Of every cluster there is."""

ALIASES = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
"""Names of glibc 2.x levels from before PEP 600."""


Version: TypeAlias = tuple[int, ...]

LEVELS: Mapping[str, Mapping[int, Mapping[str, Version]]] = {
    "x86_64": {
        5: {"GLIBC": (2, 5), "GLIBCXX": (3, 4, 8), "CXXABI": (1, 3, 1), "GCC": (4, 2, 0), "ZLIB": (1, 2, 2, 4)},
        12: {"GLIBC": (2, 12), "GLIBCXX": (3, 4, 13), "CXXABI": (1, 3, 3), "GCC": (4, 3, 0), "ZLIB": (1, 2, 2, 4)},
        17: {"GLIBC": (2, 17), "GLIBCXX": (3, 4, 19), "CXXABI": (1, 3, 7), "GCC": (4, 8, 0), "ZLIB": (1, 2, 5, 2)},
        24: {"GLIBC": (2, 24), "GLIBCXX": (3, 4, 22), "CXXABI": (1, 3, 10), "GCC": (4, 8, 0), "ZLIB": (1, 2, 5, 2)},
        26: {"GLIBC": (2, 26), "GLIBCXX": (3, 4, 22), "CXXABI": (1, 3, 10), "GCC": (4, 8, 0), "ZLIB": (1, 2, 5, 2)},
        27: {"GLIBC": (2, 27), "GLIBCXX": (3, 4, 24), "CXXABI": (1, 3, 11), "GCC": (7, 0, 0), "ZLIB": (1, 2, 9)},
        28: {"GLIBC": (2, 28), "GLIBCXX": (3, 4, 24), "CXXABI": (1, 3, 11), "GCC": (7, 0, 0), "ZLIB": (1, 2, 9)},
        31: {"GLIBC": (2, 31), "GLIBCXX": (3, 4, 28), "CXXABI": (1, 3, 12), "GCC": (7, 0, 0), "ZLIB": (1, 2, 9)},
        34: {"GLIBC": (2, 34), "GLIBCXX": (3, 4, 29), "CXXABI": (1, 3, 13), "GCC": (7, 0, 0), "ZLIB": (1, 2, 9)},
        35: {"GLIBC": (2, 35), "GLIBCXX": (3, 4, 30), "CXXABI": (1, 3, 13), "GCC": (12, 0, 0), "ZLIB": (1, 2, 9)},
        36: {"GLIBC": (2, 36), "GLIBCXX": (3, 4, 30), "CXXABI": (1, 3, 13), "GCC": (12, 0, 0), "ZLIB": (1, 2, 9)},
        37: {"GLIBC": (2, 36), "GLIBCXX": (3, 4, 30), "CXXABI": (1, 3, 13), "GCC": (12, 0, 0), "ZLIB": (1, 2, 12)},
        38: {"GLIBC": (2, 38), "GLIBCXX": (3, 4, 30), "CXXABI": (1, 3, 13), "GCC": (12, 0, 0), "ZLIB": (1, 2, 12)},
        39: {"GLIBC": (2, 39), "GLIBCXX": (3, 4, 33), "CXXABI": (1, 3, 15), "GCC": (14, 0, 0), "ZLIB": (1, 2, 12)},
        40: {"GLIBC": (2, 40), "GLIBCXX": (3, 4, 33), "CXXABI": (1, 3, 15), "GCC": (14, 0, 0), "ZLIB": (1, 2, 12)},
        41: {"GLIBC": (2, 41), "GLIBCXX": (3, 4, 33), "CXXABI": (1, 3, 15), "GCC": (14, 0, 0), "ZLIB": (1, 2, 12)},
    },
    # ARM64 Linux begins with glibc 2.17, and that of CentOS 7 has one symbol of 2.18 besides.
    "aarch64": {
        17: {"GLIBC": (2, 18), "GLIBCXX": (3, 4, 19), "CXXABI": (1, 3, 7), "GCC": (4, 7, 0), "ZLIB": (1, 2, 5, 2)},
        24: {"GLIBC": (2, 24), "GLIBCXX": (3, 4, 22), "CXXABI": (1, 3, 10), "GCC": (4, 7, 0), "ZLIB": (1, 2, 5, 2)},
        26: {"GLIBC": (2, 26), "GLIBCXX": (3, 4, 24), "CXXABI": (1, 3, 11), "GCC": (7, 0, 0), "ZLIB": (1, 2, 5, 2)},
        27: {"GLIBC": (2, 27), "GLIBCXX": (3, 4, 24), "CXXABI": (1, 3, 11), "GCC": (7, 0, 0), "ZLIB": (1, 2, 9)},
        28: {"GLIBC": (2, 28), "GLIBCXX": (3, 4, 24), "CXXABI": (1, 3, 11), "GCC": (7, 0, 0), "ZLIB": (1, 2, 9)},
        31: {"GLIBC": (2, 31), "GLIBCXX": (3, 4, 28), "CXXABI": (1, 3, 12), "GCC": (7, 0, 0), "ZLIB": (1, 2, 9)},
        34: {"GLIBC": (2, 34), "GLIBCXX": (3, 4, 29), "CXXABI": (1, 3, 13), "GCC": (11, 0), "ZLIB": (1, 2, 9)},
        35: {"GLIBC": (2, 35), "GLIBCXX": (3, 4, 30), "CXXABI": (1, 3, 13), "GCC": (11, 0), "ZLIB": (1, 2, 9)},
        36: {"GLIBC": (2, 36), "GLIBCXX": (3, 4, 30), "CXXABI": (1, 3, 13), "GCC": (11, 0), "ZLIB": (1, 2, 9)},
        37: {"GLIBC": (2, 36), "GLIBCXX": (3, 4, 30), "CXXABI": (1, 3, 13), "GCC": (11, 0), "ZLIB": (1, 2, 12)},
        38: {"GLIBC": (2, 38), "GLIBCXX": (3, 4, 30), "CXXABI": (1, 3, 13), "GCC": (11, 0), "ZLIB": (1, 2, 12)},
        39: {"GLIBC": (2, 39), "GLIBCXX": (3, 4, 33), "CXXABI": (1, 3, 15), "GCC": (14, 0, 0), "ZLIB": (1, 2, 12)},
        40: {"GLIBC": (2, 40), "GLIBCXX": (3, 4, 33), "CXXABI": (1, 3, 15), "GCC": (14, 0, 0), "ZLIB": (1, 2, 12)},
        41: {"GLIBC": (2, 41), "GLIBCXX": (3, 4, 33), "CXXABI": (1, 3, 15), "GCC": (14, 0, 0), "ZLIB": (1, 2, 12)},
    },
}
"""
Machine → glibc 2.x → the newest version of each family of symbols on the oldest system of that level [manylinux policy].

Level 17 is CentOS 7, with which "Custom images" compares the workers, and RHEL 5 of the pack table is level 5; that a
worker has just these versions of the C++ library is inferred from that. The policy promises no zlib at level 5; that of
level 12 is taken for it.
"""

FAMILIES = frozenset(("GLIBC", "GLIBCXX", "CXXABI", "GCC", "ZLIB"))
"""The families of symbols that `LEVELS` is about."""

NUMBERLESS = {"CXXABI_TM_1": 17, "CXXABI_FLOAT128": 24, "GLIBC_ABI_DT_RELR": 36}
"""Versions that are words, and the level from which systems have them [manylinux policy]."""

BASE = frozenset((
    *("libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "libutil.so.1", "libresolv.so.2"),
    *("libnsl.so.1", "libanl.so.1", "libcrypt.so.1", "linux-vdso.so.1"),
    *("libgcc_s.so.1", "libstdc++.so.6", "libz.so.1"),
))  # fmt: skip
"""
Libraries that every worker has: glibc's own and those of GCC's runtime, which manylinux2014 promises [manylinux policy],
libcrypt, which is part of glibc on CentOS 7 (manylinux leaves it out because newer systems dropped it), and zlib, without
which that system's own package manager would not start. That a worker has them is inferred from CentOS 7; nobody
publishes a list.
"""

LINKERS = {"x86_64": "ld-linux-x86-64.so.2", "aarch64": "ld-linux-aarch64.so.1"}
"""Machine → its dynamic linker, which is the one library that every process has."""

DESKTOP = frozenset((
    *("libX11.so.6", "libXext.so.6", "libXrender.so.1", "libICE.so.6", "libSM.so.6", "libGL.so.1", "libexpat.so.1"),
    *("libgobject-2.0.so.0", "libgthread-2.0.so.0", "libglib-2.0.so.0", "libatomic.so.1"),
))  # fmt: skip
"""Libraries that manylinux lets a wheel lean on and that a server may well be without; whether a worker is: unknown."""

_LIBPYTHON = re.compile(r"libpython(?P<version>\d\.\d+)[a-z]*\.so")


@dataclass(frozen=True)
class Platform:
    """A kind of cluster: the system that a function finds on its worker."""

    name: str
    machine: str
    glibc: tuple[int, int]
    """The newest that a wheel may ask for."""

    documented: frozenset[str]
    """The runtimes for which the pack table has a row with it."""


PLATFORMS = {
    one.name: one
    for one in (
        # manylinux1 and no more.
        Platform("rhel5", "x86_64", (2, 5), frozenset({"cp27", "cp37"})),
        # The table ends at manylinux2014, and "Custom images" calls the workers comparable to CentOS 7: both are 2.17.
        Platform("rhel7", "x86_64", (2, 17), frozenset({"cp27", "cp37"})),
        # "RHEL 7", ARM64, manylinux2014_aarch64.
        Platform("aarch64", "aarch64", (2, 17), frozenset({"cp37"})),
    )
}
"""By name [pack table]. Which one a project has is not to be asked of the service, so the manifest may say it."""

RHEL7 = PLATFORMS["rhel7"]


@dataclass(frozen=True)
class Runtime:
    """One Python of MaxCompute."""

    tag: str
    """The value of ``odps.sql.python.version``, and the manifest's."""

    python_version: tuple[int, int]
    full_version: str
    """With the patch level, against which a package's ``Requires-Python`` is judged: 3.7 would be read as 3.7.0, and
    everything that says >=3.7.1 refused."""

    abi: str
    platform: Platform = RHEL7
    """Where it runs. The newer of the two x86 systems is assumed where the manifest says nothing."""

    @property
    def name(self) -> str:
        """As people call it."""
        return f"CPython {self.python_version[0]}.{self.python_version[1]}"

    @property
    def label(self) -> str:
        """The tag, with the platform where it is not the one that is assumed."""
        return self.tag if self.platform == RHEL7 else f"{self.tag} on {self.platform.name}"

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
        if name in BASE or name == LINKERS[self.machine]:
            return True
        libpython = _LIBPYTHON.match(name)
        own = libpython is not None and libpython["version"] == f"{self.python_version[0]}.{self.python_version[1]}"
        return None if name in DESKTOP or own else False

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


RUNTIMES = {
    runtime.tag: runtime
    for runtime in (
        # Narrow Unicode, cp27m [pack table]. "Python 2.7" [UDF pages]; the patch level is a guess, from a user's report
        # of a DataWorks node.
        Runtime("cp27", (2, 7), "2.7.10", "cp27m"),
        # "CPython 3.7.3" [UDF pages]; cp37m [pack table].
        Runtime("cp37", (3, 7), "3.7.3", "cp37m"),
        # Named in "Images" and in PyODPS (utils.get_supported_python_tag); no table of tags. The platform is the one
        # that pyodps-pack builds for; the patch level is a guess, the lowest, so that nothing too new is taken.
        Runtime("cp311", (3, 11), "3.11.0", "cp311"),
    )
}
"""By tag: what is assumed where a manifest says nothing."""


def runtimes_of(manifest: Manifest) -> dict[str, Runtime]:
    """Return every runtime by its tag, with what the manifest says of it."""
    return {tag: _as_set(tag, manifest) for tag in RUNTIMES}


def runtime_of(manifest: Manifest, function: Function | None) -> Runtime:
    """Return the runtime of a function, with what the manifest says of it; without a function, the usual one's."""
    return _as_set((function and function.python) or manifest.python, manifest)


def _as_set(tag: str, manifest: Manifest) -> Runtime:
    assumed, settings = RUNTIMES[tag], manifest.runtimes.of(tag)
    full_version = settings.python or assumed.full_version
    return replace(assumed, full_version=full_version, platform=PLATFORMS[settings.platform])


def level_name(minor: int) -> str:
    """Return what people call the systems with glibc 2.`minor`: ``manylinux_2_17 (manylinux2014)``."""
    alias = f" ({ALIASES[minor]})" if minor in ALIASES else ""
    return f"manylinux_2_{minor}{alias}"


@cache
def supported_tags(runtime: Runtime) -> tuple[Tag, ...]:
    """Return every tag that loads, the most specific first."""
    from packaging.tags import compatible_tags, cpython_tags

    version, platforms = runtime.python_version, runtime.platforms
    interpreter = f"cp{version[0]}{version[1]}"
    return (
        *cpython_tags(version, abis=[runtime.abi], platforms=platforms),
        *compatible_tags(version, interpreter, platforms),
    )


def tags_of(filename: str) -> frozenset[Tag]:
    """Return the tags in a wheel's file name; ValueError says that it is not a wheel's."""
    from packaging.utils import parse_wheel_filename

    return parse_wheel_filename(filename)[3]


def is_native(resource: str) -> bool:
    """Say whether a live archive's name is that of a wheel with compiled code: all that a listing tells of it."""
    try:
        return any(tag.platform != "any" for tag in tags_of(resource.removesuffix(".zip") + ".whl"))
    except ValueError:
        return False


def why_not(filename: str, runtime: Runtime) -> str | None:
    """
    Return why a wheel does not load, or None.

    A name may carry many tags. The sentence is about the one that comes nearest: a wheel for the right Python and the
    wrong system is told about the system. The platform ``linux_x86_64`` promises nothing about the system, so the name
    alone is no reason to refuse it: its ELF files tell (`inspection`).
    """
    tags = tags_of(filename)
    if not tags.isdisjoint(supported_tags(runtime)) or any(_is_bare_and_fits(tag, runtime) for tag in tags):
        return None
    return max((_obstacle(tag, runtime) for tag in sorted(tags, key=str)), key=lambda found: found[0])[1]


def flags(runtime: Runtime, *, native: bool, image: str | None = None) -> tuple[tuple[str, str], ...]:
    """
    Return the SET lines that SQL needs before it calls a function of this runtime.

    ``odps.sql.python.version`` holds for one session only; the function itself does not keep it, and without it a
    project runs Python 2 [UDF pages]. Compiled code needs a container, ``odps.isolation.session.enable`` [pyodps-pack.rst,
    "Use third-party packages"], and a Python that is not PyPy, ``odps.pypy.enabled`` [same page]. An image is asked for by
    ``odps.session.image``, one a session ["Built-in images"].
    """
    return (
        (FLAGS["python"], runtime.tag),
        *(((FLAGS["image"], image),) if image else ()),
        *(((FLAGS["isolation"], "true"), (FLAGS["pypy"], "false")) if native else ()),
    )


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
    found = re.fullmatch(r"(cp|py)([0-9])([0-9]*)", tag.interpreter)
    if found is None or (found[1] == "cp" and not found[3]):
        return f"it is for the interpreter '{tag.interpreter}', and MaxCompute has {runtime.name}"
    name = "CPython" if found[1] == "cp" else "Python"
    wanted = f"{found[2]}.{found[3]}" if found[3] else found[2]
    same_major, minor = int(found[2]) == runtime.python_version[0], int(found[3] or 0)
    if same_major and minor == runtime.python_version[1]:
        return None
    or_newer = found[1] == "py" or tag.abi == "abi3"
    if same_major and or_newer and minor < runtime.python_version[1]:
        return None
    return (
        f"it is for {name} {wanted}{' or newer' if or_newer and same_major else ''}, and the runtime is {runtime.name}"
    )


def _abi_obstacle(tag: Tag, runtime: Runtime) -> str | None:
    allowed = {"none"} if tag.interpreter.startswith("py") else {"none", runtime.abi}
    if tag.interpreter.startswith("cp") and runtime.python_version >= (3, 2):
        allowed.add("abi3")  # PEP 384: built for 3.x, loads in every later 3.y
    if tag.interpreter.startswith("cp") and tag.interpreter != runtime.tag:
        allowed = {"abi3"}
    if tag.abi in allowed:
        return None
    if tag.abi == "cp27mu":
        return "its ABI is cp27mu, Python 2.7 with wide Unicode, and MaxCompute's is cp27m, with narrow"
    return f"its ABI is '{tag.abi}', and the runtime's is {runtime.abi}"


def _platform_obstacle(platform: str, runtime: Runtime) -> str:
    have = f"{runtime.machine} Linux with glibc {runtime.glibc[0]}.{runtime.glibc[1]}"
    if platform.startswith("musllinux"):
        return f"it is linked with musl, and MaxCompute is {have}"
    if platform.startswith("macosx"):
        return f"it is for macOS, and MaxCompute is {have}"
    if platform.startswith("win"):
        return f"it is for Windows, and MaxCompute is {have}"
    if not platform.endswith(f"_{runtime.machine}"):
        return f"its platform is '{platform}', and MaxCompute is {have}"
    platform = next((f"manylinux_2_{level}_" for level, name in ALIASES.items() if platform.startswith(name)), platform)
    found = re.match(r"manylinux_(\d+)_(\d+)_", platform)
    if found and (int(found[1]), int(found[2])) > runtime.glibc:
        return f"it needs glibc {found[1]}.{found[2]}, and MaxCompute has {runtime.glibc[0]}.{runtime.glibc[1]}"
    return f"its platform is '{platform}', and MaxCompute is {have}"
