"""
Strict YAML reader: text in, plain values with their places out.

YAML is larger than a manifest needs, and what is surplus is dangerous or surprising: aliases that expand to millions of
values, tags that build objects, a second document that nobody reads, a duplicate key that silently wins, ``no`` that
becomes a boolean, a nesting deep enough to crash the C parser. So no YAML loader is used, only PyYAML's parser, whose
events are taken one by one: each is either refused with its place or becomes a `Mapping`, a `Sequence` or a string.
Composing nodes first would take several times as long, and would come too late for some of the guards.

Places are kept as single integers, offsets into the text. A line and a column are worked out only for a problem.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from functools import cached_property
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from reconciler.base.errors import Position, Problem
from reconciler.base.hints import Command
from reconciler.base.words import quote
from reconciler.manifest.model import UNPRINTABLE
from reconciler.manifest.section import Plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.base.hints import Hint

MAX_BYTES = 8_000_000
MAX_DEPTH = 64
MAX_EVENTS = 1_000_000
MAX_PROBLEMS = 1_000
MAX_SHOWN_LINE = 2_000
"""A longer line is not repeated beside a problem: a manifest written by a program may be one line of megabytes."""

# A carriage return alone, and U+0085, U+2028 and U+2029, are line breaks to YAML and not to most editors: a comment
# could end, and a key begin, where a reviewer sees neither.
_FORBIDDEN = re.compile(rf"[{UNPRINTABLE}]|\r(?!\n)")
_CREDENTIALS = re.compile(
    r"(?<=://)[^\s'\",{}\[\]]*(?=@)|(?:(?<=secret)|(?<=token)|(?<=password)|(?<=access_id)|(?<=access_key)|(?<=key_id))"
    r"(?:['\"]?\s*:\s*)(?P<value>\"[^\"]*\"?|'[^']*'?|[^\s,}\]]+)",
    re.IGNORECASE,
)
_BLANKS = " \t\r\n"
_USUAL = bytes([*b"\t\n", *range(0x20, 0x7F)])
_QUOTED = re.compile(r"'[^']*(?:''[^']*)*'|\"[^\"\\]*(?:\\.[^\"\\]*)*\"", re.DOTALL)

_ROOT, _KEY, _VALUE, _ITEM, _DONE = range(5)
"""What the next event will be, seen from the collection that is open."""


_TOO_DEEP = "exceeded maximum nesting depth"
"""What libyaml says of 1,000 open collections [seen with PyYAML 6.0.4]."""


class Mapping(dict[str, Any]):
    """A mapping of the file; `marks` has the offsets of each key and of its value."""

    __slots__ = ("marks",)
    marks: dict[str, tuple[int, int]]


def nothing() -> Mapping:
    """Return a mapping without entries."""
    mapping = Mapping()
    mapping.marks = {}
    return mapping


class Sequence(list[Any]):
    """A list of the file; `marks` has the offset of each item."""

    __slots__ = ("marks",)
    marks: list[int]


class _PureParser(yaml.reader.Reader, yaml.scanner.Scanner, yaml.parser.Parser):
    """PyYAML's own parser, for a PyYAML that was built without libyaml."""

    def __init__(self, stream: str) -> None:
        yaml.reader.Reader.__init__(self, stream)
        yaml.scanner.Scanner.__init__(self)
        yaml.parser.Parser.__init__(self)


def yaml_parser() -> Callable[[str], Any]:
    """Return PyYAML's fastest parser, as this installation has it."""
    parser: Callable[[str], Any] = getattr(yaml.cyaml, "CParser", _PureParser) if yaml.__with_libyaml__ else _PureParser
    return parser


def presentable(line: str) -> str:
    """Return a line as it may be repeated beside a problem: nothing invisible, no credentials."""
    return _CREDENTIALS.sub(_mask, _FORBIDDEN.sub("\ufffd", line))


class TooManyProblems(Exception):
    """Nobody reads more than `MAX_PROBLEMS`, and hostile text could make millions: the search ends."""


class _File(NamedTuple):
    """A file of a document's text."""

    begin: int
    end: int
    """Behind its last line that has text: a problem at the end of a file belongs there."""

    line: int
    """How many lines of other files stand before it."""

    name: str


