"""
MaxCompute's part of ``udfs.yaml``: projects, resources with their types, tables, and functions with a class.

It extends the common model, which has the packages, the rollout and what else holds for every service.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias

from msgspec import Meta, field

from reconciler.base.names import ARCHIVE_SUFFIXES
from reconciler.manifest import model
from reconciler.manifest.model import (
    AsciiText,
    Flag,
    Label,
    Table,
    Text,
)
from reconciler.manifest.runtimes import Runtime, Service
from reconciler.manifest.section import NULL_IS_EMPTY, Section
from reconciler.targets.credentials.choice import NEVER_HERE, Choice
from reconciler.targets.maxcompute.names import Reference, parse_reference
from reconciler.targets.maxcompute.runtimes import PLATFORMS, RUNTIMES, SERVICE, distributions, modules

if TYPE_CHECKING:
    from reconciler.manifest.load import Loaded

RuntimeTag: TypeAlias = Literal["cp27", "cp37", "cp311"]
PlatformName: TypeAlias = Literal["rhel5", "rhel7", "aarch64"]
IgnoredField: TypeAlias = Literal["class", "comment", "resources"]
ResourceType: TypeAlias = Literal["file", "py", "archive", "jar", "table"]


class TargetKind(model.TargetKind, frozen=True, kw_only=True):
    """The service that the manifest is for."""

    kind: Annotated[
        Literal["maxcompute"], Meta(description="The service: its keys are those that this file takes.")
    ] = "maxcompute"


class RuntimeSettings(Section, frozen=True, kw_only=True):
    """What is known of one Python on the project's clusters."""

    platform: Annotated[
        PlatformName,
        Meta(
            description="The workers' system: rhel5 loads manylinux1 (glibc 2.5) and no newer, rhel7 up to manylinux2014 "
            "(glibc 2.17), aarch64 is ARM64 with glibc 2.17, documented for cp37."
        ),
    ] = "rhel7"
    python: Annotated[
        model.FullVersion | None,
        Meta(
            description="The full version, such as 3.7.3, by which a package's Requires-Python and its markers are judged."
        ),
    ] = None


_Settings: TypeAlias = Annotated[RuntimeSettings, NULL_IS_EMPTY]


class Runtimes(Section, frozen=True, kw_only=True):
    """Settings by runtime, for those that are not as udfs assumes."""

    cp27: Annotated[_Settings, Meta(description="CPython 2.7; 2.7.10 is assumed.")] = field(
        default_factory=RuntimeSettings
    )
    cp37: Annotated[_Settings, Meta(description="CPython 3.7; 3.7.3 is documented.")] = field(
        default_factory=RuntimeSettings
    )
    cp311: Annotated[_Settings, Meta(description="CPython 3.11; 3.11.0 is assumed.")] = field(
        default_factory=RuntimeSettings
    )

    def of(self, tag: str) -> RuntimeSettings:
        """Return the settings of one runtime."""
        settings: RuntimeSettings = getattr(self, tag)
        return settings


class DataWorks(Section, frozen=True, kw_only=True):
    """A DataWorks workspace whose Data Studio may keep copies of what the manifest has."""

    workspace: Annotated[int, Meta(ge=1, description="The workspace's number, as the DataWorks console shows it.")]
    region: Annotated[Text, Meta(pattern="^[a-z][a-z0-9-]{2,40}$", description="Its region, such as cn-shanghai.")]
    endpoint: Annotated[
        Text | None,
        Meta(description="Where its API is, if not at https://dataworks.REGION.aliyuncs.com; within a VPC, say."),
    ] = None
    identity: Annotated[
        Text | None,
        Meta(
            description="The scheduling identity, as MaxCompute names it (RAM$account:user): drift by it comes from DataWorks, and "
            "the report says so."
        ),
    ] = None


