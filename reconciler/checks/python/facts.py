"""
Facts of a module for the checks, gathered in one walk over its tree.

Checking must cost less than parsing, and parsing is C. So statements are all visited, but expressions only on lines that
may hold something of interest, found by one regular expression over the text. It is allowed to be wrong in one direction: a
line too many costs a microsecond.
"""

from __future__ import annotations

import ast
import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from reconciler.checks.python.pythons import python_version

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.checks.python.text import Page

Def: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

_OF_INTEREST = ("[fF][rR]?['\"]", "[rR][fF]['\"]", ":=", "yield")
"""Syntax of some version."""

_STAR = re.compile(r"\*")
_BEFORE_A_STAR = re.compile(r"return\b|\bin\b|\[")
_OF_INTEREST_TO_27 = (
    "[bB]['\"]",
    "@",
    "await",
    "print",
    "async",
    "exec",
    "lambda",
    r"_(?<=\d_)",  # begins with a letter of its own, as `\d_` does not
    r"\.\.\.",
)
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_ONLY_WITH = {
    "[fF][rR]?['\"]": ("f'", 'f"', "fr'", 'fr"'),
    "[rR][fF]['\"]": ("rf'", 'rf"'),
    "[bB]['\"]": ("b'", 'b"'),
}
"""Pattern → texts in lower case of which one has to be there: `in` is ten times as fast as a class of characters."""

_BRACKETS = frozenset("([{,=*")
"""Behind these a star is no product."""
_FOR_OTHERS = frozenset(
    (
        "TYPE_CHECKING",
        "version_info",
        "hexversion",
        "PY2",
        "PY3",
        "platform",
        "suppress",
        "find_spec",
        "find_loader",
        "find_module",
    )
)
"""Names in a condition that asks which interpreter runs or whether a module is there, or in a ``with`` that lets imports fail."""

_LINE_END = re.compile("\n")
_CATCHES_IMPORTS = frozenset(("ImportError", "ModuleNotFoundError", "Exception", "BaseException"))


class TextLiteral(NamedTuple):
    """A literal and its value."""

    node: ast.Constant
    value: str


class Import(NamedTuple):
    """One name of an import statement."""

    node: ast.Import | ast.ImportFrom
    alias: ast.alias
    module: str
    """Dotted; empty in ``from . import x``."""

    level: int
    at_load: bool
    """Whether it runs when the module is imported, not later in a function."""

    guarded: bool
    """Whether its failure is provided for, or it is meant for another interpreter."""


