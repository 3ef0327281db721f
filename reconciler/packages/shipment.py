"""
Shipments: for each function the resources that its definition lists, in order.

Worked out in this one place, from the checked manifest and what was collected; whoever asks what a function ships reads it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.base.names import Reference, versioned_name
from reconciler.packages.artifacts import Item, Shipment
from reconciler.packages.pack.own_package import OwnPackage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.manifest.load import Loaded
    from reconciler.packages.artifacts import Artifacts


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
    first = {item.reference: item for item in reversed(items)}
    return Shipment(name, loaded.code[name].runtime, tuple(item for item in items if first[item.reference] is item))


def _source_item(name: str, loaded: Loaded, artifacts: Artifacts) -> Iterator[Item]:
    source, code = loaded.manifest.functions[name].source, loaded.code[name]
    if source is None or code.entry is None:
        return
    content = artifacts.module(source)
    resource = versioned_name(code.entry, content.sha256) if code.versioned and content is not None else code.entry
    keys = ("functions", name, "source")
    yield Item(resource, "source", Reference(resource), keys, "py", content, file=source)


def _resource_items(name: str, loaded: Loaded, artifacts: Artifacts) -> Iterator[Item]:
    for number, written in enumerate(loaded.manifest.functions[name].resources):
        ref = loaded.target.resolve(written)
        declared = loaded.spelled.get(ref.name.lower()) if ref.is_own else None
        if declared is None:
            yield Item(ref.name, "resource", ref, ("functions", name, "resources", number))
            continue
        file = loaded.manifest.resources[declared].file
        content = artifacts.resource(declared, file) if file is not None else None
        keys = ("resources", declared, *(("file",) if file is not None else ()))
        facts = artifacts.facts.get(declared)
        yield Item(declared, "resource", ref, keys, loaded.types[declared], content, facts, file)


def _module_items(name: str, loaded: Loaded, artifacts: Artifacts) -> Iterator[Item]:
    function = loaded.manifest.functions[name]
    for number, resource, module in artifacts.modules_of(function):
        ref, keys, file = Reference(resource), ("functions", name, "modules", number), function.modules[number]
        if isinstance(module, OwnPackage):
            yield Item(resource, "module", ref, keys, "archive", module.content, file=file, made_of=module)
        else:
            yield Item(resource, "module", ref, keys, "py", module, file=file)


def _package_items(name: str, loaded: Loaded, artifacts: Artifacts) -> Iterator[Item]:
    packages, tag = loaded.manifest.functions[name].packages, loaded.code[name].runtime.tag
    for package in packages:
        for archive in artifacts.archives[package, tag]:
            yield Item(
                archive.name,
                "archive",
                Reference(archive.name),
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
            Reference(library.name),
            ("packages", package, "libraries", library.number),
            "file",
            library.content,
            library.facts,
            library.path,
            package,
            library,
        )
