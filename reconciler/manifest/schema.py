"""
JSON Schema of ``udfs.yaml``, made from the model, for editors.

With ``# yaml-language-server: $schema=…`` in its first line a manifest is completed and checked while it is typed, and each key tells
what it means, with an example (`keys`). The schema describes what an editor sees, which is not quite what our reader sees: to an editor a variable ``3`` is a number
and an empty section is null, and both are fine in a manifest. What JSON Schema cannot say, such as that a name is declared,
is left to ``udfs validate``.
"""

from __future__ import annotations

from collections import abc
from inspect import cleandoc
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from reconciler.manifest.include import INCLUDE, SECTIONS
from reconciler.manifest.keys import document_key, parse_example
from reconciler.manifest.model import TEXT, Manifest
from reconciler.manifest.section import keys_of

if TYPE_CHECKING:
    from msgspec import Meta

    from reconciler.manifest.section import Section, SectionKey

SCHEMA_ID = "urn:udfs:manifest:1"
"""A name, not an address: the schema comes with the tool and is not fetched from anywhere."""

INCLUDED_ID = "urn:udfs:included:1"


def manifest_schema(model: type[Manifest]) -> dict[str, Any]:
    """Return the schema of a dialect, JSON Schema draft 2020-12."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID}
    schema = section_schema(model)
    if "functions" in (required := schema["required"]):
        # All of them may stand in included files.
        schema["required"] = [key for key in required if key != "functions"]
        schema["anyOf"] = [{"required": ["functions"]}, {"required": [INCLUDE]}]
    return {**head, **schema, "title": "udfs.yaml"}


def included_schema(model: type[Manifest]) -> dict[str, Any]:
    """Return the schema of a file that a manifest of a dialect includes."""
    schema = {**manifest_schema(model), "$id": INCLUDED_ID, "title": "A file that udfs.yaml includes"}
    schema["properties"] = {key: value for key, value in schema["properties"].items() if key in SECTIONS}
    return {key: value for key, value in schema.items() if key not in ("required", "anyOf")}


def section_schema(section: type[Section]) -> dict[str, Any]:
    """Return the schema of a section, and of those in it."""
    definitions: dict[str, Any] = {}
    top = _section(section, definitions)
    return {"$defs": dict(sorted(definitions.items())), **top}


def _section(section: type[Section], definitions: dict[str, Any]) -> dict[str, Any]:
    keys = keys_of(section).values()
    required = [key.name for key in keys if key.is_required]
    return {
        "title": section.__name__,
        "description": cleandoc(section.__doc__ or ""),
        "type": "object",
        **section.schema_extra,
        "properties": {key.name: _property(section, key, definitions) for key in keys},
        "additionalProperties": False,
        **({"required": required} if required else {}),
    }


def _property(section: type[Section], key: SectionKey, definitions: dict[str, Any]) -> dict[str, Any]:
    described = _value(key.kind, definitions)
    if meaning := document_key(section, key).meaning:
        described["description"] = meaning  # of the key, and not of an item or an entry behind it
    if (example := parse_example(section, key)) is not None:
        described["examples"] = [example]
    if "$ref" in described:
        described["anyOf"] = [{"$ref": described.pop("$ref")}, {"type": "null"}]
    if described.get("type") in ("object", "array") and "minItems" not in described:
        # A section whose entries are all commented out is null to YAML, and empty to us.
        described["type"] = [described["type"], "null"]
    return described if key.default is None else {**described, "default": key.default}


def _value(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    """Return what an editor takes for a type; leaving out is never written as null."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        described = _value(arguments[0], definitions)
        for meta in arguments[1:]:
            described |= _of_meta(meta, described)
        return described
    if origin in (Union, UnionType):
        choices = [_value(choice, definitions) for choice in arguments if choice is not NoneType]
        return choices[0] if len(choices) == 1 else {"anyOf": choices}
    if origin is Literal:
        return {"type": "string", "enum": [*arguments]}
    if origin in (list, abc.Sequence):
        return {"type": "array", "items": _value(arguments[0], definitions)}
    if origin in (dict, abc.Mapping):
        names, entries = (_value(argument, definitions) for argument in arguments)
        if "pattern" not in names:
            return {"type": "object", "additionalProperties": entries}
        return {"type": "object", "patternProperties": {names["pattern"]: entries}, "additionalProperties": False}
    if kind in _PLAIN:
        return {"type": _PLAIN[kind]}
    if kind is Any:
        return {}
    if kind.__name__ not in definitions:
        definitions[kind.__name__] = {}  # it is being written
        definitions[kind.__name__] = _section(kind, definitions)
    return {"$ref": f"#/$defs/{kind.__name__}"}


_PLAIN = {str: "string", bool: "boolean", int: "integer", float: "number"}


def _of_meta(meta: Meta, described: dict[str, Any]) -> dict[str, Any]:
    """Return what bounds and descriptions add to a type."""
    least = {"string": "minLength", "array": "minItems", "object": "minProperties"}.get(str(described.get("type")), "")
    # Control characters need no more than the reader's refusal, and the pattern would fill the page.
    pattern = None if meta.pattern == TEXT else meta.pattern
    bounds = {least: meta.min_length, "maxLength": meta.max_length, "minimum": meta.ge, "pattern": pattern}
    additions = {**bounds, "description": meta.description, **(meta.extra_json_schema or {})}
    return {name: value for name, value in additions.items() if value is not None}
