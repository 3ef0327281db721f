"""
Entries of an import: what the service says of a function, as keys of a manifest.

Only what differs from the manifest's defaults is written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconciler.base.patterns import is_litter
from reconciler.manifest.editing import Bare, ManifestEntry, literally
from reconciler.targets.fc.canonical import parse_text
from reconciler.targets.fc.client import join_path
from reconciler.targets.fc.importing.code import FOLDER
from reconciler.targets.fc.manifest import Function
from reconciler.targets.fc.objects import LATEST, NUMBERED, FcAlias, FcConcurrency, FcFunction, FcTrigger, is_own_layer
from reconciler.targets.fc.parse import mapping_of, parse_alias, parse_concurrency, parse_function
from reconciler.targets.fc.read import learn_layers, list_triggers
from reconciler.targets.fc.runtimes import is_custom

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from reconciler.core.kind import Key
    from reconciler.core.state import Live
    from reconciler.manifest.editing import Value
    from reconciler.targets.fc.manifest import Manifest
    from reconciler.targets.fc.target import FunctionCompute

_WITHOUT_KEY = frozenset({"oss", "gpu", "tracing", "dns"})
"""Settings that a manifest has no key for, as far as people care for them."""


@dataclass(frozen=True)
class LiveFunction:
    """A function and what belongs to it, as the service has it."""

    function: FcFunction
    variables: Mapping[str, str]
    objects: Mapping[Key, Live]
    layers: tuple[str, ...]
    """As the manifest names them."""

    triggers: tuple[Live, ...] = ()
    reserved: int | None = None
    alias: str = ""
    """One that leads to a version of ours."""

    notes: tuple[str, ...] = ()
    """What the manifest does not have, for people."""


def look_at(target: FunctionCompute, name: str, manifest: Manifest) -> LiveFunction | None:
    """Return all that the service says of a function, or None if it is gone."""
    client, here = target.client, join_path("functions", name)
    answer = client.find("GetFunction", here)
    if answer is None:
        return None
    learn_layers(client, target.book, answer)
    live = parse_function(answer, target.book)
    function = live.object
    assert isinstance(function, FcFunction)
    triggers = tuple(list_triggers(client, name))
    aliases = [parse_alias(each, name, {}) for each in client.pages("ListAliases", f"{here}/aliases", "aliases")]
    reserved = parse_concurrency(client.find("GetConcurrencyConfig", f"{here}/concurrency") or {}, name)
    parts = [live, *triggers, *aliases, *filter(None, [reserved])]
    objects = {each.object.key: each for each in parts}
    alias = _own_alias(aliases, manifest.stack)
    variables = {str(key): str(value) for key, value in mapping_of(answer, "environmentVariables").items()}
    notes = tuple(_notes(function, aliases, alias))
    return LiveFunction(
        function,
        variables,
        objects,
        tuple(_layer(text, target, manifest) for text in function.layers),
        triggers,
        _number_reserved(reserved),
        alias,
        notes,
    )


def _own_alias(aliases: list[Live], stack: str) -> str:
    """Return the alias that leads to a version of ours; nothing where there are several, or none."""
    ours = [alias.object.name.partition("/")[2] for alias in aliases if _leads_to_ours(alias, stack)]
    return ours[0] if len(ours) == 1 else ""


def _number_reserved(live: Live | None) -> int | None:
    return live.object.reserved if live is not None and isinstance(live.object, FcConcurrency) else None


def _leads_to_ours(alias: Live, stack: str) -> bool:
    obj = alias.object
    assert isinstance(obj, FcAlias)
    is_ours = alias.mark is not None and alias.mark.stack == stack
    return is_ours and obj.version != LATEST and not obj.version.startswith(NUMBERED) and not obj.weights


def _notes(function: FcFunction, aliases: list[Live], alias: str) -> Iterator[str]:
    names = [each.object.name.partition("/")[2] for each in aliases]
    if others := [name for name in names if name != alias]:
        yield f"left as they are, since udfs did not publish what they lead to: alias {', '.join(others)}"
    if named := [name for name, _ in function.settings if name in _WITHOUT_KEY]:
        yield f"left as they are, since no key says them here: {', '.join(named)}"


def _layer(text: str, target: FunctionCompute, manifest: Manifest) -> str:
    """Return a layer as the manifest names it: by its own name where it makes it, else by its ARN."""
    if text.startswith("acs:"):
        return text
    if is_own_layer(text):
        declared = next((name for name in manifest.layers if text in {name, *_versions_of(text, name)}), None)
        return declared or target.book.arn(text) or text
    name, _, number = text.partition(":")
    answer = target.client.get("GetLayerVersion", join_path("layers", name, "versions", number))
    return str(answer.get("layerVersionArn") or text)


def _versions_of(text: str, name: str) -> set[str]:
    """Return the name of a layer if it is a version of the manifest's layer of this name."""
    digest = text.removeprefix(f"{name}__")
    return {text} if digest != text and re.fullmatch("[0-9a-f]{8,64}", digest) else set()


