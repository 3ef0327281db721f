"""
Common model of ``udfs.yaml``: what a manifest has whatever service it is for.

A kind of target extends it (`dialect`), and what comes of it is the source of the validation and of the JSON Schema.
Everything is frozen and strict, and unknown keys are refused. The reader hands over plain scalars as `Plain` strings,
because only the model knows what they mean: ``python: 3.10`` is a text, ``prefer: no`` is not a boolean, and the
arguments of a test are whatever YAML 1.2's core schema says.

Names, references and paths are judged in `checks`, where the whole manifest is in view.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence  # noqa: TC003 (pydantic looks at the annotations)
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

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

from reconciler.base.names import Reference
from reconciler.manifest.runtimes import Runtime, Service


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


def null_as_mapping(value: object) -> object:
    """Let ``resources:`` with nothing behind it mean no resources."""
    return {} if _is_null(value) else value


def null_as_list(value: object) -> object:
    """Let ``packages:`` of a function, with every item commented out, mean no packages."""
    return [] if _is_null(value) else value


def exact(value: object) -> object:
    """Make a plain scalar an exact `str`: pydantic before 2.10 compares literals with nothing else."""
    return str(value) if isinstance(value, Plain) else value


def _wheel_kind(value: object) -> str:
    return "path" if isinstance(value, str) else "pinned"


Value: TypeAlias = Annotated[
    Any, BeforeValidator(core_value), WithJsonSchema({"description": "Any YAML value; quote what should stay text."})
]
TEXT = rf"^[^{UNPRINTABLE}\r]*$"
SHA256 = r"^[0-9a-f]{64}$"
STACK = r"^[a-z][a-z0-9-]{0,39}$"
ASCII = r"^[\x20-\x7e]*$"
DURATION = r"^[0-9]{1,4}[mhd]$"
LABEL = r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$"
BUNDLE = r"^(single|.{1,200}\.zip)$"
FULL_VERSION = r"^[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}$"
RUNTIME_TAG = r"^cp[0-9]{2,3}$"
VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]{0,99}$"

Text = Annotated[str, StringConstraints(strict=True, min_length=1, pattern=TEXT)]
Sha256 = Annotated[str, StringConstraints(strict=True, pattern=SHA256)]
StackName = Annotated[str, StringConstraints(strict=True, pattern=STACK)]
AsciiText = Annotated[str, StringConstraints(strict=True, pattern=ASCII, max_length=512)]
Label = Annotated[str, StringConstraints(strict=True, pattern=LABEL)]
FullVersion = Annotated[str, StringConstraints(strict=True, pattern=FULL_VERSION)]
RuntimeTag = Annotated[str, StringConstraints(strict=True, pattern=RUNTIME_TAG)]
VariableName = Annotated[str, StringConstraints(strict=True, pattern=VARIABLE)]
VariableValue = Annotated[
    Text, WithJsonSchema({"type": ["string", "number", "boolean"], "description": "Text, whatever it looks like."})
]
Flag = Annotated[bool, BeforeValidator(core_value)]
Names = Annotated[list[Text], BeforeValidator(null_as_list)]


class Section(BaseModel):
    """What all parts of a manifest share."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True, defer_build=True)


class TargetKind(Section):
    """The service that a manifest is for."""

    kind: str


