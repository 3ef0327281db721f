"""
Objects of Function Compute: layers, functions, their versions, aliases, triggers, and reserved concurrency.

A new content of a layer is a new layer, called by its digest (``ocr__3fa9c1d2``). A function is written in place; where it has an alias,
what was written is published as a version, called by the digest of all that is in it, and the alias is led there in one request. So
whoever calls by the alias gets old code with old layers or new code with new ones, and a rollback leads the alias back.

Values of environment variables are held by their digests alone: a ledger, a plan and a report are read by more people than the function.
"""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import msgspec

from reconciler.base.errors import count
from reconciler.base.names import unversioned_name
from reconciler.base.words import size
from reconciler.core.kind import CONTENT, Catalog, Difference, Key, Kind, Rule
from reconciler.targets.fc.arns import parse_layer_arn
from reconciler.targets.fc.canonical import canonical, covers, digest_text, parse_text
from reconciler.targets.fc.names import inner_name, key_of, parse_mark, split_name, write_mark
from reconciler.targets.fc.settings import default_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from reconciler.core.kind import Form, Kinds
    from reconciler.core.plan import Destination
    from reconciler.packages.content import Content

LATEST = "LATEST"
"""The version of a function that is written in place."""

NUMBERED = "#"
"""Before the service's number of a version that is none of ours."""

LET_GO = "was managed by udfs, stack "
"""What stands in the description of an object that a stack has let go of, before the stack's name."""

_RETAINED = frozenset({"mns_topic", "tablestore"})
"""Types of triggers whose configuration the service does not change [source of the vendor's tool]."""


class FcLayer(NamedTuple):
    """A layer as far as it is compared: the newest version of it that is ours, if one is."""

    name: str
    checksum: str | None
    """CRC-64, decimal."""

    size: int = 0
    """Bytes."""

    runtimes: tuple[str, ...] = ()
    """That the layer is offered for."""

    description: str = ""
    """Without the mark."""

    version: int = 0
    """The service's number; 0 where the service has not given one yet."""

    @property
    def key(self) -> Key:
        return key_of("layer", self.name)

    @property
    def kind(self) -> Kind[FcLayer]:
        return LAYER


class FcFunction(NamedTuple):
    """A function as far as it is compared."""

    name: str
    runtime: str
    handler: str
    checksum: str | None
    """CRC-64 of the code, decimal; None where there is none, as of a container."""

    size: int = 0
    """Bytes of the code."""

    layers: tuple[str, ...] = ()
    """In order: the name of a layer that udfs manages; ``name:7`` or an ARN of any other."""

    environment: tuple[tuple[str, str], ...] = ()
    """By name, each with the digest of its value (`hide_values`)."""

    settings: tuple[tuple[str, str], ...] = ()
    """By our names (`settings.SETTINGS`), each in canonical form: those that are named, of a live function all that it has."""

    description: str = ""
    """Without the mark."""

    tags: tuple[tuple[str, str], ...] = ()

    named: tuple[str, ...] = ()
    """The settings that udfs looks after: those that the manifest names, of a live function those that udfs has written."""

    @property
    def key(self) -> Key:
        return key_of("function", self.name)

    @property
    def kind(self) -> Kind[FcFunction]:
        return FUNCTION


class FcVersion(NamedTuple):
    """A published version: code, configuration and layers as they were, for ever."""

    name: str
    """``function/3fa9c1d2``, by the digest of what is in it; ``function/#7`` of one that is none of ours."""

    layers: tuple[str, ...] = ()
    number: str = ""
    """The service's; empty where it has not given one yet."""

    @property
    def key(self) -> Key:
        return key_of("version", self.name)

    @property
    def kind(self) -> Kind[FcVersion]:
        return VERSION


