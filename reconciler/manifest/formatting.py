"""
Formatting of a manifest's text: indents of two, keys in the documented order, no blanks at the ends of lines.

What it means never changes. Lines are moved and indented, and nothing inside of a line is written anew, so comments, quotes
and block scalars stay as they are; the result is parsed and held against the original, and where the two differ less is done.
"""

from __future__ import annotations

from bisect import bisect_right
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from reconciler.base.errors import InvalidManifest
from reconciler.manifest.reader import Document, read_document

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

STEP = 2

TOP = (
    "stack", "target", "python", "runtimes", "rollout", "line_ends", "grace", "policy", "variables", "targets", "include", "after", "promote", "ignore",
    "moved", "packages", "resources", "tables", "layers", "environments", "functions", "jobs",
)  # fmt: skip
"""What says what this is, then where it goes, then what is shipped, as the README shows it."""

FUNCTION = (
    "runtime", "source", "class", "handler", "initializer", "initializer_timeout", "exclude", "python", "image", "isolation", "layers",
    "packages", "resources", "modules", "wire", "command", "args", "port", "memory", "cpu", "disk", "timeout", "concurrency",
    "instance_concurrency", "environment", "internet_access", "role", "vpc", "nas", "log", "alias", "triggers", "tags", "description", "protect", "tests",
)  # fmt: skip


def format_manifest(content: bytes, file: str) -> bytes:
    """
    Return a manifest's text, formatted; InvalidManifest for what is no YAML that a manifest may be.

    Of line ends the file keeps those that it has; of both kinds, line feeds.
    """
    document = Document(file)
    read_document(content, document)
    if document.problems:
        raise InvalidManifest.of(document.problems)
    text = content.decode()
    has_returns = "\r\n" in text and text.count("\r\n") == text.count("\n")
    result = _format(text.replace("\r\n", "\n"))
    return (result.replace("\n", "\r\n") if has_returns else result).encode()


def _format(text: str) -> str:
    meaning = _meaning(text)
    tidied = _tidy(text)
    for order in ((TOP, FUNCTION), None):
        with suppress(yaml.YAMLError):
            result = _tidy(_sort(tidied, *order)) if order else tidied
            if _meaning(result) == meaning and _tidy(result) == result:
                return result
    return text


def _meaning(text: str) -> object:
    """Return what a text says, in no order of keys; lines and columns are not in it."""
    events = yaml.parse(text, yaml.SafeLoader)
    return list(iter(lambda: _node(events, next(events, None)), None))


