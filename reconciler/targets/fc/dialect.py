"""Dialect of Function Compute, and its checks of a manifest: targets, layers, and the code and settings of each function."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from reconciler.base.words import quote
from reconciler.manifest.checks.functions import check_expectations, check_package_names
from reconciler.manifest.checks.names import check_file, check_names, check_patterns, check_repeated, undeclared_name
from reconciler.manifest.checks.packages import check_package_uses, check_packages
from reconciler.manifest.dialect import Code, Dialect, Draft, Flaw
from reconciler.targets.addresses import check_target_settings, why_not_an_address
from reconciler.targets.fc.arns import is_layer_arn, is_role, parse_layer_arn
from reconciler.targets.fc.handlers import check_handler
from reconciler.targets.fc.limits import (
    MOST_LAYERS,
    check_custom_keys,
    check_description,
    check_environment,
    check_network,
    check_numbers,
)
from reconciler.targets.fc.manifest import IMPLICIT_TARGET, Manifest
from reconciler.targets.fc.names import why_not_a_name
from reconciler.targets.fc.runtimes import RUNTIMES
from reconciler.targets.fc.triggers import check_triggers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.manifest.dialect import Keys
    from reconciler.targets.addresses import Setting
    from reconciler.targets.fc.manifest import Function, Target

_Draft: TypeAlias = Draft[Manifest]
_REGION = re.compile(r"[a-z]{2}(-[a-z0-9]+)+\Z")
_ACCOUNT = re.compile(r"[0-9]{1,20}\Z")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]\Z")


# --- Targets --------------------------------------------------------------------------------------------------------------


def check_fc_targets(draft: _Draft) -> Iterator[Flaw]:
    """Yield endpoints, regions, accounts and buckets that cannot be."""
    return check_target_settings(draft, _settings)


def _settings(target: Target) -> Iterator[Setting]:
    yield ("endpoint",), target.endpoint, target.endpoint and why_not_an_address(target.endpoint)
    yield ("region",), target.region, None if _REGION.match(target.region) else "as in cn-hangzhou"
    yield ("account",), target.account, None if _ACCOUNT.match(target.account or "0") else "a number, 20 digits at most"
    if (staging := target.staging) is not None:
        hint = "lower-case letters, digits and -, 3 to 63"
        yield ("staging", "bucket"), staging.bucket, None if _BUCKET.match(staging.bucket) else hint
        yield ("staging", "endpoint"), staging.endpoint, staging.endpoint and why_not_an_address(staging.endpoint)


# --- Layers ---------------------------------------------------------------------------------------------------------------


def check_layers(draft: _Draft) -> Iterator[Flaw]:
    """Yield layers with names that cannot be, without content, or with packages that are not there."""
    yield from check_names(draft, "layers", draft.manifest.layers, why_not_a_name)
    used = {layer for function in draft.manifest.functions.values() for layer in function.layers}
    for name, layer in draft.manifest.layers.items():
        here = ("layers", name)
        yield from check_package_names(draft, layer, here)
        yield from check_repeated(layer.runtimes, *here, "runtimes")
        yield from check_description(layer.description, here)
        if name not in used:
            hint = "name it under a function's `layers:`"
            yield Flaw("E312", f"no function uses the layer {quote(name)}", here, hint, is_warning=True)


def check_bundles(draft: _Draft) -> Iterator[Flaw]:
    """Yield packages that name an archive of their own: a layer, or the code of a function, is one archive anyway."""
    for name, package in draft.manifest.packages.items():
        if package.bundle is not None:
            hint = "leave it out: the package is part of a layer's archive, or of the code's"
            yield Flaw("E204", "'bundle' has no use here", ("packages", name, "bundle"), hint, at_key=True)


# --- Functions ------------------------------------------------------------------------------------------------------------


def check_fc_functions(draft: _Draft) -> Iterator[Flaw]:
    """Yield what is wrong with each function by itself; the code of all is kept in the draft."""
    yield from check_names(draft, "functions", draft.manifest.functions, why_not_a_name)
    for name, function in draft.manifest.functions.items():
        here = ("functions", name)
        written = draft.document.value(*here)
        yield from check_package_names(draft, function, here)
        yield from _layer_names(draft, function, here)
        yield from _source(draft, function, here)
        yield from check_numbers(function, here)
        yield from check_environment(function, here)
        yield from check_network(function, here)
        yield from check_custom_keys(function, written, here)
        yield from check_description(function.description, here)
        if function.alias is not None and (reason := why_not_an_alias(function.alias)) is not None:
            yield Flaw("E302", f"{quote(function.alias)} cannot be the name of an alias", (*here, "alias"), reason)
        if function.role is not None and not is_role(function.role):
            yield Flaw("E203", f"{quote(function.role)} is not a role", (*here, "role"), "acs:ram::ACCOUNT:role/NAME")
        yield from _tags(function, here)
        yield from check_triggers(name, function, written.get("triggers", {}), here)
        yield from check_expectations(draft, function.tests, here)
        draft.code[name] = Code(function.handler, None, RUNTIMES[function.runtime], "")


def why_not_an_alias(text: str) -> str | None:
    """Return what is wrong with the name of an alias; LATEST and numbers are versions."""
    return "LATEST is the version that is edited; take another name" if text == "LATEST" else why_not_a_name(text)


def _layer_names(draft: _Draft, function: Function, here: Keys) -> Iterator[Flaw]:
    declared, region = draft.manifest.layers, draft.manifest.targets.get(draft.target_name, IMPLICIT_TARGET).region
    yield from check_repeated(function.layers, *here, "layers")
    if len(function.layers) > MOST_LAYERS:
        message = f"{len(function.layers)} layers, and the service takes {MOST_LAYERS}"
        yield Flaw("E326", message, (*here, "layers"), "put several packages into one layer", at_key=True)
    for index, name in enumerate(function.layers):
        keys = (*here, "layers", index)
        if is_layer_arn(name):
            layer = parse_layer_arn(name)
            if layer is None:
                hint = "acs:fc:REGION:ACCOUNT:layers/NAME/versions/NUMBER"
                yield Flaw("E327", f"{quote(name)} is not the ARN of a layer's version", keys, hint)
            elif layer.region != region:
                message = f"the layer {quote(layer.name)} is in {layer.region}, and the target in {region}"
                yield Flaw("E327", message, keys, "a function takes layers of its own region: name one that is there")
        elif name not in declared:
            otherwise = f"write layers: {{{name}: {{packages: […], runtimes: [{function.runtime}]}}}} beside functions:"
            yield undeclared_name(draft, name, keys, declared, otherwise)
        elif function.runtime not in declared[name].runtimes:
            message = f"the layer {quote(name)} is not made for {function.runtime}"
            hint = f"add {function.runtime} to the layer's runtimes:, at {draft.where('layers', name, 'runtimes')}"
            yield Flaw("E327", message, keys, hint)


def _source(draft: _Draft, function: Function, here: Keys) -> Iterator[Flaw]:
    flaws = check_file(draft, function.source, *here, "source", kind="either")
    path = yield from flaws
    is_there = path != function.source
    yield from check_patterns(function.exclude, *here, "exclude")
    if not is_there:
        return
    if function.exclude and not path.endswith("/"):
        yield Flaw("E204", "'exclude' goes with a folder only", (*here, "exclude"), at_key=True)
    if not path.endswith((".py", "/")):
        hint = "a file that ends in .py, or the folder that has it"
        yield Flaw("E310", f"{quote(function.source)} is not the name of a Python module", (*here, "source"), hint)
        return
    if not function.command:
        source, python = Path(path), RUNTIMES[function.runtime].python_version
        yield from check_handler(function.handler, source, ("event", "context"), python, (*here, "handler"))
        if function.initializer is not None:
            yield from check_handler(function.initializer, source, ("context",), python, (*here, "initializer"))


def _tags(function: Function, here: Keys) -> Iterator[Flaw]:
    for name in function.tags:
        if name.lower().startswith(("udfs", "acs:", "aliyun", "http://", "https://")):
            hint = "names that begin with udfs are the tool's own, with acs: or aliyun the service's"
            yield Flaw("E302", f"{quote(name)} cannot be the name of a tag", (*here, "tags", name), hint, at_key=True)


# --- The dialect ----------------------------------------------------------------------------------------------------------


FUNCTION_COMPUTE = Dialect(
    kind="fc",
    model=Manifest,
    implicit_target=IMPLICIT_TARGET,
    objects=("functions", "layers"),
    checks=(check_fc_targets, check_layers, check_packages, check_package_uses, check_bundles, check_fc_functions),
)
