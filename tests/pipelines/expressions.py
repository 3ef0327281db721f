"""
Expressions of GitHub's workflows, `${{ … }}`: as many of them as a test of ours may want, and an error for the rest.

Source: https://docs.github.com/en/actions/reference/workflows-and-actions/expressions. Texts are equal whatever their case, a
name that a context does not have is null, and what two types have in common is a number.
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Value = Any
"""What JSON has: null, booleans, numbers, texts, lists, mappings."""

_TOKEN = re.compile(
    r"\s*(?:(?P<number>0x[0-9a-fA-F]+|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|'(?P<text>(?:[^']|'')*)'"
    r"|(?P<name>[A-Za-z_][\w-]*)|(?P<sign>&&|\|\||==|!=|<=|>=|[<>!().,*]|\[|\]))"
)
_PLACE = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_STATUS = re.compile(r"\b(always|success|failure|cancelled)\s*\(")


class WrongExpression(Exception):
    """An expression that GitHub would refuse, or that is beyond this module."""


def evaluate(text: str, contexts: Mapping[str, Value], functions: Mapping[str, Callable[..., Value]]) -> Value:
    """Return the value of an expression without its braces; raises `WrongExpression`."""
    parser = _Parser(text, contexts, {**FUNCTIONS, **functions})
    value = parser.either()
    parser.finish()
    return value


def fill(text: Value, contexts: Mapping[str, Value], functions: Mapping[str, Callable[..., Value]]) -> Value:
    """Return a value of YAML with its expressions evaluated; a text that is one expression keeps the type of its value."""
    if isinstance(text, list):
        return [fill(item, contexts, functions) for item in text]
    if isinstance(text, dict):
        return {key: fill(item, contexts, functions) for key, item in text.items()}
    if not isinstance(text, str):
        return text
    if (whole := _PLACE.fullmatch(text.strip())) and "${{" not in whole[1]:
        return evaluate(whole[1], contexts, functions)
    return _PLACE.sub(lambda place: as_text(evaluate(place[1], contexts, functions)), text)


def condition(text: str, contexts: Mapping[str, Value], functions: Mapping[str, Callable[..., Value]]) -> bool:
    """Return whether an `if:` holds; without a function of the status it also asks for `success()`."""
    text = text.strip()
    whole = _PLACE.fullmatch(text)
    text = whole[1] if whole else text
    if not _STATUS.search(text):
        text = f"success() && ({text})"
    return truth(evaluate(text, contexts, functions))


def as_text(value: Value) -> str:
    """Return what a value becomes inside a text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value) if isinstance(value, dict | list) else str(value)


def truth(value: Value) -> bool:
    """Return what a value is as a condition: false, 0, -0, NaN, '' and null are false."""
    return bool(value) and value == value if not isinstance(value, dict | list) else True  # noqa: PLR0124


def _number(value: Value) -> float:
    if value is None or value == "":
        return 0.0
    if isinstance(value, bool | int | float):
        return float(value)
    try:
        return float(value) if isinstance(value, str) else math.nan
    except ValueError:
        return math.nan


def _equal(left: Value, right: Value) -> bool:
    if isinstance(left, str) and isinstance(right, str):
        return left.lower() == right.lower()
    if type(left) is type(right):
        return bool(left is right or (left == right and not isinstance(left, dict | list)))
    return _number(left) == _number(right)


def _contains(where: Value, item: Value) -> bool:
    if isinstance(where, list):
        return any(_equal(each, item) for each in where)
    return as_text(item).lower() in as_text(where).lower()


def _format(text: str, *values: Value) -> str:
    holder = re.compile(r"\{\{|\}\}|\{(\d+)\}")
    return holder.sub(lambda match: as_text(values[int(match[1])]) if match[1] else match[0][0], text)


FUNCTIONS: dict[str, Callable[..., Value]] = {
    "contains": _contains,
    "startswith": lambda text, start: as_text(text).lower().startswith(as_text(start).lower()),
    "endswith": lambda text, end: as_text(text).lower().endswith(as_text(end).lower()),
    "format": _format,
    "join": lambda items, by=",": as_text(by).join(map(as_text, items)) if isinstance(items, list) else as_text(items),
    "tojson": lambda value: json.dumps(value, indent=2),
    "fromjson": lambda text: json.loads(text),
}


