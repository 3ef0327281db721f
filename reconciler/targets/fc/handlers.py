"""
Handlers: the function of a source that the service calls, found without running anything.

A handler is written ``module.function``; the module is a file of the code's top folder, or of one below it, with / between
[doc "Request handlers"]. A name that a star import or a loop may bring is taken to be there.
"""

from __future__ import annotations

import ast
import sys
from typing import TYPE_CHECKING, TypeAlias

from reconciler.base.inputs import SOURCE, read_input
from reconciler.base.words import did_you_mean, quote
from reconciler.manifest.checks.names import is_identifier
from reconciler.manifest.dialect import Flaw

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from reconciler.manifest.dialect import Keys

_FORM = "module.function: index.handler for handler(event, context) in index.py"
_Definition: TypeAlias = "ast.FunctionDef | ast.AsyncFunctionDef"


def check_handler(
    handler: str, source: Path, arguments: Sequence[str], python: tuple[int, int], keys: Keys
) -> Iterator[Flaw]:
    """Yield why a handler cannot be called: its form, its module, that it is no Python of this version, its function, or what that takes."""
    module, _, name = handler.rpartition(".")
    if not module or not is_identifier(name) or not all(map(is_identifier, module.split("/"))):
        yield Flaw("E324", f"{quote(handler)} is not the name of a handler", keys, _FORM)
        return
    file = source / f"{module}.py" if source.is_dir() else source
    if file.name != f"{module.rpartition('/')[2]}.py" or not file.is_file():
        yield _no_module(handler, module, name, source, keys)
        return
    try:
        tree = ast.parse(read_input(file, SOURCE), feature_version=python)
    except (OSError, SyntaxError, ValueError) as error:
        yield from _unread(error, file.name, python, keys)
        return
    definitions = _definitions(tree.body)
    if name not in definitions:
        if None not in definitions:
            guess = did_you_mean(name, [name for name in definitions if name])
            message = f"{quote(file.name)} has no {quote(name)} at its top"
            yield Flaw("E325", message, keys, guess or f"define {name}({', '.join(arguments)}) there")
    elif (definition := definitions[name]) is not None and not _takes(definition, len(arguments)):
        call = f"{name}({', '.join(arguments)})"
        message = f"{quote(name)} in line {definition.lineno} of {quote(file.name)} cannot be called as {call}"
        yield Flaw("E325", message, keys, f"the service calls it with {len(arguments)}: {', '.join(arguments)}")


def _unread(error: Exception, name: str, python: tuple[int, int], keys: Keys) -> Iterator[Flaw]:
    """Yield why a module is no Python of a version; an older Python than that does not know all that it takes."""
    if isinstance(error, OSError) or python <= sys.version_info[:2]:
        line = f" in line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        message = f"{quote(name)} is not read by Python {python[0]}.{python[1]}{line}: {reason}"
        yield Flaw("E325", message, keys, "mend it there, or take a runtime with a newer Python")


def _no_module(handler: str, module: str, name: str, source: Path, keys: Keys) -> Flaw:
    message = f"{quote(handler)} is in no file of the source: there is no {quote(f'{module}.py')}"
    stems = [file.stem for file in source.glob("*.py")] if source.is_dir() else [source.stem]
    usable = sorted(stem for stem in stems if is_identifier(stem))
    hint = f"write {usable[0]}.{name}" if len(usable) == 1 else did_you_mean(module, usable)
    return Flaw("E325", message, keys, hint or _FORM)


def _definitions(body: Sequence[ast.stmt]) -> dict[str | None, _Definition | None]:
    """Return what a module binds at its top: name → the function, None for anything else; the name None for what cannot be told."""
    names: dict[str | None, _Definition | None] = {}
    for statement in body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            names[statement.name] = None if statement.decorator_list else statement
        elif isinstance(statement, ast.ClassDef):
            names[statement.name] = None
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            for alias in statement.names:
                names[None if alias.name == "*" else (alias.asname or alias.name.partition(".")[0])] = None
        else:
            bound = [
                node.id
                for node in ast.walk(statement)
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
            ]
            names |= dict.fromkeys(bound)
            for block in ("body", "orelse", "finalbody"):
                names |= dict.fromkeys(_definitions(getattr(statement, block, [])))
            for handler in getattr(statement, "handlers", []):
                names |= dict.fromkeys(_definitions(handler.body))
    return names


def _takes(definition: _Definition, count: int) -> bool:
    """Say whether a function can be called with so many arguments by position."""
    arguments = definition.args
    positional = len(arguments.posonlyargs) + len(arguments.args)
    needed = positional - len(arguments.defaults)
    has_needs_by_name = any(default is None for default in arguments.kw_defaults)
    return needed <= count and (count <= positional or arguments.vararg is not None) and not has_needs_by_name
