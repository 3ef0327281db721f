"""Settings of editors: the schema of a manifest, where VS Code's YAML extension looks for it."""

from __future__ import annotations

import json
from pathlib import Path

from reconciler.base.errors import UsageError
from reconciler.base.files import replace_file
from reconciler.base.inputs import MANIFEST, read_named
from reconciler.base.jsonc import insert_entry, read_jsonc

_FOLDER = Path(".vscode")
_SCHEMAS = "yaml.schemas"


def install_for_vscode(document: str, content: object) -> list[str]:
    """
    Write a schema into ``.vscode`` and name it in the settings there, which keep their comments; return what was done.

    E749 for settings that are not understood, and then nothing is written.
    """
    name = f"{document.removesuffix('.yaml')}.schema.json"
    file, settings, key = _FOLDER / name, _FOLDER / "settings.json", f"./{_FOLDER}/{name}"
    old = read_named(settings, MANIFEST).decode("utf-8", "replace") if settings.exists() else "{}\n"
    try:
        value = read_jsonc(old)
        schemas = value.get(_SCHEMAS) if isinstance(value, dict) else None
        is_there = isinstance(schemas, dict) and key in schemas
        new = old if is_there else insert_entry(old, (_SCHEMAS,), key, [f"**/{document}"])
    except (ValueError, RecursionError) as error:
        hint = f'put "{_SCHEMAS}": {{"{key}": ["**/{document}"]}} there by hand'
        raise UsageError("E749", f"{settings} is not changed: {error}", hint=hint) from None
    _FOLDER.mkdir(exist_ok=True)
    replace_file(file, (json.dumps(content, indent=2) + "\n").encode())
    if not is_there:
        replace_file(settings, new.encode())
    return [f"wrote {file}", f"{settings} {'names it already' if is_there else 'names it now'}"]