# --- The entry ----------------------------------------------------------------------------------------------------------------


def describe_function(seen: LiveFunction, folder: Path) -> ManifestEntry:
    """Return a function as it stands in a manifest."""
    function = seen.function
    fields: dict[str, Value] = {"runtime": function.runtime, "source": f"{FOLDER}/{function.name}/"}
    if kept := list(_find_litter(folder)):
        fields["exclude"] = kept
    fields["handler"] = literally(function.handler)
    fields |= _settings(function)
    if seen.layers:
        fields["layers"] = list(seen.layers)
    if seen.variables:
        fields["environment"] = {name: literally(value) for name, value in sorted(seen.variables.items())}
    if seen.triggers:
        fields["triggers"] = {
            trigger.object.name.partition("/")[2]: _trigger(trigger, seen.alias) for trigger in seen.triggers
        }
    if seen.reserved is not None:
        fields["concurrency"] = Bare(seen.reserved)
    if tags := {name: literally(value) for name, value in function.tags if _is_own_tag(name)}:
        fields["tags"] = tags
    if function.description:
        fields["description"] = literally(function.description)
    if seen.alias:
        fields["alias"] = seen.alias
    return ManifestEntry(function.name, fields)


def _is_own_tag(name: str) -> bool:
    return not name.lower().startswith(("udfs", "acs:", "aliyun", "http://", "https://"))


def _find_litter(folder: Path) -> Iterator[str]:
    """Yield patterns for files that are part of the code, and that packing takes for what a tool left."""
    names = set()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if is_litter(path.name) and name not in names:
            names.add(name)
            yield f"!/{name}{'/' if path.is_dir() else ''}"


def _settings(function: FcFunction) -> dict[str, Value]:
    """Return what is set beside code, layers and environment, where it is not the manifest's default."""
    values = {name: parse_text(text) for name, text in function.settings}
    fields: dict[str, Value] = {}
    initializer = (values.get("lifecycle") or {}).get("initializer") or {}
    if initializer.get("handler"):
        fields["initializer"] = literally(str(initializer["handler"]))
        if initializer.get("timeout") not in (None, 3):
            fields["initializer_timeout"] = Bare(initializer["timeout"])
    usual = Function(runtime=function.runtime, source="-", handler="-", memory=values.get("memory", 512))  # type: ignore[arg-type]
    for name, default in (("memory", 512), ("cpu", usual.vcpu), ("disk", usual.disk), ("timeout", usual.timeout)):
        if values.get(name) not in (None, default):
            fields[name] = Bare(values[name])
    if values.get("internet_access") is False:
        fields["internet_access"] = Bare("false")
    if values.get("role"):
        fields["role"] = literally(str(values["role"]))
    if is_custom(function.runtime):
        if values.get("instance_concurrency") not in (None, 1):
            fields["instance_concurrency"] = Bare(values["instance_concurrency"])
        fields |= _program(values.get("custom_runtime") or {})
    return fields | _network(values)


