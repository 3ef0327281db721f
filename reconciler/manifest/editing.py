"""
Insertion of entries into a manifest's text, which changes nothing else of it.

A YAML library that reads and writes keeps comments, and yet puts its own quotes, folds and indents into lines that nobody
touched. Here lines are only inserted. Where they belong is found with the parser's places; that they mean what they should,
and everything else what it did, is seen by reading the result before anybody gets it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import yaml
from yaml.events import (
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from reconciler.base.errors import InvalidManifest
from reconciler.manifest.reader import Document, Mapping, read_document, yaml_parser

if TYPE_CHECKING:
    import collections.abc
    from collections.abc import Iterator

Value: TypeAlias = "str | list[str] | list[collections.abc.Mapping[str, Any]] | collections.abc.Mapping[str, Value]"
"""What stands behind a key of an entry: as it is written, see `literally`."""


class Bare(str):
    """A number or a truth value, as it is written: without quotes."""


_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*\Z")
_WORDS = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}
"""What some reader of YAML takes for something else than text."""

_LONG = 100
"""Characters of a list on one line; a longer one gets a line an item."""


@dataclass(frozen=True)
class ManifestEntry:
    """One function or resource, as it will stand in a manifest."""

    name: str
    fields: collections.abc.Mapping[str, Value]
    note: str = ""
    """A comment beside it; one line, printable."""

    is_short: bool = False
    """Whether it stands on one line."""


def scalar(text: str) -> str:
    """Return `text` as YAML that every reader takes for this text."""
    if _PLAIN.match(text) and text.lower() not in _WORDS:
        return text
    return '"' + "".join(_ESCAPED.get(c) or (c if c.isprintable() else f"\\U{ord(c):08x}") for c in text) + '"'


_ESCAPED = {'"': '\\"', "\\": "\\\\"}


def literally(text: str) -> str:
    """Return how `text` is written where a manifest takes variables, so that it means no variable."""
    return text.replace("${", "$${")


def add_entries(text: str, section: str, entries: collections.abc.Sequence[ManifestEntry]) -> str:
    """
    Return a manifest's text with entries behind those that a section of it has.

    `text` is that of a manifest without problems. Raises E565 where no place for them is found.
    """
    if not entries:
        return text
    before = _values(text)
    present = before.get(section)
    added = {entry.name: dict(entry.fields) for entry in entries}
    expected = {**before, section: {**(present if isinstance(present, Mapping) else {}), **added}}
    for candidate in _candidates(text, section, entries):
        # The reader is the judge: a text that says more or less than was meant is never returned.
        if _values(candidate) == expected:
            return candidate
    raise InvalidManifest(
        "E565",
        f"no place is found in the manifest where entries could be added under '{section}:'",
        hint="import into an empty folder with --out, and copy from there",
    )


def entry_lines(entry: ManifestEntry, indent: str = "  ") -> Iterator[str]:
    """Yield the lines of an entry."""
    note = f"  # {entry.note}" if entry.note else ""
    if entry.is_short:
        yield f"{indent}{scalar(entry.name)}: {_flow(entry.fields)}{note}"
        return
    yield f"{indent}{scalar(entry.name)}:{note}"
    for key, value in entry.fields.items():
        inline = _flow(value)
        if isinstance(value, list) and len(inline) > _LONG:
            yield f"{indent}  {key}:"
            yield from (f"{indent}    - {_flow(item)}" for item in value)
        else:
            yield f"{indent}  {key}: {inline}"


def _flow(value: Value) -> str:
    if isinstance(value, Bare):
        return value
    if isinstance(value, str):
        return scalar(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
    return f"{{{', '.join(f'{scalar(key)}: {_flow(item)}' for key, item in value.items())}}}"


@dataclass
class _Place:
    """Where a key of the root stands, and its value; offsets."""

    key: int
    begin: int
    end: int
    """Right behind a value in one piece or in braces; of a block it says nothing."""

    is_block: bool = False
    indent: int | None = None
    """Of a block's keys."""


def _candidates(text: str, section: str, entries: collections.abc.Sequence[ManifestEntry]) -> Iterator[str]:
    """Yield texts with the entries in them, the likeliest first; some say something else, or nothing."""
    newline = "\r\n" if "\r\n" in text else "\n"
    # What is appended must not continue a comment in the last line.
    if not text.endswith("\n"):
        text += newline
    places, root = _places(text)
    here = places.get(section)
    if root.is_block and (here is None or here.is_block or not _has(text, here)):
        indent = " " * ((here and here.indent) or 2)
        block = "".join(f"{line}{newline}" for entry in entries for line in entry_lines(entry, indent))
        if here is None:
            yield from _as_new_section(text, places, f"{section}:{newline}{block}", newline)
        else:
            yield from _as_block(text, places, here, block)
        return
    yield from _in_braces(text, section, entries, here, root)


