"""
Kind of object, with key and mark: what the rest of the program knows of one, as pure functions of frozen values.

A target describes each of its kinds once. Comparison, plan, ledger, plan file, dump and every rendering ask the kind, and
nothing else looks into an object. The functions are called once an object: a plan of 15,000 objects calls each of them
as often, so a kind has plain functions and no state.

Two descriptions with one key are of one object. A mark is what udfs leaves on an object, where the service keeps such a
thing; it names the stack, what was put there, and the objects without a mark of their own that it speaks for.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, TypeAlias, TypeVar

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.packages.content import Content


S = TypeVar("S")
Form: TypeAlias = Literal["text", "list", "quoted"]

CONTENT = "content"
"""The field of a difference in what an object holds; a mark remembers it, other fields the ledger alone does."""


class Difference(NamedTuple):
    """One field of one object."""

    field: str
    """A field of the kind, or ``marker``, ``protect`` or ``name``."""

    old: str
    new: str
    form: Form = "text"
    """How a rendering shows it: a list by what came and went, free text in quotes."""

    @property
    def turned(self) -> Difference:
        """The same, seen from the other side."""
        return self._replace(old=self.new, new=self.old)


@dataclass(frozen=True, order=True)
class Key:
    """The identity of an object within one destination."""

    kind: str
    folded: str
    name: str = field(compare=False)
    """The spelling, for people."""

    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Each of tens of thousands of keys is looked up again and again.
        object.__setattr__(self, "_hash", hash((self.kind, self.folded)))

    def __hash__(self) -> int:
        return self._hash

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class Mark(NamedTuple):
    """Who manages an object, and what was last put there."""

    stack: str
    sha256: str | None = None
    """Of the content that udfs uploaded; None where there is none."""

    digest: str | None = None
    """The service's own checksum of the same content: a foreign edit shows as a difference from this."""

    names: frozenset[str] = frozenset()
    """Fingerprints of the objects without a mark that this one carries."""


@lru_cache(maxsize=1 << 16)
def fingerprint(folded: str) -> str:
    """Return the eight hex digits by which a mark names an object: marks are short, carried objects may be many."""
    return hashlib.sha256(folded.encode()).hexdigest()[:8]


@dataclass(frozen=True)
class Rule(Generic[S]):
    """A refusal or a warning for a field that differs, as data."""

    code: str
    message: str
    """Continues a sentence that begins with the object; may hold ``{old}`` and ``{new}``."""

    hint: str
    applies: Callable[[S], bool] = lambda new: True
    """Whether it is about this object, as it should be."""

    adopting: tuple[str, str] | None = None
    """Message and hint where an object is taken over that differs in the field."""


def _as_it_is(obj: Any, *_: object) -> Any:
    return obj


def _no_other_bytes(*_: object) -> bool:
    return False


def _unmarkable(*_: object) -> Any:
    raise ValueError("a mark that udfs does not write")


