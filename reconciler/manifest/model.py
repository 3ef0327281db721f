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

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema

RuntimeTag = Literal["cp27", "cp37", "cp311"]
ResourceType = Literal["file", "py", "archive", "jar", "table"]


class Plain(str):
    """A scalar written without quotes: its type is not decided yet."""

    __slots__ = ()


_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
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
        return float(value) if _FLOAT.match(value) else str(value)
    if isinstance(value, dict):
        return {str(key): core_value(item) for key, item in value.items()}
    if isinstance(value, list):
        return [core_value(item) for item in value]
    return value


def _null_as_empty(value: object) -> object:
    """Let ``resources:`` with nothing behind it mean no resources."""
    return {} if isinstance(value, Plain) and value in ("", "~", "null") else value


Value: TypeAlias = Annotated[
    Any, BeforeValidator(core_value), WithJsonSchema({"description": "any YAML value; quote what should stay text"})
]
Text = Annotated[str, StringConstraints(strict=True, min_length=1)]
Sha256 = Annotated[str, StringConstraints(strict=True, pattern=r"^[0-9a-f]{64}$")]
StackName = Annotated[str, StringConstraints(strict=True, pattern=r"^[a-z][a-z0-9-]{0,39}$")]
AsciiText = Annotated[str, StringConstraints(strict=True, pattern=r"^[\x20-\x7e]*$", max_length=512)]


class Section(BaseModel):
    """What all parts of a manifest share."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class Target(Section):
    """Where a manifest is applied."""

    endpoint: Text = Field(
        "local",
        description="'local' for the service built in, or the address of a MaxCompute endpoint, ending in /api. "
        "${env:NAME} and ${var:NAME} are replaced.",
    )
    project: Text = Field(description="The MaxCompute project.")
    schema_: Text | None = Field(None, alias="schema", description="The schema, in projects that have schemas.")
    variables: Annotated[dict[str, Text], BeforeValidator(_null_as_empty)] = Field(
        default_factory=dict, description="Values of ${var:NAME} for this target; they win over the top level's."
    )


class PinnedWheel(Section):
    """A wheel of the package index, named so that it can only be one file."""

    requirement: Text = Field(description="Name and exact version: numpy==1.19.2")
    sha256: Sha256 = Field(description="Of the wheel file that fits the runtime.")


class Package(Section):
    """A group of wheels that functions name under `packages:`."""

    wheels: Annotated[list[Text | PinnedWheel], Field(min_length=1)] = Field(
        description="Paths of wheel files, or {requirement, sha256} for wheels of the package index."
    )


class Resource(Section):
    """A file or table that functions read, under the name of its key."""

    file: Text | None = Field(None, description="Path of the file, relative to the manifest.")
    table: Text | None = Field(None, description="A table: [project.][schema.]table")
    partition: Text | None = Field(None, description="With `table`: pt='20260101'")
    type: ResourceType | None = Field(None, description="By the end of the name when left out.")
    comment: AsciiText = Field(
        "", description="Kept on the service beside udfs's own mark. ASCII: it travels in a header."
    )


class Test(Section):
    """One call and what it must return."""

    args: list[Value] = Field(default_factory=list, description="The arguments of one row.")
    returns: Value = Field(None, description="The expected value.")


class Function(Section):
    """One SQL function."""

    class_: Text = Field(alias="class", description="Class, or module.Class.")
    source: Text | None = Field(None, description="Path of the Python file, relative to the manifest.")
    python: RuntimeTag | None = Field(None, description="When it differs from the manifest's `python`.")
    packages: list[Text] = Field(default_factory=list, description="Names from `packages:`.")
    resources: list[Text] = Field(
        default_factory=list, description="Names from `resources:`, or project/resources/name for another project's."
    )
    description: Text | None = None
    tests: list[Test] = Field(default_factory=list)


class Manifest(Section):
    """The Python UDFs of one stack."""

    stack: StackName = Field(description="Names what belongs together; marks every object that is managed.")
    python: RuntimeTag = Field("cp37", description="The Python the functions run on.")
    variables: Annotated[dict[str, Text], BeforeValidator(_null_as_empty)] = Field(
        default_factory=dict, description="Values of ${var:NAME}."
    )
    targets: Annotated[dict[str, Target], BeforeValidator(_null_as_empty)] = Field(default_factory=dict)
    packages: Annotated[dict[str, Package], BeforeValidator(_null_as_empty)] = Field(default_factory=dict)
    resources: Annotated[dict[str, Resource], BeforeValidator(_null_as_empty)] = Field(default_factory=dict)
    functions: Annotated[dict[str, Function], BeforeValidator(_null_as_empty)] = Field(
        description="SQL name → function."
    )
