"""
Build engines: this machine, or a manylinux image.

Both answer the same question: which command with which environment does this? A container sees the workspace under the
path it has here, so everything else is the same for the two.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from reconciler.base.errors import PackageError
from reconciler.base.inputs import REPORT, copy_input

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

_FOR_PIP = re.compile(
    r"PIP_\w+|(https?|all|no)_proxy|(REQUESTS|CURL)_CA_BUNDLE|SSL_CERT_(FILE|DIR)", re.IGNORECASE | re.ASCII
)
_SETTINGS = (".config/pip/pip.conf", ".pip/pip.conf", ".netrc")


@dataclass(frozen=True)
class LocalEngine:
    """This machine."""

    python: str
    """The path of the interpreter, where commands see it."""

    environment: Mapping[str, str] = field(repr=False)

    def command(
        self, command: Sequence[str], settings: Mapping[str, str], *, cwd: Path, with_index: bool
    ) -> tuple[list[str], dict[str, str]]:
        """
        Return what is to be started, and its environment.

        `with_index` lets the command see what people have set for pip, passwords included.
        """
        return list(command), {**self.environment, **settings} if with_index else dict(settings)

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

    @property
    def name(self) -> str:
        """A name of its own for each container, by which it can be ended."""
        return f"udfs-{self.workspace.name.strip('.')}-{self._number}"

    def command(
        self, command: Sequence[str], settings: Mapping[str, str], *, cwd: Path, with_index: bool
    ) -> tuple[list[str], dict[str, str]]:
        self._number += 1
        inherited = [name for name in self.environment if with_index and _FOR_PIP.fullmatch(name)]
        passed = {name: value for name, value in settings.items() if name != "PATH" and name not in inherited}
        seen = (*self.visible, *self._files_of_pip(inherited))
        started = [
            *(self.engine, "run", "--rm", "--init", "--name", self.name, "--platform", self.architecture),
            *(["--userns", "keep-id"] if Path(self.engine).name.startswith("podman") else []),
            # SELinux would keep the container from the workspace; relabelling it would change the user's files.
            *("--user", f"{os.getuid()}:{os.getgid()}", "--security-opt", "label=disable"),
            *("--volume", f"{self.workspace}:{self.workspace}"),
            *(part for path in dict.fromkeys(seen) for part in ("--volume", f"{path}:{path}:ro")),
            # By name alone: the engine takes the value from its own environment, and no process list shows it.
            *(part for name in sorted(inherited) for part in ("--env", name)),
            *(part for name in sorted(passed) for part in ("--env", f"{name}={passed[name]}")),
            *("--workdir", str(cwd), self.image),
            # The image knows where its compilers are; programs of what was installed for the build come before them.
            *("/bin/sh", "-c", 'PATH="$0:$PATH" exec "$@"', str(self.workspace / "packages" / "bin"), *command),
        ]
        return started, dict(self.environment)

    def cleanup_command(self) -> list[str]:
        return [self.engine, "rm", "--force", self.name]

    def take_settings_of_pip(self, home: Path) -> None:
        """Copy what pip reads from the user's home into the one that it has in the container."""
        user_home = self.environment.get("HOME")
        for name in _SETTINGS if user_home else ():
            file = Path(str(user_home), name)
            if file.is_file():
                (home / name).parent.mkdir(parents=True, exist_ok=True)
                copy_input(file, home / name, REPORT)

    def _files_of_pip(self, inherited: list[str]) -> list[Path]:
        words = [word for name in inherited for word in self.environment[name].split()]
        paths = [Path(word) for word in ("/etc/pip.conf", *words) if word.startswith("/") and word != "/"]
        return [path for path in paths if path.exists()]


Engine: TypeAlias = LocalEngine | Container


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
        hint="install docker or podman, or leave 'builder: container' out: Zig compiles without one",
    )
