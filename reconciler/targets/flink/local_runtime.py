"""
Functions of Flink that run here for their tests: in the environment of the first job that names them, with its archives and files.

Where a job has no environment, they run in the Python of the Flink that is installed here, as a cluster of one's own runs them.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.base.errors import UsageError
from reconciler.base.inputs import SHIPPED, copy_input
from reconciler.local.flink.distribution import find_distribution
from reconciler.local.flink.functions import FlinkFunction
from reconciler.local.runner import InterpreterUnsuitable
from reconciler.packages.content import read_content
from reconciler.packages.unpacked import unpack_once
from reconciler.targets.flink.desired import packed_content
from reconciler.targets.flink.head import FILES_FOLDER
from reconciler.targets.flink.job_options import functions_of, last_name
from reconciler.targets.flink.manifest import flink_manifest
from reconciler.testing.expectations import check_result
from reconciler.testing.trials import Trial
from reconciler.testing.verdict import TrialVerdict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.core.state import DesiredState
    from reconciler.manifest.load import Loaded
    from reconciler.packages.artifacts import Artifacts
    from reconciler.targets.flink.sections import FlinkJob
    from reconciler.targets.powers import Machine
    from reconciler.testing.trials import Bounds, Case


@dataclass(frozen=True)
class FunctionSession:
    """A function that is loaded."""

    function: FlinkFunction
    folder: Path

    @property
    def is_alive(self) -> bool:
        return self.function.close.alive

    def try_case(self, case: Case) -> Trial:
        """Call it over the rows of a test."""
        results = self.function.call(case.test.input, case.test.timeout)
        difference = check_result(case.test, self.function.kind, results)
        verdict = TrialVerdict.FAILED if difference else TrialVerdict.PASSED
        return Trial(case, verdict, difference=difference, log=str(self.function.log))

    def close(self) -> None:
        self.function.close()
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclass(frozen=True)
class FunctionProgram:
    """A function, and what a worker of its job has."""

    version: str
    python: Path
    path: tuple[str, str]
    environment: Mapping[str, Path]
    """The archive of the interpreter, unpacked, by its name."""

    folders: Mapping[str, Path]
    """What else lies in the folder of archives, by name."""

    files: Mapping[str, Path]
    modules: Mapping[str, Path]
    packages: tuple[Path, ...]

    def start(self, bounds: Bounds, cancelled: Callable[[], bool]) -> FunctionSession:
        """Lay it out and load it."""
        home = Path(tempfile.mkdtemp(prefix="udfs-flink-"))
        try:
            archives, modules = home / "python-archives", home / "python-files"
            archives.mkdir()
            modules.mkdir()
            for name, folder in self.environment.items():
                (archives / name).symlink_to(folder)
            # A function may write there, as on a worker: what it writes ends with this process.
            for name, folder in self.folders.items():
                shutil.copytree(folder, archives / name, symlinks=True)
            if self.files:
                _copy_all(self.files, archives / FILES_FOLDER)
            _copy_all(self.modules, modules)
            function = FlinkFunction(
                *(self.python, self.path, archives, (modules, *self.packages), bounds.seconds, cancelled)
            )
        except BaseException:
            shutil.rmtree(home, ignore_errors=True)
            raise
        session = FunctionSession(function, home)
        weakref.finalize(function, shutil.rmtree, home, ignore_errors=True)
        return session


class FlinkFunctions:
    """Functions of manifests, for tests."""

    def manifest_program(
        self, loaded: Loaded, desired: DesiredState, artifacts: Artifacts, name: str, machine: Machine
    ) -> FunctionProgram:
        """Return what runs a function of the manifest in Python; raises a `RunnerError` where nothing does."""
        manifest = flink_manifest(loaded)
        function = manifest.registered[name]
        if function.source is None:
            raise InterpreterUnsuitable(
                f"the function {name} is of Java", hint="only functions in Python are tested here"
            )
        job = next((job for job in manifest.jobs.values() if name in job.functions), None)

        def unpack(path: str) -> Path:
            return unpack_once(machine.cache, read_content(loaded.file(path)))

        python, environment = _interpreter(loaded, artifacts, job, machine)
        folders: dict[str, Path] = {}
        sources, packages = [function.source], list[Path]()
        files: dict[str, Path] = {}
        if job is not None:
            folders = {archive.folder: unpack(archive.file) for archive in job.archive_entries}
            sources, _ = functions_of(job, manifest)
            for package in job.packages:
                path = manifest.archived[package].archive
                content = read_content(loaded.file(path)) if path else packed_content(package, job, manifest, artifacts)
                packages.append(unpack_once(machine.cache, content))
            files = {last_name(path): loaded.file(path) for path in job.files}
        modules = {last_name(path): loaded.file(path) for path in sources}
        module = last_name(function.source).removesuffix(".py")
        version = manifest.environments[job.environment].python if job is not None and job.environment else ""
        loads = (module, function.class_)
        return FunctionProgram(version, python, loads, environment, folders, files, modules, tuple(packages))


def _interpreter(
    loaded: Loaded, artifacts: Artifacts, job: FlinkJob | None, machine: Machine
) -> tuple[Path, dict[str, Path]]:
    """Return the Python of a job, and the archive that it lies in by its name."""
    if job is not None and job.environment is not None:
        environment = artifacts.environments[job.environment]
        folder = unpack_once(machine.cache, environment.content)
        return folder / environment.program, {environment.file: folder}
    try:
        distribution = find_distribution(machine.environment, flink_manifest(loaded).flink_engine.version)
    except UsageError as error:
        problem = error.problems[0]
        raise InterpreterUnsuitable(
            f"the job has no environment, and {problem.message}", hint=str(problem.hint)
        ) from None
    machine.note_once(f"functions of jobs without an environment: run by {distribution.python}")
    return distribution.python, {}


def _copy_all(files: Mapping[str, Path], folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for name, path in files.items():
        copy_input(path, folder / name, SHIPPED)
