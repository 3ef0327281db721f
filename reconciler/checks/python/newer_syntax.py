"""
Syntax younger than the runtime's Python, each with its name and position.

``ast.parse`` with ``feature_version`` refuses what has a rule of its own in CPython's grammar (``:=``, ``match``,
positional-only parameters…), the first of them only and a little behind its place. What it says nothing about is here too:
changes that only loosened a rule, what the compiler rather than the parser refuses, and everything between 2.7 and 3.7,
which lies before its time. Each rule's version is from "What's New" of that version; the tests ask a real CPython 2.7 and
3.7.
"""

from __future__ import annotations

import ast
import re
import sys
from itertools import pairwise, takewhile
from typing import TYPE_CHECKING, Any

from reconciler.checks.python.pythons import python_version, runtime_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.checks import Finding
    from reconciler.checks.python.facts import Def, ModuleFacts
    from reconciler.checks.python.text import Page

_SHOWS_ITS_NAME = re.compile(r"\{[^{}]*[^=!<>{}:]=\s*(?:[!:][^{}]*)?\}")
_UNDERSCORED = re.compile(r"[0-9a-fA-FxXoO]_[0-9a-fA-F]")
_F_STRING = re.compile(r"""(?:^|[\s(])(?:[fF][rR]?|[rR][fF])['"]""")
_RAW_BYTES = re.compile(r"[rR][bB]")


def check_newer_syntax(page: Page, facts: ModuleFacts, runtime: str) -> Iterator[Finding]:
    """Yield every place where the syntax is younger than the runtime, and statements that are nowhere at home."""
    version = python_version(runtime)
    for node, message in (*facts.misplaced, *_twice(facts), *_futures(facts)):
        yield page.finding(node, "E801", f"{runtime_name(runtime)} cannot read this: {message}")
    for node, what, since in _find_syntax(page, facts, version):
        if since > version:
            dotted = f"{since[0]}.{since[1]}"
            message = f"{what}: syntax of Python {dotted}, and the runtime is {runtime_name(runtime)}"
            yield page.finding(node, "E802", message, "write it in the older way")


_FUTURES = {
    **dict.fromkeys(("nested_scopes", "generators", "division", "absolute_import", "with_statement"), (2, 5)),
    **dict.fromkeys(("print_function", "unicode_literals"), (2, 6)),
    **dict.fromkeys(("barry_as_FLUFL",), (3, 1)),
    **dict.fromkeys(("generator_stop",), (3, 5)),
    **dict.fromkeys(("annotations",), (3, 7)),
}
"""Feature → the first version that has it [docs.python.org, ``__future__``]."""

_STATEMENTS = {
    "Nonlocal": ("'nonlocal'", (3, 0)),
    **dict.fromkeys(("AsyncFor", "AsyncWith"), ("'async'", (3, 5))),
    "AnnAssign": ("an annotation", (3, 6)),
    "Continue": ("'continue' in a 'finally'", (3, 8)),
    "Match": ("'match'", (3, 10)),
    "TryStar": ("'except*'", (3, 11)),
    "TypeAlias": ("'type'", (3, 12)),
}
"""Names of statements, because some are of later Pythons than the one that runs."""

_Syntax = tuple[ast.AST, str, tuple[int, int]]


def _find_syntax(page: Page, facts: ModuleFacts, version: tuple[int, int]) -> Iterator[_Syntax]:
    for function in facts.functions:
        for parameter in function.args.posonlyargs[:1]:
            yield parameter, "a positional-only parameter", (3, 8)
    for statement in facts.rare:
        if statement_syntax := _STATEMENTS.get(type(statement).__name__):
            yield statement, *statement_syntax
        if isinstance(statement, ast.With | ast.AsyncWith) and _is_in_parentheses(page, statement):
            yield statement, "a 'with' in parentheses", (3, 9)
    for definition in (*facts.functions, *facts.all_classes):
        yield from _decorators(definition)
        for type_parameter in getattr(definition, "type_params", ()):
            yield type_parameter, "a type parameter", (3, 12)  # pragma: no cover - by the Python of the run
    for node in facts.nodes:
        yield from _relaxed_rules(page, node)
    for imported in facts.imports:
        if _is_future(imported.node):
            yield imported.alias, f"the future feature {imported.alias.name}", _FUTURES.get(imported.alias.name, (2, 7))
    if version < (3, 0):
        yield from _after_2(page, facts)


