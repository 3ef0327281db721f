"""
The shape of ``udfs.yaml``: the source of the validation and of ``schemas/udfs.schema.json``.

Everything is frozen and strict, and unknown keys are refused. The reader hands over plain scalars as `Plain` strings,
because only the model knows what they mean: ``python: 3.10`` is a text, ``prefer: no`` is not a boolean, and the
arguments of a test are whatever YAML 1.2's core schema says.

Names, references and paths are judged in `check`, where the whole manifest is in view.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    WithJsonSchema,
)

RuntimeTag: TypeAlias = Literal["cp27", "cp37", "cp311"]
PlatformName: TypeAlias = Literal["rhel5", "rhel7", "aarch64"]
IgnoredField: TypeAlias = Literal["class", "comment", "resources"]
ResourceType: TypeAlias = Literal["file", "py", "archive", "jar", "table"]


class Plain(str):
    """A scalar written without quotes: its type is not decided yet."""

    __slots__ = ()


UNPRINTABLE = (
    r"\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f"  # controls, but for tab and the two of a line's end
    r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks that reorder text on screen
    r"\u2028\u2029\ufeff\ufffe\uffff"  # line breaks that editors do not show, and what is no character
)
"""Characters by which a reviewer sees something else than the tool reads; the inside of a regular expression's [ ]."""

_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
_BASED = re.compile(r"0(?:o[0-7]+|x[0-9a-fA-F]+)\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_SPECIAL = {
    **dict.fromkeys(("null", "Null", "NULL", "~", ""), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **{sign + inf: float(sign + "inf") for sign in ("", "+", "-") for inf in (".inf", ".Inf", ".INF")},
}


def core_value(value: object) -> object:
    """Type plain scalars by YAML 1.2's core schema, inside lists and mappings too; quoted text stays text."""
    if isinstance(value, Plain):
        if value in _SPECIAL:
            return _SPECIAL[value]
        if _INTEGER.match(value):
            return int(value)
        if _BASED.match(value):
            return int(value, 0)
        return float(value) if _FLOAT.match(value) else str(value)
    if isinstance(value, dict):
        return {str(key): core_value(item) for key, item in value.items()}
    if isinstance(value, list):
        return [core_value(item) for item in value]
    return value


def _is_null(value: object) -> bool:
    return isinstance(value, Plain) and value in ("", "~", "null")


def _null_as_empty(value: object) -> object:
    """Let ``resources:`` with nothing behind it mean no resources."""
    return {} if _is_null(value) else value


def _null_as_none(value: object) -> object:
    """Let ``packages:`` of a function, with every item commented out, mean no packages."""
    return [] if _is_null(value) else value


def _exact(value: object) -> object:
    """Make a plain scalar an exact `str`: pydantic before 2.10 compares literals with nothing else."""
    return str(value) if isinstance(value, Plain) else value


def _wheel_kind(value: object) -> str:
    return "path" if isinstance(value, str) else "pinned"


Value: TypeAlias = Annotated[
    Any, BeforeValidator(core_value), WithJsonSchema({"description": "Any YAML value; quote what should stay text."})
]
ROW_FILES = (".csv", ".jsonl", ".parquet")
TEXT = rf"^[^{UNPRINTABLE}\r]*$"
SHA256 = r"^[0-9a-f]{64}$"
STACK = r"^[a-z][a-z0-9-]{0,39}$"
ASCII = r"^[\x20-\x7e]*$"
DURATION = r"^[0-9]{1,4}[mhd]$"
LABEL = r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$"
BUNDLE = r"^(single|.{1,200}\.zip)$"
FULL_VERSION = r"^[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}$"
VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]{0,99}$"

Text = Annotated[str, StringConstraints(strict=True, min_length=1, pattern=TEXT)]
Sha256 = Annotated[str, StringConstraints(strict=True, pattern=SHA256)]
StackName = Annotated[str, StringConstraints(strict=True, pattern=STACK)]
AsciiText = Annotated[str, StringConstraints(strict=True, pattern=ASCII, max_length=512)]
Label = Annotated[str, StringConstraints(strict=True, pattern=LABEL)]
FullVersion = Annotated[str, StringConstraints(strict=True, pattern=FULL_VERSION)]
VariableName = Annotated[str, StringConstraints(strict=True, pattern=VARIABLE)]
VariableValue = Annotated[
    Text, WithJsonSchema({"type": ["string", "number", "boolean"], "description": "Text, whatever it looks like."})
]
Flag = Annotated[bool, BeforeValidator(core_value)]
Names = Annotated[list[Text], BeforeValidator(_null_as_none)]