def _network(values: Mapping[str, Any]) -> dict[str, Value]:
    """Return network, file systems and logs, where the service has some; what it fills in for none has empty names."""
    fields: dict[str, Value] = {}
    vpc, nas, log = (values.get(name) or {} for name in ("vpc", "nas", "log"))
    if vpc.get("vpcId"):
        switches = [literally(str(switch)) for switch in vpc.get("vSwitchIds") or ()]
        group = str(vpc.get("securityGroupId") or "")
        fields["vpc"] = {"id": literally(vpc["vpcId"]), "switches": switches, "security_group": literally(group)}
    if mounts := nas.get("mountPoints"):
        entries: list[Any] = [_mount(mount) for mount in mounts]
        numbers = {key: Bare(nas[wire]) for key, wire in (("user", "userId"), ("group", "groupId")) if nas.get(wire)}
        fields["nas"] = {"mounts": entries, **numbers}
    if log.get("project"):
        switches_on = {key: Bare("true") for key, wire in _MEASURES if log.get(wire)}
        store = literally(str(log.get("logstore") or ""))
        fields["log"] = {"project": literally(str(log["project"])), "store": store, **switches_on}
    return fields


_MEASURES = (("requests", "enableRequestMetrics"), ("instances", "enableInstanceMetrics"))


def _mount(mount: Mapping[str, Any]) -> dict[str, Value]:
    fields: dict[str, Value] = {
        "server": literally(str(mount.get("serverAddr") or "")),
        "path": literally(str(mount.get("mountDir") or "")),
    }
    return fields | ({"tls": Bare("true")} if mount.get("enableTLS") else {})


def _program(program: Mapping[str, Any]) -> dict[str, Value]:
    fields: dict[str, Value] = {
        key: [literally(str(word)) for word in program[key]] for key in ("command", "args") if program.get(key)
    }
    return fields | ({"port": Bare(program["port"])} if program.get("port") not in (None, 9000) else {})


def _trigger(live: Live, alias: str) -> dict[str, Value]:
    """Return a trigger: what has a key of its own by that, the rest under config:."""
    trigger = live.object
    assert isinstance(trigger, FcTrigger)
    fields: dict[str, Value] = {"type": trigger.type}
    config = dict(parse_text(trigger.config) or {})
    _take_keys(trigger.type, config, fields)
    if config:
        fields["config"] = {name: _plainly(value) for name, value in config.items()}
    qualifier = trigger.qualifier or (LATEST if alias else "")
    if qualifier and qualifier != alias:
        fields["qualifier"] = qualifier
    for key, text in (("source", trigger.source), ("role", trigger.role), ("description", trigger.description)):
        if text:
            fields[key] = literally(text)
    return fields


def _take_keys(kind: str, config: dict[str, Any], fields: dict[str, Value]) -> None:
    """Move what has a key of its own from a configuration to the fields of an entry."""
    match kind:
        case "http":
            _take(config, fields, "authType", "auth", "function")
            _take(config, fields, "disableURLInternet", "public", default=False, negated=True)
            if (methods := config.get("methods")) and methods == sorted(methods):
                fields["methods"] = config.pop("methods")
        case "timer":
            _take(config, fields, "cronExpression", "cron", None)
            _take(config, fields, "payload", "payload", "")
            _take(config, fields, "enable", "enabled", default=True)
        case "oss":
            _take_events(config, fields)


def _take(
    config: dict[str, Any], fields: dict[str, Value], wire: str, key: str, default: object, *, negated: bool = False
) -> None:
    if wire not in config:
        return
    value = config.pop(wire)
    if value != default:
        fields[key] = _plainly(not value if negated else value)


def _take_events(config: dict[str, Any], fields: dict[str, Value]) -> None:
    if (events := config.get("events")) and events == sorted(events):
        fields["events"] = [literally(str(event)) for event in config.pop("events")]
    key = (config.get("filter") or {}).get("key")
    if isinstance(key, dict) and set(config["filter"]) == {"key"} and set(key) <= {"prefix", "suffix"}:
        del config["filter"]
        fields |= {name: literally(str(text)) for name, text in key.items() if text}


def _plainly(value: Any) -> Any:
    """Return a JSON value as an entry writes it."""
    if isinstance(value, bool):
        return Bare("true" if value else "false")
    if isinstance(value, int | float):
        return Bare(value)
    if isinstance(value, dict):
        return {str(name): _plainly(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_plainly(part) for part in value]
    return literally(str(value))