def _futures(facts: ModuleFacts) -> Iterator[tuple[ast.AST, str]]:
    """``from __future__``: it stands first, and names what there is."""
    first = [*facts.tree.body]
    if first and isinstance(first[0], ast.Expr) and isinstance(first[0].value, ast.Constant):
        del first[0]
    leading = {id(node) for node in takewhile(_is_future, first)}
    for imported in filter(lambda imported: _is_future(imported.node), facts.imports):
        if id(imported.node) not in leading:
            yield imported.node, "from __future__ imports must occur at the beginning of the file"
        elif imported.alias.name not in _FUTURES:
            yield imported.alias, f"future feature {imported.alias.name} is not defined"


def _is_future(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__" and not node.level


def _twice(facts: ModuleFacts) -> Iterator[tuple[ast.AST, str]]:
    """Two parameters of one name; a name of underscores alone may stand for a tuple of 2.7."""
    for function in facts.functions:
        seen: set[str] = set()
        for parameter in _parameters(function):
            if parameter.arg in seen and parameter.arg.strip("_"):
                yield parameter, f"duplicate argument '{parameter.arg}' in function definition"
            seen.add(parameter.arg)


def _parameters(function: Def) -> list[ast.arg]:
    args = function.args
    stars = [star for star in (args.vararg, args.kwarg) if star]
    return [*args.posonlyargs, *args.args, *args.kwonlyargs, *stars]


def _decorators(node: Def | ast.ClassDef) -> Iterator[_Syntax]:
    for decorator in node.decorator_list:
        inner = decorator.func if isinstance(decorator, ast.Call) else decorator
        while isinstance(inner, ast.Attribute):
            inner = inner.value
        if not isinstance(inner, ast.Name):
            yield decorator, "a decorator that is not a dotted name or a call of one", (3, 9)


def _is_in_parentheses(page: Page, statement: Any) -> bool:
    """
    Say whether what is behind ``with`` is one list in parentheses.

    To an older Python ``with (a, b):`` is a tuple, which it reads and then cannot enter.
    """
    if len(statement.items) == 1 and statement.items[0].optional_vars is None:
        return False
    line, column = page.position(statement)
    opened = re.match(r"(?:async\s+)?with\s*\(", page.lines[line - 1][column - 1 :])
    last = statement.items[-1].optional_vars or statement.items[-1].context_expr
    end = page.starts[last.end_lineno - 1] + page.end(last)
    return opened is not None and re.compile(r"[\s,]*\)[\s)]*:").match(page.text, end) is not None


def _relaxed_rules(page: Page, node: ast.AST) -> Iterator[_Syntax]:
    match node:
        case ast.Return(value=ast.Tuple() as bare) | ast.Yield(value=ast.Tuple() as bare) if _is_bare(page, bare):
            yield bare, "a star in 'return' or 'yield' without parentheses", (3, 8)
        case ast.For(iter=ast.Tuple() as bare) if _is_bare(page, bare):
            yield bare, "a star behind 'in' without parentheses", (3, 9)
        case ast.Subscript(slice=ast.Tuple() as bare) if _is_bare(page, bare):
            yield bare, "a star in an index", (3, 11)
        case ast.JoinedStr():
            yield from _f_string(page, node)
        case ast.NamedExpr():
            yield node, "':='", (3, 8)
        case _:
            return


def _is_bare(page: Page, node: ast.Tuple) -> bool:
    """Say whether a tuple with a star stands without parentheses: with them, it begins at the first."""
    line, column = page.position(node)
    return _has_star(node) and page.lines[line - 1][column - 1 : column] != "("


def _has_star(node: ast.Tuple | ast.List | ast.Set) -> bool:
    return any(isinstance(element, ast.Starred) for element in node.elts)


def _f_string(page: Page, node: ast.JoinedStr) -> Iterator[_Syntax]:
    for before, value in pairwise(node.values):
        if (
            isinstance(value, ast.FormattedValue)
            and isinstance(before, ast.Constant)
            and str(before.value).rstrip().endswith("=")
            and _SHOWS_ITS_NAME.search(page.segment(node))
        ):
            yield node, "'=' in an f-string", (3, 8)
    if sys.version_info >= (3, 12):  # pragma: no cover - an older parser refuses these by itself
        yield from _nested_quotes(page, node)


def _nested_quotes(page: Page, node: ast.JoinedStr) -> Iterator[_Syntax]:  # pragma: no cover - by the Python of the run
    outer = page.segment(node).lstrip("fFrR")[:1]
    for value in node.values:
        for inner in ast.walk(value) if isinstance(value, ast.FormattedValue) else ():
            text = page.segment(inner) if isinstance(inner, ast.Constant) and isinstance(inner.value, str) else ""
            if outer in text or "\\" in text:
                yield node, "the f-string's own quotes, or a backslash, inside its braces", (3, 12)
                return


# --- Between 2.7 and 3.7 ----------------------------------------------------------------------------------------------


def _after_2(page: Page, facts: ModuleFacts) -> Iterator[_Syntax]:
    for function in facts.functions:
        yield from _function(function)
    for class_ in facts.all_classes:
        if class_.keywords:
            yield class_.keywords[0].value, "a keyword in the bases of a class", (3, 0)
    for statement in facts.rare:
        if isinstance(statement, ast.Raise) and statement.cause is not None:
            yield statement.cause, "'raise … from'", (3, 0)
    has_print = not any(
        imported.module == "__future__" and imported.alias.name == "print_function" for imported in facts.imports
    )
    for node in facts.nodes:
        yield from _expression(page, node, has_print=has_print)
    yield from _by_surroundings(page, facts, has_print=has_print)


def _by_surroundings(page: Page, facts: ModuleFacts, *, has_print: bool) -> Iterator[_Syntax]:
    """Yield what only its surroundings tell from syntax of 2.7."""
    called = {id(node.func) for node in facts.nodes if isinstance(node, ast.Call)}
    dots = {id(node) for index in facts.nodes if isinstance(index, ast.Subscript) for node in ast.walk(index.slice)}
    for node in facts.nodes:
        match node:
            case ast.Name(id="print") if has_print and id(node) not in called and not _is_first(page, node):
                yield node, "print as a function", (3, 0)
            case ast.Constant(value=value) if value is ... and id(node) not in dots:
                yield node, "'...' outside an index", (3, 0)
            case _:
                continue


def _is_first(page: Page, node: ast.AST) -> bool:
    """Say whether a node begins a statement: ``print -1`` reads like a difference."""
    line, column = page.position(node)
    return page.lines[line - 1][: column - 1].rstrip()[-1:] in {"", ";", ":"}


def _function(function: Def) -> Iterator[_Syntax]:
    if isinstance(function, ast.AsyncFunctionDef):
        yield function, "'async def'", (3, 5)
    for parameter in _parameters(function):
        if parameter.annotation:
            yield parameter, "an annotation", (3, 0)
    if function.returns:
        yield function.returns, "an annotation", (3, 0)
    for parameter in function.args.kwonlyargs:
        yield parameter, "a keyword-only parameter", (3, 0)


def _expression(page: Page, node: ast.AST, *, has_print: bool) -> Iterator[_Syntax]:
    match node:
        case ast.JoinedStr() if _F_STRING.search(page.segment(node)):  # `python27` makes some of what is none
            yield node, "an f-string", (3, 6)
        case ast.YieldFrom():
            yield node, "'yield from'", (3, 3)
        case ast.Await():
            yield node, "'await'", (3, 5)
        case ast.BinOp(op=ast.MatMult()) | ast.AugAssign(op=ast.MatMult()):
            yield node, "the operator '@'", (3, 5)
        case ast.Tuple() | ast.List() | ast.Set() if _has_star(node):
            yield node, "a star outside a call", (3, 0)
        case ast.Dict(keys=keys) if None in keys:
            yield node, "'**' in a dict", (3, 5)
        case ast.Call():
            yield from _call(node, has_print=has_print)
        case ast.Lambda(args=ast.arguments(kwonlyargs=[first, *_])):
            yield first, "a keyword-only parameter", (3, 0)
        case ast.Attribute(attr="print" | "exec" as word) if has_print or word == "exec":
            yield node, f"the name '{word}'", (3, 0)
        case ast.Constant():
            yield from _constant(page, node)
        case ast.Name(id=name) | ast.Attribute(attr=name) if not name.isascii():
            yield node, "a name outside ASCII", (3, 0)
        case _:
            return


def _call(node: ast.Call, *, has_print: bool) -> Iterator[_Syntax]:
    if has_print and isinstance(node.func, ast.Name) and node.func.id == "print" and node.keywords:
        yield node.keywords[0].value, "print as a function", (3, 0)
    stars = [index for index, argument in enumerate(node.args) if isinstance(argument, ast.Starred)]
    if stars and stars[0] != len(node.args) - 1:
        yield node.args[stars[0]], "a star before other arguments", (3, 5)
    doubled = [index for index, argument in enumerate(node.keywords) if argument.arg is None]
    if doubled and doubled[0] != len(node.keywords) - 1:
        yield node.keywords[doubled[0]].value, "'**' before other arguments", (3, 5)


def _constant(page: Page, node: ast.Constant) -> Iterator[_Syntax]:
    if isinstance(node.value, bytes) and _RAW_BYTES.match(page.segment(node)):
        yield node, "the prefix 'rb'", (3, 3)
    elif isinstance(node.value, (int, float, complex)) and _UNDERSCORED.search(page.segment(node)):
        yield node, "an underscore in a number", (3, 6)