class Section(BaseModel):
    """What all parts of a manifest share."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True, defer_build=True)


class RuntimeSettings(Section):
    """What is known of one Python on the project's clusters."""

    platform: Annotated[PlatformName, BeforeValidator(_exact)] = Field(
        "rhel7",
        description="The workers' system: rhel5 loads manylinux1 (glibc 2.5) and no newer, rhel7 up to manylinux2014 "
        "(glibc 2.17), aarch64 is ARM64 with glibc 2.17, documented for cp37.",
    )
    python: FullVersion | None = Field(
        None,
        description="The full version, such as 3.7.3, by which a package's Requires-Python and its markers are judged.",
    )


_Settings: TypeAlias = Annotated[RuntimeSettings, BeforeValidator(_null_as_empty)]


class Runtimes(Section):
    """Settings by runtime, for those that are not as udfs assumes."""

    cp27: _Settings = Field(default_factory=RuntimeSettings, description="CPython 2.7; 2.7.10 is assumed.")
    cp37: _Settings = Field(default_factory=RuntimeSettings, description="CPython 3.7; 3.7.3 is documented.")
    cp311: _Settings = Field(default_factory=RuntimeSettings, description="CPython 3.11; 3.11.0 is assumed.")

    def of(self, tag: str) -> RuntimeSettings:
        """Return the settings of one runtime."""
        found: RuntimeSettings = getattr(self, tag)
        return found


class Target(Section):
    """Where a manifest is applied."""

    endpoint: Text = Field(
        "local",
        description="'local' for the service built in, or the address of a MaxCompute endpoint, ending in /api. "
        "${env:NAME} and ${var:NAME} are replaced.",
    )
    project: Text = Field(description="The MaxCompute project.")
    schema_: Text | None = Field(None, alias="schema", description="The schema, in projects that have schemas.")
    variables: Annotated[dict[VariableName, VariableValue], BeforeValidator(_null_as_empty)] = Field(
        default_factory=dict, description="Values of ${var:NAME} for this target; they win over the top level's."
    )


class PinnedWheel(Section):
    """A wheel of the package index, named so that it can only be one file."""

    requirement: Text = Field(description="Name and exact version: numpy==1.19.2")
    sha256: Sha256 = Field(description="Of the wheel file that fits the runtime.")


WheelPath: TypeAlias = Annotated[Text, Field(description="Path of a wheel file, relative to the manifest.")]
Wheel: TypeAlias = Annotated[
    Annotated[WheelPath, Tag("path")] | Annotated[PinnedWheel, Tag("pinned")], Discriminator(_wheel_kind)
]


class Build(Section):
    """How a package's source archives and projects become wheels, where the index has none that loads."""

    builder: Annotated[Literal["zig", "container"], BeforeValidator(_exact)] = Field(
        "zig",
        description="'zig' compiles here, against the runtime's glibc; 'container' in a manylinux image, with the container "
        "engine of this machine.",
    )
    requires: Names = Field(
        default_factory=list, description="Build requirements that a project forgot to name: 'setuptools<60', 'cython'."
    )
    environment: Annotated[dict[VariableName, VariableValue], BeforeValidator(_null_as_empty)] = Field(
        default_factory=dict, description="Environment variables for the build."
    )
    headers: Names = Field(
        default_factory=list, description="Folders with headers to compile against, relative to the manifest."
    )
    libraries: Names = Field(
        default_factory=list,
        description="Paths of .so files to link against that are put into the wheel; those of the package's own `libraries:` are "
        "linked against as well, and travel beside it.",
    )


