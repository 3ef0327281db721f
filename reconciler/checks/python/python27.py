"""
Rewriting Python 2.7 so that the parser of Python 3 reads it, with every position kept.

No maintained parser of Python 2.7 is left: the standard library's knows its own version, parso dropped 2.7 with 0.8,
libcst begins with 3.0, and the forks of lib2to3 take 2 and 3 mixed without telling them apart. But the statements that
differ can be replaced by others *of the same width* that parse alike: nothing here is ever run, so a `print` may become
``None;``. Every place in the tree is then a place in the user's file.

======================  =======================  =====================================================
2.7                     read as                  because
======================  =======================  =====================================================
``print x, y``          ``None; x, y``           a statement and an expression
``print >>f, x``        ``None;   f, x``
``exec code in d``      ``0;   code in d``
``raise E, v``          ``raise E; v``
``except E, e:``        ``except E+ e:``         an expression; the name that is bound is of no interest
```x```                 ``(x)``
``[x for x in 1, 2]``   ``[x for x in 1+ 2]``
``a <> b``              ``a != b``
``0777``, ``10L``       ``1777``, ``100``        some number
``ur'…'``, ``br'…'``    ``rf'…'``                raw text, its braces turned into parentheses
``b'…'``                ``u'…'``                 2.7 joins text and bytes side by side
``def f((a, b))``       ``def f(______)``        one parameter
``async``, ``x.True``   ``_sync``, ``x._rue``    ordinary names then
======================  =======================  =====================================================

Not known: a lambda in the tuple that a list comprehension goes over, ``[f() for f in lambda: 1, lambda: 2]``.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_TOKEN = re.compile(
    r"""(?P<comment>\#[^\n]*)
      | (?P<string>(?:[bB]|[uU])?[rR]?(?:'''(?:\\.|[^\\])*?'''|\"\"\"(?:\\.|[^\\])*?\"\"\"
            |'(?:\\.|[^\\'\n])*'|"(?:\\.|[^\\"\n])*"))
      | (?P<number>0[xX][0-9a-fA-F]+[lL]?|0[bB][01]+[lL]?|0[oO][0-7]+[lL]?
            |(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?[jJlL]?)
      | (?P<name>[^\W\d]\w*)
      | (?P<blank>[ \t\f]+|\\\n)
      | (?P<newline>\n)
      | (?P<op><>|>>|.)""",
    re.VERBOSE | re.DOTALL,
)
_BEGINS_AN_OPERAND = frozenset(("`", "{", "[", "~", "-", "+", ">>"))
_NEVER_AFTER_PRINT = frozenset(("in", "is", "and", "or", "if", "for", "else"))
_RENAMED = frozenset(("async", "await", "nonlocal"))
_ESCAPE = re.compile(r"\\([NuU])|\\.", re.DOTALL)
_FUTURE = re.compile(r"^from\s+__future__\s+import\s+(\([^)]*\)|[^\n]*)", re.MULTILINE)
_PREFIX = re.compile(r"[a-zA-Z]*")


class _Token(NamedTuple):
    kind: str
    text: str
    start: int
    depth: int
    """How many brackets are open before it."""

    @property
    def end(self) -> int:
        return self.start + len(self.text)


def modern(text: str) -> tuple[str, dict[int, int]]:
    """Return `text` as Python 3 would write it, and by how much the columns of a line moved where tabs were widened."""
    tokens = _tokens(text)
    writer = _Writer(text, tokens)
    for index in range(len(tokens)):
        writer.rewrite(index)
    return _without_tabs("".join(writer.out), tokens)


def _tokens(text: str) -> list[_Token]:
    """Return the tokens, without blanks, comments, and line ends inside brackets."""
    tokens: list[_Token] = []
    depth = 0
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or "op"
        if kind in {"blank", "comment"} or (kind == "newline" and depth):
            continue
        word = match.group()
        if word in {")", "]", "}"}:
            depth = max(0, depth - 1)
        tokens.append(_Token(kind, word, match.start(), depth))
        if word in {"(", "[", "{"}:
            depth += 1
    return tokens


class _Writer:
    """Puts replacements over the characters; each is as wide as what it replaces."""

    def __init__(self, text: str, tokens: list[_Token]) -> None:
        self.out = list(text)
        self._text = text
        self._tokens = tokens
        self._quoting = False
        futures = " ".join(match[1] for match in _FUTURE.finditer(text))
        self._has_print = "print_function" not in futures
        self._unicode = "unicode_literals" in futures

    def rewrite(self, index: int) -> None:
        token = self._tokens[index]
        if token.kind == "string":
            self._put(token.start, self._string(token.text))
        elif token.kind == "number":
            after = self._text[token.end : token.end + 1]
            self._put(token.start, "_" * len(token.text) if after == "." else _number(token.text))
        elif token.kind == "name":
            self._name(index, token)
        elif token.text == "<>":
            self._put(token.start, "!=")
        elif token.text == "`":
            self._quoting = not self._quoting
            self._put(token.start, "(" if self._quoting else ")")

    def _put(self, start: int, replacement: str) -> None:
        self.out[start : start + len(replacement)] = replacement

    def _name(self, index: int, token: _Token) -> None:
        before = self._tokens[index - 1].text if index else ""
        if token.text in _RENAMED or (before == "." and token.text in {"True", "False"}):
            self._put(token.start, "_")
        if before in {".", "def"}:
            return
        match token.text:
            case "print" if self._has_print and self._is_statement(index):
                self._put(token.start, "None;")
                following = self._tokens[index + 1]
                if following.text == ">>":
                    self._put(following.start, "  ")
            case "exec" if self._is_statement(index):
                self._put(token.start, "0;  ")
            case "raise":
                self._comma(index, token, ";")
            case "except":
                self._comma(index, token, "+")
            case "def":
                self._parameters(index + 2, token.depth + 1, ")")
            case "for" if token.depth:
                self._source_of_a_list(index, token)
            case "lambda":
                self._parameters(index, token.depth, ":")
            case _:
                return

    def _is_statement(self, index: int) -> bool:
        """Say whether the keyword at `index` has operands that a call or a name could not have behind it."""
        if index + 1 == len(self._tokens):
            return False
        following = self._tokens[index + 1]
        if following.kind == "name":
            return following.text not in _NEVER_AFTER_PRINT
        return following.kind in {"string", "number"} or following.text in _BEGINS_AN_OPERAND

    def _comma(self, index: int, keyword: _Token, replacement: str) -> None:
        """Replace the first comma of a statement that is in no bracket of its own."""
        for token in self._tokens[index + 1 :]:
            if token.depth != keyword.depth:
                continue
            if token.text == ",":
                self._put(token.start, replacement)
            if token.text in {",", ";", ":", "\n"}:
                return

    def _source_of_a_list(self, index: int, keyword: _Token) -> None:
        """Join the tuple that a list comprehension may go over without parentheses."""
        opening = next(token for token in reversed(self._tokens[:index]) if token.depth == keyword.depth - 1)
        if opening.text != "[":
            return
        is_source = False
        for token in self._tokens[index + 1 :]:
            if token.depth < keyword.depth or (token.depth == keyword.depth and token.text in {"for", "if"}):
                return
            if token.depth == keyword.depth:
                is_source = is_source or token.text == "in"
                if is_source and token.text == ",":
                    self._put(token.start, "+")

    def _parameters(self, index: int, depth: int, end: str) -> None:
        """Make one name of every parameter that is a tuple."""
        opened: _Token | None = None
        before = "("
        for token in self._tokens[index + 1 :]:
            if token.depth == depth and opened is None:
                if token.text == "(" and before in {"(", ","}:
                    opened = token
                elif token.text == ":" and end == ":":
                    return
                before = token.text
            elif token.depth == depth and opened is not None and token.text == ")":
                inside = self._text[opened.start : token.end].split("\n")
                self._put(opened.start, "\n".join(["_" * len(inside[0]), *(" " * len(line) for line in inside[1:])]))
                opened = None
            elif token.depth < depth:
                return

    def _string(self, text: str) -> str:
        prefix_match = _PREFIX.match(text)
        assert prefix_match is not None
        prefix, rest = prefix_match.group(), text[prefix_match.end() :]
        if len(prefix) == 2:
            return "rf" + rest.replace("{", "(").replace("}", ")")
        if prefix.lower() == "b":
            return "u" + _without_names(rest)
        if prefix or self._unicode:
            return text
        return _without_names(rest)


def _without_names(text: str) -> str:
    r"""Return a literal in which ``\N``, ``\u`` and ``\U`` mean nothing, as in the byte strings of 2.7."""
    return _ESCAPE.sub(lambda match: f"/{match[1]}" if match[1] else match.group(), text)


def _number(text: str) -> str:
    if text[-1] in "lL":
        text = text[:-1] + "0"
    if len(text) > 1 and text.isdigit() and text[0] == "0" and not set(text) & {"8", "9"}:
        return "1" + text[1:]
    return text


def _without_tabs(text: str, tokens: list[_Token]) -> tuple[str, dict[int, int]]:
    """Widen the tabs that indent statements to eight columns, as Python 2 counts them."""
    lines = text.split("\n")
    shifts: dict[int, int] = {}
    number, offset, fresh = 0, 0, True
    for token in tokens:
        while offset + len(lines[number]) < token.start:
            offset += len(lines[number]) + 1
            number += 1
        if fresh and token.start - offset and "\t" in text[offset : token.start]:
            shifts[number] = 0
        fresh = token.kind == "newline"
    for number in shifts:
        indent = re.match(r"[ \t\f]*", lines[number])
        assert indent is not None
        wide = indent.group().expandtabs(8)
        lines[number] = wide + lines[number][indent.end() :]
        shifts[number] = len(wide) - indent.end()
    return "\n".join(lines), {number + 1: shift for number, shift in shifts.items()}
