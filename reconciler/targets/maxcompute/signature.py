"""
The signature in ``@annotate("bigint,string->double")``, read by the documented grammar, with every place in it.

::

    signature := [ type (',' type)* | '*' ] '->' type (',' type)*
    type      := NAME | DECIMAL '(' p ',' s ')' | CHAR '(' n ')' | VARCHAR '(' n ')'
               | ARRAY '<' type '>' | MAP '<' type ',' type '>' | STRUCT '<' name ':' type (',' name ':' type)* '>'

[doc "Python 3 UDFs", Function signatures and data types]. Names are taken in any case and blanks anywhere, as PyODPS's own
reading does (odps/udf/tools/runners.py).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from reconciler.base.numbers import whole_number
from reconciler.base.words import closest, suggest
from reconciler.testing.types import Type

PLAIN = frozenset(
    ("BIGINT", "STRING", "DOUBLE", "BOOLEAN", "DATETIME", "FLOAT", "BINARY", "DATE", "DECIMAL", "CHAR", "VARCHAR")
)
"""What the documentation lists, besides ARRAY, MAP and STRUCT."""

UNLISTED = frozenset(("TINYINT", "SMALLINT", "INT", "TIMESTAMP", "TIMESTAMP_NTZ"))
"""Types of MaxCompute SQL that the list of the Python pages does not have; whether they work is not published."""

REFUSED = frozenset(("JSON", "INTERVAL", "VOID"))
"""Of SQL too, and not for Python functions: JSON by the documentation, the others because nothing in Python stands for them."""

NESTED = frozenset(("ARRAY", "MAP", "STRUCT"))
_PARAMETERS = {"DECIMAL": 2, "CHAR": 1, "VARCHAR": 1}
_MEANT = {
    "INTEGER": "BIGINT",
    "LONG": "BIGINT",
    "INT64": "BIGINT",
    "INT32": "BIGINT",
    "STR": "STRING",
    "TEXT": "STRING",
    "UNICODE": "STRING",
    "BOOL": "BOOLEAN",
    "REAL": "DOUBLE",
    "FLOAT64": "DOUBLE",
    "NUMBER": "DECIMAL",
    "NUMERIC": "DECIMAL",
    "BYTES": "BINARY",
    "LIST": "ARRAY",
    "DICT": "MAP",
}
_TOKEN = re.compile(r"\s*(->|[A-Za-z_]\w*|[0-9]+|.)", re.DOTALL)
_DEEPEST = 64


@dataclass(frozen=True)
class Signature:
    """What goes in and what comes out."""

    arguments: tuple[Type, ...] | None
    """None for ``*``: any number, any types."""

    outputs: tuple[Type, ...]

    def __str__(self) -> str:
        arguments = "*" if self.arguments is None else ",".join(map(str, self.arguments))
        return f"{arguments}->{','.join(map(str, self.outputs))}"


class NotASignature(Exception):
    """The text does not follow the grammar."""

    def __init__(self, message: str, start: int, width: int = 1, hint: str | None = None) -> None:
        super().__init__(message)
        self.message, self.start, self.width, self.hint = message, start, width, hint


def parse_signature(text: str) -> Signature:
    """Return what a signature says, or raise `NotASignature` with the place where it stops being one."""
    reader = _Reader(text)
    arguments = None if reader.take("*") else reader.arguments()
    if not reader.take("->"):
        hint = "arguments->result, such as bigint,string->double" if "->" not in text else None
        raise reader.refusal("',' or '->'" if arguments else "'->'", hint)
    outputs = reader.types("the type of a result")
    if reader.word:
        raise reader.refusal("',' or the end")
    return Signature(arguments, outputs)


class _Reader:
    """Reads word by word."""

    def __init__(self, text: str) -> None:
        self._words = [(match[1], match.start(1)) for match in _TOKEN.finditer(text) if match[1].strip()]
        self._index = 0
        self._end = len(text.rstrip())

    @property
    def word(self) -> str:
        return self._words[self._index][0] if self._index < len(self._words) else ""

    @property
    def start(self) -> int:
        return self._words[self._index][1] if self._index < len(self._words) else self._end

    def take(self, word: str) -> bool:
        """Step over `word` if it is next."""
        if self.word != word:
            return False
        self._index += 1
        return True

    def refusal(self, expected: str, hint: str | None = None) -> NotASignature:
        actual = f"'{self.word}'" if self.word else "the end"
        return NotASignature(f"{expected} is expected here, not {actual}", self.start, len(self.word) or 1, hint)

    def types(self, expected: str) -> tuple[Type, ...]:
        """Read types with commas between them."""
        types = [self._type(expected, 0)]
        while self.take(","):
            types.append(self._type(expected, 0))
        return tuple(types)

    def arguments(self) -> tuple[Type, ...]:
        """Read what stands before the arrow, which may be nothing."""
        return () if self.word == "->" else self.types("an argument's type")

    def _type(self, expected: str, depth: int) -> Type:
        word, start = self.word, self.start
        name = word.upper()
        if not word.isidentifier():
            raise self.refusal(expected)
        if name not in PLAIN | UNLISTED | REFUSED | NESTED:
            meant = _MEANT.get(name) or closest(name, PLAIN | NESTED)
            hint = suggest(meant) if meant else f"known: {', '.join(sorted(PLAIN | NESTED))}"
            raise NotASignature(f"there is no type '{word}'", start, len(word), hint)
        if depth > _DEEPEST:
            raise NotASignature(f"types are nested deeper than {_DEEPEST}", start, len(word))
        self._index += 1
        if name in NESTED:
            return self._nested_type(name, start, depth)
        return Type(name, start, len(word), parameters=self._parameters(name))

    def _nested_type(self, name: str, start: int, depth: int) -> Type:
        self._expect("<")
        inner: list[Type] = []
        fields: list[str] = []
        while True:
            if name == "STRUCT":
                fields.append(self._name())
                self._expect(":")
            inner.append(self._type("a type", depth + 1))
            wants_more = name == "STRUCT" or (name == "MAP" and len(inner) == 1)
            if not (wants_more and self.take(",")):
                break
        if name == "MAP" and len(inner) == 1:
            raise self.refusal("',' and the type of the values")
        end = self.start
        self._expect(">")
        return Type(name, start, end + 1 - start, tuple(inner), fields=tuple(fields))

    def _parameters(self, name: str) -> tuple[int, ...]:
        if name not in _PARAMETERS or not self.take("("):
            return ()
        numbers = [self._number()]
        while len(numbers) < _PARAMETERS[name]:
            self._expect(",")
            numbers.append(self._number())
        self._expect(")")
        return tuple(numbers)

    def _number(self) -> int:
        number = whole_number(self.word, digits=9)
        if number is None:
            raise self.refusal("a number")
        self._index += 1
        return number

    def _name(self) -> str:
        word = self.word
        if not word.isidentifier():
            raise self.refusal("the name of a field")
        self._index += 1
        return word

    def _expect(self, word: str) -> None:
        if not self.take(word):
            raise self.refusal(f"'{word}'")
