"""
Powers of a kind of target: what some services have and others have not, each a protocol that a module of the kind keeps.

An `Adapter` gives None for a power that its kind is without; `targets.require_power` makes a refusal of that.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from reconciler.base.errors import Problem
    from reconciler.core.copies import Copies
    from reconciler.core.diff import Change
    from reconciler.core.record import Reading
    from reconciler.core.report import Imported, PackageExport
    from reconciler.core.state import DesiredState
    from reconciler.core.target import QueryResult, Target
    from reconciler.local.runner import Interpreter, Job
    from reconciler.local.runner.unpacked import UnpackedArchives
    from reconciler.manifest.load import Loaded
    from reconciler.manifest.runtimes import Platform, Runtime
    from reconciler.packages.artifacts import Artifacts
    from reconciler.packages.fetch.cache import Cache
    from reconciler.testing.event_programs import EventFunction
    from reconciler.testing.trials import Bounds, Case, Program, Trial
    from reconciler.testing.types import Type

    Settings = Iterable[tuple[str, str]]
    """What a statement has to SET before it calls a function."""


@dataclass(frozen=True)
class Equipment:
    """What a machine needs for a kind of target, and the Pythons of its service."""

    distributions: tuple[str, ...] = ()
    """Of Python: by these the service is spoken with."""

    credentials: tuple[str, ...] = ()
    """Environment variables."""

    without_credentials: str = ""
    """What can be done without."""

    runtimes: Mapping[str, Runtime] = field(default_factory=dict)
    """By tag."""

    interpreters: tuple[str, ...] = ()
    """The tags of those for which a CPython is looked for here."""

    usual_runtime: str = ""
    """That of a manifest that names none."""

    platforms: Mapping[str, Platform] = field(default_factory=dict)
    """By name: the systems that workers may have."""


@dataclass(frozen=True)
class Tool:
    """Something that the target of a manifest needs on this machine."""

    name: str
    is_there: bool
    text: str
    """Which it is, or what is missing."""

    hint: str = ""


@dataclass(frozen=True)
class StarterFiles:
    """A first manifest, with a function that works."""

    folder: Path
    files: Mapping[str, str]
    """File of the folder → where it goes, relative to the new manifest's folder; the manifest is udfs.yaml."""

    call: str
    """How the function is called by hand, behind ``udfs call``."""

    project_call: str
    """How that of a whole project is."""

    @property
    def project_files(self) -> Mapping[str, str]:
        """A whole project, with a package and its lock: files as in `files`, of the folder ``project``."""
        sources = {f"project/{name}": goal for name, goal in self.files.items()}
        return {**sources, "project/udfs.lock": "udfs.lock"}


@dataclass(frozen=True)
class Query:
    """A statement, and the settings that come with it."""

    sql: str
    settings: Mapping[str, str]


class Queries(Protocol):
    """Of a service that runs SQL."""

    def require_query(self, loaded: Loaded) -> None:
        """Raise unless the target of a manifest runs SQL, with what is installed here."""

    def read_query(self, text: str) -> Query:
        """Return the statement of a text, and the settings before it."""

    def called_functions(self, sql: str, names: Iterable[str]) -> tuple[str, ...]:
        """Return which of `names` a statement calls."""

    def settings_of(self, functions: Mapping[str, Settings], stated: Mapping[str, str]) -> dict[str, str]:
        """Return what has to be SET for all of some functions, beside what is `stated`; E731 if they contradict."""

    def run_query(self, target: Target, text: str, settings: Mapping[str, str], name: str) -> QueryResult:
        """Run a statement under some settings and return its rows; `name` is what errors call its text."""


class RemoteTests(Protocol):
    """Of a service in which deployed functions can be called, to test them."""

    def require_query(self, loaded: Loaded) -> None:
        """Raise unless the target of a manifest can be called, with what is installed here."""

    def run_remote_tests(
        self,
        loaded: Loaded,
        target: Target,
        cases: Iterable[tuple[Case, ...]],
        settings: Mapping[str, tuple[tuple[str, str], ...]],
        clock: Callable[[], float],
    ) -> Iterator[Trial]:
        """Yield the trials of tests as they come; `settings` has those of each deployed function, in lower case."""


