"""
From manifest and artifacts to the state that should be live.

Pure: files were read and wheels fetched before (`artifacts`). A function with a source becomes two objects, its entry
module (a PY resource under the source file's name) and the function; a wheel becomes one ARCHIVE, shared by all
functions that use it; what `resources:` lists becomes what it says.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.names import Key, Reference, is_qualified, reference, resource_key
from reconciler.state import Desired, Function, Marker, Resource, function_mark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.artifacts import Artifacts
    from reconciler.manifest.load import Loaded
    from reconciler.state import DesiredState


def state(loaded: Loaded, artifacts: Artifacts) -> DesiredState:
    """Return every object that the manifest asks for, by key."""
    wanted: dict[Key, Desired] = {}
    for desired in _resources(loaded, artifacts):
        # Two functions of one source share its module; two wheels of one name are the same file (E309 otherwise).
        wanted.setdefault(desired.object.key, desired)
    carried: dict[Key, set[str]] = defaultdict(set)
    for name in loaded.manifest.functions:
        function = _function(name, loaded, artifacts)
        wanted[function.object.key] = function
        carried[_carrier(function.object, wanted)].add(function_mark(name))  # type: ignore[arg-type]
    return {key: _marked(desired, carried.get(key)) for key, desired in wanted.items()}


def _resources(loaded: Loaded, artifacts: Artifacts) -> Iterator[Desired]:
    stack, project = loaded.manifest.stack, loaded.target.project
    for name, declared in loaded.manifest.resources.items():
        origin = loaded.at("resources", name)
        kind = loaded.resource_types[name]
        if declared.table is not None:
            source = _table(declared.table, declared.partition, project)
            resource = Resource(name, "table", comment=declared.comment, table=source)
            yield Desired(resource, origin, Marker(stack))
        else:
            assert declared.file is not None
            content = artifacts.files[declared.file]
            resource = Resource(name, kind, content.md5, content.size, declared.comment)
            yield Desired(resource, origin, Marker(stack, content.sha256, content.md5))
    for name, function in loaded.manifest.functions.items():
        derived = loaded.functions[name]
        if function.source is not None and derived.entry is not None:
            content = artifacts.files[function.source]
            resource = Resource(derived.entry, "py", content.md5, content.size)
            yield Desired(resource, loaded.at("functions", name, "source"), Marker(stack, content.sha256, content.md5))
        for package in function.packages:
            for wheel in artifacts.wheels[package, derived.runtime]:
                content = wheel.content
                resource = Resource(wheel.archive, "archive", content.md5, content.size)
                yield Desired(resource, loaded.at("packages", package), Marker(stack, content.sha256, content.md5))


def _function(name: str, loaded: Loaded, artifacts: Artifacts) -> Desired:
    function, derived = loaded.manifest.functions[name], loaded.functions[name]
    target = loaded.target
    spelling = {key.lower(): key for key in loaded.manifest.resources}
    listed = [
        *([derived.entry] if derived.entry else []),
        *(spelling.get(item.lower(), item) for item in function.resources),
        *(wheel.archive for package in function.packages for wheel in artifacts.wheels[package, derived.runtime]),
    ]
    unique = dict.fromkeys(listed)
    references = tuple(
        reference(item, target.project, target.schema_) if is_qualified(item) else Reference(item) for item in unique
    )
    return Desired(Function(name, derived.class_path, references), loaded.at("functions", name))


def _carrier(function: object, wanted: dict[Key, Desired]) -> Key | None:
    """Return the resource whose marker names a function: the module of its class, else the first that is managed."""
    assert isinstance(function, Function)
    module = resource_key(function.class_path.rpartition(".")[0] + ".py")
    own = [resource_key(ref.name) for ref in function.resources if ref.is_own]
    managed = [key for key in own if key in wanted]
    return module if module in managed else next(iter(managed), None)


def _marked(desired: Desired, marks: set[str] | None) -> Desired:
    if not marks or desired.marker is None:
        return desired
    return replace(desired, marker=replace(desired.marker, functions=frozenset(marks)))


def _table(table: str, partition: str | None, project: str) -> str:
    """Return a table's source as the service writes it: with its project, and the partition behind it."""
    full = table if "." in table else f"{project}.{table}"
    return f"{full} partition({partition})" if partition else full