class FcAlias(NamedTuple):
    """A name that leads to a version, or to several by shares."""

    name: str
    """``function/prod``."""

    version: str
    """Ours: ``3fa9c1d2``; else ``#7``, or LATEST."""

    weights: tuple[tuple[str, str], ...] = ()
    """Versions that get a share of the calls: ``(("1b2c3d4e", "0.1"),)``."""

    description: str = ""

    @property
    def key(self) -> Key:
        return key_of("alias", self.name)

    @property
    def kind(self) -> Kind[FcAlias]:
        return ALIAS


class FcTrigger(NamedTuple):
    """What calls a function."""

    name: str
    """``function/web``."""

    type: str
    config: str
    """In canonical form."""

    qualifier: str = ""
    """The alias or version that is called; empty for LATEST."""

    source: str = ""
    """The ARN of what the events come from."""

    role: str = ""
    """By which that may call."""

    description: str = ""
    written: str = ""
    """Of a live trigger: the digest of the configuration that udfs wrote."""

    @property
    def key(self) -> Key:
        return key_of("trigger", self.name)

    @property
    def kind(self) -> Kind[FcTrigger]:
        return TRIGGER


class FcConcurrency(NamedTuple):
    """The share of an account's concurrency that is kept for a function."""

    name: str
    """The function's."""

    reserved: int

    @property
    def key(self) -> Key:
        return key_of("concurrency", self.name)

    @property
    def kind(self) -> Kind[FcConcurrency]:
        return CONCURRENCY


# --- Making objects ---------------------------------------------------------------------------------------------------------