def _in_braces(
    text: str, section: str, entries: collections.abc.Sequence[ManifestEntry], here: _Place | None, root: _Place
) -> Iterator[str]:
    """Put entries into the braces of their section, or a section with them into the braces of the root."""
    added = ", ".join(f"{scalar(entry.name)}: {_flow(entry.fields)}" for entry in entries)
    if here is not None and not _has(text, here):
        yield f"{text[: here.begin]}{{{added}}}{text[here.end :]}"
    else:
        if here is None:
            added, here = f"{section}: {{{added}}}", root
        # Behind a comma that is there already another one would be an entry without a name.
        yield from (text[: here.end - 1] + glue + added + text[here.end - 1 :] for glue in (", ", " "))


def _as_block(text: str, places: dict[str, _Place], here: _Place, block: str) -> Iterator[str]:
    """Put entries at the end of a section in block style, or under the key of one that is empty."""
    if here.is_block:
        follower = min((place.key for place in places.values() if place.key > here.key), default=len(text))
        yield from (text[:offset] + block + text[offset:] for offset in _ends(text, here.begin, follower))
    else:
        # Nothing, `null` or {} behind the key: it goes, and what comes instead begins on the next line.
        bare = text[: here.begin].rstrip(" ") + text[here.end :]
        line = bare.find("\n", here.key) + 1
        yield bare[:line] + block + bare[line:]


def _as_new_section(text: str, places: dict[str, _Place], block: str, newline: str) -> Iterator[str]:
    """Put a section before `functions:` and the comment above it, or at the end."""
    if "functions" in places:
        offset = places["functions"].key
        while offset and text[text.rfind("\n", 0, offset - 1) + 1 : offset].startswith("#"):
            offset = text.rfind("\n", 0, offset - 1) + 1
        yield f"{text[:offset]}{block}{newline}{text[offset:]}"
    yield text + newline + block


def _ends(text: str, begin: int, follower: int) -> Iterator[int]:
    """Yield where a block may end: before the blank lines and the comment above what follows, or behind them."""
    offset = follower
    while offset > begin and text[(line := text.rfind("\n", 0, offset - 1) + 1) : offset].strip()[:1] in ("", "#"):
        if text[line:offset].strip() and text[line] == " ":
            break
        offset = line
    yield offset
    yield follower
    if (terminator := re.compile(r"^(?:\.\.\.|---)", re.MULTILINE).search(text, begin)) is not None:
        yield terminator.start()


def _has(text: str, span: _Place) -> bool:
    """Say whether there is something in the braces of a value."""
    return text.startswith("{", span.begin) and bool(_values(text[span.begin : span.end]))


def _places(text: str) -> tuple[dict[str, _Place], _Place]:
    """Return the places of the root's keys, and of the root itself."""
    scan = _Scan()
    events = yaml_parser()(text)
    while type(event := events.get_event()) is not StreamEndEvent:
        if isinstance(event, (MappingEndEvent, SequenceEndEvent)):
            scan.close(event)
        else:
            scan.take(event)
    return scan.places, scan.root


class _Scan:
    """Notes the places of what the first two levels of a text hold, event by event."""

    def __init__(self) -> None:
        self.places: dict[str, _Place] = {}
        self.root = _Place(0, 0, 0)
        self._depth = 0
        self._key: tuple[str, int] | None = None
        """Of the root, whose value comes next."""
        self._open: _Place | None = None
        """The value that the events are inside."""

    def close(self, event: Any) -> None:
        self._depth -= 1
        if self._depth == 0:
            self.root.end = event.end_mark.index
        elif self._depth == 1 and self._open is not None:
            self._open.end = event.end_mark.index
            self._open = None

    def take(self, event: Any) -> None:
        opens = isinstance(event, (MappingStartEvent, SequenceStartEvent))
        begin = event.start_mark.index
        value = _Place(begin, begin, event.end_mark.index, is_block=opens and not event.flow_style)
        if self._depth == 0 and opens:
            self.root = value
        elif self._depth == 1 and self._key is not None:
            value.key = self._key[1]
            self.places[self._key[0]] = value
            self._key, self._open = None, value if opens else None
        elif self._depth == 1 and isinstance(event, ScalarEvent):
            self._key = (event.value, begin)
        elif self._depth == 2 and self._open is not None and self._open.indent is None:
            self._open.indent = event.start_mark.column if self._open.is_block else None
        self._depth += opens


def _values(text: str) -> dict[str, Any]:
    """Return what a text says, or nothing if it is not fit to be read."""
    document = Document("")
    try:
        read_document(text.encode(), document)
    except yaml.YAMLError:  # pragma: no cover - `read` notes it as a problem
        return {}
    return document.root if isinstance(document.root, Mapping) and not document.problems else {}
