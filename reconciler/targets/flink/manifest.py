"""
Flink's part of ``udfs.yaml``: engines, the Python environments of workers, and the jobs that run in them.

It extends the common model. One archive is made of an environment for all targets of a manifest, for the oldest of their systems: what is tried at one is what
runs at the other.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from msgspec import Meta, field

from reconciler.manifest import model
from reconciler.manifest.model import ExtraIndexes, Label, LinkFolders, Names, Package, Text, Without
from reconciler.manifest.runtimes import Engine, Runtime, Service
from reconciler.manifest.section import NULL_IS_EMPTY
from reconciler.targets.credentials.choice import NEVER_HERE, PLACES, CloudChoice
from reconciler.targets.flink.engines import JARS, SERVICE, USUAL, FlinkEngine, oldest_system, parse_engine, runtimes_of
from reconciler.targets.flink.sections import FlinkJob, JobFunction, JobPackage, Slim

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from reconciler.manifest.load import Loaded


_ENDPOINT = re.compile(r"ververica(?:-vpc)?\.(?P<region>[a-z0-9-]+)\.aliyuncs\.com\Z")
"""The first form is that of the SDK 1.14.0; the second is a guess from other services of the vendor."""


class TargetKind(model.TargetKind, frozen=True, kw_only=True):
    """The service that the manifest is for."""

    kind: Annotated[Literal["flink"], Meta(description="The service: its keys are those that this file takes.")] = (
        "flink"
    )


class Target(model.Target, frozen=True, kw_only=True):
    """Where a manifest is applied."""

    advice_on_keys: ClassVar[str] = NEVER_HERE
    endpoint: Annotated[
        Text,
        Meta(
            description="'local' for a Flink of one's own on this machine, the address of a cluster's REST interface, or that of the vendor's service."
        ),
    ] = "local"
    engine: Annotated[
        Text,
        Meta(
            description="Apache Flink, flink-1.20, or the vendor's engine, vvr-8.0.11-flink-1.17: it decides PyFlink, Python and glibc."
        ),
    ] = USUAL
    files: Annotated[
        Text | None,
        Meta(
            description="Of a cluster: the folder that it shares with this machine, under the same path on both. Files of jobs, their savepoints and the ledger lie in it."
        ),
    ] = None

    workspace: Annotated[Text | None, Meta(description="Of the vendor's service: the id of the workspace.")] = None
    namespace: Annotated[
        Text | None, Meta(description="Of the vendor's service: the namespace, such as risk-default.")
    ] = None
    bucket: Annotated[
        Text | None,
        Meta(
            description="Of the vendor's service: the bucket of the workspace. Files of jobs and the ledger lie in it, below artifacts/."
        ),
    ] = None
    bucket_endpoint: Annotated[
        Text | None,
        Meta(description="Of the vendor's service: the address of OSS; left out, the region's own."),
    ] = None
    region: Annotated[
        Text | None,
        Meta(description="Of the vendor's service: the region, such as cn-hangzhou; left out, that of the endpoint."),
    ] = None
    queue: Annotated[Text, Meta(description="Of the vendor's service: the resource queue of new deployments.")] = (
        "default-queue"
    )
    credentials: Annotated[CloudChoice | None, Meta(description=f"Of the vendor's service: {PLACES}")] = None

    @property
    def own_region(self) -> str | None:
        """The region that it names, or that its endpoint is of."""
        match = _ENDPOINT.match(urlsplit(self.endpoint).hostname or "")
        return self.region or (match["region"] if match else None)

    @property
    def is_vendors(self) -> bool:
        """Whether its engine is VVR, which the vendor's service has."""
        engine = parse_engine(self.engine)
        return engine is not None and engine.is_vendors


IMPLICIT_TARGET = Target(endpoint="local")
"""Where a manifest without ``targets:`` is applied."""


class Environment(model.WorkerEnvironment, frozen=True, kw_only=True):
    """What the workers of jobs run in: PyFlink, and what the functions import."""

    schema_extra: ClassVar[dict[str, Any]] = {"required": ["python"]}

    requirements: Annotated[
        list[Text],
        NULL_IS_EMPTY,
        Meta(
            description="What functions import, as pip takes it. PyFlink of the engine's version comes along. `udfs lock` resolves it."
        ),
    ] = field(default_factory=list)
    requirements_file: Annotated[
        Text | None, Meta(description="Path of a requirements.txt, relative to the manifest.")
    ] = None
    constraints: Annotated[
        list[Text], NULL_IS_EMPTY, Meta(description="Versions that are allowed should they be needed: 'numpy<1.24'.")
    ] = field(default_factory=list)
    without: Without = field(default_factory=list)
    extra_index: ExtraIndexes = field(default_factory=list)
    index: Annotated[
        dict[Text, Label],
        NULL_IS_EMPTY,
        Meta(
            description="Distribution → the one index that it comes from, as under `packages:` of other kinds of target."
        ),
    ] = field(default_factory=dict)
    find_links: LinkFolders = field(default_factory=list)
    slim: Slim = True
    exclude: Annotated[
        Names, Meta(description="Patterns as in .gitignore: files of site-packages that are left out.")
    ] = field(default_factory=list)

    def package(self, engine: Engine) -> Package:
        """Return the environment as a package that is locked and fetched: PyFlink without its jars, and what it asks for itself."""
        values = {key: getattr(self, key) for key in Environment.__struct_fields__ if key in Package.__struct_fields__}
        names_library = any(text.replace("_", "-").lower().startswith(engine.library) for text in self.requirements)
        pin = f"{engine.library}=={engine.version[0]}.{engine.version[1]}.*"
        values["requirements"] = [*self.requirements, *([] if names_library else [pin])]
        values["without"] = [*self.without, JARS]
        return Package(**values, prefer_binary=True)


