"""
Build engines: this machine, or a manylinux image.

Both answer the same question: which command with which environment does this? A container sees the workspace under the
path it has here, so everything else is the same for the two.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from reconciler.base import environments
from reconciler.base.errors import PackageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.manifest.runtimes import Runtime

_IMAGES = {
    ("x86_64", 17): "quay.io/pypa/manylinux2014_x86_64:2024.12.28-1",
    ("x86_64", 5): "quay.io/pypa/manylinux1_x86_64:2024-04-29-76807b8",
    ("aarch64", 17): "quay.io/pypa/manylinux2014_aarch64:2024.12.28-1",
}
"""
Machine and glibc 2.x → the image whose compilers keep to it, as in PyODPS 0.13.2 (pyodps_pack.py). 2014 has no CPython 2.7 any
more, so that is always built in the older one, as there.
"""

_ARCHITECTURES = {"x86_64": "linux/amd64", "aarch64": "linux/arm64"}
"""What containers call the machines."""


@dataclass(frozen=True)
class LocalEngine:
    """This machine."""

    python: str
    """The path of the interpreter, where commands see it."""

    is_isolated: bool = field(default=False, init=False)
    """Whether what is started runs nobody's code outside a container."""

    def command(
        self, command: Sequence[str], settings: Mapping[str, str], *, cwd: Path, gateway: Mapping[str, str] | None
    ) -> tuple[list[str], dict[str, str]]:
        """
        Return what is to be started, and its environment.

        `gateway` lets the command reach the package gateway, by variables.
        """
        return list(command), {**settings, **(gateway or {})}

    def cleanup_command(self) -> list[str]:
        """Return the command that cleans up after one that was cut off, if one is needed."""
        return []


@dataclass
class Container:
    """A manylinux image, by docker or podman."""

    engine: str
    image: str
    architecture: str
    python: str
    environment: Mapping[str, str] = field(repr=False)
    workspace: Path
    visible: tuple[Path, ...] = ()
    """What commands may read beside the workspace."""

    _number: int = 0
    is_isolated: bool = field(default=True, init=False)

    @property
    def name(self) -> str:
        """A name of its own for each container, by which it can be ended."""
        return f"udfs-{self.workspace.name.strip('.')}-{self._number}"

    def command(
        self, command: Sequence[str], settings: Mapping[str, str], *, cwd: Path, gateway: Mapping[str, str] | None
    ) -> tuple[list[str], dict[str, str]]:
        self._number += 1
        hidden = gateway or {}
        passed = {name: value for name, value in settings.items() if name != "PATH" and name not in hidden}
        seen = (*self.visible, *_folders(hidden.get("PIP_FIND_LINKS", "")))
        started = [
            *(self.engine, "run", "--rm", "--init", "--name", self.name, "--platform", self.architecture),
            *(["--userns", "keep-id"] if Path(self.engine).name.startswith("podman") else []),
            # SELinux would keep the container from the workspace; relabelling it would change the user's files.
            *("--user", f"{os.getuid()}:{os.getgid()}", "--security-opt", "label=disable"),
            # The gateway listens on this machine's loopback, which a container has only with the machine's network.
            *(("--network", "host") if hidden else ()),
            *("--volume", f"{self.workspace}:{self.workspace}"),
            *(part for path in dict.fromkeys(seen) for part in ("--volume", f"{path}:{path}:ro")),
            # By name alone: the engine takes the value from its own environment, and no process list shows it.
            *(part for name in sorted(hidden) for part in ("--env", name)),
            *(part for name in sorted(passed) for part in ("--env", f"{name}={passed[name]}")),
            *("--workdir", str(cwd), self.image),
            # The image knows where its compilers are; programs of what was installed for the build come before them.
            *("/bin/sh", "-c", 'PATH="$0:$PATH" exec "$@"', str(self.workspace / "packages" / "bin"), *command),
        ]
        return started, {**environments.for_container_engine(self.environment), **hidden}

    def cleanup_command(self) -> list[str]:
        return [self.engine, "rm", "--force", self.name]


def _folders(links: str) -> list[Path]:
    """Return the folders among pages of links, for a container to see them too."""
    paths = [Path(word) for word in links.split() if word.startswith("/") and word != "/"]
    return [path for path in paths if path.exists()]


Engine: TypeAlias = LocalEngine | Container


def image_of(runtime: Runtime) -> tuple[str, str]:
    """Return the image of the newest system that is no newer than a Python 3's, and what containers call its machine; E448 if there is none."""
    levels = [level for machine, level in _IMAGES if machine == runtime.machine and 5 < level <= runtime.glibc[1]]
    if not levels:
        raise PackageError("E448", f"there is no image for {runtime.label}")
    return _IMAGES[runtime.machine, max(levels)], _ARCHITECTURES[runtime.machine]


def container(
    runtime: Runtime, environment: Mapping[str, str], workspace: Path, visible: tuple[Path, ...], label: str
) -> Container:
    """Return the image for a runtime; raises E448 where no engine is."""
    image = _IMAGES.get((runtime.machine, 5 if runtime.python_version < (3,) else runtime.glibc[1]))
    if image is None:
        raise PackageError("E448", f"{label} cannot be built in a container: there is no image for {runtime.label}")
    tag = "cp{}{}-{}".format(*runtime.python_version, runtime.abi)
    python = f"/opt/python/{tag}/bin/python"
    engine = find_engine(environment, label)
    return Container(engine, image, _ARCHITECTURES[runtime.machine], python, environment, workspace, visible)


def find_engine(environment: Mapping[str, str], label: str) -> str:
    """Return the program that runs containers: what DOCKER_PATH names, as for pyodps-pack, else docker or podman."""
    named = environment.get("DOCKER_PATH")
    names = [named] if named else ["docker", "podman"]
    for name in names:
        if program := shutil.which(name, path=environment.get("PATH", os.defpath)):
            return program
    raise PackageError(
        "E448",
        f"{label} is to be built in a container, and {' and '.join(names)} cannot be found",
        hint="install docker or podman, or leave 'builder: container' out",
    )
