"""
Answers of Function Compute as objects: what is listed of functions, layers, versions, aliases and triggers, with its mark.

Nothing here asks the service. What is not of the documented form is refused, never guessed.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from reconciler.base.errors import ServiceError
from reconciler.base.numbers import is_countable, whole_number
from reconciler.core.state import Live
from reconciler.targets.fc.canonical import canonical
from reconciler.targets.fc.names import inner_name, read_description
from reconciler.targets.fc.objects import (
    LATEST,
    NUMBERED,
    FcAlias,
    FcConcurrency,
    FcFunction,
    FcLayer,
    FcTrigger,
    FcVersion,
    hide_values,
)
from reconciler.targets.fc.settings import read_set, settings_on_the_wire

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.targets.fc.layer_book import LayerBook

    Answer = Mapping[str, Any]

_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.[0-9]+)?(?:Z|([+-])([0-9]{2}):?([0-9]{2}))\Z"
)


def parse_time(text: object) -> datetime | None:
    """Read a time, ``2023-05-10T09:14:36Z`` or with fractions and a zone, in whole seconds; None for what is none."""
    match = _TIME.match(text) if isinstance(text, str) else None
    if match is None:
        return None
    try:
        local = datetime.fromisoformat(match[1]).replace(tzinfo=timezone.utc)
        zone = timedelta(hours=int(match[3] or 0), minutes=int(match[4] or 0))
        when = local - zone if match[2] == "+" else local + zone
    except (ValueError, OverflowError):
        return None
    return when if is_countable(when) else None


def parse_function(answer: Answer, book: LayerBook) -> Live:
    """Return a function of version 3.0 as it is."""
    name, arn = text_of(answer, "functionName"), text_of(answer, "functionArn")
    description, mark, note = read_description(text_of(answer, "description"), name)
    layers, environment = list_of(answer, "layers"), mapping_of(answer, "environmentVariables")
    return Live(
        FcFunction(
            name,
            text_of(answer, "runtime"),
            text_of(answer, "handler"),
            text_of(answer, "codeChecksum") or None,
            number_of(answer, "codeSize"),
            tuple(book.text(text_of(layer, "arn") if isinstance(layer, dict) else str(layer), arn) for layer in layers),
            hide_values({str(variable): str(value) for variable, value in environment.items()}),
            settings_on_the_wire(answer),
            description,
            tuple(sorted(parse_tags(answer).items())),
            tuple(read_set(note.settings)) if mark else (),
        ),
        created=parse_time(answer.get("createdTime")),
        modified=parse_time(answer.get("lastModifiedTime")),
        mark=mark,
    )


def parse_tags(answer: Answer) -> dict[str, str]:
    """Return tags, whose fields the SDK spells with capitals."""
    tags = [tag for tag in list_of(answer, "tags") if isinstance(tag, dict)]
    pairs = ((tag.get("Key", tag.get("key")), tag.get("Value", tag.get("value"))) for tag in tags)
    return {str(key): str(value or "") for key, value in pairs if key}


def parse_layer(answer: Answer) -> Live:
    """Return one version of a layer as the layer."""
    name = text_of(answer, "layerName")
    description, mark, _ = read_description(text_of(answer, "description"), name)
    created = parse_time(answer.get("createTime"))
    return Live(
        FcLayer(
            name,
            text_of(answer, "codeChecksum") or None,
            number_of(answer, "codeSize"),
            tuple(map(str, list_of(answer, "compatibleRuntime"))),
            description,
            number_of(answer, "version"),
        ),
        created=created,
        modified=created,
        mark=mark,
    )


def parse_version(answer: Answer, function: str, layer_name: Callable[[str], str]) -> Live:
    """
    Return a published version; `layer_name` leads from a fingerprint to the layer.

    No times: a version never changes, and what the ledger remembers of one has none either.
    """
    number, text = text_of(answer, "versionId"), text_of(answer, "description")
    name = _own_version_name(text, function)
    _, mark, note = read_description(text, name)
    if mark is None:
        return Live(FcVersion(inner_name(function, f"{NUMBERED}{number}"), (), number))
    return Live(FcVersion(name, tuple(map(layer_name, note.layers)), number), mark=mark)


_SHA256 = re.compile(r" sha256=([0-9a-f]{64})\b")


def _own_version_name(text: str, function: str) -> str:
    match = _SHA256.search(text)
    return inner_name(function, match[1][:8]) if match else ""


def parse_alias(answer: Answer, function: str, versions: Mapping[str, str]) -> Live:
    """Return an alias; `versions` leads from the service's numbers to our names of versions, beside what its own mark tells."""
    name = inner_name(function, text_of(answer, "aliasName"))
    description, mark, note = read_description(text_of(answer, "description"), name)
    digests = {**dict(note.versions if mark else ()), **versions}

    def version(number: str) -> str:
        return number if number == LATEST else digests.get(number, f"{NUMBERED}{number}")

    weights = mapping_of(answer, "additionalVersionWeight")
    return Live(
        FcAlias(
            name,
            version(text_of(answer, "versionId")),
            tuple(sorted((version(str(number)), weight_text(weight)) for number, weight in weights.items())),
            description,
        ),
        created=parse_time(answer.get("createdTime")),
        modified=parse_time(answer.get("lastModifiedTime")),
        mark=mark,
    )


