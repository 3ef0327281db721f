"""
Type errors of a manifest or a policy, in words for whoever wrote it.

A `Mismatch` says what does not fit; each kind has one sentence here, with the place in the file and, as a hint, what is taken there.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin

from reconciler.base.words import closest, quote, suggest
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
    CarriedLibrary,
    PinnedWheel,
    Target,
)
from reconciler.manifest.paths import Refusal
from reconciler.manifest.reader import MAX_PROBLEMS
from reconciler.manifest.section import Mismatches, S, keys_of, read_section

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.manifest.reader import Document
    from reconciler.manifest.section import Keys, Mismatch, Section

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
_PLAIN: dict[str, tuple[str, str, str | None]] = {
    "text": ("E202", "takes a text", 'write one in its place: "…"'),
    "number": ("E202", "takes a number", None),
    "flag": ("E202", "takes true or false", "without quotes; yes and no, on and off are texts here"),
    "surrogate": ("E103", "holds half of a character", "remove the \\u escape of a surrogate"),
    "large": ("E203", "is too large a number", "put quotes around what should stay text"),
}
"""Kind of a mismatch → code, what follows the place in the message, and hint."""

_CREDENTIALS = ("access", "secret", "password", "token", "credential")


def type_document(document: Document, model: type[S], code: str = "") -> S | None:
    """
    Return a file as its model; or None, after noting everything that is wrong with its shape.

    With `code`, that is the code of all of it.
    """
    try:
        return read_section(model, document.root)
    except Mismatches as error:
        mismatches = error.mismatches[:MAX_PROBLEMS]
        # A misspelt key is one mistake: what it was meant to be is not missing as well.
        meant = {
            (*mismatch.path[:-1], _meant(model, mismatch.path)) for mismatch in mismatches if mismatch.kind == "unknown"
        }
        for mismatch in mismatches:
            if mismatch.kind != "missing" or mismatch.path not in meant:
                finding = _finding(mismatch, document, model)
                document.note(code or finding.code, finding.message, _span(mismatch, document), hint=finding.hint)
    return None


def _span(mismatch: Mismatch, document: Document) -> tuple[int, int]:
    if mismatch.kind == "missing":
        return document.find(*mismatch.path[:-1])
    return (document.find_key if mismatch.kind in ("unknown", "key") else document.find)(*mismatch.path)


def _finding(mismatch: Mismatch, document: Document, model: type[Section]) -> Refusal:
    kind, path, detail = mismatch
    what = _what(model, path)
    match kind:
        case "missing":
            meaning = keys_of(_section(model, path[:-1]) or model)[str(path[-1])].meaning
            message = f"{_what(model, path[:-1])} needs the key '{path[-1]}'"
            return Refusal("E201", message, f"{path[-1]}: {meaning}")
        case "unknown":
            return _explain_unknown(model, path)
        case "mapping":
            return Refusal("E202", f"{what} takes a mapping", _written_out(model, path, document.value(*path)))
        case "list":
            return _explain_list(what, path, document.value(*path), model)
        case "zeros":
            message = f"{what} may be read as a number or as a text: {detail}"
            return Refusal("E203", message, f"write '{detail}' in quotes, or {int(detail)}")
        case "empty":
            hint = "list at least one item" if detail == "list" else "give it a value, or remove the key"
            return Refusal("E203", f"{what} is empty", hint)
        case "long":
            return Refusal("E203", f"{what} is longer than {detail} characters")
        case "choice":
            return _explain_choice(what, path, document.value(*path), detail)
        case "key" if detail in _KEY_PATTERNS:
            message = f"{quote(str(path[-1]))} is not a name that {_what(model, path[:-1])} takes"
            return Refusal("E203", message, _KEY_PATTERNS[detail])
        case "pattern" if detail == TEXT:
            return Refusal("E103", f"{what} holds a control or bidirectional character", "remove it")
        case "pattern" if detail == BUNDLE:
            return Refusal("E203", f"{_show(document.value(*path))} is not allowed for {what}", _PATTERNS[BUNDLE])
        case "pattern":
            message = f"{what} does not have the form it needs"
            return Refusal("E203", message, _advise(detail, document.value(*path)))
        case _:
            code, predicate, advice = _PLAIN.get(kind, ("E202", "is not a value that can be used", None))
            return Refusal(code, f"{what} {predicate}", advice)


def _advise(pattern: str, value: object) -> str | None:
    """Return what fits a pattern: in words, and of a stack's name the nearest one that does."""
    name = re.sub("[^a-z0-9]+", "-", value.lower()).strip("-").lstrip("-0123456789") if isinstance(value, str) else ""
    if pattern == STACK and re.fullmatch(STACK, name):
        return f"write stack: {name}"
    return _PATTERNS.get(pattern)


def _explain_choice(what: str, path: Keys, value: object, choices: Sequence[str]) -> Refusal:
    *most, last = choices
    hint = f"one of {', '.join(most)} or {last}" if most else f"it takes {last}, or is left out"
    # 3.7 is cp37, and 27 cp27.
    if isinstance(value, str) and (digits := re.sub(r"\D", "", value)):
        alike = next((choice for choice in choices if re.sub(r"\D", "", choice) == digits), None)
        hint = f"write {path[-1]}: {alike}" if alike else hint
    return Refusal("E203", f"{_show(value)} is not allowed for {what}", hint)


