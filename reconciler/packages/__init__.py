"""
Artifacts: the bytes that a manifest names, found, checked and measured before anything is planned.

A MaxCompute function is a class path and a list of resources. The bytes of those resources come from three places:

* files in the manifest's folder (sources, ``resources:``), which are only read and hashed (`digests` remembers the
  hashes), and folders, which are packed (`folders`);
* wheels in the manifest's folder, checked against the runtime first: a wheel says in its file name which Python, ABI
  and platform it was built for, and MaxCompute loads few of them (`runtime`);
* wheels of the package index, each pinned by version and sha256, so that the name means the same bytes everywhere.
  pip fetches them (`fetch`) into a cache in which a file is found by its hash (`cache`).

A wheel is a zip archive in the layout that ``sys.path`` wants, but MaxCompute does not know the ending ``.whl``: the
documentation renames it to ``.zip`` and uploads it as an ARCHIVE, which each worker unpacks to ``work/<name>.zip/``
[doc "Resource operations", "Use third-party packages"]. An `Archive` is what is uploaded: mostly one wheel, byte for byte,
under that name; where a package asks for less, or for all in one, it is packed here (`pack`, over `shape` and `zips`).

`build` is the way in. What it found is read through once (`inspection`, over `members` and `elf`) and judged before
anything is planned (`gate`, `closure`): what would not load is not uploaded.

A package of the user's own is packed (`own`). What a function needs to find its packages is added behind its source (`wiring`).

`missed` has the runtime's CPython try whether something is missed that a package leaves out.

Values live here; effects are in `fetch` (the network), `cache`, `digests` and `pack` (the cache's folder), `content`,
`inspection` and `folders` (reading), `export` (a folder of the user's).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconciler.base.names import module_name
from reconciler.packages.inspect.closure import Part, in_order
from reconciler.packages.inspect.contents import Facts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from reconciler.base.errors import Problem
    from reconciler.manifest.model import Function, ResourceType
    from reconciler.packages.content import Content
    from reconciler.packages.pack.archives import Made
    from reconciler.packages.pack.layout import LeftOut


@dataclass(frozen=True)
class Wheel:
    """A wheel that fits the runtime it is wanted for."""

    filename: str
    content: Content
    native: bool
    """Whether it holds compiled code, which needs flags of its own in SQL (`runtime.flags`)."""

    requirement: str | None = None
    """The pin, for wheels of the package index."""

    is_built: bool = False
    """Whether it was made from source, here or where the lock was made."""

    facts: Facts = field(default_factory=Facts)
    """What is inside."""

    place: tuple[str | int, ...] = field(default=(), compare=False)
    """Where the manifest names it: ``("packages", "numpy", "wheels", 0)``."""


@dataclass(frozen=True)
class Archive:
    """What is uploaded of a package's wheels: one of them, or several in one."""

    name: str
    """Of the resource."""

    content: Content
    wheels: tuple[Wheel, ...]
    """What it is made of."""

    facts: Facts
    """What is inside. Of a wheel that is uploaded as it is: the wheel's."""

    left_out: tuple[LeftOut, ...] = ()
    is_packed: bool = False
    """Whether it was packed here: else it is a wheel, byte for byte."""

    @property
    def native(self) -> bool:
        """Whether it holds compiled code, which needs flags of its own in SQL (`runtime.flags`)."""
        return any(wheel.native for wheel in self.wheels)

    @property
    def place(self) -> tuple[str | int, ...]:
        """Where the manifest names what it is made of, if that is one wheel."""
        return self.wheels[0].place if len(self.wheels) == 1 else ()


@dataclass(frozen=True)
class Library:
    """A native library that travels beside the wheels, as a FILE."""

    name: str
    """
    The name of the resource: the SONAME, because that is the name by which everything that needs the library asks for it;
    of a library that has none, the file's own.
    """

    path: str
    """As the manifest has it."""

    number: int
    """Its place in the package's list."""

    content: Content
    facts: Facts

    @property
    def part(self) -> Part:
        return Part(self.name, self.facts, "library")


@dataclass(frozen=True)
class OwnPackage:
    """A package of the user's own, packed."""

    name: str
    """Of the resource."""

    content: Content
    sources: Mapping[str, Content]
    """The Python files in it, by their paths in it: ``common/text.py``."""


@dataclass(frozen=True)
class Entry:
    """A module that is a source with something behind it (`wiring`)."""

    content: Content
    added: str


@dataclass(frozen=True)
class Artifacts:
    """Everything that a manifest's functions are made of."""

    files: Mapping[str, Content]
    """Sources, libraries and resource files, by the path that the manifest gives."""

    archives: Mapping[tuple[str, str], tuple[Archive, ...]]
    """By package and runtime tag, for the pairs that functions use; in the manifest's order."""

    libraries: Mapping[str, tuple[Library, ...]] = field(default_factory=dict)
    """By package, for the packages that functions use; in the manifest's order."""

    facts: Mapping[str, Facts] = field(default_factory=dict)
    """What is inside the archives and native files of `resources:`, by the resource's name."""

    packages: Mapping[str, OwnPackage] = field(default_factory=dict)
    """Packages of `modules:`, by the path that the manifest gives."""

    entries: Mapping[str, Entry] = field(default_factory=dict)
    """The modules that sources are uploaded as, by the source's path, where something is added to them."""

    folders: Mapping[str, Made] = field(default_factory=dict)
    """The folders of `resources:`, packed, by the resource's name."""

    warnings: tuple[Problem, ...] = ()
    """What may go wrong and need not."""

    def is_native(self, packages: Iterable[str], runtime: str) -> bool:
        """Say whether a function with these packages runs compiled code."""
        return any(self.libraries.get(one) or any(a.native for a in self.archives[one, runtime]) for one in packages)

    def entry(self, source: str) -> Content:
        """Return the module that a function's source is uploaded as."""
        return self.entries[source].content if source in self.entries else self.files[source]

    def modules(self, function: Function) -> Iterator[tuple[str, ResourceType, Content, int]]:
        """Yield the resources that a function's `modules:` become: name, type, content, and place in the list."""
        for number, path in enumerate(function.modules):
            package = self.packages.get(path)
            if package is not None:
                yield package.name, "archive", package.content, number
            elif (content := self.resource(f"{module_name(path)}.py", path)) is not None:
                yield f"{module_name(path)}.py", "py", content, number

    def resource(self, name: str, file: str) -> Content | None:
        """Return what a resource is uploaded as, if it could be read."""
        if name in self.folders:
            return self.folders[name].content
        # A source that is declared as a resource too is one module, and keeps its name.
        is_entry = file in self.entries and file.rpartition("/")[2] == name
        return self.entries[file].content if is_entry else self.files.get(file)

    @property
    def contents(self) -> Iterator[Content]:
        """Every file that may be uploaded."""
        yield from self.files.values()
        yield from (package.content for package in self.packages.values())
        yield from (entry.content for entry in self.entries.values())
        yield from (folder.content for folder in self.folders.values())
        for archives in self.archives.values():
            yield from (archive.content for archive in archives)

    def libraries_of(self, packages: Iterable[str]) -> tuple[tuple[str, Library], ...]:
        """
        Return the libraries of packages, each with its package and after the libraries that it needs.

        One that two packages list comes once.
        """
        found: dict[str, tuple[str, Library]] = {}
        for package in packages:
            for library in self.libraries.get(package, ()):
                found.setdefault(library.name.lower(), (package, library))
        by_name = {library.name: (package, library) for package, library in found.values()}
        return tuple(by_name[part.name] for part in in_order([one.part for _, one in found.values()]))
