"""Token cursor of a statement: its words one after the other, and what a name, a text, a number and a type are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconciler.local.sql.catalog import TableColumn
from reconciler.local.sql.expression_types import misfit_of_sizes
from reconciler.local.sql.problems import parse_failure, position_of, semantic_failure
from reconciler.local.sql.reading import read_tokens
from reconciler.local.sql.value_types import duckdb_type

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from reconciler.local.sql.problems import SqlFailed, SqlPosition

    T = TypeVar("T")

_SIMPLE_TYPES = frozenset(
    (
        *("tinyint", "smallint", "int", "bigint", "float", "double", "decimal", "string", "char", "varchar"),
        *("binary", "boolean", "date", "datetime", "timestamp", "timestamp_ntz", "json"),
    )
)
"""Types of columns [doc "MaxCompute V2.0 data type edition"]; integer, real and the like are of other dialects."""


@dataclass(frozen=True)
class _Word:
    text: str
    kind: str
    """``text``, ``quoted`` or ``plain``."""
    start: int
    end: int


class Words:
    """A statement's words, and a place among them."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._words = list(_split(read_tokens(text)))
        self._at = 0

    def position(self) -> SqlPosition:
        """Return where the next word stands, or the end."""
        return position_of(self.text, self.start())

    def start(self) -> int:
        """Return the offset of the next word, or of the end."""
        return self._words[self._at].start if not self.is_over() else self._words[-1].end

    def is_over(self) -> bool:
        """Whether there are no more words."""
        return self._at >= len(self._words)

    def before(self, *words: str) -> bool:
        """Whether these words come next; they are compared without case, and quoted ones are none."""
        following = self._words[self._at : self._at + len(words)]
        return len(following) == len(words) and all(
            word.kind == "plain" and word.text.lower() == want for word, want in zip(following, words, strict=True)
        )

    def take(self, *words: str) -> bool:
        """Go behind these words if they come next."""
        if not self.before(*words):
            return False
        self._at += len(words)
        return True

    def expect(self, *words: str) -> None:
        """Go behind words that have to come next."""
        for word in words:
            if not self.take(word):
                raise self.syntax_failure(f"{word.upper()} expected")

    def syntax_failure(self, why: str = "") -> SqlFailed:
        """Return what is said of a word that cannot stand here."""
        token = "" if self.is_over() else self._words[self._at].text
        ending = f": {why}" if why else ""
        return parse_failure(
            self.position(), f"invalid token '{token}'{ending}" if token else why or "the statement ends"
        )

    def skip(self) -> None:
        """Go on by one word, and to its other end at a bracket."""
        depth = 0
        while not self.is_over():
            depth += self.before("(") - self.before(")")
            self._at += 1
            if depth <= 0:
                return

    def finish(self) -> None:
        """Require that nothing follows."""
        if not self.is_over():
            raise self.syntax_failure()

    def identifier(self) -> str:
        """Read one name, quoted or not."""
        word = None if self.is_over() else self._words[self._at]
        if (
            word is None
            or word.kind == "text"
            or not (word.kind == "quoted" or word.text.replace("$", "_").isidentifier())
        ):
            raise self.syntax_failure("a name expected")
        self._at += 1
        return word.text

    def dotted_name(self) -> tuple[str, ...]:
        """Read a name of up to three parts; a project is set off by a colon, too [doc "Cross-project"]."""
        parts = [self.identifier()]
        while len(parts) < 3 and (self.take(".") or self.take(":")):
            parts.append(self.identifier())
        return tuple(parts)

    def resource_name(self) -> str:
        """Read a resource's name up to the next blank, in quotes or not; it holds points and hyphens."""
        if not self.is_over() and self._words[self._at].kind != "plain":
            self._at += 1
            return self._words[self._at - 1].text
        start = end = self.start()
        while not self.is_over() and self._words[self._at].start == end:
            end = self._words[self._at].end
            self._at += 1
        if start == end:
            raise self.syntax_failure("a resource's name expected")
        return self.text[start:end]

    def starts(self, word: str) -> list[int]:
        """Return where a word stands outside of brackets, from here on."""
        depth, starts = 0, []
        for candidate in self._words[self._at :]:
            if candidate.kind == "plain":
                depth += (candidate.text == "(") - (candidate.text == ")")
                if depth == 0 and candidate.text.lower() == word:
                    starts.append(candidate.start)
        return starts

    def literal(self) -> str:
        """Read a text in quotes."""
        if self.is_over() or self._words[self._at].kind != "text":
            raise self.syntax_failure("a text in quotes expected")
        self._at += 1
        return self._words[self._at - 1].text

    def value(self) -> str:
        """Read a text or a number, as text."""
        sign = "-" if self.take("-") else ""
        if not self.is_over() and self._words[self._at].kind == "text":
            return self.literal()
        if self.is_over() or not self._words[self._at].text[:1].isalnum():
            raise self.syntax_failure("a value expected")
        self._at += 1
        return sign + self._words[self._at - 1].text

    def number(self) -> int:
        """Read a whole number."""
        value = self.value()
        if not value.isdigit() or len(value) > 9:
            self._at -= 1
            raise self.syntax_failure("a number expected")
        return int(value)

    def several(self, read: Callable[[], T]) -> list[T]:
        """Read what stands in brackets, set off by commas."""
        self.expect("(")
        items = [read()]
        while self.take(","):
            items.append(read())
        self.expect(")")
        return items

    def type(self) -> str:
        """Read a type, and return it as the service spells it."""
        position, start = self.position(), self.start()
        name = self._type()
        try:
            duckdb_type(name)
        except ValueError:
            raise semantic_failure(
                position, f"invalid type {self.text[start : self._words[self._at - 1].end]}"
            ) from None
        return name

    def _type(self) -> str:
        position, name = self.position(), self.identifier().lower()
        if name in ("array", "map"):
            self.expect("<")
            inner = [self._type()]
            while name == "map" and len(inner) < 2:
                self.expect(",")
                inner.append(self._type())
            self.expect(">")
            return f"{name}<{','.join(inner)}>"
        if name == "struct":
            self.expect("<")
            fields = [self._field()]
            while self.take(","):
                fields.append(self._field())
            self.expect(">")
            return f"struct<{','.join(fields)}>"
        if name not in _SIMPLE_TYPES:
            raise parse_failure(position, f"invalid token '{name}': there is no type of that name")
        sizes = self.several(self.number) if self.before("(") else []
        if misfit := misfit_of_sizes(name.upper(), sizes):
            raise semantic_failure(position, misfit)
        return f"{name}({','.join(map(str, sizes))})" if sizes else name

    def _field(self) -> str:
        name = self.identifier().lower()
        self.expect(":")
        return f"{name}:{self._type()}"

    def column(self) -> TableColumn:
        """Read a column's definition."""
        name, kind, comment = self.identifier().lower(), self.type(), ""
        required, default = False, None
        while not (self.before(",") or self.before(")")):
            if self.take("comment"):
                comment = self.literal()
            elif self.take("default"):
                default = self.value()
            elif self.take("not", "null"):
                required = True
            elif not self.take("null"):
                raise self.syntax_failure()
        return TableColumn(name, kind, comment, required, default)

    def partition(self) -> dict[str, str | None]:
        """Read ``(key='value', other)``; None for a key without a value."""

        def pair() -> tuple[str, str | None]:
            name = self.identifier().lower()
            if not self.take("="):
                return name, None
            is_word = (
                not self.is_over()
                and self._words[self._at].kind == "plain"
                and self._words[self._at].text[:1].isalpha()
            )
            if is_word or self.is_over():
                raise self.syntax_failure("a value expected, a text in quotes or a number")
            return name, self.value()

        position = self.position()
        pairs = self.several(pair)
        if len(dict(pairs)) != len(pairs):
            raise semantic_failure(position, "a partition key is named twice")
        return dict(pairs)

    def remainder(self) -> str:
        """Return the text from here on, with blanks for what stands before, so that places stay; nothing is left."""
        start = self.start()
        self._at = len(self._words)
        return blank(self.text[:start]) + self.text[start:]


def blank(text: str) -> str:
    """Return blanks, and the ends of lines, for a text."""
    return "".join(character if character == "\n" else " " for character in text)


def _split(tokens: list[Any]) -> list[_Word]:
    """Return tokens as words: those of several words apart, ``1L`` and its like as one."""
    words: list[_Word] = []
    for token in tokens:
        kind = {"STRING": "text", "IDENTIFIER": "quoted"}.get(token.token_type.name, "plain")
        if token.token_type.name == "SEMICOLON" or (words and words[-1].start == token.start):
            continue
        if kind != "plain":
            words.append(_Word(token.text, kind, token.start, token.end + 1))
            continue
        start = token.start
        for part in token.text.split():
            words.append(_Word(part, kind, start, token.end + 1))
            start = min(start + len(part) + 1, token.end)
    return words