@dataclass
class Machine:
    """What there is here to run functions with."""

    environment: Mapping[str, str]
    cache: Cache
    note: Callable[[str], None]
    """Tells a person what stands in for what."""

    python: Path | None = None
    """The CPython that a person names."""

    own_python: Path | None = None
    """That of this program, which may stand in for another."""

    archives: UnpackedArchives | None = None
    """Those that several functions bring; None where there is one."""

    connect: Callable[[], AbstractContextManager[Target]] | None = None
    """Reaches the target, where a command may ask it for what only the service has; None where none may."""

    interpreters: dict[tuple[object, ...], Interpreter | Exception] = field(default_factory=dict)
    """What was looked for already, and came of it."""

    _notes: set[str] = field(default_factory=set)

    def note_once(self, text: str) -> None:
        """Tell a person what many functions have in common."""
        if text not in self._notes:
            self._notes.add(text)
            self.note(text)


class LocalRuntime(Protocol):
    """Of a service whose functions run here, in a CPython of their runtime."""

    def manifest_program(
        self, loaded: Loaded, desired: DesiredState, artifacts: Artifacts, name: str, machine: Machine
    ) -> Program:
        """Return what runs a function of the manifest, of what an apply would upload; raises a `RunnerError` if nothing does."""


class EventCalls(Protocol):
    """Of a service whose functions take an event each."""

    def manifest_function(
        self,
        loaded: Loaded,
        desired: DesiredState,
        artifacts: Artifacts,
        name: str,
        machine: Machine,
        bounds: Bounds,
    ) -> EventFunction:
        """Return a function of the manifest, of what an apply would upload; raises a `RunnerError` if nothing runs it."""


class RowCalls(Protocol):
    """Of a service whose functions take rows."""

    def manifest_job(self, loaded: Loaded, desired: DesiredState, artifacts: Artifacts, name: str) -> Job:
        """Return what runs a function of the manifest, of what an apply would upload; a `RunnerError` if nothing does."""

    def locate_interpreter(self, job: Job, machine: Machine) -> Interpreter:
        """Return the CPython of a job, noting where another stands in; raises a `RunnerError` if there is none."""

    def deployed_job(self, loaded: Loaded, target: Target, name: str, folder: Path) -> Job | None:
        """Return what runs a deployed function, downloaded to `folder`; None if it is not deployed."""

    def parse_types(self, texts: Sequence[str] | None) -> list[Type] | None:
        """Return the types that a signature names so; None where nothing is known of them."""


@dataclass(frozen=True)
class ClusterResults:
    """What came of a function over rows."""

    types: Sequence[Type]
    """Of the columns; STRING for what has no other name here."""

    rows: Iterator[list[Any]]
    """In the order of the rows that went in, where there is one for each."""


class ClusterCalls(Protocol):
    """Of a service whose functions run on a cluster alone."""

    def call_on_cluster(
        self, target: Target, name: str, rows: Iterable[Sequence[object]], seconds: float
    ) -> AbstractContextManager[ClusterResults | None]:
        """Yield what a deployed function makes of rows; None if it is not deployed. `seconds` is how long it may take."""


@dataclass(frozen=True)
class OpenManifest:
    """The manifest that an import writes into, which need not be a file yet."""

    file: Path
    """As the user named it."""

    text: str
    loaded: Loaded
    is_new: bool


@dataclass(frozen=True)
class NewProject:
    """The project of a new manifest; an existing manifest names its own."""

    project: str | None
    endpoint: str | None
    schema: str | None
    stack: str | None

    def __bool__(self) -> bool:
        return any((self.project, self.endpoint, self.schema, self.stack))


@dataclass(frozen=True)
class ImportRequest:
    """What is asked for."""

    functions: tuple[str, ...] = ()
    """Patterns; none means all."""

    resources: tuple[str, ...] = ()
    """Patterns of resources that are wanted although no function lists them."""

    overwrite: bool = False
    """Whether local files with another content may be replaced."""

    as_sources: bool = False
    """Whether functions are written with sources of their own, which get versions, as far as they can be."""


@dataclass(frozen=True)
class ImportMeans:
    """What an import works with."""

    staging: Path
    """An empty folder in the manifest's."""

    cache: Cache
    env: Mapping[str, str]
    on_step: Callable[[str], None]
    prepare: Callable[[Loaded], object]
    """Checks a draft as an apply would, and raises what is wrong with it."""


