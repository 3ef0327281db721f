"""
PackageIndex of a Debian suite: the stanzas of a ``Packages`` file, found by name and by what they provide.

Such a file has 63,000 stanzas and 47 MiB, of which a closure reads some hundred. `reduce_index` keeps the fields that are read
here, in a third of the space; who calls keeps that text by the sha256 of the file.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from reconciler.packages.debian.relations import Relation, compare_versions, parse_relations

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

RELATIONS = (
    "Pre-Depends",
    "Depends",
    "Conflicts",
    "Breaks",
    "Recommends",
    "Suggests",
    "Replaces",
    "Enhances",
    "Provides",
)
"""In the order in which apt reads them."""

_FACTS = (
    *("Package", "Version", "Architecture", "Essential", "Important", "Priority", "Multi-Arch"),
    *("Filename", "Size", "SHA256"),
)
_UNREAD = re.compile(
    rb"^(?!(?:%b):)[^ \t\n][^\n]*\n(?:[ \t][^\n]*\n)*" % "|".join((*_FACTS, *RELATIONS)).encode(), re.MULTILINE
)
# Each begins with letters of its own, by which it is found some ten times faster than by the beginning of any line.
_NAME = re.compile(r"\n\nPackage: *(\S+)")
_VERSION = re.compile(r"Package:.*\nVersion: *(.*)")
_PROVIDES = re.compile(r"\nProvides: *(.+)")
_ESSENTIAL = re.compile(r"\nEssential: yes\n")
_FIELD = re.compile(r"^([A-Za-z0-9-]+): *(.*)$", re.MULTILINE)
_PRIORITIES = ("required", "important", "standard", "optional", "extra")
_POOL = re.compile(r"(?!/)(?:(?!\.\.?/)[A-Za-z0-9][A-Za-z0-9+.~_%:-]*/)*[A-Za-z0-9][A-Za-z0-9+.~_%:-]*\.deb")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Stanza:
    """A package as the index describes it."""

    name: str
    fields: Mapping[str, str] = field(repr=False)

    @cached_property
    def version(self) -> str:
        return self.fields.get("Version", "")

    @property
    def architecture(self) -> str:
        return self.fields.get("Architecture", "")

    @property
    def path(self) -> str:
        """Of the .deb below a mirror's address."""
        return self.fields.get("Filename", "")

    @property
    def sha256(self) -> str:
        return self.fields.get("SHA256", "")

    @property
    def size(self) -> int:
        """Bytes of the .deb."""
        return int(self.fields.get("Size", "0"))

    @property
    def suite(self) -> str | None:
        """The suite that has it, of an index that was put together (`add_updates`), if it is not the first."""
        return self.fields.get("Suite")

    @property
    def is_essential(self) -> bool:
        return self.fields.get("Essential") == "yes"

    @property
    def is_important(self) -> bool:
        return self.fields.get("Important") == "yes"

    @property
    def priority(self) -> int:
        """The lower, the more systems have it."""
        priority = self.fields.get("Priority", "extra")
        return _PRIORITIES.index(priority) if priority in _PRIORITIES else len(_PRIORITIES)

    def relations(self, *names: str) -> Iterable[tuple[Relation, ...]]:
        """Yield what these fields say, group by group; raises ValueError."""
        for name in names:
            yield from parse_relations(self.fields.get(name, ""))

    @cached_property
    def provides(self) -> tuple[Relation, ...]:
        return tuple(group[0] for group in self.relations("Provides"))

    def provided_version(self, name: str) -> tuple[str | None, ...]:
        """Return by which versions it may stand for a name: its own, and those that it states."""
        itself = (self.version,) if name == self.name else ()
        return (*itself, *(relation.version for relation in self.provides if relation.name == name))

    def meets(self, relation: Relation) -> bool:
        """Say whether a relation is met by it."""
        return any(relation.admits(version) for version in self.provided_version(relation.name))

    def why_unusable(self) -> str | None:
        """Return what is wrong with what is to be locked, or None: nothing of an index becomes a path or a hash unseen."""
        if not _POOL.fullmatch(self.path):
            return f"its file name is {self.path[:120]!r}"
        if not _SHA256.fullmatch(self.sha256):
            return "it has no sha256"
        return None if self.fields.get("Size", "").isdecimal() else "it has no size"