class Manifest(model.Manifest, frozen=True, kw_only=True):
    """What belongs to one stack."""

    service: ClassVar[Service] = SERVICE

    target: Annotated[TargetKind, NULL_IS_EMPTY] = field(default_factory=TargetKind)
    targets: Annotated[
        dict[Label, Target], NULL_IS_EMPTY, Meta(description="Where the manifest may be applied; --target chooses.")
    ] = field(default_factory=dict)
    environments: Annotated[
        dict[Label, Environment],
        NULL_IS_EMPTY,
        Meta(description="Archives with an interpreter and packages, for workers."),
    ] = field(default_factory=dict)
    archived: Annotated[
        dict[Label, JobPackage],
        NULL_IS_EMPTY,
        Meta(description="Python packages beside an environment, each an archive, for jobs."),
    ] = field(name="packages", default_factory=dict)
    registered: Annotated[
        dict[Text, JobFunction], NULL_IS_EMPTY, Meta(description="Functions that the SQL of jobs calls.")
    ] = field(name="functions", default_factory=dict)
    jobs: Annotated[
        dict[Label, FlinkJob],
        NULL_IS_EMPTY,
        Meta(description="Programs that Flink runs, in Python or SQL."),
    ] = field(default_factory=dict)

    @cached_property
    def vendor_engines(self) -> list[FlinkEngine]:
        """The engines of targets that are the vendor's."""
        engines = (parse_engine(target.engine) for target in self.targets.values())
        return [engine for engine in engines if engine is not None and engine.is_vendors]

    @cached_property
    def flink_engine(self) -> FlinkEngine:
        """The engine for which environments are made: of those of all targets the one on the oldest system."""
        engines = [engine for target in self.targets.values() if (engine := parse_engine(target.engine)) is not None]
        usual = parse_engine(USUAL)
        assert usual is not None
        return oldest_system(engines) if engines else usual

    @property
    def engine(self) -> Engine:
        return self.flink_engine.engine

    @cached_property
    def usable_runtimes(self) -> Mapping[str, Runtime]:
        return runtimes_of(self.flink_engine)

    @cached_property
    def packages(self) -> Mapping[str, Package]:
        """Environments and archives that are made here: for the lock, an environment is a package."""
        environments = {
            name: environment.package(self.engine)
            for name, environment in self.environments.items()
            if environment.archive is None
        }
        return environments | {name: made.package() for name, made in self.archived.items() if made.names_wheels}

    def python_of(self, job: FlinkJob, package: str) -> str | None:
        """Return the tag of the Python that imports a package of a job, or None where nobody knows it."""
        if job.environment is not None:
            environment = self.environments.get(job.environment)
            return environment.python if environment else None
        return self.archived[package].python or self.flink_engine.python

    @property
    def leading(self) -> Iterable[str]:
        return [*self.registered, *self.jobs]

    @property
    def other_uses(self) -> Iterator[tuple[str, str]]:
        """Environments, and the packages of jobs."""
        for name, environment in self.environments.items():
            if name in self.packages:
                yield name, environment.python
        for job in self.jobs.values():
            for name in job.packages:
                if name in self.packages and (tag := self.python_of(job, name)) is not None:
                    yield name, tag

    @property
    def shipped_files(self) -> Mapping[str, tuple[str | int, ...]]:
        """What jobs are made of: each file is read as it is."""
        files: dict[str, tuple[str | int, ...]] = {}
        for name, function in self.registered.items():
            key = "source" if function.source is not None else "jar"
            files.setdefault(function.source or function.jar or "", ("functions", name, key))
        for name, package in self.archived.items():
            if package.archive is not None:
                files.setdefault(package.archive, ("packages", name, "archive"))
        for name, job in self.jobs.items():
            here = ("jobs", name)
            files.setdefault(job.main or job.sql or "", (*here, "main" if job.main is not None else "sql"))
            for number, archive in enumerate(job.archive_entries):
                files.setdefault(archive.file, (*here, "archives", number))
            for key, paths in (("jars", job.jars), ("files", job.files)):
                for number, path in enumerate(paths):
                    files.setdefault(path, (*here, key, number))
        return files

    @property
    def tests(self) -> Mapping[str, Sequence[model.Test]]:
        return {name: function.tests for name, function in self.registered.items()}

    def package_keys(self, name: str) -> tuple[str, str]:
        return ("environments" if name in self.environments else "packages", name)


def flink_manifest(loaded: Loaded) -> Manifest:
    """Return a manifest as one for Flink."""
    assert isinstance(loaded.manifest, Manifest)
    return loaded.manifest
