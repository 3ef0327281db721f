"""
Build frontend: calls a project's build backend, which makes the wheel.

PyPA's ``build`` reads ``pyproject.toml``, knows what a project without one means, and calls the hooks of PEP 517 in the
runtime's CPython. What is ours is how a command is run, and the script for 2.7 (`hooks27`).
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from reconciler.base.errors import PackageError
from reconciler.base.inputs import REPORT, read_input

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from build import ProjectBuilder

_T = TypeVar("_T")


class BackendFailed(Exception):
    """The backend did not make a wheel."""

    def __init__(self, why: str, said: str) -> None:
        super().__init__(why)
        self.why, self.said = why, said


class Frontend:
    """One project, with one Python."""

    def __init__(
        self, project: Path, label: str, *, python: str, is_2: bool, scripts: Path, run: Callable[..., tuple[int, str]]
    ) -> None:
        """
        Read the project; raises E442 where there is none.

        `scripts` is a folder that commands can read; `run` takes a command, variables and a working directory.
        """
        from build import BuildException, ProjectBuilder

        self._run, self._scripts, self._is_2, self._said = run, scripts, is_2, ""
        try:
            self._builder: ProjectBuilder = ProjectBuilder(project, python, self._call)
        except BuildException as error:
            raise PackageError(
                "E442", f"{label} cannot be built: {_one_line(error)}", hint="it needs a pyproject.toml or a setup.py"
            ) from error

    @property
    def requires(self) -> set[str]:
        """What the project says in ``pyproject.toml`` that it needs to be built."""
        return self._builder.build_system_requires

    def more_requires(self) -> set[str]:
        """What its backend adds to that; raises Failed."""
        return self._guard(lambda: self._builder.get_requires_for_build("wheel"))

    def wheel(self, folder: Path) -> Path:
        """Make the wheel in `folder`; raises BackendFailed."""
        return Path(self._guard(lambda: self._builder.build("wheel", folder)))

    def _guard(self, call: Callable[[], _T]) -> _T:
        from build import BuildBackendException, BuildException
        from pyproject_hooks import BackendUnavailable, HookMissing, UnsupportedOperation

        of_backend = (subprocess.CalledProcessError, BackendUnavailable, HookMissing, UnsupportedOperation)
        self._said = ""
        try:
            return call()
        except BuildBackendException as error:
            if not isinstance(error.exception, of_backend):
                raise error.exception from None  # not the backend's: ours, or a bug
            raise BackendFailed(_one_line(error), self._said) from error
        except BuildException as error:
            raise BackendFailed(_one_line(error), self._said) from error

    def _call(self, cmd: Sequence[str], cwd: str | None = None, extra_environ: Mapping[str, str] | None = None) -> None:
        python, script, hook, exchange = cmd
        program = Path(__file__).with_name("hooks27.py") if self._is_2 else Path(script)
        # Where a container sees them, and without neighbours that could be taken for modules.
        self._scripts.mkdir(exist_ok=True)
        folder = self._scripts / "exchange"
        shutil.copytree(exchange, folder)
        command = [python, str(shutil.copyfile(program, self._scripts / program.name)), hook, str(folder)]
        code, self._said = self._run(command, dict(extra_environ or {}), Path(cwd or "."))
        if code != 0:
            raise subprocess.CalledProcessError(code, cmd)
        answer = json.loads(read_input(folder / "output.json", REPORT))
        # Its warnings would be repeated as ours; they are for the project's authors.
        Path(exchange, "output.json").write_text(json.dumps({**answer, "warnings": []}), "utf-8")
        shutil.rmtree(folder)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
