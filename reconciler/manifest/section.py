"""
Typed sections: mappings of a YAML file as frozen values.

A section is a msgspec `Struct`; `read_section` makes one of a value of the reader's, or lists everything that does not fit, where msgspec
itself would stop at the first. Nothing is converted but plain scalars, which have no type until a section gives them one.
"""

from __future__ import annotations

import operator
import re
from collections import abc
from functools import cache, reduce
from types import NoneType, UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ClassVar,
    Literal,
    NamedTuple,
    TypeAlias,
    TypeVar,
    Union,
    get_args,
    get_origin,
)

import msgspec
from msgspec import NODEFAULT, Meta, Struct, structs

if TYPE_CHECKING:
    from collections.abc import Callable

Keys: TypeAlias = tuple[str | int, ...]
"""Where something stands in a file: ``("functions", "my_psi", "class")``."""

NULL_IS_EMPTY = Meta(extra={"null": "empty"})
"""Lets a key with nothing behind it, or with every entry commented out, mean an empty list or mapping."""


class Section(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, dict=True):
    """What all parts of a file share. Unknown keys are refused."""

    label: ClassVar[str] = ""
    """What people call the file that it is all of."""

    schema_extra: ClassVar[dict[str, Any]] = {}
    """What the JSON Schema of the section says beside its keys."""

    short: ClassVar[str] = ""
    """The key that people mean who write a text, or a list, where the section should stand."""

    elsewhere: ClassVar[abc.Mapping[str, str]] = {}
    """Keys that people look for here → what to write instead."""


S = TypeVar("S", bound=Section)


class Plain(str):
    """A scalar written without quotes: its type is not decided yet."""

    __slots__ = ()


class Mismatch(NamedTuple):
    """One thing that does not fit."""

    kind: str
    """
    What is wrong: ``unknown`` or ``missing`` for a key, ``key`` for a name that is no name there; ``mapping``, ``list``,
    ``text``, ``flag`` or ``number`` for what should stand there; ``empty``, ``long``, ``choice``, ``pattern``, ``surrogate``,
    ``large`` or ``zeros`` for a value.
    """

    path: Keys
    detail: Any = None
    """The pattern, the choices, the greatest length."""


class Mismatches(ValueError):
    """Everything that does not fit, in the order in which a section lists its keys."""

    def __init__(self, mismatches: list[Mismatch]) -> None:
        super().__init__(f"{mismatches[0].kind} at {mismatches[0].path}")
        self.mismatches = mismatches


def read_section(section: type[S], value: object) -> S:
    """Return a value as a section, or raise `Mismatches`."""
    mismatches: list[Mismatch] = []
    result: S = _converter(section)(value, (), mismatches)
    if mismatches:
        raise Mismatches(mismatches)
    return result


def as_written(section: Section) -> dict[str, Any]:
    """Return a section as it would be written: names of keys, and nothing that has its default."""
    values: dict[str, Any] = msgspec.to_builtins(section)
    return values


class SectionKey(NamedTuple):
    """A key that a section takes."""

    name: str
    attribute: str
    is_required: bool
    default: Any
    """A text or flag; None where the default is to have nothing there."""

    kind: Any
    """Its type, with what is said of it."""

    meaning: str
    section: type[Section] | None
    """What stands behind it, if that is a section, or a mapping or a list of sections."""

    is_many: bool


@cache
def keys_of(section: type[Section]) -> dict[str, SectionKey]:
    """Return the keys that a section takes, by name."""
    keys = {}
    for field in structs.fields(section):
        default = None if field.default is NODEFAULT else field.default
        metas = get_args(field.type)[1:] if get_origin(field.type) is Annotated else ()
        # The outermost description is the last.
        meaning = next((meta.description for meta in reversed(metas) if meta.description), "")
        keys[field.encode_name] = SectionKey(
            field.encode_name, field.name, field.required, default, field.type, meaning, *_section_in(field.type)
        )
    return keys


