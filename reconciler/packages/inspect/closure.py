"""
Library closure: where each library that a native file needs would come from.

The dynamic linker looks in the folders of RPATH, then among what the process has loaded already, then in the system's own
folders [ld.so(8)]. What is shipped to a worker can therefore help in two ways: lying where RPATH points, which is how
repaired wheels carry their libraries, or being loaded before it is needed, which is what functions do with the files of
`libraries:`.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from reconciler.manifest.runtimes import Runtime
    from reconciler.packages.inspect.contents import FileFacts, Native

Role: TypeAlias = Literal["archive", "library"]


@dataclass(frozen=True)
class Part:
    """One file that is shipped, under the name it is shipped by."""

    name: str
    facts: FileFacts
    role: Role = "archive"
    """``library`` for what can be put before the linker by its name: a file of `libraries:` or a FILE resource."""


class Where(Enum):
    """Where a library comes from."""

    BASE = "base system"
    SAME = "same file"
    LIBRARY = "library"
    OTHER = "another archive"
    UNKNOWN = "not known"
    MISSING = "missing"


@dataclass(frozen=True)
class Need:
    """A library that a native file needs, and where it is."""

    library: str
    where: Where
    holder: str | None = None
    """The file that has it: a path in the same archive, or the name of another part."""


def _where(
    library: str, native: Native, answering: Sequence[Native], part: Part, parts: Iterable[Part], runtime: Runtime
) -> Need:
    """Say where `native`, which is in `part`, gets a library from; `answering` are the files there that have its name."""
    # In the linker's order: beside the file, the process, the system.
    if same := [other for other in answering if other is not native]:
        return Need(library, Where.SAME, _nearest(same, native).path)
    if runtime.has_library(library):
        return Need(library, Where.BASE)
    others = [other for other in parts if other is not part and _answers_to(other, library)]
    for other in sorted(others, key=lambda candidate: candidate.role != "library"):
        return Need(library, Where.LIBRARY if other.role == "library" else Where.OTHER, other.name)
    return Need(library, Where.MISSING if runtime.has_library(library) is False else Where.UNKNOWN)


def find_needs(part: Part, parts: Sequence[Part], runtime: Runtime) -> Iterator[tuple[Native, tuple[Need, ...]]]:
    """Yield each native file of a part with what it needs."""
    answering: dict[str, list[Native]] = {}
    for native in part.facts.natives:
        for name in native.answers_to:
            answering.setdefault(name, []).append(native)
    for native in part.facts.natives:
        yield (
            native,
            tuple(
                _where(library, native, answering.get(library, ()), part, parts, runtime)
                for library in native.elf.needed
            ),
        )


def order_libraries(libraries: Sequence[Part]) -> tuple[Part, ...]:
    """
    Return libraries so that each comes after those it needs; else in the order given.

    Loaded one by one, each then finds its needs in the process. Libraries that need each other cannot all do so; they
    stay as they come.
    """
    ordered: dict[str, Part] = {}
    for library in libraries:
        _insert(library, libraries, ordered, ())
    return tuple(ordered.values())


def _insert(part: Part, libraries: Sequence[Part], ordered: dict[str, Part], above: tuple[str, ...]) -> None:
    if part.name in ordered or part.name in above:
        return
    needed = {library for native in part.facts.natives for library in native.elf.needed}
    for other in libraries:
        if other is not part and any(_answers_to(other, library) for library in needed):
            _insert(other, libraries, ordered, (*above, part.name))
    ordered[part.name] = part


def _answers_to(part: Part, library: str) -> bool:
    return part.name == library or any(library in native.answers_to for native in part.facts.natives)


def _nearest(candidates: list[Native], native: Native) -> Native:
    """Return the candidate in the first folder of RPATH that has one; failing that any, which must be loaded before."""
    origin = posixpath.dirname(native.path)
    for folder in native.elf.rpath:
        path = posixpath.normpath(folder.replace("${ORIGIN}", "$ORIGIN").replace("$ORIGIN", origin or "."))
        for candidate in candidates:
            if posixpath.normpath(posixpath.dirname(candidate.path) or ".") == path:
                return candidate
    return candidates[0]
