"""
Names of MaxCompute: which names resources and functions may have, and how one refers to a resource elsewhere.

A function lists its resources as ``name``, ``project/resources/name`` or ``project/schemas/schema/resources/name`` [PyODPS
models/resource.py]; the service always answers with a qualified form, so both sides are brought to one form before they are
compared.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_RESOURCE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*\Z")
_FUNCTION = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)*\Z")
_REFERENCE = re.compile(r"(?P<project>[^/]+)/(?:schemas/(?P<schema>[^/]+)/)?resources/(?P<name>[^/]+)\Z")
_MAX_LENGTH = 255
_DEFAULT_SCHEMA = "default"


class Reference(NamedTuple):
    """A resource as a function names it."""

    name: str
    project: str | None = None
    """None: the project and schema that the function itself is in."""

    schema: str | None = None

    @property
    def is_own(self) -> bool:
        """Whether the resource lies beside the function."""
        return self.project is None

    @property
    def folded(self) -> str:
        """The form in which two references are compared."""
        return str(self).lower()

    def __str__(self) -> str:
        if self.project is None:
            return self.name
        schema = f"schemas/{self.schema}/" if self.schema else ""
        return f"{self.project}/{schema}resources/{self.name}"


def is_qualified(text: str) -> bool:
    """Say whether `text` names a resource with its project."""
    return _REFERENCE.match(text) is not None


def parse_reference(text: str, project: str, schema: str | None) -> Reference:
    """
    Read a resource reference and drop what the surroundings already say.

    `project` and `schema` are those of the function; the schema ``default`` and no schema are the same place
    [doc "Schema-related operations"].
    """
    match = _REFERENCE.match(text) if "/" in text else None
    if match is None:
        return Reference(text)
    schema_name = _schema(match["schema"])
    if match["project"].lower() == project.lower() and schema_name == _schema(schema):
        return Reference(match["name"])
    return Reference(match["name"], match["project"], schema_name)


def _schema(name: str | None) -> str | None:
    return None if name is None or name.lower() == _DEFAULT_SCHEMA else name.lower()


def wheel_archive(path: str) -> str:
    """Return the resource name of a wheel file: MaxCompute does not unpack .whl, and the documentation renames it."""
    return path.rpartition("/")[2].removesuffix(".whl") + ".zip"


def why_not_a_resource_name(name: str) -> str | None:
    """Return what is wrong with a resource's name, or None. The service publishes no rule; see E302."""
    if not _RESOURCE.match(name):
        return "a resource's name holds letters, digits and _ . + - only"
    if name.lower().startswith("udfs."):
        return "names that begin with 'udfs.' are kept for the ledger"
    if ".part.tmp." in name.lower():
        return "'.part.tmp.' is what clients call the parts of an upload"
    return _too_long(name)


def why_not_a_function_name(name: str) -> str | None:
    """Return what is wrong with a function's name, or None [odpscmd takes letters, digits, _ and .]."""
    if not _FUNCTION.match(name):
        return "a function's name holds letters, digits, _ and . only, and begins with a letter or _"
    return _too_long(name)


def _too_long(name: str) -> str | None:
    # A guess: the service publishes no limit. File systems and proxies stop at 255.
    return f"a name has at most {_MAX_LENGTH} characters" if len(name) > _MAX_LENGTH else None
