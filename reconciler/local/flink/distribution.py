"""
Flink distribution: the jars that the wheels of `apache-flink` bring, found by the package and never downloaded.

PyFlink pins what it needs so narrowly (Arrow, protobuf) that it mostly has a Python environment of its own, which a variable names.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.base.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

VARIABLE = "UDFS_FLINK"
"""Names the Python of an environment in which `apache-flink` is installed."""

_JAR = re.compile(r"flink-dist-(?P<version>\d+\.\d+\.\d+)\.jar\Z")


@dataclass(frozen=True)
class FlinkDistribution:
    """A Flink that is installed here."""

    home: Path
    """The folder of PyFlink, with ``lib`` and ``opt``."""

    version: str
    python: Path
    """Of the environment that it is installed in: a job's program is read by it."""

    java: Path

    @property
    def class_path(self) -> tuple[Path, ...]:
        """
        The jars of both processes, `flink-python` among them.

        Flink itself leaves it in ``opt``, where each job brings it along in a class loader of its own; those fill the metaspace of a TaskManager that
        runs one job after another.
        """
        return (*sorted((self.home / "lib").glob("*.jar")), *sorted((self.home / "opt").glob("flink-python-*.jar")))


def find_distribution(env: Mapping[str, str], minor: tuple[int, int]) -> FlinkDistribution:
    """Return an installed Flink of a minor version; raises E665 where there is none, E666 where there is no Java."""
    wish = ".".join(map(str, minor))
    hint = (
        f"python3.11 -m venv flink && flink/bin/pip install 'apache-flink=={wish}.*', and {VARIABLE}=flink/bin/python"
    )
    versions = []
    for python, home in _homes(env):
        version = _version(home)
        if version is not None and version.startswith(f"{wish}."):
            return FlinkDistribution(home, version, python, _find_java(env))
        versions.append(version or "without its jars")
    if env.get(VARIABLE) or versions:
        message = f"{VARIABLE} names an environment with no Flink {wish}" + (
            f": it has {versions[0]}" if versions else ""
        )
        raise UsageError("E665", message, hint=hint)
    raise UsageError("E665", f"there is no Flink {wish} on this machine", hint=hint)


def find_python_jar(env: Mapping[str, str], minor: tuple[int, int]) -> Path | None:
    """Return ``flink-python`` of an installed Flink of a minor version, for a cluster elsewhere; None where there is none. Java is not asked for."""
    wish = ".".join(map(str, minor))
    for _, home in _homes(env):
        if (_version(home) or "").startswith(f"{wish}."):
            return next(iter(sorted((home / "opt").glob("flink-python-*.jar"))), None)
    return None


def _homes(env: Mapping[str, str]) -> Iterator[tuple[Path, Path]]:
    """Yield the Pythons that may have PyFlink, each with its folder: the one that is named, or else that of udfs."""
    if named := env.get(VARIABLE):
        python = Path(named).absolute()  # links are kept: they say which environment is meant
        for home in sorted(python.parent.parent.glob("lib/python3.*/site-packages/pyflink")):
            yield python, home
        return
    import sys

    spec = find_spec("pyflink")
    for folder in spec.submodule_search_locations or () if spec is not None else ():
        yield Path(sys.executable), Path(folder)


def _version(home: Path) -> str | None:
    names = (_JAR.match(path.name) for path in (home / "lib").glob("flink-dist-*.jar"))
    return next((match["version"] for match in names if match), None)


def _find_java(env: Mapping[str, str]) -> Path:
    home = env.get("JAVA_HOME")
    program = shutil.which("java", path=str(Path(home, "bin")) if home else env.get("PATH", ""))
    if program is None:
        where = f"in JAVA_HOME ({home})" if home else "on the PATH"
        hint = "Flink 1.20 takes Java 11 or 17: apt-get install openjdk-17-jre-headless"
        raise UsageError("E666", f"there is no Java {where}, and Flink needs one", hint=hint)
    return Path(program)
