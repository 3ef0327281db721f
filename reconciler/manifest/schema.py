"""
The JSON Schema of ``udfs.yaml``, made from the model, for editors.

With ``# yaml-language-server: $schema=…`` in its first line a manifest is completed and checked while it is typed. The
schema describes what an editor sees, which is not quite what our reader sees: to an editor a variable ``3`` is a number
and an empty section is null, and both are fine in a manifest. What JSON Schema cannot say, such as that a name is declared,
is left to ``udfs validate``.
"""

from __future__ import annotations

import json
from typing import Any

from reconciler.manifest.model import TEXT, Manifest

SCHEMA_ID = "urn:udfs:manifest:1"
"""A name, not an address: the schema comes with the tool and is not fetched from anywhere."""


def manifest_schema(model: type[Manifest]) -> dict[str, Any]:
    """Return the schema of a dialect, JSON Schema draft 2020-12."""
    schema = for_editors(model.model_json_schema(by_alias=True))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        **schema,
        "title": "udfs.yaml",
    }


def schema_text(model: type[Manifest]) -> str:
    """Return the schema as it is kept in ``schemas/udfs.schema.json``."""
    return json.dumps(manifest_schema(model), indent=2) + "\n"


def for_editors(node: Any) -> Any:
    """Drop what pydantic adds for programs, and let be what our reader lets be."""
    if isinstance(node, list):
        return [for_editors(item) for item in node]
    if not isinstance(node, dict):
        return node
    shown = {key: for_editors(value) for key, value in node.items() if key != "default" or value is not None}
    if shown.get("pattern") == TEXT:
        # Control characters need no more than the reader's refusal, and the pattern would fill the page.
        del shown["pattern"]
    if "patternProperties" in shown:
        shown["additionalProperties"] = False
    for name, field in shown.get("properties", {}).items():
        shown["properties"][name] = _field(field)
    return shown


def _field(field: dict[str, Any]) -> dict[str, Any]:
    """Return a key's schema without its generated title, and without null where leaving out is meant."""
    kept = {key: value for key, value in field.items() if key not in ("title", "anyOf")}
    for choice in field.get("anyOf", ()):
        if choice != {"type": "null"}:
            kept = {**choice, **kept}
    if "$ref" in kept:
        kept["anyOf"] = [{"$ref": kept.pop("$ref")}, {"type": "null"}]
    if kept.get("type") in ("object", "array") and "minItems" not in kept:
        # A section whose entries are all commented out is null to YAML, and empty to us.
        kept["type"] = [kept["type"], "null"]
    return kept
