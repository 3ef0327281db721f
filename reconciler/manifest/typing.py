"""
Give the values their types, and say in our own words where they do not fit.

pydantic finds what is wrong; its sentences are about Python, so each kind of finding has one of ours here, with the
place in the file and, as a hint, what is taken there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from reconciler.base.wording import closest, quoted
from reconciler.manifest.model import (
    ASCII,
    BUNDLE,
    DURATION,
    FULL_VERSION,
    LABEL,
    SHA256,
    STACK,
    TEXT,
    VARIABLE,
    Function,
    Ignored,
    Manifest,
    Moved,
    Package,
    PinnedWheel,
    Resource,
    Runtimes,
    RuntimeSettings,
    Section,
    Table,
    Target,
    Test,
)
from reconciler.manifest.reader import MAX_PROBLEMS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.manifest.reader import Document

_NAMED: dict[str, type[Section]] = {
    "runtimes": RuntimeSettings,
    "targets": Target,
    "packages": Package,
    "resources": Resource,
    "tables": Table,
    "functions": Function,
    "ignore": Ignored,
    "moved": Moved,
}
_LISTED: dict[str, type[Section]] = {"wheels": PinnedWheel, "tests": Test}

_PATTERNS = {
    BUNDLE: "single, or the name of the archive: scipy.zip",
    STACK: "a stack's name: lower-case letters, digits and -, beginning with a letter, 40 at most",
    DURATION: "a number and m, h or d, such as 24h",
    SHA256: "64 lower-case hexadecimal digits, as `sha256sum` prints them",
    FULL_VERSION: "the full version with its patch level, such as 3.7.3",
    ASCII: "printable ASCII on one line, because the comment travels in an HTTP header",
}
_KEY_PATTERNS = {
    LABEL: "letters, digits, _ . and -, 100 at most, beginning with a letter, a digit or _",
    VARIABLE: "letters, digits and _, 100 at most, not beginning with a digit",
}
_CREDENTIALS = ("access", "secret", "password", "token", "credential")


class _Finding(NamedTuple):
    """What is wrong, in words."""

    code: str
    message: str
    hint: str | None = None


def typed(document: Document) -> Manifest | None:
    """Return the manifest; or None, after noting everything that is wrong with its shape."""
    try:
        return Manifest.model_validate(document.root)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)[:MAX_PROBLEMS]
        # A misspelt key is one mistake: what it was meant to be is not missing as well.
        meant = {
            (*path[:-1], _meant(path)) for path in (_path(e["loc"]) for e in found if e["type"] == "extra_forbidden")
        }
        for item in found:
            if item["type"] != "missing" or _path(item["loc"]) not in meant:
                _note(document, item)
    return None


def _note(document: Document, error: Mapping[str, Any]) -> None:
    kind: str = error["type"]
    path, ctx = _path(error["loc"]), error.get("ctx", {})
    if ctx.get("pattern") in _KEY_PATTERNS:
        # pydantic says by a last part "[key]" that it is the key that does not fit.
        path, kind = path[:-1], "key"
    if kind == "missing":
        place = document.find(*path[:-1])
    elif kind in ("extra_forbidden", "key"):
        place = document.find_key(*path)
    else:
        place = document.find(*path)
    code, message, hint = _finding(kind, path, ctx, document)
    document.note(code, message, place, hint=hint)


def _path(loc: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Drop what pydantic adds to a place: after a wheel's number, its kind."""
    if len(loc) > 4 and loc[2] == "wheels":
        loc = loc[:4] + loc[5:]
    return loc