def weight_text(weight: object) -> str:
    """Return a share of the calls as it is compared: 0.10 is 0.1."""
    return canonical(weight) if isinstance(weight, int | float) else str(weight)


def parse_trigger(answer: Answer, function: str) -> Live:
    """Return a trigger; a configuration that is no JSON object stays as it is written."""
    import json

    name = inner_name(function, text_of(answer, "triggerName"))
    description, mark, note = read_description(text_of(answer, "description"), name)
    written = text_of(answer, "triggerConfig")
    try:
        config = json.loads(written) if written else {}
    except (ValueError, RecursionError):
        config = {"text": written}
    qualifier = text_of(answer, "qualifier")
    return Live(
        FcTrigger(
            name,
            text_of(answer, "triggerType"),
            canonical(config if isinstance(config, dict) else {"value": config}),
            "" if qualifier == LATEST else qualifier,
            text_of(answer, "sourceArn"),
            text_of(answer, "invocationRole"),
            description,
            note.written if mark else "",
        ),
        created=parse_time(answer.get("createdTime")),
        modified=parse_time(answer.get("lastModifiedTime")),
        mark=mark,
    )


def parse_concurrency(answer: Answer, function: str) -> Live | None:
    """Return what is reserved for a function; None where nothing is."""
    reserved = answer.get("reservedConcurrency")
    return Live(FcConcurrency(function, reserved)) if isinstance(reserved, int) else None


def text_of(answer: Answer, name: str) -> str:
    """Return a text of an answer; empty for what is left out or null."""
    value = answer.get(name)
    return "" if value is None else str(value)


def list_of(answer: Answer, name: str) -> list[Any]:
    """Return a list of an answer; empty for what is left out or null, E604 for what is none."""
    value = answer.get(name)
    if value is not None and not isinstance(value, list):
        raise _not_documented(name, "list")
    return value or []


def mapping_of(answer: Answer, name: str) -> dict[str, Any]:
    """Return a mapping of an answer; empty for what is left out or null, E604 for what is none."""
    value = answer.get(name)
    if value is not None and not isinstance(value, dict):
        raise _not_documented(name, "mapping")
    return value or {}


def _not_documented(name: str, form: str) -> ServiceError:
    hint = "check `endpoint` of the target; a proxy or another service may stand in between"
    return ServiceError("E604", f"the service's answer has a '{name}' that is no {form}", hint=hint, outcome="unknown")


def number_of(answer: Answer, name: str) -> int:
    value = answer.get(name)
    if isinstance(value, int):
        return value
    return (whole_number(value) if isinstance(value, str) else None) or 0
