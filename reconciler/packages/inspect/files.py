"""
Files that are shipped, before anybody looks into them: what kind each is, what a module in it could be called, and findings.

Most manifests ship nothing that has an inside, so what opens archives and native files is imported by `contents` alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from reconciler.base.inputs import SHIPPED, open_input
from reconciler.base.names import ARCHIVE_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

FileKind: TypeAlias = Literal["wheel", "zip", "tar", "library", "file"]

FORCIBLE = frozenset(
    [
        "E410",
        "E411",
        "E412",
        "E413",
        "E414",
        "E415",
        "E416",
        "E417",
        "E430",
        "E431",
        "E432",
        "E433",
        "E434",
        "E435",
        "E436",
        "E459",
        "E464",
        "E465",
        "E467",
        "E468",
        "E469",
    ]
) | frozenset(f"E{number}" for number in range(640, 654))
"""
Findings that a person may force past: they say that something would not run, and may be wrong about it.

Not among them is what would harm a worker or this machine (members that leave the archive, that expand too far), what cannot be read at all, and bytes
that are not those that somebody vouched for.
"""

MAGIC = b"\x7fELF"
_SHOWN = 10
_LIBRARY = re.compile(r"\.so(\.[0-9]+)*\Z")


@dataclass(frozen=True)
class FileFinding:
    """Something about one file that a person should know; who says where it stands makes a problem of it."""

    code: str
    message: str
    """Continues a sentence that begins with the file's name."""

    hint: str | None = None
    detail: tuple[str, ...] = ()
    severity: Literal["error", "warning"] = "error"


def is_library_name(name: str) -> bool:
    """Say whether a file of this name is loaded as native code: ``x.so``, ``libx.so.1.2``."""
    return _LIBRARY.search(name) is not None


def file_kind(path: Path) -> FileKind:
    """Return what a file is by its name, as pip and services judge it, and by its first bytes where names say nothing."""
    name = path.name.lower()
    if name.endswith(".whl"):
        return "wheel"
    if name.endswith(ARCHIVE_SUFFIXES):
        return "zip" if name.endswith((".zip", ".jar")) else "tar"
    with open_input(path, SHIPPED) as stream:
        return "library" if is_elf(stream.read(len(MAGIC))) else "file"


def is_elf(start: bytes) -> bool:
    """Say whether a file that begins like this is, or claims to be, an ELF file."""
    return start.startswith(MAGIC)


def stems_of(paths: Iterable[str]) -> frozenset[str]:
    """Return the parts of paths without endings, as far as a module can be called so."""
    stems = (part.partition(".")[0] for path in paths for part in path.split("/"))
    return frozenset(stem for stem in stems if stem.isidentifier())


def shorten(what: list[str]) -> tuple[str, ...]:
    """Return the first lines of a list that may be long, and how many more there are."""
    more = [f"and {len(what) - _SHOWN} more"] if len(what) > _SHOWN else []
    return (*what[:_SHOWN], *more)
