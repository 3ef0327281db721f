"""
Flink's engines: Apache Flink, and the vendor's VVR, with the Python, glibc and Java that each has.

Sources. "Use Python dependencies" and "Release notes" of Realtime Compute (2026-01 to 2026-10) for VVR. PyFlink's Pythons are the classifiers of
its releases; 1.20 on 3.11 and 2.2 on 3.12 were run, the others were not. Apache's own images stand on Ubuntu 22.04, glibc 2.35; a Flink of one's own runs on this
machine, whatever it has.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.manifest.runtimes import Engine, Platform, Runtime, Service

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SERVICE = Service("Flink")

USUAL = "flink-1.20"
LIBRARY = "apache-flink"
JARS = "apache-flink-libraries"
"""What `LIBRARY` needs where it starts an engine, and never in a worker [run, 1.20.5]."""

PYTHONS: Mapping[tuple[int, int], tuple[str, ...]] = {
    (1, 13): ("cp36", "cp37", "cp38"),
    (1, 15): ("cp36", "cp37", "cp38"),
    (1, 17): ("cp37", "cp38", "cp39", "cp310"),
    (1, 18): ("cp38", "cp39", "cp310"),
    (1, 19): ("cp38", "cp39", "cp310", "cp311"),
    (1, 20): ("cp38", "cp39", "cp310", "cp311"),
    (2, 0): ("cp38", "cp39", "cp310", "cp311"),
    (2, 1): ("cp39", "cp310", "cp311", "cp312"),
    (2, 2): ("cp39", "cp310", "cp311", "cp312"),
    (2, 3): ("cp39", "cp310", "cp311", "cp312"),
}
"""Flink → the Pythons of which its PyFlink has wheels."""

# With the highest patch level that there is: a worker's interpreter is the user's, and has its own.
_PATCHES = {"cp36": 15, "cp37": 17, "cp38": 20, "cp39": 25, "cp310": 20, "cp311": 14, "cp312": 12}

_BASE = frozenset((
    *("libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "libutil.so.1", "libresolv.so.2"),
    *("libnsl.so.1", "libanl.so.1", "libcrypt.so.1", "linux-vdso.so.1", "libgcc_s.so.1", "libstdc++.so.6", "libz.so.1"),
))  # fmt: skip
"""What a system of any of these ages has; of the vendor's images no list is published."""

_VVR = re.compile(r"vvr-(?P<release>\d+(?:\.\d+){1,2})(?:-jdk(?P<java>\d+))?-flink-(?P<flink>\d+\.\d+)\Z")
_APACHE = re.compile(r"flink-(?P<flink>\d+\.\d+)\Z")
_NEW_SYSTEM = (11,)
"""The first VVR with glibc 2.31 on x86; those before have 2.17 ["Use Python dependencies"]."""

_PYTHON_39 = (8, 0, 11)
"""The first VVR with Python 3.9; those before have 3.7 ["Use Python dependencies"]."""


@dataclass(frozen=True)
class FlinkEngine:
    """An engine, by the name that a target gives it."""

    name: str
    version: tuple[int, int]
    """Of Flink."""

    glibc: tuple[int, int]
    java: int
    """For which a jar's classes may be compiled."""

    @property
    def is_vendors(self) -> bool:
        """Whether it is VVR, the engine of the vendor's service."""
        return bool(self.release)

    @property
    def release(self) -> tuple[int, ...]:
        """Of VVR; empty for another engine."""
        match = _VVR.match(self.name)
        return tuple(map(int, match["release"].split("."))) if match else ()

    @property
    def python(self) -> str | None:
        """The Python that the vendor's workers have ["Use Python dependencies"; of 11.7, which has three, the guess is the oldest]; None: nobody knows."""
        if not self.is_vendors:
            return None
        return "cp39" if self.release >= _PYTHON_39 else "cp37"

    @property
    def engine(self) -> Engine:
        return Engine(self.name, LIBRARY, self.version)


def parse_engine(name: str) -> FlinkEngine | None:
    """Return the engine of a name, or None for one that is none."""
    if match := _APACHE.match(name):
        return FlinkEngine(name, _numbers(match["flink"]), (2, 35), 11)
    if match := _VVR.match(name):
        release = tuple(map(int, match["release"].split(".")))
        glibc = (2, 31) if release >= _NEW_SYSTEM else (2, 17)
        return FlinkEngine(
            name, _numbers(match["flink"]), glibc, int(match["java"] or (11 if release >= _NEW_SYSTEM else 8))
        )
    return None


def oldest_system(engines: Iterable[FlinkEngine]) -> FlinkEngine:
    """Return the engine on the oldest system: what runs there runs on those of all."""
    return min(engines, key=lambda engine: engine.glibc)


def runtimes_of(engine: FlinkEngine) -> dict[str, Runtime]:
    """Return the Pythons of an engine's PyFlink, by tag."""
    tags = PYTHONS.get(engine.version, ())
    platform = Platform(engine.name, "x86_64", engine.glibc, frozenset(tags), _BASE)
    return {tag: _runtime(tag, platform) for tag in tags}


def _runtime(tag: str, platform: Platform) -> Runtime:
    version = (int(tag[2]), int(tag[3:]))
    abi = f"{tag}m" if version < (3, 8) else tag
    return Runtime(tag, version, f"{version[0]}.{version[1]}.{_PATCHES[tag]}", abi, platform, SERVICE)


def _numbers(text: str) -> tuple[int, int]:
    major, minor = text.split(".")
    return int(major), int(minor)