class Document:
    """What was read, and where in the file it stands: one file, and others that are included in it."""

    def __init__(self, file: str, text: str = "") -> None:
        self.file = file
        self.text = text
        self.root: Any = None
        """A `Mapping`, a `Sequence` or a string; None if there is nothing."""
        self.root_mark = 0
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.settled: set[int] = set()
        """Offsets of values that have their complaint; what follows from the same mistake is not added to it."""
        self.whole = True
        """Whether `root` says what the text says. If not, judging it further would accuse the wrong thing."""
        self._included: list[_File] = []

    @cached_property
    def _lines(self) -> array[int]:
        starts = array("L", [0])
        starts.extend(newline.end() for newline in re.finditer("\n", self.text))
        return starts

    @cached_property
    def _files(self) -> list[_File]:
        end = self._included[0].begin if self._included else len(self.text)
        return [_File(0, len(self.text[:end].rstrip(_BLANKS)), 0, self.file), *self._included]

    def append(self, other: Document) -> int:
        """Take in the text of another file, whose places lie behind those of this document: return the offset where they begin."""
        self.text += "" if self.text.endswith("\n") else "\n"
        begin = len(self.text)
        self.text += other.text
        end = begin + len(other.text.rstrip(_BLANKS))
        self._included.append(_File(begin, end, self.text.count("\n", 0, begin), other.file))
        for name in ("_lines", "_files"):
            self.__dict__.pop(name, None)
        return begin

    def _file(self, mark: int) -> _File:
        return self._files[bisect_right(self._files, mark, key=attrgetter("begin")) - 1]

    def position(self, mark: int) -> Position:
        """Return file, line and column of an offset."""
        file = self._file(mark)
        line, start = self._line(mark)
        return Position(file.name, line - file.line + 1, min(mark, file.end) - start + 1)

    def _line(self, mark: int) -> tuple[int, int]:
        mark = min(mark, self._file(mark).end)
        line = bisect_right(self._lines, mark) - 1
        return line, self._lines[line]

    def source(self, mark: int) -> str | None:
        """Return the line of text around an offset, fit to be shown: nothing invisible, no credentials."""
        line, start = self._line(mark)
        end = self._lines[line + 1] if line + 1 < len(self._lines) else len(self.text)
        if end - start > MAX_SHOWN_LINE:
            return None
        return presentable(self.text[start:end].rstrip("\r\n"))

    def problem(
        self,
        code: str,
        message: str,
        mark: int,
        *,
        width: int = 1,
        hint: Hint | None = None,
        severity: Literal["error", "warning"] = "error",
    ) -> Problem:
        """Make a problem with its place and its line."""
        return Problem(code, message, self.position(mark), hint, self.source(mark), max(width, 1), severity)

    def note(self, code: str, message: str, span: tuple[int, int], *, hint: Hint | None = None) -> None:
        """Add an error at a place (offset and width), unless the value there is settled."""
        mark, width = span
        if mark in self.settled:
            return
        if len(self.problems) >= MAX_PROBLEMS:
            raise TooManyProblems
        self.problems.append(self.problem(code, message, mark, width=width, hint=hint))

    def warn(self, code: str, message: str, span: tuple[int, int], *, hint: Hint | None) -> None:
        """Add a warning at a place."""
        self.warnings.append(self.problem(code, message, span[0], width=span[1], hint=hint, severity="warning"))

    def take_root(self, value: Any, mark: int) -> None:
        """Keep the outermost value; an empty text is none."""
        self.root_mark, self.root = mark, None if value == "" else value

    def find(self, *keys: str | int) -> tuple[int, int]:
        """
        Return offset and width of what `keys` lead to, or of its nearest ancestor that is there.

        A text is shown where it stands; a mapping, a list or nothing at all where its key stands.
        """
        here, mark, width = self.root, self.root_mark, 1
        for key in keys:
            if isinstance(here, Mapping) and isinstance(key, str) and key in here:
                key_mark, value_mark = here.marks[key]
                here = here[key]
                shows_key = here == "" or not isinstance(here, str)
                mark = key_mark if shows_key else value_mark
                width = self.width(mark, key if shows_key else here)
            elif isinstance(here, Sequence) and isinstance(key, int) and key < len(here):
                mark, here = here.marks[key], here[key]
                width = self.width(mark, here if isinstance(here, str) else "")
            else:
                break
        return mark, width

    def find_key(self, *keys: str | int) -> tuple[int, int]:
        """Return offset and width of the key that `keys` end in, or of its nearest ancestor that is there."""
        parent = self.value(*keys[:-1])
        key = keys[-1]
        if isinstance(parent, Mapping) and isinstance(key, str) and key in parent:
            mark = parent.marks[key][0]
            return mark, self.width(mark, key)
        return self.find(*keys)

    def value(self, *keys: str | int) -> Any:
        """Return what `keys` lead to, or None."""
        here = self.root
        for key in keys:
            if isinstance(here, dict):
                here = here.get(key)
            elif isinstance(here, list) and isinstance(key, int) and key < len(here):
                here = here[key]
            else:
                return None
        return here

    def width(self, mark: int, text: str) -> int:
        """Return how many characters of its line a scalar takes."""
        if self.text.startswith(text, mark):
            return max(len(text), 1)
        line = self.text.find("\n", mark)
        inside_quotes = _QUOTED.match(self.text, mark, line if line >= 0 else len(self.text))
        return inside_quotes.end() - mark if inside_quotes else 1

    def dollars(self, mark: int, value: str) -> list[int]:
        """Return where in the file each ``${`` of a scalar stands; nothing if that cannot be told."""
        quotes = _QUOTED.match(self.text, mark)
        offsets = [match.start() for match in re.finditer(r"\$\{", self.text[mark : quotes.end() if quotes else None])]
        count = value.count("${")
        # Fewer: some are written with escapes, as in "\x24{". More: a plain scalar's end is not known.
        return [mark + offset for offset in offsets[:count]] if len(offsets) >= count else []


