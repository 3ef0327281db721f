"""
Give the values their types, and say in our own words where they do not fit.

pydantic finds what is wrong; its sentences are about Python, so each kind of finding has one of ours here, with the
place in the file and, as a hint, what is taken there.
"""

from __future__ import annotations

from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeVar, Union, get_args, get_origin

from pydantic import ValidationError

from reconciler.base.words import closest, quoted
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
    Manifest,
    PinnedWheel,
    Section,
    Target,
)
from reconciler.manifest.reader import MAX_PROBLEMS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.manifest.dialect import Keys
    from reconciler.manifest.reader import Document

M = TypeVar("M", bound=Manifest)

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


def typed(document: Document, model: type[M]) -> M | None:
    """Return the manifest as its model; or None, after noting everything that is wrong with its shape."""
    try:
        return model.model_validate(document.root)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)[:MAX_PROBLEMS]
        # A misspelt key is one mistake: what it was meant to be is not missing as well.
        meant = {
            (*path[:-1], _meant(model, path))
            for path in (_path(e["loc"]) for e in found if e["type"] == "extra_forbidden")
        }
        for item in found:
            if item["type"] != "missing" or _path(item["loc"]) not in meant:
                _note(document, model, item)
    return None


def _note(document: Document, model: type[Manifest], error: Mapping[str, Any]) -> None:
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
    code, message, hint = _finding(kind, path, ctx, document, model)
    document.note(code, message, place, hint=hint)


def _path(loc: Keys) -> Keys:
    """Drop what pydantic adds to a place: after a wheel's number, its kind."""
    if len(loc) > 4 and loc[2] == "wheels":
        loc = loc[:4] + loc[5:]
    return loc


def _finding(kind: str, path: Keys, ctx: Mapping[str, Any], document: Document, model: type[Manifest]) -> _Finding:
    what = _what(model, path)
    match kind:
        case "missing":
            return _missing(model, path)
        case "extra_forbidden":
            return _unknown(model, path)
        case "model_type" | "dict_type":
            return _Finding("E202", f"{what} takes a mapping", _keys_hint(model, path))
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
            message = f"{quoted(str(path[-1]))} is not a name that {_what(model, path[:-1])} takes"
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


def _what(model: type[Manifest], path: Keys) -> str:
    """Name a place as a reader of the manifest would."""
    if not path:
        return "the manifest"
    last = path[-1]
    if isinstance(last, int):
        return f"item {last + 1} of '{path[-2]}'"
    if len(path) == 2 and _section(model, path) is not None:
        return f"the {str(path[0])[:-1]} {quoted(last)}"
    return quoted(last)


def _section(model: type[Manifest], path: Keys) -> type[Section] | None:
    """Return the part of a model that lies at `path`; None if a value lies there, or nothing."""
    section: type[Section] | None = model
    waiting: list[Any] = []
    for key in path:
        if section is not None:
            field = next((field for name, field in section.model_fields.items() if key in (name, field.alias)), None)
            waiting = [field.annotation] if field else []
        else:  # a key of a mapping, or an index of a list: what it leads to is the last argument of the type
            waiting = [get_args(kind)[-1] for kind in waiting if get_args(kind)]
        waiting = [kind for outer in waiting for kind in _alternatives(outer)]
        section = next((kind for kind in waiting if isinstance(kind, type) and issubclass(kind, Section)), None)
    return section


def _alternatives(kind: Any) -> list[Any]:
    """Return what a type is made of, seen through `Annotated` and unions."""
    if get_origin(kind) is Annotated:
        return _alternatives(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        return [inner for outer in get_args(kind) for inner in _alternatives(outer)]
    return [kind]


def _keys(section: type[Section]) -> list[str]:
    """Return the keys of a part, those that must be there first."""
    fields = sorted(section.model_fields.items(), key=lambda item: not item[1].is_required())
    return [field.alias or name for name, field in fields]


def _keys_hint(model: type[Manifest], path: Keys) -> str | None:
    section = _section(model, path)
    if section is None:
        return None
    if section is PinnedWheel:
        return "a wheel is a path, or {requirement: name==version, sha256: …}"
    return f"its keys: {', '.join(_keys(section))}"


def _missing(model: type[Manifest], path: Keys) -> _Finding:
    parent, key = path[:-1], str(path[-1])
    fields = (_section(model, parent) or model).model_fields.items()
    meaning = next((field.description for name, field in fields if key in (name, field.alias)), None)
    return _Finding("E201", f"{_what(model, parent)} needs the key '{key}'", f"{key}: {meaning}")


def _meant(model: type[Manifest], path: Keys) -> str | None:
    """Return the key that an unknown one was probably meant to be."""
    return closest(str(path[-1]), _keys(_section(model, path[:-1]) or model))


def _unknown(model: type[Manifest], path: Keys) -> _Finding:
    key, section = str(path[-1]), _section(model, path[:-1]) or model
    guess = _meant(model, path)
    message = f"unknown key {quoted(key)}" + (f", did you mean '{guess}'?" if guess else "")
    if issubclass(section, Target) and any(word in key.lower() for word in _CREDENTIALS):
        return _Finding("E214", message, section.credentials)
    return _Finding("E214", message, f"keys taken here: {', '.join(_keys(section))}")