class _Parser:
    """Reads and evaluates at once; what is not needed is evaluated too, since nothing has an effect."""

    def __init__(self, text: str, contexts: Mapping[str, Value], functions: Mapping[str, Callable[..., Value]]) -> None:
        self._text, self._contexts, self._functions = text, contexts, functions
        self._tokens = [*self._read()]
        self._at = 0

    def _read(self) -> Iterator[tuple[str, str]]:
        at, text = 0, self._text.rstrip()
        while at < len(text):
            match = _TOKEN.match(text, at)
            if not match or not match.lastgroup:
                raise WrongExpression(f"{self._text!r} at {text[at:]!r}")
            yield match.lastgroup, match[match.lastgroup]
            at = match.end()

    def _sign(self, *signs: str) -> str:
        """Take the next token if it is one of these signs."""
        if self._at < len(self._tokens) and self._tokens[self._at] in [("sign", sign) for sign in signs]:
            self._at += 1
            return self._tokens[self._at - 1][1]
        return ""

    def _expect(self, sign: str) -> None:
        if not self._sign(sign):
            raise WrongExpression(f"{self._text!r} lacks {sign}")

    def finish(self) -> None:
        if self._at != len(self._tokens):
            raise WrongExpression(f"{self._text!r} goes on after its end")

    def either(self) -> Value:
        value = self._both()
        while self._sign("||"):
            other = self._both()
            value = value if truth(value) else other
        return value

    def _both(self) -> Value:
        value = self._comparison()
        while self._sign("&&"):
            other = self._comparison()
            value = other if truth(value) else value
        return value

    def _comparison(self) -> Value:
        left = self._unary()
        while sign := self._sign("==", "!=", "<", "<=", ">", ">="):
            right = self._unary()
            if sign in {"==", "!="}:
                left = _equal(left, right) == (sign == "==")
            else:
                order = _number(left) - _number(right)
                left = {"<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0}[sign]
        return left

    def _unary(self) -> Value:
        if self._sign("!"):
            return not truth(self._unary())
        value = self._primary()
        while sign := self._sign(".", "["):
            if sign == "[":
                key = self.either()
                self._expect("]")
            else:
                key = self._name_after_dot()
            value = self._item(value, key)
        return value

    def _name_after_dot(self) -> str:
        if self._sign("*"):
            return "*"
        kind, name = self._tokens[self._at] if self._at < len(self._tokens) else ("", "")
        if kind != "name":
            raise WrongExpression(f"{self._text!r} has no name after a dot")
        self._at += 1
        return name

    @staticmethod
    def _item(value: Value, key: Value) -> Value:
        if isinstance(value, dict):
            if key == "*":
                return [*value.values()]
            by_folded = {str(name).lower(): item for name, item in value.items()}
            return by_folded.get(str(key).lower())
        if isinstance(value, list):
            if key == "*":
                return value
            if isinstance(key, int | float):
                return value[int(key)] if 0 <= key < len(value) else None
            return [_Parser._item(each, key) for each in value]
        return None

    def _primary(self) -> Value:
        if self._sign("("):
            value = self.either()
            self._expect(")")
            return value
        if self._at >= len(self._tokens):
            raise WrongExpression(f"{self._text!r} ends too early")
        kind, text = self._tokens[self._at]
        self._at += 1
        if kind == "number":
            return float(int(text, 16)) if text.startswith("0x") else float(text)
        if kind == "text":
            return text.replace("''", "'")
        if kind == "name":
            return self._call(text) if self._sign("(") else self._context(text)
        raise WrongExpression(f"{self._text!r} has {text} where a value should be")

    def _context(self, name: str) -> Value:
        words = {"true": True, "false": False, "null": None}
        if name in words:
            return words[name]
        if name not in self._contexts:
            raise WrongExpression(f"{self._text!r}: there is no context {name} here")
        return self._contexts[name]

    def _call(self, name: str) -> Value:
        arguments: list[Value] = []
        if not self._sign(")"):
            arguments.append(self.either())
            while self._sign(","):
                arguments.append(self.either())
            self._expect(")")
        function = self._functions.get(name.lower())
        if function is None:
            raise WrongExpression(f"{self._text!r}: there is no function {name} here")
        return function(*arguments)
