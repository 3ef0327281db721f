"""
MaxCompute's part of ``udfs.yaml``: projects, resources with their types, tables, and functions with a class.

It extends the common model, which has the packages, the rollout and what else holds for every service.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import BeforeValidator, ConfigDict, Field

from reconciler.base.names import ARCHIVE_SUFFIXES, Reference, reference
from reconciler.manifest import model
from reconciler.manifest.model import (
    AsciiText,
    Label,
    Section,
    Text,
    Value,
    exact,
    null_as_list,
    null_as_mapping,
)
from reconciler.targets.maxcompute.runtimes import PLATFORMS, RUNTIMES, SERVICE
from reconciler.targets.maxcompute.service import distributions, modules

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.manifest.load import Loaded
    from reconciler.manifest.runtimes import Runtime, Service

RuntimeTag: TypeAlias = Literal["cp27", "cp37", "cp311"]
PlatformName: TypeAlias = Literal["rhel5", "rhel7", "aarch64"]
IgnoredField: TypeAlias = Literal["class", "comment", "resources"]
ResourceType: TypeAlias = Literal["file", "py", "archive", "jar", "table"]

ROW_FILES = (".csv", ".jsonl", ".parquet")


class TargetKind(model.TargetKind):
    """The service that the manifest is for."""

    kind: Annotated[Literal["maxcompute"], BeforeValidator(exact)] = Field(
        "maxcompute", description="The service: its keys are those that this file takes."
    )


class RuntimeSettings(Section):
    """What is known of one Python on the project's clusters."""

    platform: Annotated[PlatformName, BeforeValidator(exact)] = Field(
        "rhel7",
        description="The workers' system: rhel5 loads manylinux1 (glibc 2.5) and no newer, rhel7 up to manylinux2014 "
        "(glibc 2.17), aarch64 is ARM64 with glibc 2.17, documented for cp37.",
    )
    python: model.FullVersion | None = Field(
        None,
        description="The full version, such as 3.7.3, by which a package's Requires-Python and its markers are judged.",
    )


_Settings: TypeAlias = Annotated[RuntimeSettings, BeforeValidator(null_as_mapping)]


class Runtimes(Section):
    """Settings by runtime, for those that are not as udfs assumes."""

    cp27: _Settings = Field(default_factory=RuntimeSettings, description="CPython 2.7; 2.7.10 is assumed.")
    cp37: _Settings = Field(default_factory=RuntimeSettings, description="CPython 3.7; 3.7.3 is documented.")
    cp311: _Settings = Field(default_factory=RuntimeSettings, description="CPython 3.11; 3.11.0 is assumed.")

    def of(self, tag: str) -> RuntimeSettings:
        """Return the settings of one runtime."""
        settings: RuntimeSettings = getattr(self, tag)
        return settings


class Target(model.Target):
    """Where a manifest is applied."""

    credentials: ClassVar[str] = (
        "credentials are never in a manifest: set ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET"
    )
    endpoint: Text = Field(
        "local",
        description="'local' for the service built in, or the address of a MaxCompute endpoint, ending in /api. "
        "${env:NAME} and ${var:NAME} are replaced.",
    )
    project: Text = Field(description="The MaxCompute project.")
    schema_: Text | None = Field(None, alias="schema", description="The schema, in projects that have schemas.")

    def resolve(self, text: str) -> Reference:
        return reference(text, self.project, self.schema_)


IMPLICIT_TARGET = Target(endpoint="local", project="demo")
"""Where a manifest without ``targets:`` is applied."""


class Resource(model.Resource):
    """A file or table that functions read, under the name of its key."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": ["file"]}, {"required": ["table"]}],
            "dependentRequired": {"partition": ["table"]},
        }
    )

    table: Text | None = Field(None, description="A table: [project.][schema.]table")
    partition: Text | None = Field(None, description="With `table`: pt='20260101'")
    type: Annotated[ResourceType | None, BeforeValidator(exact)] = Field(
        None, description="By the end of the name when left out."
    )
    comment: AsciiText = Field(
        "", description="Kept on the service beside udfs's own mark. ASCII: it travels in a header."
    )


class Table(Section):
    """What a table holds when functions run here; the service is never asked for it, nor told."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["file"]}, {"required": ["rows"]}]})

    columns: Annotated[dict[Label, Text], Field(min_length=1)] = Field(
        description="Column → type, in the spelling of a signature: bigint, string, decimal(10,2), array<string>."
    )
    file: Text | None = Field(
        None,
        description="Path of a .csv (the first line names the columns), .jsonl or .parquet, relative to the manifest.",
    )
    rows: list[list[Value]] | None = Field(None, description="Instead of `file`: the rows.")


