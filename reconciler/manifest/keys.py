"""
Documentation of keys: what each key of a manifest or a policy means, takes and defaults to, with an example.

The one source of the hover texts in a JSON Schema, of ``udfs explain KEY`` and of the reference. Meanings stand in the model; examples in
``examples.yaml`` beside the module that has the section, by the section's and the key's name, each as it is written behind the key.
"""

from __future__ import annotations

import re
from collections import abc
from dataclasses import dataclass
from functools import cache, partial
from importlib.resources import files
from inspect import cleandoc
from textwrap import indent
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from reconciler.manifest.formatting import FUNCTION, TOP
from reconciler.manifest.reader import Document, read_document
from reconciler.manifest.section import Section, core_value, keys_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.manifest.section import SectionKey

_EXAMPLES = "examples.yaml"
_BLOCK = re.compile(r"- |[\w.-]+:\s")
"""How a value begins that stands below its key."""


@dataclass(frozen=True)
class KeyText:
    """What is said of one key."""

    path: str
    """From the top, without the names that people choose: ``functions.tests``."""

    kind: str
    """What it takes, in words."""

    meaning: str
    is_required: bool
    default: str
    """As it would be written; empty where the default is to have nothing there."""

    example: str
    """Key and value, as they stand in a file; empty where there is none."""

    keys: tuple[str, ...]
    """The keys of the section behind it."""

    is_many: bool
    """Whether several such sections stand behind it, by names or in a list."""

    @property
    def name(self) -> str:
        return self.path.rpartition(".")[2]


def describe_section(section: type[Section], prefix: str = "") -> Iterator[KeyText]:
    """Yield the keys of a section, each before those that stand behind it."""
    for key in sorted(keys_of(section).values(), key=partial(_rank, prefix)):
        yield document_key(section, key, prefix)
        for inner in _sections_in(key.kind):
            yield from describe_section(inner, f"{prefix}{key.name}.")


def describe_key(section: type[Section], path: str) -> KeyText | None:
    """Return what is said of a key. In the path a name that somebody chose, or a number, may stand behind what has such."""
    texts = {text.path: text for text in describe_section(section)}
    at, is_key, may_be_name = "", False, False
    for part in path.replace("[]", "").split("."):
        inner = f"{at}.{part}".lstrip(".")
        is_key = inner in texts
        if not is_key and not may_be_name:
            return None
        at = inner if is_key else at
        may_be_name = is_key and texts[at].is_many
    return texts[at] if is_key else None


def parse_example(section: type[Section], key: SectionKey) -> Any:
    """Return the example of a key as JSON has it; None where there is none."""
    text = _example_text(section, key.name)
    if not text:
        return None
    document = Document(_EXAMPLES)
    read_document(_lay_out("example", text).encode(), document)
    assert not document.problems, document.problems
    value = core_value(document.value("example"))
    return str(document.value("example")) if _spell(key.kind) == "text" else value


def document_key(section: type[Section], key: SectionKey, prefix: str = "") -> KeyText:
    """Return what is said of a key of a section."""
    default = key.default
    spelled = str(default).lower() if isinstance(default, bool) else "" if default is None else str(default)
    text = _example_text(section, key.name)
    return KeyText(
        path=prefix + key.name,
        kind=_spell(key.kind),
        meaning=key.meaning or " ".join(cleandoc((key.section and key.section.__doc__) or "").split()),
        is_required=key.is_required,
        default=spelled,
        example=_lay_out(key.name, text) if text else "",
        keys=tuple(inner.name for each in _sections_in(key.kind) for inner in keys_of(each).values()),
        is_many=key.is_many,
    )


def _rank(prefix: str, key: SectionKey) -> int:
    """Return where a key stands: as `udfs fmt` orders those that it does, else what is required first."""
    order = {"": TOP, "functions.": FUNCTION}.get(prefix, ())
    return order.index(key.name) if key.name in order else len(order) + (not key.is_required)


def _lay_out(key: str, text: str) -> str:
    """Return a key with its value, as in a file."""
    return f"{key}:\n{indent(text, '  ')}\n" if _BLOCK.match(text) else f"{key}: {text}\n"


def _example_text(section: type[Section], key: str) -> str:
    for base in section.__mro__:
        if issubclass(base, Section) and base is not Section:
            text = _load_examples(base.__module__.rpartition(".")[0]).get(base.__name__, {}).get(key)
            if text:
                return text.rstrip("\n")
    return ""


@cache
def _load_examples(package: str) -> Mapping[str, Mapping[str, str]]:
    import yaml

    place = files(package).joinpath(_EXAMPLES)
    if not place.is_file():
        return {}
    loaded: Mapping[str, Mapping[str, str]] = yaml.load(place.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    return loaded


def _spell(kind: Any) -> str:
    """Return a type in words."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _spell(arguments[0])
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(_spell(choice) for choice in arguments if choice is not NoneType))
    if origin is Literal:
        return " | ".join(map(str, arguments))
    if origin in (list, abc.Sequence):
        return f"list of {_spell_many(arguments[0])}"
    if origin in (dict, abc.Mapping):
        return f"name → {_spell(arguments[1])}"
    return _PLAIN.get(kind, "section")


def _spell_many(kind: Any) -> str:
    """Return the items of a list in words; words to choose from stay as they are."""
    return " or ".join(_MANY.get(word, word) for word in _spell(kind).split(" or "))


_MANY = {"text": "texts", "section": "sections", "any value": "values", "list of values": "lists of values"}
_PLAIN = {str: "text", bool: "true | false", int: "whole number", float: "number", Any: "any value"}


def _sections_in(kind: Any) -> Iterator[type[Section]]:
    """Yield the sections that a type is, or that are within it."""
    if isinstance(kind, type) and issubclass(kind, Section):
        yield kind
    for argument in get_args(kind):
        if not isinstance(argument, str):
            yield from _sections_in(argument)
