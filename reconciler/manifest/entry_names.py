"""
Names of entries: what a manifest and the files that it includes call their functions, packages and targets.

For completion, in an editor and in a shell, where the manifest is half written: what cannot be read has no names.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from reconciler.base.errors import InvalidManifest
from reconciler.manifest.include import SECTIONS, include_files
from reconciler.manifest.load import content_of
from reconciler.manifest.paths import Folder
from reconciler.manifest.reader import Document, Mapping, TooManyProblems, read_document

if TYPE_CHECKING:
    import collections.abc
    from pathlib import Path

_NAMED = (*SECTIONS, "targets")


def entry_names(file: Path) -> dict[str, tuple[str, ...]]:
    """Return the names under each key of a manifest that has entries: ``functions``, ``packages``, ``targets``."""
    document = Document(str(file))
    with suppress(InvalidManifest, TooManyProblems, OSError):
        read_document(content_of(file, str(file)), document)
        if isinstance(document.root, Mapping):
            include_files(document, Folder(file.parent.resolve()), content_of, frozenset(document.root))
    entries = {section: document.value(section) for section in _NAMED}
    return {section: tuple(named) for section, named in entries.items() if isinstance(named, Mapping) and named}


def offer_names(schema: dict[str, Any], names: collections.abc.Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """
    Return a schema of a manifest in which keys that take names of entries offer those that there are.

    A list ``packages:`` takes names of ``packages:``, and a text ``environment:`` one of ``environments:``. Other names are still taken: that one
    is not declared is for `udfs validate` to say, and the schema may be older than the entry.
    """
    definitions = {name: _with_names(section, names) for name, section in schema.get("$defs", {}).items()}
    return {**schema, "$defs": definitions}


def _with_names(section: dict[str, Any], names: collections.abc.Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    properties = dict(section.get("properties", {}))
    for key, described in properties.items():
        items = described.get("items", {})
        if key in names and items.get("type") == "string":
            properties[key] = {**described, "items": {"anyOf": [{"enum": [*names[key]]}, items]}}
        elif f"{key}s" in names and described.get("type") == "string":
            properties[key] = {**described, "anyOf": [{"enum": [*names[f"{key}s"]]}, {"type": "string"}]}
    return {**section, "properties": properties} if properties else section