class Test(Section):
    """One call and what must come of it."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": ["returns"]}, {"required": ["raises"]}],
            "not": {"required": ["args", "rows"]},
        }
    )

    args: Annotated[list[Value], BeforeValidator(null_as_list)] = Field(
        default_factory=list, description="The arguments of one row."
    )
    rows: Annotated[list[list[Value]] | None, BeforeValidator(null_as_list)] = Field(
        None, description="Instead of `args`: the arguments of several rows."
    )
    returns: Value = Field(
        None,
        description="The expected value: of an aggregate over all rows; of a table function the list of its rows; of another "
        "function over `rows` the list of its values.",
    )
    raises: Text | None = Field(
        None, description="Instead of `returns`: text that stands in the exception, such as ZeroDivisionError."
    )

    @property
    def input(self) -> list[list[Any]]:
        """The rows of the call."""
        return [self.args] if self.rows is None else self.rows


class Function(model.Function):
    """One SQL function."""

    class_: Text = Field(alias="class", description="Class, or module.Class.")
    python: Annotated[RuntimeTag | None, BeforeValidator(exact)] = Field(
        None, description="When it differs from the manifest's `python`."
    )
    image: Label | None = Field(
        None,
        description="The image that SQL sets for the session (odps.session.image): common, scipy, sklearn, …, or one of your own. What a "
        "built-in image has installed counts as there.",
    )
    tests: Annotated[list[Test], BeforeValidator(null_as_list)] = Field(
        default_factory=list, description="Calls and what they must return."
    )

    @property
    def class_name(self) -> str:
        return self.class_.rpartition(".")[2]


class Ignored(model.Ignored):
    """What is left as somebody made it in the project."""

    what: Annotated[list[Annotated[IgnoredField, BeforeValidator(exact)]], Field(min_length=1)] = Field(
        description="class and resources of functions, comment of resources."
    )


class Manifest(model.Manifest):
    """The Python UDFs of one stack."""

    service: ClassVar[Service] = SERVICE

    target: Annotated[TargetKind, BeforeValidator(null_as_mapping)] = Field(
        default_factory=TargetKind, description="The kind of service; left out, MaxCompute."
    )
    python: Annotated[RuntimeTag, BeforeValidator(exact)] = Field(
        "cp37", description="The Python the functions run on."
    )
    targets: Annotated[dict[Label, Target], BeforeValidator(null_as_mapping)] = Field(
        default_factory=dict, description="Where the manifest may be applied; `local` is the default."
    )
    resources: Annotated[dict[str, Resource], BeforeValidator(null_as_mapping)] = Field(
        default_factory=dict, description="Resource name → file or table."
    )
    ignore: Annotated[list[Ignored], BeforeValidator(null_as_list)] = Field(
        default_factory=list, description="What plans and drift say nothing of."
    )
    functions: Annotated[dict[str, Function], BeforeValidator(null_as_mapping)] = Field(
        description="SQL name → function."
    )
    runtimes: Annotated[Runtimes, BeforeValidator(null_as_mapping)] = Field(
        default_factory=Runtimes, description="What the project's clusters are, where udfs would assume something else."
    )
    tables: Annotated[dict[Text, Table], BeforeValidator(null_as_mapping)] = Field(
        default_factory=dict,
        description="Table, as a resource's `table` names it → the rows it has when functions run here.",
    )

    @cached_property
    def usable_runtimes(self) -> Mapping[str, Runtime]:
        return {tag: self._usable(runtime) for tag, runtime in RUNTIMES.items()}

    def _usable(self, runtime: Runtime) -> Runtime:
        settings = self.runtimes.of(runtime.tag)
        full_version = settings.python or runtime.full_version
        return replace(runtime, full_version=full_version, platform=PLATFORMS[settings.platform])

    def installed(self, function: model.Function) -> Mapping[str, str | None]:
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