class Target(Section):
    """Where a manifest is applied."""

    credentials: ClassVar[str] = "credentials are never in a manifest"
    """The advice to somebody who writes one there."""

    variables: Annotated[dict[VariableName, VariableValue], BeforeValidator(null_as_mapping)] = Field(
        default_factory=dict, description="Values of ${var:NAME} for this target; they win over the top level's."
    )

    def resolve(self, text: str) -> Reference:
        """Return what a function's `resources:` names, seen from this target."""
        return Reference(text)

    @property
    def settings(self) -> dict[str, str | None]:
        """The keys that a kind of target adds, with their values."""
        return {name: value for name, value in self.model_dump(by_alias=True).items() if name != "variables"}

    @property
    def required(self) -> set[str]:
        """The keys without which there is no target."""
        return {field.alias or name for name, field in type(self).model_fields.items() if field.is_required()}


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

    builder: Annotated[Literal["zig", "container"], BeforeValidator(exact)] = Field(
        "zig",
        description="'zig' compiles here, against the runtime's glibc; 'container' in a manylinux image, with the container "
        "engine of this machine.",
    )
    requires: Names = Field(
        default_factory=list, description="Build requirements that a project forgot to name: 'setuptools<60', 'cython'."
    )
    environment: Annotated[dict[VariableName, VariableValue], BeforeValidator(null_as_mapping)] = Field(
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

    requirements: Annotated[list[Text], BeforeValidator(null_as_list)] = Field(
        default_factory=list,
        description="What is needed, as pip takes it: 'scipy', 'numpy==1.21.6', 'requests[socks]>=2; python_version < \"3.8\"', or "
        "the path of a wheel, a source archive or a project's folder, beginning with './'. `udfs lock` resolves it.",
    )
    requirements_file: Text | None = Field(
        None, description="Path of a requirements.txt, relative to the manifest; its own -r and -c files count too."
    )
    constraints: Annotated[list[Text], BeforeValidator(null_as_list)] = Field(
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
    extra_index: Annotated[list[VariableName], BeforeValidator(null_as_list)] = Field(
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
    byte_compile: Annotated[Literal["keep", "drop"], BeforeValidator(exact)] = Field(
        "keep", description="What becomes of .pyc files that wheels bring; most bring none."
    )

    @property
    def is_locked(self) -> bool:
        """Whether something of it is to be resolved."""
        return bool(self.requirements or self.requirements_file)


class Resource(Section):
    """A file that functions read, under the name of its key."""

    file: Text | None = Field(
        None,
        description="Path of the file, relative to the manifest; or of a folder, which is packed if the resource's name ends in "
        ".zip, .tar, .tgz or .tar.gz.",
    )
    exclude: Names = Field(
        default_factory=list, description="With a folder: patterns as in .gitignore, files that are left out."
    )
    protect: Flag = Field(default=False, description="true: never deleted, even when this entry is gone.")


class Function(Section):
    """A function in Python."""

    source: Text | None = Field(None, description="Path of the Python file, relative to the manifest.")
    python: str | None = None
    image: str | None = None
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
    tests: list[Any] = Field(default_factory=list, description="Calls and what they must return.")

    @property
    def class_name(self) -> str:
        """The class of the source that the service constructs, without its module."""
        return ""


class Moved(Section):
    """A new name for something that is deployed."""

    from_: Text = Field(alias="from", description="The name it has in the project.")
    to: Text = Field(description="The name it has in this manifest, under `functions:` or `resources:`.")


class Ignored(Section):
    """What is left as somebody made it in the project."""

    object: Text = Field(description="The name of a function or resource; * and ? stand for other characters.")
    what: Sequence[str] = Field(description="The fields that may differ.")


class Manifest(Section):
    """What belongs to one stack."""

    service: ClassVar[Service] = Service("the service")

    stack: StackName = Field(description="Names what belongs together; marks every object that is managed.")
    target: TargetKind
    python: str = ""
    rollout: Annotated[Literal["versioned", "in_place"], BeforeValidator(exact)] = Field(
        "versioned",
        description="versioned: a source is uploaded under a name with its digest, and a function switches to it in one "
        "request; in_place: it is replaced under its own name.",
    )
    grace: Annotated[str, StringConstraints(strict=True, pattern=DURATION)] = Field(
        "24h", description="How long `udfs gc` leaves versions that no function lists any more: 30m, 24h, 7d."
    )
    variables: Annotated[dict[VariableName, VariableValue], BeforeValidator(null_as_mapping)] = Field(
        default_factory=dict, description="Values of ${var:NAME}."
    )
    targets: Mapping[str, Target] = Field(default_factory=dict)
    packages: Annotated[dict[Label, Package], BeforeValidator(null_as_mapping)] = Field(
        default_factory=dict, description="Groups of wheels."
    )
    resources: Mapping[str, Resource] = Field(default_factory=dict)
    ignore: Sequence[Ignored] = ()
    policy: Text | None = Field(
        None, description="Path of a policy file, relative to the manifest: what is allowed here."
    )
    moved: Annotated[list[Moved], BeforeValidator(null_as_list)] = Field(
        default_factory=list,
        description="New names: what is deployed under the old one goes when the new one is there.",
    )
    functions: Mapping[str, Function] = Field(default_factory=dict)

    @cached_property
    def usable_runtimes(self) -> Mapping[str, Runtime]:
        """The Pythons of the service by their tags, with what the manifest says of each."""
        return {}

    def runtime(self, function: Function | None = None) -> Runtime:
        """Return the runtime of a function; without one, that of functions that name none."""
        return self.usable_runtimes[(function and function.python) or self.python]

    def installed(self, function: Function) -> Mapping[str, str | None]:
        """Return what the service has installed for a function: distribution → version, None where that is not published."""
        return {}

    def installed_modules(self, function: Function) -> tuple[str, ...]:
        """Return the modules that the service has for a function beside the standard library, sorted."""
        return ()

    @cached_property
    def resource_types(self) -> Mapping[str, str]:
        """For each resource, the type under which the service will know it."""
        return {}
