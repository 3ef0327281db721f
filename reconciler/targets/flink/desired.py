"""
From a manifest and its files to the state that should be live: files, functions, and jobs that lead to both.

Pure: every file was read before. What Flink's own options say of files is worked out when a job is started (`write`), since only the folder
that a cluster shares says where they lie.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.core.kind import Mark
from reconciler.core.state import Desired
from reconciler.packages.environment.assembly import PROGRAM
from reconciler.targets.flink.job_options import KEYS_BEHIND, last_name
from reconciler.targets.flink.manifest import Target as TargetSection
from reconciler.targets.flink.manifest import flink_manifest
from reconciler.targets.flink.objects import DeployedJob, RegisteredFunction, SharedFile, shared_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.core.state import DesiredState, Object
    from reconciler.manifest.load import Loaded
    from reconciler.packages.artifacts import Artifacts, Keys
    from reconciler.packages.content import Content
    from reconciler.targets.flink.manifest import Manifest
    from reconciler.targets.flink.sections import FlinkJob, JobFunction


def flink_state(loaded: Loaded, artifacts: Artifacts) -> DesiredState:
    """Return every object that the manifest asks for, by key."""
    return _State(loaded, artifacts).conclude()


class _State:
    def __init__(self, loaded: Loaded, artifacts: Artifacts) -> None:
        self._loaded, self._artifacts = loaded, artifacts
        self._manifest: Manifest = flink_manifest(loaded)
        assert isinstance(loaded.target, TargetSection)
        self._target = loaded.target
        self._desired: dict[object, Desired] = {}

    def conclude(self) -> DesiredState:
        for environment in self._artifacts.environments.values():
            self._file(f"{environment.name}.zip", environment.content, environment.keys)
        for name, function in self._manifest.registered.items():
            self._put(self._function(name, function), ("functions", name))
        for name, job in self._manifest.jobs.items():
            self._put(self._job(name, job), ("jobs", name))
        return self._desired  # type: ignore[return-value]

    def _put(self, obj: Object, keys: Keys, sha256: str | None = None) -> None:
        mark = Mark(self._loaded.manifest.stack, sha256, sha256)
        self._desired.setdefault(obj.key, Desired(obj, self._loaded.at(*keys), mark))

    def _file(self, name: str, content: Content, keys: Keys) -> str:
        """Take a file in under a name, and return how it is called in the shared folder."""
        called = shared_name(name, content.sha256)
        self._put(SharedFile(called, content.sha256, content.size), keys, content.sha256)
        return called

    def _path(self, path: str, *keys: str | int) -> str:
        return self._file(last_name(path), self._artifacts.files[path], keys)

    def _function(self, name: str, function: JobFunction) -> RegisteredFunction:
        language, path, file = _registration(function)
        called = self._path(file, "functions", name, "source" if function.source is not None else "jar")
        return RegisteredFunction(name, language, path, called)

    def _job(self, name: str, job: FlinkJob) -> DeployedJob:
        keys = ("jobs", name)
        form, program = ("main", job.main) if job.main is not None else ("sql", job.sql or "")
        functions = [(called, self._manifest.registered[called]) for called in job.functions]
        sources = [
            (function.source, ("functions", called, "source")) for called, function in functions if function.source
        ]
        jars = [(function.jar, ("functions", called, "jar")) for called, function in functions if function.jar]
        packages = (self._package(called, job) for called in job.packages)
        interpreter, archives = self._environment(job)
        archives += [
            (self._path(archive.file, *keys, "archives", number), archive.folder)
            for number, archive in enumerate(job.archive_entries)
        ]
        return DeployedJob(
            name,
            self._path(program, *keys, form),
            tuple(job.args),
            tuple((called, " ".join(_registration(function)[:2])) for called, function in functions),
            interpreter,
            tuple(dict.fromkeys((*self._paths(sources), *packages))),
            tuple(archives),
            self._paths([*((path, (*keys, "jars", number)) for number, path in enumerate(job.jars)), *jars]),
            self._paths((path, (*keys, "files", number)) for number, path in enumerate(job.files)),
            # What the job's own keys decide is in those already.
            tuple(sorted((option, text) for option, text in job.conf.items() if self._is_own(option, job))),
            job.on_change,
            **self._service_fields(job),
        )

    def _service_fields(self, job: FlinkJob) -> dict[str, Any]:
        """Return what only the vendor's service has of a job: on a cluster all have one engine, and none has labels."""
        if not self._target.is_vendors:
            return {}
        return {"engine": self._target.engine, "labels": tuple(sorted(job.labels.items()))}

    def _paths(self, paths: Iterable[tuple[str, Keys]]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self._path(path, *keys) for path, keys in paths))

    def _package(self, name: str, job: FlinkJob) -> str:
        keys = ("packages", name)
        path = self._manifest.archived[name].archive
        if path is not None:
            return self._path(path, *keys, "archive")
        return self._file(f"{name}.zip", packed_content(name, job, self._manifest, self._artifacts), keys)

    def _environment(self, job: FlinkJob) -> tuple[str, list[tuple[str, str]]]:
        """Return the interpreter of a job's workers, and the archive that it is in."""
        if job.environment is None:
            return "", []
        packed = self._artifacts.environments[job.environment]
        declared = self._manifest.environments[job.environment]
        folder = last_name(declared.archive) if declared.archive else f"{job.environment}.zip"
        program = declared.program if declared.archive else PROGRAM
        called = self._file(f"{job.environment}.zip", packed.content, packed.keys)
        return f"{folder}/{program}", [(called, folder)]

    def _is_own(self, option: str, job: FlinkJob) -> bool:
        return option not in KEYS_BEHIND or (option == "python.executable" and job.environment is None)


def packed_content(name: str, job: FlinkJob, manifest: Manifest, artifacts: Artifacts) -> Content:
    """Return the archive of a package of a job that is made here."""
    tag = manifest.python_of(job, name)
    assert tag is not None  # the checks of the manifest see to it
    return artifacts.archives[name, tag][0].content


def _registration(function: JobFunction) -> tuple[str, str, str]:
    """Return the language of a function, what registers it, and the file that it is in."""
    if function.source is not None:
        return "PYTHON", f"{last_name(function.source).removesuffix('.py')}.{function.class_}", function.source
    assert function.jar is not None  # the checks of the manifest see to it
    return "JAVA", function.class_, function.jar