@dataclass(frozen=True, eq=False)
class Kind(Generic[S]):
    """What is known of one kind of object. `S` is the frozen value that describes such an object."""

    name: str
    """Stands in keys, in the ledger and in documents, and people read it."""

    key: Callable[[str], Key]
    """Return the identity of a spelling: names that the service takes for one fold to one."""

    record: type[msgspec.Struct]
    """The one form in which ledger, plan file, dump and JSON have an object: its fields, typed; the first is its name."""

    write_down: Callable[[S], dict[str, Any]]
    """Return the fields of `record`, in their order; None or empty for what may be left out."""

    read_back: Callable[[Any], S]
    """Return the object that a `record` describes."""

    differences: Callable[[S, S], Collection[Difference]]
    """Return what differs between an object as it should be and as it is."""

    observe: Callable[[S], tuple[object, ...]]
    """Return what must still be true of an object when it is written."""

    show: Callable[[S], tuple[tuple[str, str], ...]]
    """Return label and text of what people want to know of an object, in order."""

    brief: Callable[[S], str] = lambda obj: ""
    """Return what a plan says of a new object, in one line."""

    effect: Callable[[S | None, S], str] = lambda new, old: ""
    """
    Return what a change does beside being made, to whoever uses the object: a restart, say; empty for nothing.

    Takes the object as it should be, None where it goes, and as it is.
    """

    needs: Callable[[S], tuple[Key, ...]] = lambda obj: ()
    """Return the objects that must be there before this one."""

    portable: Callable[[S], tuple[object, ...]] | None = None
    """
    Return what of an object, beside its name, its content and what it needs, is the same in every target that the same
    artifacts are applied to; None where that is all that is observed.
    """

    portable_needs: Callable[[S], tuple[Key, ...]] | None = None
    """Return what an object needs that is called the same in every target; None where all of it is."""

    within: Callable[[str, str, str], str | None] = lambda name, old, new: None
    """Return what an object within another is called once that one, `old`, is called `new`; None if it is not within it."""

    elsewhere: Callable[[S], tuple[str, ...]] = lambda obj: ()
    """Return what an object relies on outside of the plan's destination, where nobody looks."""

    rank: int = 0
    """The place of a kind's objects in a plan, among objects that do not need one another."""

    renamed: Mapping[str, str] = field(default_factory=dict)
    """What people and ledgers call a field of `record`, where it is another word."""

    forms: Mapping[str, Form] = field(default_factory=dict)
    """How differences of a field are shown, if not as text."""

    fixed: Mapping[str, Rule[S]] = field(default_factory=dict)
    """Fields that the service does not change, each with its refusal; ``name`` is the spelling."""

    risky: Mapping[str, Rule[S]] = field(default_factory=dict)
    """Fields whose change may do harm, each with its warning."""

    update: Literal["replace", "new version"] = "replace"
    """What becomes of an object that is to hold something else: it is written again, or there comes one beside it."""

    version_of: Callable[[str, str], str | None] = lambda name, sha256: None
    """Return the plain name of an object that is a version of a content with this sha256, or None."""

    has_mark: bool = True
    """Whether the service keeps our mark on it; an object without is named in the mark of one that it needs."""

    write_mark: Callable[[Mark, str], str] = _unmarkable
    """Return the mark of the object of this name as text."""

    read_mark: Callable[[str, str], Mark] = _unmarkable
    """Return the mark that a text is on the object of this name; ValueError for what udfs does not write."""

    carries: str = "more object"
    """What an object carries that is named in its mark."""

    tells_updater: bool = True
    """Whether the service tells who wrote it last, and when."""

    tells_time: bool = False
    """Whether the service tells when it was written last, though not by whom."""

    as_listed: Callable[[S], S] | None = None
    """Return what a listing tells of an object that is not ours; None where that is all."""

    holds_content: Callable[[S], bool] = lambda obj: False
    """Say whether there are bytes to fetch and to send."""

    file_name: Callable[[S], str] = lambda obj: str(obj.name)  # type: ignore[attr-defined]  # every object has one
    """Return how its content is called where it is written to a folder."""

    size: Callable[[S], int] = lambda obj: 0
    """Return how many bytes of content a write sends."""

    keeps_content: bool = False
    """Whether a write may leave the content as it is; else it is sent with every write, whole."""

    digest: Callable[[S], str | None] = lambda obj: None
    """Return the checksum of the content, as the service itself tells it."""

    checksum: Callable[[Content], str | None] = lambda obj: None
    """Return the same checksum of bytes that are here."""

    shares: Callable[[S, Mark | None, S, Mark | None], bool] | None = None
    """
    Say whether another stack's object serves as it is; None where every object has one stack.

    Takes the object as it should be, its mark, the other stack's, and that one's mark.
    """

    comes_back: bool = True
    """Whether a rollback brings it back, which takes that it holds no content; else it must still hold what it held."""

    leads: bool = True
    """Whether it is what people come for, functions, say: lists are of these, and in a plan they stand before what they need."""

    same_files: Callable[[Path, Path], bool] = _no_other_bytes
    """Whether two archives hold the same files: what is adopted then is the manifest's, in other bytes."""

    take: Callable[[S, S, Collection[str]], S] = _as_it_is
    """Return the first object with some fields of the second: what a manifest says to leave, or what a mark brings along."""

    written_with_mark: frozenset[str] = frozenset()
    """Fields that can be written only together with the mark."""

    let_go: Callable[[S, str], S] = _as_it_is
    """Return an object as the stack of this name leaves it behind."""

    @property
    def is_dated(self) -> bool:
        """Whether the service tells when it was written last."""
        return self.tells_updater or self.tells_time

    @functools.cached_property
    def fields(self) -> tuple[str, ...]:
        """The fields of `record`, in order."""
        return tuple(info.name for info in msgspec.structs.fields(self.record))

    @functools.cached_property
    def required(self) -> frozenset[str]:
        """The fields of `record` that every object has."""
        return frozenset(info.name for info in msgspec.structs.fields(self.record) if info.required)


Kinds: TypeAlias = Mapping[str, Kind[Any]]
"""The kinds of a target by their names, in the order in which people name them."""


def fits_name(key: Key, pattern: str, kinds: Kinds) -> bool:
    """Say whether a pattern with * and ? stands for the name of an object, as its kind compares names."""
    return fnmatchcase(key.folded, kinds[key.kind].key(pattern).folded)


@dataclass(frozen=True)
class Catalog:
    """What can be known of a kind of target without asking one: its words."""

    target_kind: str
    """As a manifest names it: ``target: {kind: …}``."""

    kinds: Kinds
    place: Mapping[str, bool]
    """The labels of what leads to a target's objects, in order, and whether each must be there."""