class Target(model.Target, frozen=True, kw_only=True):
    """Where a manifest is applied."""

    advice_on_keys: ClassVar[str] = f"{NEVER_HERE}; set ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET"
    endpoint: Annotated[
        Text,
        Meta(
            description="'local' for the service built in, or the address of a MaxCompute endpoint, ending in /api. "
            "${env:NAME} and ${var:NAME} are replaced."
        ),
    ] = "local"
    project: Annotated[Text, Meta(description="The MaxCompute project.")]
    schema_: Annotated[Text | None, Meta(description="The schema, in projects that have schemas.")] = field(
        default=None, name="schema"
    )
    dataworks: Annotated[
        DataWorks | None,
        Meta(
            description="A DataWorks workspace over the project: plan and drift warn of copies that Data Studio keeps."
        ),
    ] = None
    credentials: Annotated[
        Choice | None,
        Meta(
            description="Where the credentials come from. 'default': the environment's key, then a pipeline's identity token (oidc), "
            "PyODPS's variables, odpscmd's odps_config.ini, and the chain of alibabacloud-credentials, if it is installed. "
            "A word takes one of these alone; {oidc: {role_arn, provider_arn}} says which role."
        ),
    ] = None

    def reference(self, text: str) -> Reference:
        """Return what a function's `resources:` names, as a definition in this project has it."""
        return parse_reference(text, self.project, self.schema_)

    def resolve(self, text: str) -> tuple[str, str | None]:
        ref = self.reference(text)
        return ref.name, None if ref.is_own else str(ref)


IMPLICIT_TARGET = Target(endpoint="local", project="demo")
"""Where a manifest without ``targets:`` is applied."""


class Resource(model.Resource, frozen=True, kw_only=True):
    """A file or table that functions read, under the name of its key."""

    schema_extra: ClassVar[dict[str, Any]] = {
        "oneOf": [{"required": ["file"]}, {"required": ["table"]}],
        "dependentRequired": {"partition": ["table"]},
    }

    table: Annotated[Text | None, Meta(description="A table: [project.][schema.]table")] = None
    partition: Annotated[Text | None, Meta(description="With `table`: pt='20260101'")] = None
    type: Annotated[ResourceType | None, Meta(description="By the end of the name when left out.")] = None
    comment: Annotated[
        AsciiText, Meta(description="Kept on the service beside udfs's own mark. ASCII: it travels in a header.")
    ] = ""


class SqlTest(model.RowTest, frozen=True, kw_only=True):
    """One call and what must come of it."""

    timeout: Annotated[
        int | None,
        Meta(
            ge=1,
            description="How many seconds it may take, here in place of --timeout, and by SQL in place of what the service allows.",
        ),
    ] = None


class Function(model.Function, frozen=True, kw_only=True):
    """One SQL function."""

    elsewhere: ClassVar[Mapping[str, str]] = {
        **model.Function.elsewhere,
        "file": "write source: for the Python file; what the function reads stands under the manifest's resources:",
        "name": "the name is the key: functions: {NAME: {source: …, class: …}}",
        "args": "an example belongs to a test: tests: [{args: […], returns: …}]",
        "handler": "write class: MyClass, and source: for the file that has it",
        "runtime": "write python: cp27, cp37 or cp311",
    }

    class_: Annotated[Text, Meta(description="Class, or module.Class.")] = field(name="class")
    python: Annotated[RuntimeTag | None, Meta(description="When it differs from the manifest's `python`.")] = None
    image: Annotated[
        Label | None,
        Meta(
            description="The image that SQL sets for the session (odps.session.image): common, scipy, sklearn, …, or one of your own. What a "
            "built-in image has installed counts as there."
        ),
    ] = None
    isolation: Annotated[
        Flag,
        Meta(
            description="true: SQL sets odps.isolation.session.enable, and the function may use files, processes and threads. So it is "
            "anyway for compiled code."
        ),
    ] = False
    resources: Annotated[
        model.Names, Meta(description="Names from `resources:`, or project/resources/name for another project's.")
    ] = field(default_factory=list)
    modules: Annotated[
        model.Names,
        Meta(
            description="Modules of your own that the source imports: the path of a .py file, or of a folder that is a package, both by "
            "their last name. A file can be imported anywhere; a package, like `packages:`, inside methods."
        ),
    ] = field(default_factory=list)
    wire: Annotated[
        Flag,
        Meta(
            description="false: the source is uploaded byte for byte, and puts its packages on sys.path itself. Else a few lines are "
            "added behind it, where it has packages (`udfs build --source`)."
        ),
    ] = True
    tests: Annotated[list[SqlTest], NULL_IS_EMPTY, Meta(description="Calls and what they must return.")] = field(
        default_factory=list
    )

    @property
    def class_name(self) -> str:
        return self.class_.rpartition(".")[2]


