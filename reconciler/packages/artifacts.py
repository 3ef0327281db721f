"""
Artifacts: the bytes that a manifest names, checked and measured, and what each function ships of them.

Frozen values; everything is worked out once, in `collect`, before anything is planned. What no function uses is neither fetched
nor shipped, and whoever asks what a function ships reads its `Shipment`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from reconciler.base.names import module_name, versioned_name
from reconciler.packages.content import OwnPackage
from reconciler.packages.inspect.gate import Part, order_libraries

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from reconciler.base.errors import Problem
    from reconciler.manifest.load import Loaded
    from reconciler.manifest.model import Function
    from reconciler.manifest.runtimes import Runtime
    from reconciler.packages.content import Content
    from reconciler.packages.inspect.contents import FileFacts
    from reconciler.packages.pack.archives import Omission, PackedArchive

Role: TypeAlias = Literal["source", "resource", "module", "archive", "library"]
Keys: TypeAlias = "tuple[str | int, ...]"
"""A place in the manifest: ``("packages", "numpy", "wheels", 0)``."""


def _no_facts() -> FileFacts:
    """Return the facts of a file without an inside; what opens files is imported where one is shipped that has one."""
    from reconciler.packages.inspect.contents import FileFacts

    return FileFacts()


@dataclass(frozen=True)
class Wheel:
    """A wheel that fits the runtime it is wanted for."""

    filename: str
    content: Content
    native: bool
    """Whether it holds compiled code, which needs flags of its own in SQL (`runtimes.flags`)."""

    requirement: str | None = None
    """The pin, for wheels of the package index."""

    is_built: bool = False
    """Whether it was made from source, here or where the lock was made."""

    facts: FileFacts = field(default_factory=_no_facts)
    """What is inside."""

    keys: Keys = field(default=(), compare=False)
    """Where the manifest names it."""


@dataclass(frozen=True)
class Archive:
    """What is uploaded of a package's wheels: one of them, or several in one."""

    name: str
    """Of the resource."""

    content: Content
    wheels: tuple[Wheel, ...]
    """What it is made of."""

    facts: FileFacts
    """What is inside. Of a wheel that is uploaded as it is: the wheel's."""

    left_out: tuple[Omission, ...] = ()
    is_packed: bool = False
    """Whether it was packed here: else it is a wheel, byte for byte."""

    @property
    def native(self) -> bool:
        """Whether it holds compiled code, which needs flags of its own in SQL (`runtimes.flags`)."""
        return any(wheel.native for wheel in self.wheels)

    @property
    def keys(self) -> Keys:
        """Where the manifest names what it is made of, if that is one wheel."""
        return self.wheels[0].keys if len(self.wheels) == 1 else ()


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
    facts: FileFacts

    @property
    def file(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def soname(self) -> str | None:
        return next((native.elf.soname for native in self.facts.natives), None)

    @property
    def part(self) -> Part:
        return Part(self.name, self.facts, "library")


@dataclass(frozen=True)
class WiredModule:
    """A module that is a source with something behind it (`wiring`)."""

    content: Content
    added: str


@dataclass(frozen=True)
class Item:
    """One resource that a function lists, whoever brings it."""

    name: str
    """Of the resource, as it is uploaded; one of another project has the name that it has there."""

    role: Role
    keys: Keys
    """Where the manifest says so."""

    type: str | None = None
    """None of what the manifest does not declare."""

    content: Content | None = None
    """None of tables, and of what the manifest does not declare."""

    facts: FileFacts | None = None
    """What is inside, if it is something with an inside."""

    file: str | None = None
    """The path that the manifest gives."""

    package: str | None = None
    """The package that brings it."""

    made_of: Archive | Library | OwnPackage | None = None
    elsewhere: str | None = None
    """The whole reference, as the service writes it, of what does not lie beside the function."""

    @property
    def label(self) -> str:
        """What people know it by: of a source its file's name, for the resource's has a digest in it."""
        return (self.file or self.name).rpartition("/")[2] if self.role == "source" else self.name

    @property
    def part(self) -> Part:
        """The item as the linker sees it."""
        facts = self.facts or _no_facts()
        return Part(self.label, facts, "library" if facts.kind == "library" or self.role == "library" else "archive")


@dataclass(frozen=True)
class Shipment:
    """Everything that one function ships, in the order in which its definition lists it; no resource comes twice."""

    function: str
    runtime: Runtime
    items: tuple[Item, ...]

    def of(self, role: Role) -> tuple[Item, ...]:
        """Return the items that come in one role."""
        return tuple(item for item in self.items if item.role == role)

    @property
    def source(self) -> Item | None:
        """The module that the function's own source becomes."""
        return next(iter(self.of("source")), None)


@dataclass(frozen=True)
class PackedLayer:
    """A layer of the manifest as it is for one runtime, in one archive."""

    content: Content


@dataclass(frozen=True)
class PackedEnvironment:
    """An interpreter with packages, in one archive."""

    name: str
    file: str
    """How the archive is called, with its digest."""

    program: str
    """The interpreter's path in it."""

    content: Content
    keys: Keys


@dataclass(frozen=True)
class PackedCode:
    """Everything of a function that is not in its layers, in one archive."""

    runtime: Runtime
    content: Content


@dataclass(frozen=True)
class Artifacts:
    """Everything that a manifest's functions are made of."""

    files: Mapping[str, Content]
    """Sources, libraries and resource files, by the path that the manifest gives."""

    archives: Mapping[tuple[str, str], tuple[Archive, ...]]
    """By package and runtime tag, for the pairs that functions use; in the manifest's order."""

    libraries: Mapping[str, tuple[Library, ...]] = field(default_factory=dict)
    """By package, for the packages that functions use; in the manifest's order."""

    facts: Mapping[str, FileFacts] = field(default_factory=dict)
    """What is inside the archives and native files of `resources:`, by the resource's name."""

    packages: Mapping[str, OwnPackage] = field(default_factory=dict)
    """Packages of `modules:`, by the path that the manifest gives."""

    modules: Mapping[str, WiredModule] = field(default_factory=dict)
    """The modules that sources are uploaded as, by the source's path, where something is added to them."""

    folders: Mapping[str, PackedArchive] = field(default_factory=dict)
    """The folders of `resources:`, packed, by the resource's name."""

    warnings: tuple[Problem, ...] = ()
    """What may go wrong and need not."""

    shipments: Mapping[str, Shipment] = field(default_factory=dict)
    """What each function ships, by its name."""

    wheels: Mapping[tuple[str, str], tuple[Wheel, ...]] = field(default_factory=dict)
    """By package and runtime tag, of a service that is sent no archives of them."""

    layers: Mapping[tuple[str, str], PackedLayer] = field(default_factory=dict)
    """By name and runtime tag, of a service that has layers."""

    environments: Mapping[str, PackedEnvironment] = field(default_factory=dict)
    """By name, of a service whose workers have interpreters of a user's own."""

    code: Mapping[str, PackedCode] = field(default_factory=dict)
    """By function, of a service to which a function is one archive."""

    def wheels_of(self, package: str, tag: str) -> tuple[Wheel, ...]:
        """Return the wheels of a package for a runtime, whatever they are sent in."""
        packed = self.archives.get((package, tag), ())
        return self.wheels.get((package, tag)) or tuple(wheel for archive in packed for wheel in archive.wheels)

    def module(self, source: str) -> Content | None:
        """Return the module that a function's source is uploaded as, if it could be read."""
        return self.modules[source].content if source in self.modules else self.files.get(source)

    def resource(self, name: str, file: str) -> Content | None:
        """Return what a resource is uploaded as, if it could be read."""
        if name in self.folders:
            return self.folders[name].content
        # A source that is declared as a resource too is one module, and keeps its name.
        return self.module(file) if file.rpartition("/")[2] == name else self.files.get(file)

    def modules_of(self, function: Function) -> Iterator[tuple[int, str, OwnPackage | Content]]:
        """Yield what a function's `modules:` become: the place in the list, the resource's name, and the bytes."""
        for number, path in enumerate(function.modules):
            package, name = self.packages.get(path), f"{module_name(path)}.py"
            if package is not None:
                yield number, package.name, package
            elif (content := self.resource(name, path)) is not None:
                yield number, name, content

    @property
    def contents(self) -> Iterator[Content]:
        """Every file that may be uploaded."""
        yield from self.files.values()
        yield from (package.content for package in self.packages.values())
        yield from (module.content for module in self.modules.values())
        yield from (folder.content for folder in self.folders.values())
        for archives in self.archives.values():
            yield from (archive.content for archive in archives)
        for libraries in self.libraries.values():
            yield from (library.content for library in libraries)
        yield from (layer.content for layer in self.layers.values())
        yield from (code.content for code in self.code.values())
        yield from (environment.content for environment in self.environments.values())

    def libraries_of(self, packages: Iterable[str]) -> tuple[tuple[str, Library], ...]:
        """
        Return the libraries of packages, each with its package and after the libraries that it needs.

        One that two packages list comes once.
        """
        by_name: dict[str, tuple[str, Library]] = {}
        for package in packages:
            for library in self.libraries.get(package, ()):
                by_name.setdefault(library.name.lower(), (package, library))
        parts = order_libraries([library.part for _, library in by_name.values()])
        return tuple(by_name[part.name.lower()] for part in parts)


def pairs(loaded: Loaded) -> list[tuple[str, Runtime]]:
    """Return each package with each runtime that uses it."""
    return list(loaded.package_runtimes)


def used_packages(loaded: Loaded) -> list[str]:
    """Return the packages that functions and layers use."""
    return list(dict.fromkeys(package for package, _ in pairs(loaded)))


def ship(loaded: Loaded, artifacts: Artifacts) -> dict[str, Shipment]:
    """Return the shipment of every function."""
    return {name: _shipment(name, loaded, artifacts) for name in loaded.manifest.functions}


def _shipment(name: str, loaded: Loaded, artifacts: Artifacts) -> Shipment:
    items = [
        *_source_item(name, loaded, artifacts),
        *_resource_items(name, loaded, artifacts),
        *_module_items(name, loaded, artifacts),
        *_package_items(name, loaded, artifacts),
    ]
    # The first of a name counts: a source that is declared as a resource too is one module.
    first = {(item.name, item.elsewhere): item for item in reversed(items)}
    return Shipment(
        name, loaded.code[name].runtime, tuple(item for item in items if first[item.name, item.elsewhere] is item)
    )


def _source_item(name: str, loaded: Loaded, artifacts: Artifacts) -> Iterator[Item]:
    source, code = loaded.manifest.functions[name].source, loaded.code[name]
    if source is None or code.entry is None:
        return
    content = artifacts.module(source)
    resource = versioned_name(code.entry, content.sha256) if code.versioned and content is not None else code.entry
    keys = ("functions", name, "source")
    yield Item(resource, "source", keys, "py", content, file=source)


def _resource_items(name: str, loaded: Loaded, artifacts: Artifacts) -> Iterator[Item]:
    for number, written in enumerate(loaded.manifest.functions[name].resources):
        resource, elsewhere = loaded.target.resolve(written)
        declared = None if elsewhere else loaded.spelled.get(resource.lower())
        if declared is None:
            yield Item(resource, "resource", ("functions", name, "resources", number), elsewhere=elsewhere)
            continue
        file = loaded.manifest.resources[declared].file
        content = artifacts.resource(declared, file) if file is not None else None
        keys = ("resources", declared, *(("file",) if file is not None else ()))
        facts = artifacts.facts.get(declared)
        yield Item(declared, "resource", keys, loaded.types[declared], content, facts, file)


def _module_items(name: str, loaded: Loaded, artifacts: Artifacts) -> Iterator[Item]:
    function = loaded.manifest.functions[name]
    for number, resource, module in artifacts.modules_of(function):
        keys, file = ("functions", name, "modules", number), function.modules[number]
        if isinstance(module, OwnPackage):
            yield Item(resource, "module", keys, "archive", module.content, file=file, made_of=module)
        else:
            yield Item(resource, "module", keys, "py", module, file=file)


def _package_items(name: str, loaded: Loaded, artifacts: Artifacts) -> Iterator[Item]:
    packages, tag = loaded.manifest.functions[name].packages, loaded.code[name].runtime.tag
    for package in packages:
        for archive in artifacts.archives[package, tag]:
            yield Item(
                archive.name,
                "archive",
                archive.keys or ("packages", package),
                "archive",
                archive.content,
                archive.facts,
                package=package,
                made_of=archive,
            )
    for package, library in artifacts.libraries_of(packages):
        yield Item(
            library.name,
            "library",
            ("packages", package, "libraries", library.number),
            "file",
            library.content,
            library.facts,
            library.path,
            package,
            library,
        )