_SURROGATE = re.compile("[\ud800-\udfff]")
_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
_LEADING_ZEROS = re.compile(r"[-+]?0[0-9]+\Z")
_BASED = re.compile(r"0(?:o[0-7]+|x[0-9a-fA-F]+)\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_SPECIAL = {
    **dict.fromkeys(("null", "Null", "NULL", "~", ""), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **{sign + inf: float(sign + "inf") for sign in ("", "+", "-") for inf in (".inf", ".Inf", ".INF")},
}


class LeadingZeros(ValueError):
    """01234: to some readers of YAML an octal number, to others a decimal one, and to who wrote it most often a text."""


def core_value(value: object) -> object:
    """
    Type plain scalars by YAML 1.2's core schema, inside lists and mappings too; quoted text stays text.

    Raises `LeadingZeros`, and ValueError for a number of more than 4,300 digits, which Python does not read.
    """
    if isinstance(value, Plain):
        if value in _SPECIAL:
            return _SPECIAL[value]
        if _LEADING_ZEROS.match(value):
            raise LeadingZeros(value)
        if _INTEGER.match(value):
            return int(value)
        if _BASED.match(value):
            return int(value, 0)
        return float(value) if _FLOAT.match(value) else str(value)
    if isinstance(value, dict):
        return {str(key): core_value(item) for key, item in value.items()}
    if isinstance(value, list):
        return [core_value(item) for item in value]
    return value


_Converter: TypeAlias = "Callable[[Any, Keys, list[Mismatch]], Any]"
"""Returns a value as its type, or adds what does not fit, and then returns nothing of use."""


@cache
def _converter(section: type[Section]) -> _Converter:
    fields = structs.fields(section)
    converters = {field.encode_name: (field.name, _compile(field.type)) for field in fields}
    required = {field.encode_name for field in fields if field.required}

    def convert_section(value: Any, path: Keys, mismatches: list[Mismatch]) -> Any:
        if not isinstance(value, dict):
            mismatches.append(Mismatch("mapping", path))
            return None
        before = len(mismatches)
        values: dict[str, Any] = {}
        for key, (name, inner) in converters.items():
            if key in value:
                values[name] = inner(value[key], (*path, key), mismatches)
            elif key in required:
                mismatches.append(Mismatch("missing", (*path, key)))
        mismatches += (Mismatch("unknown", (*path, key)) for key in value if key not in converters)
        return section(**values) if len(mismatches) == before else None

    return convert_section


def _compile(kind: Any, *metas: Meta) -> _Converter:
    """Return the converter of a type; made once, because it is called for every value of a file."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _compile(arguments[0], *(meta for meta in arguments[1:] if isinstance(meta, Meta)), *metas)
    if NULL_IS_EMPTY in metas:
        return _or_empty(kind, _compile(kind, *(meta for meta in metas if meta is not NULL_IS_EMPTY)))
    if origin in (Union, UnionType):
        return _union(arguments, metas)
    if origin is Literal:
        return _literal(arguments)
    if origin in (dict, abc.Mapping):
        return _dict(arguments, _find_bound(metas, "min_length"))
    if origin in (list, abc.Sequence):
        return _list(arguments[0], _find_bound(metas, "min_length"))
    if kind is str:
        return _str(metas)
    if kind is int:
        return _int(_find_bound(metas, "ge"))
    if kind in _SIMPLE:
        return _SIMPLE[kind]
    # Most manifests use few sections: one is made ready when the first value for it comes.
    return lambda value, path, mismatches: _converter(kind)(value, path, mismatches)


def _find_bound(metas: tuple[Meta, ...], name: str) -> Any:
    """Return a bound that is set on a type, or None."""
    return next((bound for meta in metas if (bound := getattr(meta, name)) is not None), None)


def _or_empty(kind: Any, inner: _Converter) -> _Converter:
    empty: Callable[[], object] = list if any(get_origin(part) is list for part in _parts(kind)) else dict

    def convert_or_empty(value: Any, path: Keys, mismatches: list[Mismatch]) -> Any:
        is_null = isinstance(value, Plain) and value in ("", "~", "null")
        return inner(empty() if is_null else value, path, mismatches)

    return convert_or_empty


def _dict(kinds: tuple[Any, ...], least: int | None) -> _Converter:
    name, inner = map(_compile, kinds)

    def convert_dict(value: Any, path: Keys, mismatches: list[Mismatch]) -> Any:
        if not isinstance(value, dict):
            mismatches.append(Mismatch("mapping", path))
            return None
        if least and len(value) < least:
            mismatches.append(Mismatch("empty", path, "list"))
        entries = {}
        for key, item in value.items():
            here = (*path, key)
            wrong: list[Mismatch] = []
            entries[name(key, here, wrong)] = inner(item, here, mismatches)
            mismatches += (Mismatch("key", here, mismatch.detail) for mismatch in wrong)
        return entries

    return convert_dict


def _list(kind: Any, least: int | None) -> _Converter:
    inner = _compile(kind)

    def convert_list(value: Any, path: Keys, mismatches: list[Mismatch]) -> Any:
        if not isinstance(value, list):
            mismatches.append(Mismatch("list", path))
            return None
        if least and len(value) < least:
            mismatches.append(Mismatch("empty", path, "list"))
        return [inner(item, (*path, index), mismatches) for index, item in enumerate(value)]

    return convert_list


def _str(metas: tuple[Meta, ...]) -> _Converter:
    least, most, pattern = (_find_bound(metas, name) for name in ("min_length", "max_length", "pattern"))
    fits = re.compile(pattern).fullmatch if pattern else None
    needs = least or pattern

    def convert_str(value: Any, path: Keys, mismatches: list[Mismatch]) -> Any:
        if not isinstance(value, str):
            mismatches.append(Mismatch("text", path))
        # Half of a character, as escapes in quotes can name it, cannot be written as UTF-8.
        elif not value.isascii() and _SURROGATE.search(value):
            mismatches.append(Mismatch("surrogate", path))
        # Nothing, to YAML: it is no distribution of that name, and no comment.
        elif (least and len(value) < least) or (needs and type(value) is Plain and _SPECIAL.get(value, "") is None):
            mismatches.append(Mismatch("empty", path, "text"))
        elif most is not None and len(value) > most:
            mismatches.append(Mismatch("long", path, most))
        elif fits is not None and fits(value) is None:
            mismatches.append(Mismatch("pattern", path, pattern))
        return str(value) if type(value) is Plain else value

    return convert_str


def _literal(choices: tuple[str, ...]) -> _Converter:
    def convert_literal(value: Any, path: Keys, mismatches: list[Mismatch]) -> Any:
        if not isinstance(value, str) or value not in choices:
            mismatches.append(Mismatch("choice", path, choices))
        return str(value)

    return convert_literal


def _union(kinds: tuple[Any, ...], metas: tuple[Meta, ...]) -> _Converter:
    """Return the converter of a value that may be left out, or of a text or else a section."""
    others = [kind for kind in kinds if kind is not NoneType]
    if len(others) < len(kinds):
        inner = _compile(reduce(operator.or_, others), *metas)
        return lambda value, path, mismatches: None if value is None else inner(value, path, mismatches)
    text, section = (_compile(kind) for kind in sorted(others, key=lambda kind: _parts(kind) != [str]))
    return lambda value, path, mismatches: (text if isinstance(value, str) else section)(value, path, mismatches)


def _bool(value: Any, path: Keys, mismatches: list[Mismatch]) -> Any:
    value = _any(value, path, mismatches)
    if not isinstance(value, bool):
        mismatches.append(Mismatch("flag", path))
    return value


def _int(least: int | None) -> _Converter:
    def convert_int(value: Any, path: Keys, mismatches: list[Mismatch]) -> Any:
        value = _any(value, path, mismatches)
        if not isinstance(value, int) or isinstance(value, bool) or (least is not None and value < least):
            mismatches.append(Mismatch("number", path))
        return value

    return convert_int


def _float(value: Any, path: Keys, mismatches: list[Mismatch]) -> Any:
    value = _any(value, path, mismatches)
    if not isinstance(value, int | float) or isinstance(value, bool):
        mismatches.append(Mismatch("number", path))
    return value


def _any(value: Any, path: Keys, mismatches: list[Mismatch]) -> Any:
    try:
        return core_value(value)
    except LeadingZeros as error:
        mismatches.append(Mismatch("zeros", path, str(error)))
    except ValueError:
        mismatches.append(Mismatch("large", path))
    return None


_SIMPLE: dict[Any, _Converter] = {bool: _bool, float: _float, Any: _any}


def _parts(kind: Any) -> list[Any]:
    """Return the alternatives of a type, seen through what is said of it."""
    if get_origin(kind) is Annotated:
        return _parts(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        return [part for inner in get_args(kind) for part in _parts(inner)]
    return [kind]


def _section_in(kind: Any) -> tuple[type[Section] | None, bool]:
    """Return the section that a type is, or its entries or items are, and whether there are many."""
    for part in _parts(kind):
        if isinstance(part, type) and issubclass(part, Section):
            return part, False
        if get_origin(part) in (dict, list, abc.Mapping, abc.Sequence):
            return _section_in(get_args(part)[-1])[0], True
    return None, False