def _mask(match: re.Match[str]) -> str:
    secret = match["value"] or match[0]
    return match[0][: len(match[0]) - len(secret)] + "*" * len(secret)


def read_document(content: bytes, document: Document) -> None:
    """Fill `document` from a manifest's bytes; what is wrong with them is in its problems."""
    if len(content) > MAX_BYTES:
        _stop(document, "E104", f"more than {MAX_BYTES // 1_000_000} MB", 0, hint="split it into stacks")
    elif _decode(content, document):
        _forbid(document, content)
        if document.text.strip():
            _parse(document)
        if document.root is None and not document.problems:
            _stop(document, "E112", "the manifest is empty", 0, hint=("`", Command("init"), "` writes a starter"))


def _decode(content: bytes, document: Document) -> bool:
    bad = 0
    what = "the file begins with a byte order mark"
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        document.text = "\ufffd"
        what = "the file is UTF-16, not UTF-8"
    else:
        try:
            document.text = content.decode("utf-8")
        except UnicodeDecodeError as error:
            document.text = content.decode("utf-8", "replace")
            bad = len(content[: error.start].decode("utf-8"))
            what = f"the byte 0x{content[error.start]:02x} is not UTF-8"
        else:
            if not document.text.startswith("\ufeff"):
                return True
    _stop(document, "E102", what, bad, hint="save the file as UTF-8 without a byte order mark")
    return False


def _stop(document: Document, code: str, message: str, mark: int, *, hint: Hint | None = None, width: int = 1) -> None:
    """Note a problem after which the values are not to be judged."""
    document.whole = False
    document.note(code, message, (mark, width), hint=hint)


def _forbid(document: Document, content: bytes) -> None:
    # What is left without plain ASCII is short in most files, and searching it is all that most files need.
    if not _FORBIDDEN.search(content.translate(None, _USUAL).decode()):
        return
    for match in _FORBIDDEN.finditer(document.text):
        hint = "remove it, or where it ends a line, save the file with LF" if match[0] == "\r" else "remove it"
        _stop(document, "E103", f"the character U+{ord(match[0]):04X} is not allowed", match.start(), hint=hint)


def _parse(document: Document) -> None:
    # With forbidden characters replaced the rest can still be judged, unless the parser trips over the replacement.
    was_clean = document.whole
    text = document.text if was_clean else _FORBIDDEN.sub("\ufffd", document.text)
    before = len(document.problems)
    try:
        try:
            _build(document, yaml_parser()(text))
        except yaml.MarkedYAMLError as error:
            if error.problem != _TOO_DEEP:
                raise
            # libyaml looks ahead and gives up before it has told of any; the pure parser tells one after the other.
            del document.problems[before:]
            _build(document, _PureParser(text))
    except _End:
        pass
    except yaml.MarkedYAMLError as error:
        if was_clean:
            _not_yaml(document, error)
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        # The pure parser lets some of Python's own errors through, such as chr() of too large an escape.
        document.root = None
        _stop(document, "E111", f"not YAML: {type(error).__name__}", 0)


def _not_yaml(document: Document, error: yaml.MarkedYAMLError) -> None:
    error_mark = error.problem_mark or error.context_mark
    mark = error_mark.index if error_mark else 0
    line = document.source(mark) or ""
    context = None
    if error.context and error.context_mark:
        where = document.position(error.context_mark.index)
        context = f"{error.context}, which begins at line {where.line}, column {where.column}"
    _stop(document, "E111", f"not YAML: {error.problem or error.context}", mark, hint=_advice(line) or context)


def _advice(line: str) -> str | None:
    """Say what is probably meant, for the slips that are made most."""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return "indent with spaces, not tabs"
    if "${" in line:
        return 'inside { } and [ ] put quotes around it: "${env:NAME}"'
    if re.search(r":\s+[@`%|>]", line) or re.search(r":\s.*:\s", line):
        return "put quotes around the value"
    return None


