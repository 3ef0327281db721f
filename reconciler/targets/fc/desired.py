"""
From manifest and packed archives to the state that should be live.

Pure: files were read and archives packed before (`packages.layers`). A layer of the manifest becomes one, called by its content; a
function becomes the function itself and, where it has an alias, the version that publishing it makes and the alias that leads there;
each trigger and a reserved concurrency is an object of its own. Layers are called by their content: no version of one is ever
written again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.base.errors import InvalidManifest
from reconciler.base.names import versioned_name
from reconciler.base.words import size
from reconciler.core.kind import Mark, fingerprint
from reconciler.core.state import Desired
from reconciler.targets.fc.arns import parse_layer_arn
from reconciler.targets.fc.crc64 import crc64_of
from reconciler.targets.fc.manifest import fc_manifest, fc_target
from reconciler.targets.fc.names import inner_name
from reconciler.targets.fc.objects import FcAlias, FcConcurrency, FcLayer, function_of, trigger_of, version_of_function
from reconciler.targets.fc.runtimes import BY_BUCKET, BY_REQUEST, LARGE_REGIONS
from reconciler.targets.fc.surroundings import environment_of, function_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.base.errors import Problem
    from reconciler.core.kind import Key
    from reconciler.core.state import DesiredState
    from reconciler.manifest.load import Loaded
    from reconciler.packages.artifacts import Artifacts
    from reconciler.packages.content import Content
    from reconciler.targets.fc.manifest import Function


def desired_state(loaded: Loaded, artifacts: Artifacts) -> DesiredState:
    """Return every object that the manifest asks for, by key; raises InvalidManifest for what no service takes."""
    if excesses := list(_excesses(loaded, artifacts)):
        raise InvalidManifest.of(excesses)
    layers = {name: _layer(name, loaded, artifacts) for name in fc_manifest(loaded).layers}
    desired_objects: dict[Key, Desired] = {desired.object.key: desired for desired in layers.values()}
    names = {name: desired.object.name for name, desired in layers.items()}
    for name, function in fc_manifest(loaded).functions.items():
        for desired in _objects(name, function, artifacts.code[name].content, names, loaded):
            desired_objects[desired.object.key] = desired
    return desired_objects


def _layer(name: str, loaded: Loaded, artifacts: Artifacts) -> Desired:
    declared = fc_manifest(loaded).layers[name]
    contents = {tag: artifacts.layers[name, tag].content for tag in declared.runtimes}
    content, *others = {content.sha256: content for content in contents.values()}.values()
    if others:
        # One version of a layer has one archive: what differs by Python or system cannot be offered for both.
        first, *rest = declared.runtimes
        other = next(tag for tag in rest if contents[tag].sha256 != contents[first].sha256)
        message = f"the layer '{name}' has other files for {other} than for {first}"
        hint = f"write two layers, one with runtimes: [{first}] and one with runtimes: [{other}]"
        raise InvalidManifest.of([loaded.problem("E332", message, "layers", name, "runtimes", hint=hint)])
    called = versioned_name(name, content.sha256)
    layer = FcLayer(
        called, crc64_of(content), content.size, tuple(sorted(declared.runtimes)), declared.description or ""
    )
    mark = Mark(loaded.manifest.stack, content.sha256, layer.checksum)
    return Desired(layer, loaded.at("layers", name), mark, declared.protect)


def _excesses(loaded: Loaded, artifacts: Artifacts) -> Iterator[Problem]:
    """Yield archives that are too large for the way to the service that the target has."""
    target = fc_target(loaded)
    is_large = target.region in LARGE_REGIONS
    limit = BY_BUCKET if target.staging is not None and is_large else BY_REQUEST
    archives = [
        *(
            (("layers", layer), f"the layer '{layer}'", packed.content)
            for (layer, _), packed in artifacts.layers.items()
        ),
        *((("functions", name), f"the code of '{name}'", packed.content) for name, packed in artifacts.code.items()),
    ]
    for keys, what, content in archives:
        if content.size <= limit:
            continue
        message = f"{what} is a zip of {size(content.size)}, and the service takes {size(limit)}"
        ways = ["split it" if keys[0] == "layers" else "put packages into layers, of which each may have as much"]
        ways += ["leave files out: slim: true, exclude:"]
        if limit == BY_REQUEST:
            bucket = f"name a bucket, staging: {{bucket: …}}, by which it takes {size(BY_BUCKET)}"
            ways.append(
                bucket
                if is_large
                else f"in {target.region} a bucket does not help, in cn-hangzhou and ten others it does"
            )
        yield loaded.problem("E330", message, *keys, hint="; ".join(ways))


def _objects(
    name: str, declared: Function, code: Content, layers: Mapping[str, str], loaded: Loaded
) -> Iterator[Desired]:
    """Yield a function and what belongs to it."""
    stack, origin, account = loaded.manifest.stack, loaded.at("functions", name), fc_target(loaded).account
    function = function_of(
        name,
        declared.runtime,
        declared.handler,
        code,
        layers=[layers.get(layer) or _elsewhere(layer, account) for layer in declared.layers],
        environment=environment_of(declared),
        settings=function_settings(declared),
        description=declared.description or "",
        tags=declared.tags,
    )
    # Reserved concurrency has no place for a mark; that of its function names it.
    names = frozenset([fingerprint(name)] if declared.concurrency is not None else [])
    mark = Mark(stack, code.sha256, function.checksum, names)
    yield Desired(function, origin, mark, declared.protect)
    if declared.concurrency is not None:
        origin_of = loaded.at("functions", name, "concurrency")
        yield Desired(FcConcurrency(name, declared.concurrency), origin_of, None, declared.protect)
    if declared.alias is not None:
        version, sha256 = version_of_function(function, code.sha256)
        origin_of = loaded.at("functions", name, "alias")
        yield Desired(version, origin_of, Mark(stack, sha256))
        alias = FcAlias(inner_name(name, declared.alias), version.name.partition("/")[2])
        yield Desired(alias, origin_of, Mark(stack), declared.protect)
    for called, trigger in declared.triggers.items():
        qualifier = trigger.qualifier or declared.alias or ""
        trigger_object = trigger_of(
            name,
            called,
            trigger.type,
            trigger.settings,
            qualifier="" if qualifier == "LATEST" else qualifier,
            source=trigger.source or "",
            role=trigger.role or "",
            description=trigger.description or "",
        )
        yield Desired(trigger_object, loaded.at("functions", name, "triggers", called), Mark(stack), declared.protect)


def _elsewhere(layer: str, account: str | None) -> str:
    """Return a layer that the manifest does not make, as objects name it: of the target's own account without the rest of its ARN."""
    parsed = parse_layer_arn(layer)
    return f"{parsed.name}:{parsed.version}" if parsed and parsed.owner == account else layer