@dataclass
class ModuleFacts:
    """A module as the checks see it."""

    tree: ast.Module
    imports: list[Import] = field(default_factory=list)
    classes: dict[str, ast.ClassDef] = field(default_factory=dict)
    """At module level, by name."""

    all_classes: list[ast.ClassDef] = field(default_factory=list)
    functions: list[Def] = field(default_factory=list)
    """All of them, methods too."""

    bound: set[str] = field(default_factory=set)
    """Every name that module level binds."""

    has_star: bool = False
    """Whether ``from x import *`` may bind anything."""

    constants: dict[str, TextLiteral] = field(default_factory=dict)
    """Texts that module level gives a name."""

    aliases: dict[str, str] = field(default_factory=dict)
    """Imported name → what it stands for, dotted."""

    rare: list[ast.stmt] = field(default_factory=list)
    """Statements that some Python does not know, ``continue`` in a ``finally`` among them, which 3.8 was the first to take."""

    nodes: list[ast.AST] = field(default_factory=list)
    """Expressions on lines of interest."""

    misplaced: list[tuple[ast.stmt, str]] = field(default_factory=list)
    """Statements that no Python takes where they are, and how CPython puts it."""

    def dotted_name(self, node: ast.AST) -> str:
        """Return ``a.b.c`` with the imported name spelled out, or nothing."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return ""
        return ".".join([self.aliases.get(node.id, node.id), *reversed(parts)])

    def text(self, node: ast.AST | None) -> TextLiteral | None:
        """Return the text that an expression is, or that the name it is stands for."""
        if isinstance(node, ast.Name):
            return self.constants.get(node.id)
        return TextLiteral(node, node.value) if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


_PLAIN = frozenset((ast.Expr, ast.Assign, ast.AugAssign, ast.Return, ast.Pass, ast.Assert, ast.Delete, ast.Global))
"""Statements that tell nothing in a function, unless their line does."""

_RARE = (ast.AnnAssign, ast.AsyncFor, ast.With, ast.AsyncWith, ast.Nonlocal, ast.Raise, ast.Match)


def gather_facts(page: Page, tree: ast.Module, runtime: str, of_interest: tuple[str, ...] = ()) -> ModuleFacts:
    """Walk a module once; `of_interest` are more patterns of lines whose expressions count (`RuleSet.of_interest`)."""
    is_2 = python_version(runtime) < (3,)
    text = page.text if page.parsed is page.lines else "\n".join(page.parsed)
    starts = [0, *(end.end() for end in _LINE_END.finditer(text))]
    lines = sorted({bisect_right(starts, offset) for offset in _offsets(text, of_interest, is_2=is_2)})
    asks = any(word in text for word in _FOR_OTHERS)
    walk = _Walk(ModuleFacts(tree), lines, asks=asks, is_2=is_2)
    walk.block(tree.body, _Scope())
    return walk.facts


@cache
def _patterns(more: tuple[str, ...], *, is_2: bool) -> list[tuple[re.Pattern[str], tuple[str, ...]]]:
    """Return what is looked for, each with texts of which one has to be there."""
    patterns = (*more, *_OF_INTEREST, *(_OF_INTEREST_TO_27 if is_2 else ()))
    return [(re.compile(pattern), _ONLY_WITH.get(pattern, ())) for pattern in patterns]


def _offsets(text: str, more: tuple[str, ...], *, is_2: bool) -> Iterator[int]:
    """Yield the places of all that is of interest, in no order."""
    lowered = text.lower()
    for pattern, needed in _patterns(more, is_2=is_2):
        if not needed or any(word in lowered for word in needed):
            for match in pattern.finditer(text):
                yield match.start()
    yield from _stars(text, _BRACKETS if is_2 else frozenset())
    if is_2 and not text.isascii():
        for match in _NOT_ASCII.finditer(text):
            yield match.start()


def _stars(text: str, brackets: frozenset[str]) -> Iterator[int]:
    """Yield the stars that may be no product: behind ``return``, ``in`` or an index, or any of `brackets`."""
    for star in _STAR.finditer(text):
        start = before = star.start()
        while before and text[before - 1].isspace():
            before -= 1
        is_first = before > 0 and text[before - 1] in brackets
        if is_first or _BEFORE_A_STAR.search(text, text.rfind("\n", 0, start) + 1, start):
            yield start


class _Scope(NamedTuple):
    """Where a block is."""

    at_load: bool = True
    is_module: bool = True
    in_function: bool = False
    is_nested: bool = False
    """Whether a function is anywhere around it, which is all that ``nonlocal`` asks."""

    loop: int = 0
    """1 in a loop, 2 in a ``finally`` of one."""

    guarded: bool = False


class _Walk:
    def __init__(self, facts: ModuleFacts, lines: Sequence[int], *, asks: bool, is_2: bool) -> None:
        self.facts = facts
        self._asks, self._is_2 = asks, is_2
        self._lines = lines

    def block(self, body: Sequence[ast.stmt], scope: _Scope) -> None:
        for statement in body:
            if type(statement) in _PLAIN and scope.in_function:
                if self._is_interesting(statement.lineno, statement.end_lineno or statement.lineno):
                    self._simple(statement, scope)
                continue
            match statement:
                case ast.Import() | ast.ImportFrom():
                    self._import(statement, scope)
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    self._function(statement, scope)
                case ast.ClassDef():
                    self._class(statement, scope)
                case (
                    ast.If() | ast.For() | ast.AsyncFor() | ast.While() | ast.Try() | ast.With() | ast.AsyncWith()
                ) | ast.Match():
                    self._compound(statement, scope)
                case _ if type(statement).__name__ == "TryStar":  # there is none before 3.11
                    self.facts.rare.append(statement)
                    self._compound(statement, scope)
                case _:
                    self._simple(statement, scope)

    def _simple(self, statement: ast.stmt, scope: _Scope) -> None:
        facts = self.facts
        match statement:
            case ast.Continue() if scope.loop == 2:
                facts.rare.append(statement)
            case ast.Assign() | ast.AnnAssign() | ast.AugAssign() if scope.is_module:
                self._bind_targets(statement)
            case ast.Expr(value=ast.Constant() | ast.Name()):  # a docstring, or the empty print of 2.7
                return
            case _ if message := _why_misplaced(statement, scope):
                facts.misplaced.append((statement, message))
            case _:
                pass
        if isinstance(statement, _RARE) or type(statement).__name__ == "TypeAlias":
            facts.rare.append(statement)
        if self._is_interesting(statement.lineno, statement.end_lineno or statement.lineno):
            nodes = list(_nodes(statement))
            facts.nodes += nodes
            kinds = {type(node) for node in nodes}
            if not scope.in_function and kinds & {ast.Yield, ast.YieldFrom} and ast.Lambda not in kinds:
                facts.misplaced.append((statement, "'yield' outside function"))

    def _bind_targets(self, statement: ast.Assign | ast.AnnAssign | ast.AugAssign) -> None:
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        for target in targets:
            names = [node.id for node in ast.walk(target) if isinstance(node, ast.Name)]
            self.facts.bound.update(names)
            for name in names:
                self.facts.constants.pop(name, None)
            value = statement.value
            if isinstance(target, ast.Name) and isinstance(value, ast.Constant) and isinstance(value.value, str):
                self.facts.constants[target.id] = TextLiteral(value, value.value)

    def _import(self, statement: ast.Import | ast.ImportFrom, scope: _Scope) -> None:
        facts = self.facts
        for alias in statement.names:
            if isinstance(statement, ast.Import):
                module, level = alias.name, 0
                bound = alias.asname or alias.name.partition(".")[0]
                meant = alias.name if alias.asname else bound
            else:
                module, level = statement.module or "", statement.level
                bound, meant = alias.asname or alias.name, f"{module}.{alias.name}"
            facts.imports.append(Import(statement, alias, module, level, scope.at_load, scope.guarded))
            if alias.name == "*":
                facts.has_star = True
                if not (scope.is_module or self._is_2):
                    facts.misplaced.append((statement, "import * only allowed at module level"))
                continue
            facts.aliases[bound] = meant
            self._bind_name(bound, scope)

    def _bind_name(self, name: str, scope: _Scope) -> None:
        if scope.is_module:
            self.facts.bound.add(name)

    def _function(self, statement: Def, scope: _Scope) -> None:
        self._bind_name(statement.name, scope)
        self.facts.functions.append(statement)
        self._header(statement, [*statement.decorator_list, statement.args], statement.body)
        self.block(statement.body, _Scope(at_load=False, is_module=False, in_function=True, is_nested=True))

    def _class(self, statement: ast.ClassDef, scope: _Scope) -> None:
        self.facts.all_classes.append(statement)
        if scope.is_module:
            self.facts.bound.add(statement.name)
            self.facts.classes[statement.name] = statement
        header = [*statement.decorator_list, *statement.bases, *statement.keywords]
        self._header(statement, header, statement.body)
        inner = scope._replace(is_module=False, in_function=False, loop=0)
        self.block(statement.body, inner)

    def _compound(self, statement: ast.stmt, scope: _Scope) -> None:
        if isinstance(statement, _RARE):
            self.facts.rare.append(statement)
        header: list[ast.AST] = []
        blocks: list[tuple[list[ast.stmt], _Scope]] = []
        match statement:
            case ast.If():
                self._branches(statement, scope)
            case ast.While(test=test, body=body, orelse=orelse):
                header = [test]
                blocks = [(body, scope._replace(loop=1)), (orelse, scope)]
            case (
                ast.For(target=target, body=body, orelse=orelse) | ast.AsyncFor(target=target, body=body, orelse=orelse)
            ):
                header = [statement]
                self._targets(target, scope)
                blocks = [(body, scope._replace(loop=1)), (orelse, scope)]
            case ast.With(items=items, body=body) | ast.AsyncWith(items=items, body=body):
                header = [*items]
                for item in items:
                    self._targets(item.optional_vars, scope)
                swallows = self._asks and any(_asks_who_runs(item.context_expr) for item in items)
                blocks = [(body, scope._replace(guarded=scope.guarded or swallows))]
            case ast.Match(subject=subject, cases=cases):
                header = [subject]
                blocks = [(case.body, scope) for case in cases]
            case _:
                blocks = list(_tries(statement, scope))
        if header:
            self._header(statement, header, blocks[0][0])
        for body, inner in blocks:
            self.block(body, inner)

    def _branches(self, statement: ast.If, scope: _Scope) -> None:
        """Walk an ``if`` with all its ``elif``, which a tree nests as deep as there are of them."""
        asks = False
        while True:
            self._header(statement, [statement.test], statement.body)
            # One branch is for this interpreter and the other not; which is which is not worked out.
            asks = asks or (self._asks and _asks_who_runs(statement.test))
            inner = scope._replace(guarded=scope.guarded or asks)
            self.block(statement.body, inner)
            match statement.orelse:
                case [ast.If() as following]:
                    statement = following
                case rest:
                    self.block(rest, inner)
                    return

    def _targets(self, target: ast.expr | None, scope: _Scope) -> None:
        for node in ast.walk(target) if target is not None and scope.is_module else ():
            if isinstance(node, ast.Name):
                self._bind_name(node.id, scope)

    def _header(self, statement: ast.stmt, header: Sequence[ast.AST], body: Sequence[ast.stmt]) -> None:
        first = min([statement.lineno, *(node.lineno for node in header if isinstance(node, ast.expr))])
        if self._is_interesting(first, body[0].lineno):
            for node in header:
                self.facts.nodes += _nodes(node)

    def _is_interesting(self, first: int, last: int) -> bool:
        index = bisect_left(self._lines, first)
        return index < len(self._lines) and self._lines[index] <= last


def _why_misplaced(statement: ast.stmt, scope: _Scope) -> str | None:
    """Return how CPython refuses a statement where it stands."""
    match statement:
        case ast.Return() if not scope.in_function:
            return "'return' outside function"
        case ast.Break() if not scope.loop:
            return "'break' outside loop"
        case ast.Continue() if not scope.loop:
            return "'continue' not properly in loop"
        case ast.Nonlocal() if not scope.is_nested:
            return "nonlocal declaration not allowed at module level"
        case _:
            return None


def _tries(statement: Any, scope: _Scope) -> Iterator[tuple[list[ast.stmt], _Scope]]:
    """Yield the blocks of a ``try``; an import that a handler waits for may fail, and so may what the handler tries."""
    waits = any(_catches(handler) for handler in statement.handlers)
    inner = scope._replace(guarded=scope.guarded or waits)
    yield statement.body, inner
    for handler in statement.handlers:
        yield handler.body, inner
    yield statement.orelse, inner
    yield statement.finalbody, scope._replace(loop=2 if scope.loop else 0)


def _asks_who_runs(condition: ast.expr) -> bool:
    names = (getattr(node, "id", None) or getattr(node, "attr", None) for node in ast.walk(condition))
    return not _FOR_OTHERS.isdisjoint(names)


def _catches(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    return any(isinstance(node, ast.Name) and node.id in _CATCHES_IMPORTS for node in ast.walk(handler.type))


def _nodes(root: ast.AST) -> Iterator[ast.AST]:
    """Yield the expressions under a node; of an f-string not its pieces of text, of a statement not its blocks."""
    stack: list[ast.AST] = [root]
    while stack:
        node = stack.pop()
        yield node
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.stmt):
                continue
            if isinstance(node, ast.JoinedStr) and isinstance(child, ast.Constant):
                continue
            stack.append(child)