def _build(document: Document, parser: Any) -> None:
    """
    Turn events into values.

    This loop runs once for every scalar and bracket of the file, and is most of the time that ``validate`` takes: hence
    the local names, the tests on the type's identity, and no call for what nearly every event needs.
    """
    next_event = _source_of_events(document, parser)
    stack: list[tuple[Any, Any, int]] = []
    container: Any = None
    marks: Any = None
    expected = _ROOT
    key, key_mark = "", 0
    for _ in range(MAX_EVENTS):
        event = next_event()
        kind = type(event)
        if kind is ScalarEvent:
            value = event.value
            mark = event.start_mark.index
            if expected is _KEY:
                if value in container or value == "<<":
                    _odd_key(document, event, container)
                key, key_mark, expected = value, mark, _VALUE
                continue
            if not event.style:
                value = Plain(value)
        elif kind in _ENDS:
            container, marks, expected = stack.pop()
            continue
        else:
            mark = event.start_mark.index
            value = _uncommon(document, event, expected, len(stack))
            if value is None:
                continue

        if expected is _VALUE:
            container[key] = value
            marks[key] = (key_mark, mark)
            expected = _KEY
        elif expected is _ITEM:
            container.append(value)
            marks.append(mark)
        elif expected is _KEY:
            _not_a_key(document, value, mark)
            key, key_mark, expected = "", mark, _VALUE
        else:
            document.take_root(value, mark)
            expected = _DONE
        if kind in _STARTS:
            stack.append((container, marks, expected))
            container, expected = value, _STARTS[kind]
            container.marks = marks = {} if expected is _KEY else []
    _stop(document, "E104", f"more than {MAX_EVENTS:,} values", 0, hint="split it into stacks")


def _source_of_events(document: Document, parser: Any) -> Callable[[], Any]:
    """Return what gives the next event; in a text that may hold anchors or tags it notes them, too."""
    next_event: Callable[[], Any] = parser.get_event
    if "&" not in document.text and "!" not in document.text:
        return next_event

    def next_watched_event() -> Any:
        event = next_event()
        if type(event) is ScalarEvent or type(event) in _STARTS:
            _note_decorations(document, event)
        return event

    return next_watched_event


class _End(Exception):
    """There is no more to be read, or what follows is not read any more."""


_ENDS = frozenset((MappingEndEvent, SequenceEndEvent))
_STARTS = {MappingStartEvent: _KEY, SequenceStartEvent: _ITEM}
"""What begins a collection → what comes next in it."""


def _uncommon(document: Document, event: Any, expected: int, depth: int) -> Any:
    """Return the value that an event makes which is no scalar, or None; raises `_End` where the reading ends."""
    kind, mark = type(event), event.start_mark.index
    if kind in _STARTS:
        if depth >= MAX_DEPTH:
            _stop(document, "E105", f"nested more than {MAX_DEPTH} deep", mark)
            raise _End
        return Mapping() if kind is MappingStartEvent else Sequence()
    if kind is AliasEvent:
        hint, message = (
            "write the value out, or use ${var:NAME}",
            f"the alias {quote(f'*{event.anchor}')} is not allowed",
        )
        _stop(document, "E106", message, mark, hint=hint, width=len(event.anchor) + 1)
        return Plain("")
    if kind is DocumentStartEvent:
        if expected is _DONE:
            hint = "remove this line, or give what follows a file of its own"
            _stop(document, "E109", "a second document begins here", mark, width=3, hint=hint)
            raise _End
        if event.version or event.tags:
            _stop(document, "E113", "directives are not allowed", mark, hint="remove the lines that begin with %")
    if kind is StreamEndEvent:
        raise _End
    return None


def _not_a_key(document: Document, value: object, mark: int) -> None:
    """Note a collection in the place of a key; an alias there has its complaint already."""
    if not isinstance(value, str):
        hint = "put quotes around text that begins with {" if document.text.startswith("{", mark) else None
        _stop(document, "E114", "a key is a text, not a list or mapping", mark, hint=hint)


def _odd_key(document: Document, event: Any, container: Mapping) -> None:
    """Note a key that is there already, or that would merge another mapping into this one."""
    key, mark = event.value, event.start_mark.index
    if key in container:
        where = document.position(container.marks[key][0])
        hint = f"it is first at line {where.line}, column {where.column}; keep one"
        document.note("E110", f"the key {quote(key)} is there twice", (mark, document.width(mark, key)), hint=hint)
    elif not event.style:
        _stop(document, "E108", "merge keys are not allowed", mark, hint="write the keys out", width=2)


def _note_decorations(document: Document, event: Any) -> None:
    mark, tag = event.start_mark.index, event.tag
    if event.anchor is not None:
        message = f"the anchor {quote(f'&{event.anchor}')} is not allowed"
        hint = "write the value out where it is needed, or use ${var:NAME}"
        document.note("E106", message, (mark, len(event.anchor) + 1), hint=hint)
    if tag is not None:
        hint = "remove it; put quotes around what should stay text"
        document.note("E107", f"the tag {quote(tag)} is not allowed", (mark, 1), hint=hint)
