"""
Names and keys: what makes two descriptions the same object.

MaxCompute looks names up without regard to case and keeps the first spelling [doc "Function operations"], so identity
is the folded name and the spelling is only for showing. A function lists its resources as ``name``,
``project/resources/name`` or ``project/schemas/schema/resources/name`` [PyODPS models/resource.py]; the service always
answers with a qualified form, so both sides are brought to one form before they are compared.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_RESOURCE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*\Z")
_FUNCTION = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)*\Z")
_REFERENCE = re.compile(r"(?P<project>[^/]+)/(?:schemas/(?P<schema>[^/]+)/)?resources/(?P<name>[^/]+)\Z")
_MAX_LENGTH = 255
DEFAULT_SCHEMA = "default"

ARCHIVE_SUFFIXES = (".tar.gz", ".tgz", ".tar", ".zip", ".jar")
"""By these ends of a resource's name MaxCompute chooses how to unpack [doc "Resource operations"]."""

_ENDS = (".py", *ARCHIVE_SUFFIXES)
_HEX = frozenset("0123456789abcdef")


FOLDER_SUFFIXES = (".zip", ".tar", ".tgz", ".tar.gz")
"""By these ends of a resource's name a folder is packed."""


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
    return None if name is None or name.lower() == DEFAULT_SCHEMA else name.lower()


SINGLE = "single"
"""Of `bundle:`: one archive, whose name is not the user's."""


def wheel_archive(path: str) -> str:
    """Return the resource name of a wheel file: MaxCompute does not unpack .whl, and the documentation renames it."""
    return path.rpartition("/")[2].removesuffix(".whl") + ".zip"


def bundle_archive(package: str, bundle: str, runtime: str, usual: str) -> str:
    """
    Return the resource name of a package that is one archive: the package's, or the one that the user chose as `bundle`.

    A runtime other than the manifest's `usual` one has other wheels, and so a name of its own, whatever the bytes turn out to
    be: a name that code relies on must not change because another function comes along.
    """
    stem = package if bundle == SINGLE else bundle.removesuffix(".zip")
    return f"{stem}.zip" if runtime == usual else f"{stem}-{runtime}.zip"


def repacked_archive(filename: str, sha256: str) -> str:
    """
    Return the resource name of a wheel that is not uploaded as it is, or was built here.

    It is not the vendor's file, so the name says so with the beginning of the content's hash, in the place that
    wheels have for "another build of the same version": ``numpy-1.19.2-0_3fa9c1d2-cp37-cp37m-manylinux1_x86_64.zip``.
    """
    name, version, *rest = filename.removesuffix(".whl").split("-")
    build = rest.pop(0) if len(rest) > 3 else "0"
    return f"{'-'.join([name, version, f'{build}_{sha256[:8]}', *rest])}.zip"


def module_name(path: str) -> str:
    """Return the name by which a module or package of `modules:` is imported."""
    return path.rstrip("/").rpartition("/")[2].removesuffix(".py")


def is_package(path: str) -> bool:
    """Say whether a path of `modules:` is that of a package, which is a folder, and not of a file."""
    return not path.endswith(".py")


def versioned_name(name: str, sha256: str) -> str:
    """Return the name under which one content of `name` is uploaded: a new content is a new resource."""
    end = next((end for end in _ENDS if name.lower().endswith(end)), "")
    stem = name[: len(name) - len(end)]
    return f"{stem}__{sha256[:8]}{name[len(stem) :]}"


def unversioned_name(name: str, sha256: str) -> str | None:
    """
    Return a name without the digest that `versioned_name` or `repacked_archive` put there for this content, or None.

    All versions of one thing have this in common.
    """
    # Not a pattern for each digest: of thousands of resources, compiling them takes longer than all the rest of a plan.
    digest = f"_{sha256[:8]}"
    start = name.find(digest)
    while start >= 0:
        end = start + len(digest)
        if name[end : end + 1] not in _HEX:
            return name[: start - 1 if start and name[start - 1] == "_" else start] + name[end:]
        start = name.find(digest, start + 1)
    return None


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
