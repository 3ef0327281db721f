"""
Buffers of UDAFs: each can be changed in place, and ``marshal`` can write it.

MaxCompute carries buffers between workers with ``marshal`` [doc "Python 3 UDAFs"; the error users meet is ``ValueError:
unmarshallable object``]. marshal writes None, numbers, text, bytes, and tuples, lists, sets, frozensets and dicts of them,
by exact type: a Counter, though a dict, is refused. The tests ask the real marshal.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.checks import Finding
    from reconciler.checks.python.facts import Def, ModuleFacts
    from reconciler.checks.python.text import Page

UNWRITABLE = {
    "object": "an object",
    "collections.Counter": "a Counter",
    "collections.defaultdict": "a defaultdict",
    "collections.OrderedDict": "an OrderedDict",
    "collections.deque": "a deque",
    "collections.ChainMap": "a ChainMap",
    "decimal.Decimal": "a Decimal",
    "datetime.datetime.now": "a datetime",
    "datetime.datetime": "a datetime",
    "datetime.date": "a date",
    "datetime.timedelta": "a timedelta",
    "iter": "an iterator",
    "open": "a file",
    "fractions.Fraction": "a Fraction",
    "threading.Lock": "a lock",
    "io.StringIO": "a StringIO",
    "io.BytesIO": "a BytesIO",
}
"""What is called, imported names spelled out → what it makes."""


def check_buffer(page: Page, facts: ModuleFacts, method: Def | None) -> Iterator[Finding]:
    """Yield every ``return`` of `new_buffer` that visibly makes something which is no buffer."""
    if method is None:
        return
    returned = [node for node in _own(method) if isinstance(node, ast.Return)]
    assignments = {
        node.targets[0].id: node.value
        for node in ast.walk(method)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    for statement in returned:
        yield from _check_return(page, facts, statement, assignments)
    if not returned and not any(isinstance(node, (ast.Raise, ast.Yield)) for node in ast.walk(method)):
        message = "'new_buffer' returns nothing, so there is no buffer"
        yield page.spot(*page.keyword(method), "E819", message, "return a list or a dict, such as [0, 0.0]")


def _check_return(
    page: Page, facts: ModuleFacts, statement: ast.Return, assignments: dict[str, ast.expr]
) -> Iterator[Finding]:
    value = statement.value
    if isinstance(value, ast.Name):
        value = assignments.get(value.id, value)
    if value is None or isinstance(value, (ast.Constant, ast.Tuple, ast.JoinedStr)):
        message = "a buffer that cannot be changed in place: iterate and merge have nothing to work on"
        yield page.finding(value or statement, "E819", message, "return a list or a dict, such as [0, 0.0]")
    elif refused := _unwritable(facts, value):
        part, what = refused
        message = f"marshal cannot write {what}, and the buffer travels between workers through it"
        yield page.finding(part, "E819", message, "keep numbers, text, lists and dicts in the buffer")


def _own(method: Def) -> Iterator[ast.AST]:
    """Yield the nodes of a method without those of functions inside it."""
    waiting: list[ast.AST] = [*method.body]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            waiting += ast.iter_child_nodes(node)


def _unwritable(facts: ModuleFacts, value: ast.expr) -> tuple[ast.expr, str] | None:
    """Return the part of an expression that marshal refuses, and what it is."""
    match value:
        case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
            return next(filter(None, (_unwritable(facts, part) for part in parts)), None)
        case ast.Dict(keys=keys, values=values):
            parts = [*(key for key in keys if key), *values]
            return next(filter(None, (_unwritable(facts, part) for part in parts)), None)
        case ast.Lambda():
            return value, "a function"
        case ast.GeneratorExp():
            return value, "a generator"
        case ast.Call(func=func):
            called = facts.dotted_name(func)
            if called in facts.classes:
                return value, f"an object of the class {called}"
            if called in UNWRITABLE and called.partition(".")[0] not in facts.bound - set(facts.aliases):
                return value, UNWRITABLE[called]
        case _:
            pass
    return None