def hide_values(environment: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return environment variables by name, each with the digest of its value, which its name is in too."""
    return tuple((name, digest_text(f"{name}={environment[name]}", 16)) for name in sorted(environment))


def function_of(
    name: str,
    runtime: str,
    handler: str,
    code: Content,
    *,
    layers: Iterable[str] = (),
    environment: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
    description: str = "",
    tags: Mapping[str, str] | None = None,
) -> FcFunction:
    """Return a function as a manifest wants it; `settings` has values in the API's form by our names."""
    from reconciler.targets.fc.crc64 import crc64_of
    from reconciler.targets.fc.settings import canonical_settings

    named = canonical_settings(settings or {})
    return FcFunction(
        name,
        runtime,
        handler,
        crc64_of(code),
        code.size,
        tuple(layers),
        hide_values(environment or {}),
        named,
        description,
        tuple(sorted((tags or {}).items())),
        tuple(setting for setting, _ in named),
    )


def definition_sha256(function: FcFunction, code_sha256: str) -> str:
    """Return the digest by which a published version of a function is called: of read_region that is published with it."""
    parts = {
        "code": code_sha256,
        "runtime": function.runtime,
        "handler": function.handler,
        "layers": list(function.layers),
        "environment": dict(function.environment),
        "settings": {name: text for name, text in function.settings if name in function.named},
    }
    return hashlib.sha256(canonical(parts).encode()).hexdigest()


def version_of_function(function: FcFunction, code_sha256: str) -> tuple[FcVersion, str]:
    """Return the version that publishing a function makes, with the sha256 for its mark."""
    sha256 = definition_sha256(function, code_sha256)
    layers = tuple(layer for layer in function.layers if is_own_layer(layer))
    return FcVersion(inner_name(function.name, sha256[:8]), layers), sha256


def is_own_layer(text: str) -> bool:
    """Say whether a function's layer is one that udfs manages, in the account that the function is in."""
    return ":" not in text


# --- Layers -----------------------------------------------------------------------------------------------------------------


def _checksum(content: Content) -> str:
    from reconciler.targets.fc.crc64 import crc64_of

    return crc64_of(content)


def _same_files(path: Path, beside: Path) -> bool:
    from reconciler.packages.pack.same_files import hold_same_files

    return hold_same_files(path, beside)


def _content(obj: FcLayer | FcFunction) -> str:
    return f"{count(obj.size, 'byte')}, CRC-64 {obj.checksum or 'unknown'}"


class _LayerRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    checksum: Annotated[str | None, msgspec.Meta(description="CRC-64 of the code, decimal.")] = None
    size: Annotated[int, msgspec.Meta(description="Bytes.")]
    runtimes: Annotated[tuple[str, ...], msgspec.Meta(description="Of a layer: the runtimes that it is for.")] = ()
    description: str | None = None
    version: Annotated[int, msgspec.Meta(description="Of a layer: the number that the service gave.")] = 0


def _layer_differences(new: FcLayer, old: FcLayer) -> list[Difference]:
    differences = []
    if new.checksum != old.checksum:
        differences.append(Difference(CONTENT, _content(old), _content(new)))
    if sorted(new.runtimes) != sorted(old.runtimes):
        differences.append(Difference("runtimes", ", ".join(old.runtimes), ", ".join(new.runtimes), "list"))
    return differences


LAYER = Kind[FcLayer](
    name="layer",
    key=partial(key_of, "layer"),
    record=_LayerRecord,
    write_down=lambda layer: layer._asdict(),
    read_back=lambda r: FcLayer(r.name, r.checksum, r.size, r.runtimes, r.description or "", r.version),
    # A description is as immutable as the rest of a layer's version, and not worth a version of its own.
    differences=_layer_differences,
    observe=lambda layer: (layer.checksum, tuple(sorted(layer.runtimes))),
    show=lambda layer: (
        ("holds", size(layer.size)),
        ("for", ", ".join(layer.runtimes)),
        *((("version", str(layer.version)),) if layer.version else ()),
    ),
    portable=lambda layer: (tuple(sorted(layer.runtimes)),),
    rank=0,
    forms={"runtimes": "list"},
    fixed={
        "runtimes": Rule(
            "E508",
            "is offered for {old}, and would be for {new}: a version of a layer never changes",
            "give the layer another name",
        )
    },
    update="new version",
    version_of=unversioned_name,
    write_mark=write_mark,
    read_mark=parse_mark,
    tells_updater=False,
    tells_time=True,
    holds_content=lambda layer: True,
    file_name=lambda layer: f"{layer.name}.zip",
    size=lambda layer: layer.size,
    digest=lambda layer: layer.checksum,
    checksum=_checksum,
    shares=lambda new, mark, old, other: bool(mark and other and mark.sha256 == other.sha256),
    comes_back=False,
    leads=False,
    take=lambda new, other, fields: new._replace(description=other.description) if "description" in fields else new,
    written_with_mark=frozenset({"description"}),
    let_go=lambda layer, stack: layer._replace(description=layer.description or f"{LET_GO}{stack}"),
)


# --- Functions --------------------------------------------------------------------------------------------------------------


class _FunctionRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    runtime: str
    handler: str
    checksum: Annotated[str | None, msgspec.Meta(description="CRC-64 of the code, decimal.")] = None
    size: Annotated[int, msgspec.Meta(description="Bytes.")]
    layers: Annotated[tuple[str, ...], msgspec.Meta(description="In order.")] = ()
    environment: Annotated[
        dict[str, str],
        msgspec.Meta(description="Variables, each with a digest of its value: no value is written down."),
    ] = {}
    settings: Annotated[dict[str, Any], msgspec.Meta(description="In the service's form.")] = {}
    description: str | None = None
    tags: dict[str, str] = {}
    named: Annotated[tuple[str, ...], msgspec.Meta(description="The settings that are compared.")] = ()


def _write_function(function: FcFunction) -> dict[str, Any]:
    return {
        **function._asdict(),
        "environment": dict(function.environment),
        "settings": {name: parse_text(text) for name, text in function.settings},
        "tags": dict(function.tags),
    }


def _read_function(record: Any) -> FcFunction:
    return FcFunction(
        record.name,
        record.runtime,
        record.handler,
        record.checksum,
        record.size,
        record.layers,
        tuple(sorted(record.environment.items())),
        tuple((name, canonical(value)) for name, value in sorted(record.settings.items())),
        record.description or "",
        tuple(sorted(record.tags.items())),
        record.named,
    )


def _function_differences(new: FcFunction, old: FcFunction) -> list[Difference]:
    candidates: list[tuple[str, str, str, Form]] = [
        ("runtime", old.runtime, new.runtime, "text"),
        ("handler", old.handler, new.handler, "text"),
        ("layers", ", ".join(_layers_alike(old, new)), ", ".join(new.layers), "list"),
        ("environment", _variables(old), _variables(new), "list"),
        ("description", old.description, new.description, "quoted"),
    ]
    differences = [Difference(*candidate) for candidate in candidates if candidate[1] != candidate[2]]
    if new.checksum != old.checksum:
        differences.insert(0, Difference(CONTENT, _content(old), _content(new)))
    # Tags may be put there by whoever accounts for costs: those that udfs did not set are not looked at.
    set_by_us = written_tags(old)
    have = {name: value for name, value in old.tags if name in dict(new.tags) or name in set_by_us}
    if have != dict(new.tags):
        differences.append(Difference("tags", _pairs(have.items()), _pairs(new.tags), "list"))
    return [*differences, *_setting_differences(new, old)]


TAG_OF_TAGS = "udfs-tags"
"""The tag that tells which of the others udfs has set, each by digits of a digest: a mark in a description has no room for them."""

_TAG_DIGITS = 5


def tag_of_tags(names: Iterable[str]) -> str:
    """Return the value of the tag that tells which tags of these names udfs has set."""
    return "".join(digest_text(name, _TAG_DIGITS) for name in sorted(names))


def written_tags(function: FcFunction) -> frozenset[str]:
    """Return the names of a live function's tags that udfs has set."""
    digits = dict(function.tags).get(TAG_OF_TAGS, "")
    ours = {digits[start : start + _TAG_DIGITS] for start in range(0, len(digits), _TAG_DIGITS)}
    return frozenset(
        name for name, _ in function.tags if name != TAG_OF_TAGS and digest_text(name, _TAG_DIGITS) in ours
    )


def _layers_alike(old: FcFunction, new: FcFunction) -> list[str]:
    """Return the layers of a live function, each as the other one spells it where that names the same by its whole ARN."""
    by_arn = [(layer, text) for text in new.layers if (layer := parse_layer_arn(text)) is not None]
    # By its name alone goes a layer with our mark, whichever number its content has.
    spelled = {layer.name: text for layer, text in by_arn if layer.name not in new.layers}
    spelled |= {f"{layer.name}:{layer.version}": text for layer, text in by_arn}
    return [spelled.get(text, text) for text in old.layers]


def _setting_differences(new: FcFunction, old: FcFunction) -> Iterable[Difference]:
    have = dict(old.settings)
    for name, text in new.settings:
        if name in new.named and not covers(text, have.get(name, "")):
            yield Difference(name, plainly(have.get(name, "")), plainly(text))
    # What udfs has written and nobody wants any more goes back to its default.
    for name in old.named:
        default = default_text(name)
        if name not in new.named and (default or have.get(name)) and not covers(default, have.get(name, "")):
            yield Difference(name, plainly(have.get(name, "")), plainly(default))


def plainly(text: str) -> str:
    """Return a setting as people read it: a text without its quotes."""
    value = parse_text(text)
    return value if isinstance(value, str) else text


def _variables(function: FcFunction) -> str:
    """Return the names of variables, each with the digest of its value: a difference tells which, and not from what to what."""
    return ", ".join(f"{name}=({digest[:8]})" for name, digest in function.environment)


def _pairs(pairs: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{name}={value}" for name, value in pairs)


def _take_function(function: FcFunction, other: FcFunction, fields: Collection[str]) -> FcFunction:
    plain = {
        field: getattr(other, field) for field in ("runtime", "handler", "layers", "environment", "tags", "description")
    }
    function = function._replace(**{field: value for field, value in plain.items() if field in fields})
    if "content" in fields:
        function = function._replace(checksum=other.checksum, size=other.size)
    theirs = dict(other.settings)
    settings = {name: theirs.get(name, "") if name in fields else text for name, text in function.settings}
    return function._replace(settings=tuple((name, text) for name, text in settings.items() if text))


FUNCTION = Kind[FcFunction](
    name="function",
    key=partial(key_of, "function"),
    record=_FunctionRecord,
    write_down=_write_function,
    read_back=_read_function,
    differences=_function_differences,
    observe=lambda function: (
        function.runtime,
        function.handler,
        function.checksum,
        function.layers,
        function.environment,
        tuple((name, text) for name, text in function.settings if name in function.named),
    ),
    show=lambda function: (
        ("runtime", function.runtime),
        ("handler", function.handler),
        ("holds", size(function.size)),
        *((name, plainly(text)) for name, text in function.settings if name in ("memory", "timeout")),
    ),
    brief=lambda function: ", ".join(
        (
            function.runtime,
            function.handler,
            *([f"with {count(len(function.layers), 'layer')}"] if function.layers else ()),
        )
    ),
    needs=lambda function: tuple(key_of("layer", layer) for layer in function.layers if is_own_layer(layer)),
    portable=lambda function: (function.runtime, function.handler),
    elsewhere=lambda function: tuple(layer for layer in function.layers if not is_own_layer(layer)),
    rank=1,
    forms={"layers": "list", "environment": "list", "tags": "list", "description": "quoted"},
    write_mark=write_mark,
    read_mark=parse_mark,
    carries="reserved concurrency",
    tells_updater=False,
    tells_time=True,
    holds_content=lambda function: function.checksum is not None,
    file_name=lambda function: f"{function.name}.zip",
    size=lambda function: function.size,
    keeps_content=True,
    digest=lambda function: function.checksum,
    checksum=_checksum,
    comes_back=False,
    same_files=_same_files,
    take=_take_function,
    written_with_mark=frozenset({"description"}),
    let_go=lambda function, stack: function._replace(description=function.description or f"{LET_GO}{stack}"),
)


# --- Versions ---------------------------------------------------------------------------------------------------------------


class _VersionRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    layers: Annotated[tuple[str, ...], msgspec.Meta(description="In order.")] = ()
    number: Annotated[str | None, msgspec.Meta(description="Of a version: the number that the service gave.")] = None


def _within(name: str, old: str, new: str) -> str | None:
    function, inner = split_name(name)
    return inner_name(new, inner) if function == old and inner else None


def _version_of(name: str, sha256: str) -> str | None:
    function, version = split_name(name)
    return function if version == sha256[:8] else None


VERSION = Kind[FcVersion](
    name="version",
    key=partial(key_of, "version"),
    record=_VersionRecord,
    write_down=lambda version: version._asdict(),
    read_back=lambda r: FcVersion(r.name, r.layers, r.number or ""),
    # It never changes.
    differences=lambda new, old: (),
    # What never changes needs not be looked at before a write.
    observe=lambda version: (),
    show=lambda version: (
        ("of", split_name(version.name)[0]),
        *((("number", version.number),) if version.number else ()),
    ),
    needs=lambda version: (
        key_of("function", split_name(version.name)[0]),
        *(key_of("layer", name) for name in version.layers),
    ),
    within=_within,
    rank=2,
    update="new version",
    version_of=_version_of,
    write_mark=write_mark,
    read_mark=parse_mark,
    tells_updater=False,
    comes_back=False,
    leads=False,
)


# --- Aliases ----------------------------------------------------------------------------------------------------------------


class _AliasRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    version: Annotated[str, msgspec.Meta(description="Of an alias: the version that it leads to, by its digest.")]
    weights: Annotated[
        dict[str, str], msgspec.Meta(description="Of an alias: versions with a share of the calls.")
    ] = {}
    description: str | None = None


def _alias_differences(new: FcAlias, old: FcAlias) -> list[Difference]:
    candidates: tuple[tuple[str, str, str, Form], ...] = (
        ("version", old.version, new.version, "text"),
        ("weights", _pairs(old.weights), _pairs(new.weights), "list"),
        ("description", old.description, new.description, "quoted"),
    )
    return [Difference(*candidate) for candidate in candidates if candidate[1] != candidate[2]]


def _alias_needs(alias: FcAlias) -> tuple[Key, ...]:
    # Not the function too where a version of ours needs it anyway: a rollback asks whether what is needed holds what it held, and a
    # function that has moved on is no reason not to lead an alias back.
    function, _ = split_name(alias.name)
    versions = dict.fromkeys((alias.version, *(version for version, _ in alias.weights)))
    keys = [key_of("version", inner_name(function, version)) for version in versions if version != LATEST]
    is_whole = all(version != LATEST and not version.startswith(NUMBERED) for version in versions)
    return tuple(keys) if is_whole else (key_of("function", function), *keys)


ALIAS = Kind[FcAlias](
    name="alias",
    key=partial(key_of, "alias"),
    record=_AliasRecord,
    write_down=lambda alias: {**alias._asdict(), "weights": dict(alias.weights)},
    read_back=lambda r: FcAlias(r.name, r.version, tuple(sorted(r.weights.items())), r.description or ""),
    differences=_alias_differences,
    observe=lambda alias: (alias.version, alias.weights),
    show=lambda alias: (("version", alias.version), *((("shares", _pairs(alias.weights)),) if alias.weights else ())),
    brief=lambda alias: f"leading to version {alias.version}",
    needs=_alias_needs,
    portable=lambda alias: (),
    # A version is called by the digest of all that is in it, and a target has an environment of its own.
    portable_needs=lambda alias: (key_of("function", split_name(alias.name)[0]),),
    within=_within,
    rank=3,
    forms={"weights": "list", "description": "quoted"},
    write_mark=write_mark,
    read_mark=parse_mark,
    tells_updater=False,
    tells_time=True,
    leads=False,
    take=lambda new, other, fields: new._replace(
        **{field: getattr(other, field) for field in fields & new._asdict().keys()}
    ),
    written_with_mark=frozenset({"description"}),
    let_go=lambda alias, stack: alias._replace(description=alias.description or f"{LET_GO}{stack}"),
)


# --- Triggers ---------------------------------------------------------------------------------------------------------------


class _TriggerRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    type: Annotated[str, msgspec.Meta(description="Of a trigger: http, timer, oss, …")]
    config: Annotated[dict[str, Any], msgspec.Meta(description="Of a trigger, in the service's form.")] = {}
    qualifier: Annotated[str | None, msgspec.Meta(description="Of a trigger: the alias or version that it calls.")] = (
        None
    )
    source: Annotated[str | None, msgspec.Meta(description="Of a trigger: the ARN of what the events come from.")] = (
        None
    )
    role: str | None = None
    description: str | None = None
    written: str | None = None


def trigger_of(
    function: str,
    name: str,
    kind: str,
    config: Mapping[str, Any],
    *,
    qualifier: str = "",
    source: str = "",
    role: str = "",
    description: str = "",
) -> FcTrigger:
    """Return a trigger as a manifest wants it, `config` in the API's form."""
    return FcTrigger(inner_name(function, name), kind, canonical(config), qualifier, source, role, description)


def _trigger_differences(new: FcTrigger, old: FcTrigger) -> list[Difference]:
    candidates: tuple[tuple[str, str, str, Form], ...] = (
        ("type", old.type, new.type, "text"),
        ("qualifier", old.qualifier or LATEST, new.qualifier or LATEST, "text"),
        ("source", old.source, new.source, "text"),
        ("role", old.role, new.role, "text"),
        ("description", old.description, new.description, "quoted"),
    )
    # A source or role that nobody named may be the service's own choice.
    optional = {"source": new.source, "role": new.role}
    differences = [
        Difference(*candidate)
        for candidate in candidates
        if candidate[1] != candidate[2] and optional.get(candidate[0], "named")
    ]
    is_outdated = bool(old.written) and old.written != digest_text(new.config)
    if is_outdated or (new.config and not covers(new.config, old.config)):
        differences.append(Difference("config", old.config, new.config))
    return differences


TRIGGER = Kind[FcTrigger](
    name="trigger",
    key=partial(key_of, "trigger"),
    record=_TriggerRecord,
    write_down=lambda trigger: {**trigger._asdict(), "config": parse_text(trigger.config) or {}},
    read_back=lambda r: FcTrigger(
        r.name,
        r.type,
        canonical(r.config),
        r.qualifier or "",
        r.source or "",
        r.role or "",
        r.description or "",
        r.written or "",
    ),
    differences=_trigger_differences,
    observe=lambda trigger: (trigger.type, trigger.config, trigger.qualifier, trigger.source, trigger.role),
    show=lambda trigger: (("type", trigger.type), ("calls", trigger.qualifier or LATEST), ("config", trigger.config)),
    brief=lambda trigger: f"{trigger.type}, calling {trigger.qualifier or LATEST}",
    needs=lambda trigger: _trigger_needs(trigger),
    portable=lambda trigger: (trigger.type, trigger.qualifier),
    within=_within,
    rank=4,
    forms={"description": "quoted"},
    fixed={
        "type": Rule(
            "E508",
            "is of type {old} and would become {new}",
            "give the trigger another name",
            adopting=(
                "is of type {old}, and the manifest wants {new}",
                "give yours another name, or the type of what is there",
            ),
        ),
        "source": Rule(
            "E508", "gets its events from {old} and would get them from {new}", "give the trigger another name"
        ),
        "config": Rule(
            "E508",
            "has a configuration that the service does not change",
            "give the trigger another name",
            applies=lambda trigger: trigger.type in _RETAINED,
        ),
    },
    write_mark=write_mark,
    read_mark=parse_mark,
    tells_updater=False,
    tells_time=True,
    leads=False,
    take=lambda new, other, fields: new._replace(
        **{field: getattr(other, field) for field in fields & new._asdict().keys()}
    ),
    written_with_mark=frozenset({"description"}),
    let_go=lambda trigger, stack: trigger._replace(description=trigger.description or f"{LET_GO}{stack}"),
)


def _trigger_needs(trigger: FcTrigger) -> tuple[Key, ...]:
    function, _ = split_name(trigger.name)
    is_alias = trigger.qualifier not in {"", LATEST} and not trigger.qualifier.isdigit()
    return (key_of("alias", inner_name(function, trigger.qualifier)) if is_alias else key_of("function", function),)


# --- Reserved concurrency ---------------------------------------------------------------------------------------------------


class _ConcurrencyRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    reserved: Annotated[int, msgspec.Meta(description="Of a function: calls at once that are kept for it.")]


CONCURRENCY = Kind[FcConcurrency](
    name="concurrency",
    key=partial(key_of, "concurrency"),
    record=_ConcurrencyRecord,
    write_down=lambda concurrency: concurrency._asdict(),
    read_back=lambda r: FcConcurrency(r.name, r.reserved),
    differences=lambda new, old: (
        (Difference("reserved", str(old.reserved), str(new.reserved)),) if new.reserved != old.reserved else ()
    ),
    observe=lambda concurrency: (concurrency.reserved,),
    show=lambda concurrency: (("reserved", str(concurrency.reserved)),),
    brief=lambda concurrency: f"{concurrency.reserved} reserved",
    needs=lambda concurrency: (key_of("function", concurrency.name),),
    within=lambda name, old, new: new if name == old else None,
    rank=5,
    has_mark=False,
    tells_updater=False,
    # What is kept for a function is no part of what it does, and the function that it needs has moved on.
    comes_back=False,
    leads=False,
    take=lambda new, other, fields: other if "reserved" in fields else new,
)

KINDS: Kinds = {kind.name: kind for kind in (FUNCTION, LAYER, VERSION, ALIAS, TRIGGER, CONCURRENCY)}
CATALOG = Catalog("fc", KINDS, {"region": True, "account": False})


def destination_of(target: str, region: str, account: str | None = None) -> Destination:
    """Return where a plan for a region of an account goes."""
    from reconciler.core.plan import Destination

    return Destination.of(CATALOG, target, region, account)
