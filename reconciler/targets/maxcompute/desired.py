"""
From manifest and artifacts to the state that should be live.

Pure: files were read and wheels fetched before (`packages`). A function with a source becomes two objects, its entry
module (a PY resource) and the function; a wheel, or a package in one piece, becomes one ARCHIVE, shared by all functions
that use it; a native library becomes one FILE under its SONAME; what `resources:` lists becomes what it says.

An entry module is named by its content (``my_psi__3fa9c1d2.py``), unless the manifest wants names to stay. A new content
is then a new resource beside the old one, and the function moves from the one to the other in the single request that
replaces its definition: no query sees half of an update.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from reconciler.core.kind import Key, Mark, fingerprint
from reconciler.core.state import Desired
from reconciler.targets.maxcompute.manifest import manifest_of, target_of
from reconciler.targets.maxcompute.names import parse_reference
from reconciler.targets.maxcompute.objects import Function, Resource, function_key, resource_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.base.errors import Position
    from reconciler.core.state import DesiredState
    from reconciler.manifest.load import Loaded
    from reconciler.packages.artifacts import Artifacts, Shipment
    from reconciler.packages.content import Content


def state(loaded: Loaded, artifacts: Artifacts) -> DesiredState:
    """Return every object that the manifest asks for, by key."""
    desired_objects: dict[Key, Desired] = {}
    for desired in _resources(loaded, artifacts):
        # Two functions of one source share its module; two files of one name were refused before (E309).
        desired_objects.setdefault(desired.object.key, desired)
    carried: dict[Key, set[str]] = defaultdict(set)
    for name, shipment in artifacts.shipments.items():
        function = _function(shipment, loaded)
        desired_objects[function.object.key] = function
        source = shipment.source
        carried[resource_key(source.name if source else loaded.code[name].carrier)].add(fingerprint(name.lower()))
    manifest = loaded.manifest
    protected = {function_key(name) for name, function in manifest.functions.items() if function.protect}
    protected |= {resource_key(name) for name, resource in manifest.resources.items() if resource.protect}
    for key, names in carried.items():
        carrier = desired_objects[key]
        assert carrier.mark is not None  # every resource of the manifest has one
        desired_objects[key] = carrier._replace(mark=carrier.mark._replace(names=frozenset(names)))
    for key in protected & desired_objects.keys():
        desired_objects[key] = desired_objects[key]._replace(protected=True)
    return desired_objects


def _resources(loaded: Loaded, artifacts: Artifacts) -> Iterator[Desired]:
    stack = loaded.manifest.stack
    for name, declared in manifest_of(loaded).resources.items():
        origin, kind = loaded.at("resources", name), loaded.types[name]
        if declared.file is not None:
            content = artifacts.resource(name, declared.file)
            assert content is not None  # `build` has told what cannot be read
            yield _file(stack, name, kind, content, origin, declared.comment)
        else:
            assert declared.table is not None
            # As the service writes it: with its project, and the partition behind it.
            place = [target_of(loaded).project, target_of(loaded).schema_]
            table = declared.table if "." in declared.table else ".".join(filter(None, (*place, declared.table)))
            source = f"{table} partition({declared.partition})" if declared.partition else table
            yield Desired(Resource(name, kind, comment=declared.comment, table=source), origin, Mark(stack))
    for shipment in artifacts.shipments.values():
        for item in shipment.items:
            if item.role != "resource" and item.type is not None and item.content is not None:
                # An archive may be of several wheels, and its package is what the function names.
                keys = ("packages", str(item.package)) if item.role == "archive" else item.keys
                desired = _file(stack, item.name, item.type, item.content, loaded.at(*keys))
                yield desired._replace(part_of=f"package {item.package}") if item.package else desired


def _file(stack: str, name: str, kind: str, content: Content, origin: Position, comment: str = "") -> Desired:
    resource = Resource(name, kind, content.md5, content.size, comment)
    return Desired(resource, origin, Mark(stack, content.sha256, content.md5))


def _function(shipment: Shipment, loaded: Loaded) -> Desired:
    name, class_path = shipment.function, loaded.code[shipment.function].class_path
    if shipment.source is not None:
        class_path = f"{shipment.source.name.removesuffix('.py')}.{class_path.rpartition('.')[2]}"
    # What lies elsewhere is written out with its project, so no surroundings are needed to read it.
    references = tuple(parse_reference(item.elsewhere or item.name, "", None) for item in shipment.items)
    return Desired(Function(name, class_path, references), loaded.at("functions", name))