class PackageIndex:
    """The packages of one suite, component and architecture."""

    def __init__(self, text: str) -> None:
        self.text = text
        first = re.match(r"Package: *(\S+)", text)
        names, starts = ([first[1]], [0]) if first else ([], [])
        for match in _NAME.finditer(text):
            names.append(match[1])
            starts.append(match.start() + 2)
        self._starts = dict(zip(reversed(names), reversed(starts), strict=True))  # the first of a name counts
        self._stanzas: dict[str, Stanza | None] = {}
        self._mentions: dict[str, tuple[int, int, int]] = {}
        self._beginnings: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._starts)

    @property
    def names(self) -> Iterable[str]:
        """All names, in the order of the file."""
        return sorted(self._starts)

    def stanza(self, name: str) -> Stanza | None:
        """Return the package of this name."""
        if name not in self._stanzas:
            start = self._starts.get(name)
            self._stanzas[name] = None if start is None else self._read(start)
        return self._stanzas[name]

    def version(self, name: str) -> str | None:
        """Return the version of the package of this name, without reading the rest of it."""
        start = self._starts.get(name)
        if start is None:
            return None
        match = _VERSION.match(self.text, start)
        return match[1] if match else self._read(start).version

    def span(self, name: str) -> tuple[int, int]:
        """Return where the text of a package begins and ends, the empty line behind it included; KeyError."""
        start = self._starts[name]
        end = self.text.find("\n\n", start)
        return start, end + 2 if end >= 0 else len(self.text)

    def candidates(self, relation: Relation) -> list[Stanza]:
        """
        Return the packages that meet a relation, as apt would try them.

        The one of that name comes first, then what is essential, then by priority. Of what is still equal apt takes the one that its cache
        met last, in the file's order and counting mentions in relations (seen in apt 2.6; no documentation says so).
        """
        named = self.stanza(relation.name)
        others = {stanza.name: stanza for stanza in map(self.stanza, self._providers.get(relation.name, ())) if stanza}
        others.pop(relation.name, None)
        providers = [stanza for stanza in others.values() if stanza.meets(relation)]
        if len(providers) > 1:
            providers.sort(key=self._rank)
        return [*([named] if named is not None and named.meets(relation) else ()), *providers]

    def essentials(self) -> Iterable[Stanza]:
        """Yield what every system has."""
        for match in _ESSENTIAL.finditer(self.text):
            yield self._read(self._start_of(match.start()))

    def _rank(self, stanza: Stanza) -> tuple[bool, bool, int, tuple[int, int, int]]:
        first = self._first_mention(stanza.name)
        return not stanza.is_essential, not stanza.is_important, stanza.priority, (-first[0], -first[1], -first[2])

    def _first_mention(self, name: str) -> tuple[int, int, int]:
        """Return where a name is met first: stanza, field as apt reads them, place in the field."""
        if name not in self._mentions:
            self._mentions[name] = self._find_mention(name)
        return self._mentions[name]

    def _find_mention(self, name: str) -> tuple[int, int, int]:
        stanza = self._starts[name]
        is_named = re.compile(rf"(?<![a-z0-9+.-]){re.escape(name)}(?![a-z0-9+.-])").search
        # What provides the same begins alike, libopenblas0-pthread and libopenblas0-serial, and megabytes are read once.
        beginning = name[: name.rfind("-") + 1]
        if beginning not in self._beginnings:
            self._beginnings[beginning] = self.text.find(beginning)
        offset = self._beginnings[beginning]
        while (offset := self.text.find(name, offset, stanza)) >= 0:
            start = self._start_of(offset)
            places = [
                (start, RELATIONS.index(label), match.start())
                for label, value in self._read(start).fields.items()
                if label in RELATIONS and (match := is_named(value))
            ]
            if places:
                return min(places)
            offset += len(name)
        return stanza, -1, 0

    def _start_of(self, offset: int) -> int:
        blank = self.text.rfind("\n\n", 0, offset)
        return 0 if blank < 0 else blank + 2

    @cached_property
    def _providers(self) -> Mapping[str, list[str]]:
        """Name → the packages that provide it; read once, from all stanzas that provide something."""
        providers: dict[str, list[str]] = defaultdict(list)
        name_at = self.text.rfind
        for match in _PROVIDES.finditer(self.text):
            start = name_at("\nPackage:", 0, match.start()) + 1
            owner = self.text[start : self.text.find("\n", start)].partition(":")[2].strip()
            for item in match[1].split(","):
                providers[item.partition("(")[0].partition(":")[0].strip()].append(owner)
        return providers

    def _read(self, start: int) -> Stanza:
        end = self.text.find("\n\n", start)
        fields = dict(_FIELD.findall(self.text, start, end if end >= 0 else len(self.text)))
        return Stanza(fields["Package"], fields)


def add_updates(index: PackageIndex, updates: PackageIndex, suite: str) -> PackageIndex:
    """Return an index with what a suite of updates has newer, or in addition, in its place."""
    pieces: list[str] = []
    added: list[str] = []
    newer: dict[int, tuple[int, str]] = {}
    for name in updates.names:
        update, present = updates.version(name), index.version(name)
        assert update is not None
        start, end = updates.span(name)
        text = f"{updates.text[start:end].rstrip()}\nSuite: {suite}\n\n"
        if present is None:
            added.append(text)
        elif compare_versions(update, present) > 0:
            first, last = index.span(name)
            newer[first] = last, text
    position = 0
    for first, (last, text) in sorted(newer.items()):
        pieces += [index.text[position:first], text]
        position = last
    rest = index.text[position:].rstrip("\n")
    return PackageIndex("".join([*pieces, f"{rest}\n\n" if rest else "", *added]).rstrip("\n") + "\n")


def reduce_index(text: bytes) -> str:
    """Return an index with the fields that are read here, each on one line; raises ValueError where it is none."""
    if text and not text.startswith(b"Package:"):
        raise ValueError("the index begins with no package")
    return _UNREAD.sub(b"", text).decode("utf-8").replace("\n ", " ").replace("\n\t", " ").strip("\n") + "\n"