class Importing(Protocol):
    """Of a service that gives back what a manifest can say of it."""

    def begin_manifest(self, new_project: NewProject, source: Loaded | None, folder: Path, *, as_sources: bool) -> str:
        """Return how a new manifest in `folder` begins: for the target of `source`, or for the project that is named."""

    def is_of(self, manifest: Loaded, project: NewProject) -> bool:
        """Say whether an existing manifest is for the project that is named, as far as it is."""

    def import_objects(
        self,
        manifest: OpenManifest,
        reading: Reading,
        target: Target,
        request: ImportRequest,
        means: ImportMeans,
    ) -> Imported:
        """Write what is asked for into the manifest, with its files."""


class Listening(Protocol):
    """A service that has been started."""

    @property
    def url(self) -> str:
        """Where it listens."""

    def serve_forever(self) -> None:
        """Answer until interrupted."""

    def close(self) -> None:
        """Stop, and let go of the store."""


class EmbeddedService(Protocol):
    """Of a service that is built in."""

    def describe_switches(self) -> str:
        """Return one line a switch, for what is not settled about the service: its name, what it takes, its default."""

    def start_service(
        self,
        store: Path | None,
        loaded: Loaded | None,
        options: Mapping[str, object],
        *,
        folder: Path,
        address: tuple[str, int],
        environment: Mapping[str, str],
    ) -> Listening:
        """
        Start the service over a store, `folder` having the one that a command would use, with the tables of a manifest.

        OSError where it cannot listen.
        """


class OtherTools(Protocol):
    """Of a service that another tool deploys to from copies of its own."""

    def find_copies(self, loaded: Loaded, target: Target) -> Copies | None:
        """Return what the tool that a manifest names keeps; None if it names none. Nothing is raised where it does not answer."""


@dataclass(frozen=True)
class Identity:
    """Whom a service takes the sender of requests for."""

    name: str
    number: str
    origin: str
    """The place that gave the credentials, for people."""

    remaining: float | None
    """Seconds that the credentials have; None where no end is known."""


@dataclass(frozen=True)
class Permission:
    """An action that a plan needs, and whether the service allows it."""

    action: str
    on: str
    reason: str
    is_allowed: bool | None
    """None where the service does not say."""

    said: str = ""
    """Why it does not say."""

    grant: str = ""
    """The statement that grants it, for somebody who may."""

    is_optional: bool = False
    """Whether plan and apply do without."""


@dataclass(frozen=True)
class Origin:
    """What a checkout is one of, at a platform that runs pipelines."""

    platform: str
    """``github``, ``gitlab``, or nothing where that cannot be told."""

    host: str
    name: str
    """``owner/name``, or a longer path."""

    owner_id: str = ""
    number: str = ""


@dataclass(frozen=True)
class TrustPolicy:
    """What a cloud has to be told so that a pipeline may take on a role."""

    title: str
    subjects: tuple[str, ...]
    """Of identity tokens: any of them may; a star stands for the rest of one."""
    document: Mapping[str, object]


class Foresight(Protocol):
    """Of a service that can be asked what would become of a change."""

    def foresee(self, target: Target, changes: Sequence[Change], contents: Mapping[str, Path]) -> Iterator[Problem]:
        """
        Yield what the service would refuse of some changes, as it says without making any, and what cannot be known before.

        `contents` finds bytes by their sha256.
        """


class Accounts(Protocol):
    """Of a service that tells who asks and what that may do."""

    def find_identity(self, target: Target) -> Identity:
        """Ask who sends these requests; `ServiceError` where the service does not say."""

    def check_permissions(
        self, target: Target, changes: Sequence[Change], identity: Identity | None
    ) -> Iterator[Permission]:
        """Yield what carrying out some changes needs, each with the service's answer."""

    def find_trust_policies(
        self,
        loaded: Loaded,
        repository: Origin,
        environment: Mapping[str, str],
        *,
        job_environment: str,
        branch: str,
    ) -> tuple[TrustPolicy, ...]:
        """Return what a cloud has to be told of a repository, one policy a form in which its pipelines are named."""


class Exporting(Protocol):
    """Of code for other programs, by which they use a package of the manifest."""

    @property
    def PYTHONS(self) -> Sequence[str]:
        """The runtimes that those programs can be on."""

    def export_package(
        self,
        loaded: Loaded,
        package: str,
        python: str | None,
        *,
        as_requirements: bool,
        collect: Callable[[], Artifacts],
    ) -> PackageExport:
        """Return a package as code, for a runtime: of what an apply uploads, or `as_requirements`, exact versions."""
