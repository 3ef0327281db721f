"""
Late binding: what code gives a class or a module as it runs, and its text does not show.

What seems to be missing there may be there after all, so that it is a warning and no error.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from reconciler.checks.python.facts import ModuleFacts

BINDERS = frozenset({"exec", "globals", "vars", "setattr", "__getattr__"})
"""What makes names of a module."""

_PLAIN = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def is_changed(facts: ModuleFacts, node: ast.ClassDef, harmless: ast.expr | None) -> bool:
    """Say whether a decorator but `harmless`, a metaclass, or a line of the module that names the class may change it."""
    if any(decorator is not harmless for decorator in node.decorator_list) or node.keywords:
        return True
    statements = (statement for statement in facts.tree.body if not isinstance(statement, _PLAIN))
    return any(names_any(statement, {node.name}) for statement in statements if not _is_main(statement))


def names_any(tree: ast.AST, names: Collection[str]) -> bool:
    """Say whether one of these names stands anywhere in a tree."""
    return any(isinstance(node, ast.Name) and node.id in names for node in ast.walk(tree))


def _is_main(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and names_any(statement.test, {"__name__"})