def _finding(kind: str, path: tuple[str | int, ...], ctx: Mapping[str, Any], document: Document) -> _Finding:
    what = _what(path)
    match kind:
        case "missing":
            return _missing(path)
        case "extra_forbidden":
            return _unknown(path)
        case "model_type" | "dict_type":
            return _Finding("E202", f"{what} takes a mapping", _keys_hint(path))
        case "list_type":
            return _Finding("E202", f"{what} takes a list", "write one item a line, each after `- `")
        case "string_type":
            return _Finding("E202", f"{what} takes a text")
        case "bool_type":
            return _Finding(
                "E202", f"{what} takes true or false", "without quotes; yes and no, on and off are texts here"
            )
        case "string_too_short":
            return _Finding("E203", f"{what} is empty", "give it a value, or remove the key")
        case "string_too_long":
            return _Finding("E203", f"{what} is longer than {ctx['max_length']} characters")
        case "too_short":
            return _Finding("E203", f"{what} is empty", "list at least one item")
        case "literal_error":
            return _Finding("E203", f"{_shown(document.value(*path))} is not taken by {what}", _choice(ctx["expected"]))
        case "key":
            message = f"{quoted(str(path[-1]))} is not a name that {_what(path[:-1])} takes"
            return _Finding("E203", message, _KEY_PATTERNS[ctx["pattern"]])
        case "string_pattern_mismatch" if ctx["pattern"] == TEXT:
            return _Finding("E103", f"{what} holds a control or bidirectional character", "remove it")
        case "string_pattern_mismatch" if ctx["pattern"] == BUNDLE:
            return _Finding("E203", f"{_shown(document.value(*path))} is not taken by {what}", _PATTERNS[BUNDLE])
        case "string_pattern_mismatch":
            return _Finding("E203", f"{what} does not have the form it needs", _PATTERNS.get(ctx["pattern"]))
        case "string_unicode":
            return _Finding("E103", f"{what} holds half of a character", "remove the \\u escape of a surrogate")
        case "value_error":
            return _Finding("E203", f"{what} is too large a number", "put quotes around what should stay text")
        case _:
            return _Finding("E202", f"{what} is not a value that can be used")


def _shown(value: object) -> str:
    return quoted(value) if isinstance(value, str) else "a list or mapping"


def _choice(expected: str) -> str:
    """Return what pydantic says of the literals that are taken, without its quotes."""
    plain = expected.replace("'", "")
    return f"one of {plain}" if " or " in plain else f"it takes {plain}, or is left out"


def _what(path: tuple[str | int, ...]) -> str:
    """Name a place as a reader of the manifest would."""
    if not path:
        return "the manifest"
    last = path[-1]
    if isinstance(last, int):
        return f"item {last + 1} of '{path[-2]}'"
    if len(path) == 2 and path[0] in _NAMED:
        return f"the {str(path[0])[:-1]} {quoted(last)}"
    return quoted(last)


def _section(path: tuple[str | int, ...]) -> type[Section] | None:
    """Return the part of the model that lies at `path`."""
    if not path:
        return Manifest
    if path == ("runtimes",):
        return Runtimes
    if len(path) == 2:
        return _NAMED.get(str(path[0]))
    return _LISTED.get(str(path[2])) if len(path) == 4 else None


def _keys(section: type[Section]) -> list[str]:
    return [field.alias or name for name, field in section.model_fields.items()]


def _keys_hint(path: tuple[str | int, ...]) -> str | None:
    section = _section(path)
    if section is None:
        return None
    if section is PinnedWheel:
        return "a wheel is a path, or {requirement: name==version, sha256: …}"
    return f"its keys: {', '.join(_keys(section))}"


def _missing(path: tuple[str | int, ...]) -> _Finding:
    parent, key = path[:-1], str(path[-1])
    fields = (_section(parent) or Manifest).model_fields.items()
    meaning = next((field.description for name, field in fields if key in (name, field.alias)), None)
    return _Finding("E201", f"{_what(parent)} needs the key '{key}'", f"{key}: {meaning}")


def _meant(path: tuple[str | int, ...]) -> str | None:
    """Return the key that an unknown one was probably meant to be."""
    return closest(str(path[-1]), _keys(_section(path[:-1]) or Manifest))


def _unknown(path: tuple[str | int, ...]) -> _Finding:
    key = str(path[-1])
    section = _section(path[:-1]) or Manifest
    guess = _meant(path)
    message = f"unknown key {quoted(key)}" + (f", did you mean '{guess}'?" if guess else "")
    if section is Target and any(word in key.lower() for word in _CREDENTIALS):
        return _Finding(
            "E214",
            message,
            "credentials are never in a manifest: set ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET",
        )
    return _Finding("E214", message, f"keys taken here: {', '.join(_keys(section))}")