class Ignored(model.Ignored, frozen=True, kw_only=True):
    """What is left as somebody made it in the project."""

    what: Annotated[
        list[IgnoredField],
        NULL_IS_EMPTY,
        Meta(
            description="class and resources of functions, comment of resources: these fields may differ for good. Left out, any edit is "
            "left as it is, with a reason and until a day."
        ),
    ] = field(default_factory=list)


class Manifest(model.Manifest, frozen=True, kw_only=True):
    """The Python UDFs of one stack."""

    service: ClassVar[Service] = SERVICE

    target: Annotated[TargetKind, NULL_IS_EMPTY, Meta(description="The kind of service; left out, MaxCompute.")] = (
        field(default_factory=TargetKind)
    )
    python: Annotated[RuntimeTag, Meta(description="The Python the functions run on.")] = "cp37"
    rollout: Annotated[
        Literal["versioned", "in_place"],
        Meta(
            description="versioned: a source is uploaded under a name with its digest, and a function switches to it in one "
            "request; in_place: it is replaced under its own name."
        ),
    ] = "versioned"
    targets: Annotated[
        dict[Label, Target],
        NULL_IS_EMPTY,
        Meta(description="Where the manifest may be applied; `local` is the default."),
    ] = field(default_factory=dict)
    packages: model.Packages = field(default_factory=dict)
    resources: Annotated[dict[str, Resource], NULL_IS_EMPTY, Meta(description="Resource name → file or table.")] = (
        field(default_factory=dict)
    )
    ignore: Annotated[list[Ignored], NULL_IS_EMPTY, Meta(description="What plans and drift say nothing of.")] = field(
        default_factory=list
    )
    functions: Annotated[dict[str, Function], NULL_IS_EMPTY, Meta(description="SQL name → function.")]
    runtimes: Annotated[
        Runtimes,
        NULL_IS_EMPTY,
        Meta(description="What the project's clusters are, where udfs would assume something else."),
    ] = field(default_factory=Runtimes)
    tables: Annotated[
        dict[Text, Table],
        NULL_IS_EMPTY,
        Meta(description="Table, as a resource's `table` names it → the rows it has when functions run here."),
    ] = field(default_factory=dict)

    @cached_property
    def usable_runtimes(self) -> Mapping[str, Runtime]:
        # The service cannot be asked which system and patch level its workers have.
        settings = {tag: self.runtimes.of(tag) for tag in RUNTIMES}
        return {
            tag: replace(
                runtime,
                full_version=settings[tag].python or runtime.full_version,
                platform=PLATFORMS[settings[tag].platform],
            )
            for tag, runtime in RUNTIMES.items()
        }

    def installed_distributions(self, function: model.Function) -> Mapping[str, str | None]:
        return distributions(function.python or self.python, function.image)

    def installed_modules(self, function: model.Function) -> tuple[str, ...]:
        return modules(function.python or self.python, function.image)

    @cached_property
    def resource_types(self) -> Mapping[str, str]:
        return {name: resource_type(name, resource) for name, resource in self.resources.items()}


def manifest_of(loaded: Loaded) -> Manifest:
    """Return a manifest whose kind is MaxCompute, with its own keys."""
    assert isinstance(loaded.manifest, Manifest)
    return loaded.manifest


def target_of(loaded: Loaded) -> Target:
    """Return the chosen target of a manifest whose kind is MaxCompute."""
    assert isinstance(loaded.target, Target)
    return loaded.target


def resource_type(name: str, resource: Resource) -> ResourceType:
    """Return the type under which MaxCompute will know a resource."""
    if resource.type is not None:
        return resource.type
    if resource.table is not None:
        return "table"
    folded = name.lower()
    if folded.endswith(".py"):
        return "py"
    if folded.endswith(".jar"):
        return "jar"
    return "archive" if folded.endswith(ARCHIVE_SUFFIXES) else "file"
