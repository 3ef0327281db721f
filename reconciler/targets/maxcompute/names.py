"""
Names and marks of MaxCompute: what resources and functions may be called, how one refers to a resource, and whose one is.

A function lists its resources as ``name``, ``project/resources/name`` or ``project/schemas/schema/resources/name`` [PyODPS
models/resource.py]; the service always answers with a qualified form, so both sides are brought to one form before they are
compared.

A mark stands at the end of a resource's comment, the one free text that the service keeps and lists, behind what the user
wrote. Functions have no comment, so the mark of the resource that carries a function's code names the function too.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from reconciler.core.kind import Mark, fingerprint

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


_MARK = re.compile(
    r"(?P<text>.*?)\s*\[udfs/1 (?P<stack>[a-z][a-z0-9-]*) on=(?P<name>[0-9a-f]{8})"
    r"(?: sha256=(?P<sha256>[0-9a-f]{64}) md5=(?P<md5>[0-9a-f]{32}))?(?: for=(?P<functions>[0-9a-f,]+))?\]\Z",
    re.DOTALL,
)


def mark_text(mark: Mark, name: str) -> str:
    """Return a mark as it stands in the comment of the resource `name`, which it names too."""
    content = f" sha256={mark.sha256} md5={mark.digest}" if mark.sha256 else ""
    functions = f" for={','.join(sorted(mark.names))}" if mark.names else ""
    return f"[udfs/1 {mark.stack} on={fingerprint(name.lower())}{content}{functions}]"


def read_mark(text: str, name: str) -> Mark:
    """Return the mark that is all of a text; ValueError for anything else."""
    before, mark = read_comment(text, name)
    if before or mark is None:
        raise ValueError("a mark that udfs does not write")
    return mark


def write_comment(text: str, mark: Mark, name: str) -> str:
    """Return the comment that goes to the service for the resource `name`: the user's text, then the mark."""
    return f"{text} {mark_text(mark, name)}" if text else mark_text(mark, name)


def read_comment(comment: str, name: str) -> tuple[str, Mark | None]:
    """
    Split the comment of the resource `name` into the user's text and the mark, if there is one.

    A mark that names another resource was copied there with its comment, and marks nothing.
    """
    match = _MARK.match(comment)
    if match is None or match["name"] != fingerprint(name.lower()):
        return comment, None
    text, stack, _, sha256, md5, functions = match.groups()
    names = frozenset(filter(None, functions.split(","))) if functions else frozenset()
    return text, Mark(stack, sha256, md5, names)