def _node(events: Iterator[Any], event: Any) -> Any:
    if isinstance(event, yaml.ScalarEvent):
        return (event.tag, event.implicit, event.style, event.value)
    if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
        values = []
        while not isinstance(inner := next(events), (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            values.append(_node(events, inner))
        if isinstance(event, yaml.MappingStartEvent):
            return (event.tag, frozenset(zip(values[::2], values[1::2], strict=True)))
        return (event.tag, tuple(values))
    return event and type(event).__name__


# --- Indents ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Shape:
    """Where the lines of a text begin a key or an item, and which belong to a scalar that began before."""

    columns: dict[int, tuple[int, int]]
    """Line → where its key or item begins, and where it is to begin."""

    inside: frozenset[int]
    """Lines whose beginning is a scalar's own."""


def _shape(text: str) -> _Shape:
    tokens: list[Any] = list(yaml.scan(text, yaml.SafeLoader))
    scalars = [token for token in tokens if isinstance(token, yaml.ScalarToken)]
    ends = ((token.start_mark.line, token.end_mark.line, token.end_mark.column) for token in scalars)
    inside = (line for start, end, column in ends for line in range(start + 1, end + (1 if column else 0)))
    return _Shape(_columns(tokens, text.split("\n")), frozenset(inside))


def _columns(tokens: Sequence[Any], lines: Sequence[str]) -> dict[int, tuple[int, int]]:
    columns: dict[int, tuple[int, int]] = {}
    around: list[tuple[int, int, bool]] = []
    """Of each collection in blocks: where it begins, where it is to begin, and whether it is a mapping."""
    delta = 0
    for token in tokens:
        line, column = token.start_mark.line, token.start_mark.column
        leads = line < len(lines) and not lines[line][:column].strip()
        if isinstance(token, (yaml.BlockMappingStartToken, yaml.BlockSequenceStartToken)):
            goal = (around[-1][1] + STEP if around else 0) if leads else column + delta
            around.append((column, goal, isinstance(token, yaml.BlockMappingStartToken)))
        elif isinstance(token, yaml.BlockEndToken):
            around.pop()
        elif isinstance(token, (yaml.KeyToken, yaml.BlockEntryToken)) and leads and around and column == around[-1][0]:
            _, goal, is_mapping = around[-1]
            # Items may stand right below their key, without an indent of their own.
            goal += STEP if is_mapping and isinstance(token, yaml.BlockEntryToken) else 0
            columns[line] = (column, goal)
            delta = goal - column
    return columns


def _tidy(text: str) -> str:
    """Return a text with indents of two, single empty lines, and no blanks at the ends of lines."""
    shape = _shape(text)
    leading = sorted(shape.columns)
    lines = text.split("\n")
    result: list[str] = []
    for number, line in enumerate(lines):
        if number not in shape.inside and not line.strip():
            result += [""] if result and result[-1] else []
        else:
            result.append(_tidy_line(line, number, shape, leading))
    # What a block scalar keeps at the end is its own.
    if not {len(lines) - 1, len(lines) - 2} & shape.inside:
        result = "\n".join(result).rstrip("\n").split("\n")
    ending = "\n".join(result)
    return ending if ending.endswith("\n") else ending + "\n"


def _tidy_line(line: str, number: int, shape: _Shape, leading: Sequence[int]) -> str:
    index = bisect_right(leading, number)
    before = leading[index - 1] if index else None
    after = leading[index] if index < len(leading) else None
    if number in shape.inside:
        return _shift(line, _delta(shape, before))
    is_comment = line.lstrip().startswith("#") and number not in shape.columns
    return _shift(line, _delta(shape, _owner(line, before, after, shape) if is_comment else before)).rstrip()


def _owner(comment: str, before: int | None, after: int | None, shape: _Shape) -> int | None:
    """Return the line that a comment goes with: the next one, if it begins where that does, else the one before."""
    if before is None or (after is not None and _indent(comment) <= shape.columns[after][0]):
        return after
    return before


def _delta(shape: _Shape, line: int | None) -> int:
    column, goal = shape.columns.get(line, (0, 0)) if line is not None else (0, 0)
    return goal - column


def _shift(line: str, delta: int) -> str:
    if delta >= 0:
        return " " * delta + line if line else line
    return line[min(-delta, _indent(line)) :]


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


# --- Order ------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Chunk:
    """An entry of a mapping: its lines, with the comments and empty lines above it."""

    key: str
    lines: tuple[str, ...]


def _sort(text: str, top: Sequence[str], function: Sequence[str]) -> str:
    """Return a tidied text with its keys, and those of each function, in order."""
    root: Any = yaml.compose(text, yaml.SafeLoader)
    lines = text.split("\n")
    if not _is_block(root, lines):
        return text
    for key, value in root.value:
        if key.value == "functions" and _is_block(value, lines):
            for _, entry in reversed(value.value):
                if _is_block(entry, lines):
                    lines = _sort_mapping(lines, entry, function)
    return "\n".join(_sort_mapping(lines, root, top))


def _is_block(node: Any, lines: Sequence[str]) -> bool:
    """Say whether a node is a mapping each of whose keys begins a line."""
    return (
        isinstance(node, yaml.MappingNode)
        and not node.flow_style
        and all(
            isinstance(key, yaml.ScalarNode) and not lines[key.start_mark.line][: key.start_mark.column].strip()
            for key, _ in node.value
        )
    )


def _sort_mapping(lines: list[str], node: Any, order: Sequence[str]) -> list[str]:
    starts = [key.start_mark.line for key, _ in node.value]
    column = node.value[0][0].start_mark.column
    ends = [_end(lines, key, value) for key, value in node.value]
    above = _head(lines, starts[0], column)
    chunks = [
        _Chunk(key.value, tuple(lines[begin:end]))
        for (key, _), begin, end in zip(node.value, [above, *ends[:-1]], ends, strict=True)
    ]
    ranked = sorted(zip(_ranks([chunk.key for chunk in chunks], order), chunks, strict=True), key=lambda pair: pair[0])
    first, *others = [list(chunk.lines) for _, chunk in ranked]
    while first and not first[0].strip():
        # Empty lines stand between entries and not before the first.
        others.append([first.pop(0)])
    return [*lines[:above], *first, *(line for chunk in others for line in chunk), *lines[ends[-1] :]]


def _ranks(keys: Sequence[str], order: Sequence[str]) -> list[tuple[int, int]]:
    """Return where each key goes; one that is in no order stays behind the key that it stands behind."""
    ranks: list[tuple[int, int]] = []
    rank = -1
    for number, key in enumerate(keys):
        rank = order.index(key) if key in order else rank
        ranks.append((rank, number))
    return ranks


def _head(lines: Sequence[str], first: int, column: int) -> int:
    """Return where the first entry begins: at the comments right above it; what stands apart is about the whole."""
    while first and lines[first - 1].strip().startswith("#") and _indent(lines[first - 1]) == column:
        first -= 1
    return first if first and not lines[first - 1].strip() else _first_key(lines, first)


def _first_key(lines: Sequence[str], start: int) -> int:
    while lines[start].strip().startswith("#"):
        start += 1
    return start


def _end(lines: Sequence[str], key: Any, value: Any) -> int:
    """Return the line behind an entry: comments that are indented more than its key are its own."""
    end = number = max(_last_line(value), int(key.end_mark.line)) + 1
    while number < len(lines) and (not lines[number].strip() or _is_comment_below(lines[number], key)):
        number += 1
        if lines[number - 1].strip():
            end = number
    return end


def _is_comment_below(line: str, key: Any) -> bool:
    return line.lstrip().startswith("#") and _indent(line) > key.start_mark.column


def _last_line(node: Any) -> int:
    """Return a node's last line; of a block, whose own mark is that of what comes after it, that of its last entry."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last: Any = node.value[-1]
        if not isinstance(last, tuple):
            return _last_line(last)
        key, value = last
        return max(_last_line(value), int(key.end_mark.line))
    mark: Any = node.end_mark
    return int(mark.line) if mark.column else int(mark.line) - 1
