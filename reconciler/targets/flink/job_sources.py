"""
Sources of jobs, read by their syntax trees: is a name a function for Flink, and which files of the job does a source open?

Flink imports the module and takes what the name is bound to: the value of udf(), udtf(), udaf() or udtaf(). That nothing else
will do is a guess: the documentation shows no other form. What cannot be told without running it (an import, another call, another decorator) is taken to be one.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, NamedTuple

from reconciler.base.words import did_you_mean, quote
from reconciler.targets.flink.job_options import VENDOR_FOLDER, last_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.checks import Finding
    from reconciler.checks.python.text import Page

_WRAPPERS = frozenset({"udf", "udtf", "udaf", "udtaf"})
_VALUES = (ast.Constant, ast.JoinedStr, ast.List, ast.Tuple, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
_IN_ARCHIVE = re.compile(r"(?:\./)?(?P<folder>[^/:\s]+\.(?:zip|tar|tar\.gz|tgz))/[^/\s]")
_IN_VENDOR_FOLDER = re.compile(rf"{VENDOR_FOLDER}(?P<file>[\w.-]+)")

_USABLE = ("udf", "pandas", "unknown")


class Binding(NamedTuple):
    """What a module binds a name to."""

    node: ast.AST
    shape: str
    """``udf``, ``pandas`` for one over columns, ``unknown``, or the words for what is none of these."""


class OpenedPath(NamedTuple):
    """A path in a source that leads to something the job has to bring."""

    line: int
    column: int
    width: int
    text: str
    name: str
    """Of the archive's folder, or of the file."""

    is_file: bool


def find_bindings(body: Sequence[ast.stmt]) -> Iterator[tuple[str | None, Binding]]:
    """Yield what a module binds at its top, with the name; the name None for a star import."""
    for statement in body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield statement.name, Binding(statement, _decorated_shape(statement))
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            for alias in statement.names:
                name = None if alias.name == "*" else alias.asname or alias.name.partition(".")[0]
                yield name, Binding(statement, "unknown")
        elif isinstance(statement, ast.Assign) or (isinstance(statement, ast.AnnAssign) and statement.value):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    yield target.id, Binding(target, _value_shape(statement.value))
                else:
                    yield from _stored_names(target)
        else:
            yield from _nested_bindings(statement)


def _nested_bindings(statement: ast.stmt) -> Iterator[tuple[str | None, Binding]]:
    blocks = [getattr(statement, block, []) for block in ("body", "orelse", "finalbody")]
    blocks += [part.body for kind in ("handlers", "cases") for part in getattr(statement, kind, [])]
    if not any(blocks):
        yield from _stored_names(statement)
    for name in ("target", "test", "subject"):
        if isinstance(part := getattr(statement, name, None), ast.expr):
            yield from _stored_names(part)
    for entered in getattr(statement, "items", []):
        yield from _stored_names(entered)
    for block in blocks:
        yield from find_bindings(block)


def _stored_names(node: ast.AST) -> Iterator[tuple[str, Binding]]:
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            yield part.id, Binding(part, "unknown")


def _decorated_shape(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> str:
    if node.decorator_list:
        return _value_shape(node.decorator_list[0], is_decorator=True)
    return "a class" if isinstance(node, ast.ClassDef) else "a plain function"


def _value_shape(value: ast.expr | None, *, is_decorator: bool = False) -> str:
    called = value.func if isinstance(value, ast.Call) else value if is_decorator else None
    name = called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else None
    if name in _WRAPPERS:
        keywords = value.keywords if isinstance(value, ast.Call) else []
        is_pandas = any(
            keyword.arg == "func_type" and isinstance(keyword.value, ast.Constant) and keyword.value.value == "pandas"
            for keyword in keywords
        )
        return "pandas" if is_pandas else "udf"
    if isinstance(value, ast.Lambda):
        return "a plain function"
    return "a value" if isinstance(value, _VALUES) and not is_decorator else "unknown"


def find_opened_paths(tree: ast.Module, page: Page) -> Iterator[OpenedPath]:
    """Yield the literal paths of a source that lead into an archive or to the folder of files: whatever is called with one."""
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    for argument in (argument for call in calls for argument in call.args):
        if not (isinstance(argument, ast.Constant) and isinstance(argument.value, str)):
            continue
        place = (*page.position(argument), page.width(argument), argument.value)
        if match := _IN_ARCHIVE.match(argument.value):
            yield OpenedPath(*place, match["folder"], is_file=False)
        elif match := _IN_VENDOR_FOLDER.match(argument.value):
            yield OpenedPath(*place, match["file"], is_file=True)


def find_paths_in_sql(page: Page) -> Iterator[OpenedPath]:
    """Yield the paths of a file of SQL that lead to the folder of files; what stands behind -- is a comment."""
    for number, line in enumerate(page.lines, 1):
        for match in _IN_VENDOR_FOLDER.finditer(line.partition("--")[0]):
            yield OpenedPath(number, match.start() + 1, len(match[0]), match[0], match["file"], is_file=True)


def judge_path(
    opened: OpenedPath, folders: Sequence[str], files: Sequence[str], job: str, page: Page
) -> Iterator[Finding]:
    """Yield that a path leads to nothing that a job brings: `folders` are those of its archives."""
    declared, key = (files, "files") if opened.is_file else (folders, "archives")
    if opened.name in declared:
        return
    noun = "file" if opened.is_file else "archive"
    message = f"{quote(opened.text)} is there for no worker: the job {quote(job)} has no {noun} {quote(opened.name)}"
    has = f"it has {', '.join(map(quote, declared))}" if declared else f"name it under the job's `{key}:`"
    hint = did_you_mean(opened.name, declared) or has
    yield page.spot(opened.line, opened.column, opened.width, "E345", message, hint)


def judge_name(name: str, source: str, tree: ast.Module) -> tuple[str, str, str]:
    """Return what a name of a source is bound to (`Binding.shape`); behind it, if it is no function for Flink, why, and the way out."""
    bindings = list(find_bindings(tree.body))
    names = [bound for bound, _ in bindings]
    shapes = [binding for bound, binding in bindings if bound == name]
    if usable := [binding.shape for binding in shapes if binding.shape in _USABLE]:
        return usable[-1], "", ""
    if not shapes and None in names:
        return "unknown", "", ""
    if not shapes:
        guess = did_you_mean(name, [bound for bound in names if bound])
        hint = guess or f"define it there, with @udf(result_type=…) above it, or as {name} = udf(…)"
        return "absent", f"{quote(last_name(source))} has no {quote(name)} at its top", hint
    node, shape = shapes[-1]
    where = f"{quote(name)} in line {getattr(node, 'lineno', 1)} of {quote(last_name(source))}"
    if shape == "a class":
        return (
            shape,
            f"{where} is a class, and no function for Flink",
            f"bind one of it: {name.lower()}_udf = udf({name}(), result_type=…)",
        )
    return (
        shape,
        f"{where} is {shape}, and no function for Flink",
        "write @udf(result_type=…) above it, or @udtf, @udaf",
    )