class Package(Section):
    """A group of distributions that functions name under `packages:`."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [{"required": [key]} for key in ("requirements", "requirements_file", "wheels", "libraries")]
        }
    )

    requirements: Annotated[list[Text], BeforeValidator(_null_as_none)] = Field(
        default_factory=list,
        description="What is needed, as pip takes it: 'scipy', 'numpy==1.21.6', 'requests[socks]>=2; python_version < \"3.8\"', or "
        "the path of a wheel, a source archive or a project's folder, beginning with './'. `udfs lock` resolves it.",
    )
    requirements_file: Text | None = Field(
        None, description="Path of a requirements.txt, relative to the manifest; its own -r and -c files count too."
    )
    constraints: Annotated[list[Text], BeforeValidator(_null_as_none)] = Field(
        default_factory=list, description="Versions that are allowed should they be needed: 'numpy<1.20'."
    )
    constraints_file: Text | None = Field(None, description="Path of a file of constraints, relative to the manifest.")
    prefer_binary: Flag = Field(
        False, description="Rather take an older version that has a wheel than build a newer one."
    )
    pre_release: Flag = Field(False, description="Take alpha, beta and release candidate versions too.")
    no_deps: Flag = Field(False, description="Only what is listed; nothing that it needs.")
    without: Names = Field(
        default_factory=list, description="Distributions to leave out although something needs them."
    )
    extra_index: Annotated[list[VariableName], BeforeValidator(_null_as_none)] = Field(
        default_factory=list,
        description="Environment variables that hold addresses of further package indexes, so that no password is in Git.",
    )
    find_links: Names = Field(
        default_factory=list, description="Folders with wheels and source archives, relative to the manifest."
    )
    build: Build = Field(default_factory=Build, description="How what has no wheel is built.")
    wheels: Annotated[list[Wheel], Field(min_length=1)] = Field(
        default_factory=list,
        description="Paths of wheel files, or {requirement, sha256} for wheels of the package index; taken as they are, "
        "without anything that they need.",
    )
    libraries: Names = Field(
        default_factory=list,
        description="Paths of .so files that the wheels need, relative to the manifest. Each is uploaded as a FILE under its "
        "SONAME, and every function that uses the package lists it.",
    )
    bundle: Annotated[str, StringConstraints(strict=True, pattern=BUNDLE)] | None = Field(
        None,
        description="'single' puts all wheels into one archive, called after the package and its content. A name, such as "
        "scipy.zip, does so too and stays the same, for code that relies on it. Left out, each wheel is an archive of its "
        "own, which packages and functions share.",
    )
    slim: Flag = Field(False, description="Leave out tests, headers, type stubs and sources of compiled code.")
    exclude: Names = Field(
        default_factory=list, description="Patterns as in .gitignore: files of the wheels that are left out."
    )
    byte_compile: Annotated[Literal["keep", "drop"], BeforeValidator(_exact)] = Field(
        "keep", description="What becomes of .pyc files that wheels bring; most bring none."
    )

    @property
    def is_locked(self) -> bool:
        """Whether something of it is to be resolved."""
        return bool(self.requirements or self.requirements_file)


class Resource(Section):
    """A file or table that functions read, under the name of its key."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": ["file"]}, {"required": ["table"]}],
            "dependentRequired": {"partition": ["table"]},
        }
    )

    file: Text | None = Field(
        None,
        description="Path of the file, relative to the manifest; or of a folder, which is packed if the resource's name ends in "
        ".zip, .tar, .tgz or .tar.gz.",
    )
    exclude: Names = Field(
        default_factory=list, description="With a folder: patterns as in .gitignore, files that are left out."
    )
    table: Text | None = Field(None, description="A table: [project.][schema.]table")
    partition: Text | None = Field(None, description="With `table`: pt='20260101'")
    type: Annotated[ResourceType | None, BeforeValidator(_exact)] = Field(
        None, description="By the end of the name when left out."
    )
    comment: AsciiText = Field(
        "", description="Kept on the service beside udfs's own mark. ASCII: it travels in a header."
    )
    protect: Flag = Field(default=False, description="true: never deleted, even when this entry is gone.")


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

    args: Annotated[list[Value], BeforeValidator(_null_as_none)] = Field(
        default_factory=list, description="The arguments of one row."
    )
    rows: Annotated[list[list[Value]] | None, BeforeValidator(_null_as_none)] = Field(
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


class Function(Section):
    """One SQL function."""

    class_: Text = Field(alias="class", description="Class, or module.Class.")
    source: Text | None = Field(None, description="Path of the Python file, relative to the manifest.")
    python: Annotated[RuntimeTag | None, BeforeValidator(_exact)] = Field(
        None, description="When it differs from the manifest's `python`."
    )
    image: Label | None = Field(
        None,
        description="The image that SQL sets for the session (odps.session.image): common, scipy, sklearn, …, or one of your own. What a "
        "built-in image has installed counts as there.",
    )
    packages: Names = Field(default_factory=list, description="Names from `packages:`.")
    resources: Names = Field(
        default_factory=list, description="Names from `resources:`, or project/resources/name for another project's."
    )
    modules: Names = Field(
        default_factory=list,
        description="Modules of your own that the source imports: the path of a .py file, or of a folder that is a package, both by "
        "their last name. A file can be imported anywhere; a package, like `packages:`, inside methods.",
    )
    wire: Flag = Field(
        True,
        description="false: the source is uploaded byte for byte, and puts its packages on sys.path itself. Else a few lines are "
        "added behind it, where it has packages (`udfs build --source`).",
    )
    description: Text | None = Field(None, description="What the function does, for people.")
    protect: Flag = Field(default=False, description="true: never deleted, even when this entry is gone.")
    tests: Annotated[list[Test], BeforeValidator(_null_as_none)] = Field(
        default_factory=list, description="Calls and what they must return."
    )


class Moved(Section):
    """A new name for something that is deployed."""

    from_: Text = Field(alias="from", description="The name it has in the project.")
    to: Text = Field(description="The name it has in this manifest, under `functions:` or `resources:`.")


class Ignored(Section):
    """What is left as somebody made it in the project."""

    object: Text = Field(description="The name of a function or resource; * and ? stand for other characters.")
    what: Annotated[list[Annotated[IgnoredField, BeforeValidator(_exact)]], Field(min_length=1)] = Field(
        description="class and resources of functions, comment of resources."
    )


class Manifest(Section):
    """The Python UDFs of one stack."""

    stack: StackName = Field(description="Names what belongs together; marks every object that is managed.")
    python: Annotated[RuntimeTag, BeforeValidator(_exact)] = Field(
        "cp37", description="The Python the functions run on."
    )
    rollout: Annotated[Literal["versioned", "in_place"], BeforeValidator(_exact)] = Field(
        "versioned",
        description="versioned: a source is uploaded under a name with its digest, and a function switches to it in one "
        "request; in_place: it is replaced under its own name.",
    )
    grace: Annotated[str, StringConstraints(strict=True, pattern=DURATION)] = Field(
        "24h", description="How long `udfs gc` leaves versions that no function lists any more: 30m, 24h, 7d."
    )
    runtimes: Annotated[Runtimes, BeforeValidator(_null_as_empty)] = Field(
        default_factory=Runtimes, description="What the project's clusters are, where udfs would assume something else."
    )
    variables: Annotated[dict[VariableName, VariableValue], BeforeValidator(_null_as_empty)] = Field(
        default_factory=dict, description="Values of ${var:NAME}."
    )
    targets: Annotated[dict[Label, Target], BeforeValidator(_null_as_empty)] = Field(
        default_factory=dict, description="Where the manifest may be applied; `local` is the default."
    )
    packages: Annotated[dict[Label, Package], BeforeValidator(_null_as_empty)] = Field(
        default_factory=dict, description="Groups of wheels."
    )
    resources: Annotated[dict[str, Resource], BeforeValidator(_null_as_empty)] = Field(
        default_factory=dict, description="Resource name → file or table."
    )
    ignore: Annotated[list[Ignored], BeforeValidator(_null_as_none)] = Field(
        default_factory=list, description="What plans and drift say nothing of."
    )
    policy: Text | None = Field(
        None, description="Path of a policy file, relative to the manifest: what is allowed here."
    )
    moved: Annotated[list[Moved], BeforeValidator(_null_as_none)] = Field(
        default_factory=list,
        description="New names: what is deployed under the old one goes when the new one is there.",
    )
    tables: Annotated[dict[Text, Table], BeforeValidator(_null_as_empty)] = Field(
        default_factory=dict,
        description="Table, as a resource's `table` names it → the rows it has when functions run here.",
    )
    functions: Annotated[dict[str, Function], BeforeValidator(_null_as_empty)] = Field(
        description="SQL name → function."
    )