def _show(value: object) -> str:
    return quote(value) if isinstance(value, str) else "a list or mapping"


def _what(model: type[Section], path: Keys) -> str:
    """Name a place as a reader of the manifest would."""
    if not path:
        return model.label
    last = path[-1]
    if isinstance(last, int):
        return f"item {last + 1} of '{path[-2]}'"
    if len(path) == 2 and _section(model, path) is not None:
        section = str(path[0])
        return f"the {section[:-1]} {quote(last)}" if section.endswith("s") else f"{quote(last)} of `{section}:`"
    return quote(last)


def _section(model: type[Section], path: Keys) -> type[Section] | None:
    """Return the part of a model that lies at `path`; None if a value lies there, or nothing."""
    section: type[Section] | None = model
    waiting: type[Section] | None = None
    for name in path:
        if section is not None:
            key = keys_of(section).get(str(name))
            # Behind a key stands a section itself, or a mapping or list of them: then the next step leads to it.
            waiting, section = key.section if key else None, key.section if key and not key.is_many else None
        else:
            section, waiting = waiting, None
    return section


def _keys(section: type[Section]) -> list[str]:
    """Return the keys of a part, those that must be there first."""
    return [key.name for key in sorted(keys_of(section).values(), key=lambda key: not key.is_required)]


def _explain_list(what: str, path: Keys, value: object, model: type[Section]) -> Refusal:
    is_plain = _section(model, (*path, "")) is None
    is_item = isinstance(value, str) and value != "" and is_plain
    is_shared = path[:1] == ("functions",) and _section(model, (path[-1], "")) is not None
    names = ", ".join(value) if isinstance(value, dict) and is_plain and is_shared else ""
    advice = f"write {path[-1]}: [{value}]" if is_item else "write one item a line, each after `- `"
    if names:  # what the section of that name takes
        advice = f"write {path[-1]}: [{names}] here, and the rest under the manifest's own {path[-1]}:"
    return Refusal("E202", f"{what} takes a list", advice)


def _written_out(model: type[Section], path: Keys, value: object) -> str | None:
    """Return the line that says in full what was written in short; the keys, where it cannot be guessed what that was to be."""
    section = _section(model, path)
    key = keys_of(_section(model, path[:-1]) or model).get(str(path[-1])) if path else None
    if section is not None and section.short and (text := _item(section, value)):
        return f"write {path[-1]}: {_in_full(section, text)}"
    if isinstance(value, list) and key and key.is_many and key.section and key.section.short:
        return f"write each under its name: NAME: {_in_full(key.section, '…')}"
    return _keys_hint(model, path)


def _item(section: type[Section], value: object) -> str:
    """Return a text, or a list of texts, as it would stand behind the key that the section is short for; nothing for others."""
    if get_origin(_bare(keys_of(section)[section.short].kind)) is not list:
        return value if isinstance(value, str) else ""
    items = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return f"[{', '.join(items)}]" if items and all(isinstance(item, str) and item for item in items) else ""


def _in_full(section: type[Section], value: str) -> str:
    """Return a section that holds a value under the key that it is short for, and all that must be there."""
    required = [key.name for key in keys_of(section).values() if key.is_required and key.name != section.short]
    return f"{{{', '.join([f'{section.short}: {value}', *(f'{name}: …' for name in required)])}}}"


def _bare(kind: Any) -> Any:
    """Return a type without what is said of it."""
    return _bare(get_args(kind)[0]) if get_origin(kind) is Annotated else kind


def _keys_hint(model: type[Section], path: Keys) -> str | None:
    section = _section(model, path)
    if section is None:
        return None
    if section is PinnedWheel:
        return "a wheel is a path, or {requirement: name==version, sha256: …}"
    if section is CarriedLibrary:
        return "a library is a path, or {library: libgomp.so.1, from: scikit-learn==1.0.2}"
    return f"its keys: {', '.join(_keys(section))}"


def _meant(model: type[Section], path: Keys) -> str | None:
    """Return the key that an unknown one was probably meant to be."""
    return closest(str(path[-1]), _keys(_section(model, path[:-1]) or model))


def _explain_unknown(model: type[Section], path: Keys) -> Refusal:
    key, section = str(path[-1]), _section(model, path[:-1]) or model
    instead = section.elsewhere.get(key)
    message = f"unknown key {quote(key)}"
    # A key that looks like a credential gets the advice that keeps it out of Git, not the list of keys.
    if issubclass(section, Target) and any(word in key.lower() for word in _CREDENTIALS):
        return Refusal("E214", message, section.advice_on_keys)
    if instead:
        return Refusal("E214", message, instead)
    if guess := _meant(model, path):
        return Refusal("E214", message, suggest(guess))
    return Refusal("E214", message, f"keys allowed here: {', '.join(_keys(section))}")
