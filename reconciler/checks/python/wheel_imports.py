"""
Imports that a wheel's modules make of others, and files that they open meanwhile, found without running anything.

From each module that somebody may import at the top of a wheel, the road goes on through what that imports of the same wheel,
as far as nothing is in doubt: statements of a module's own level, and of its classes' and `finally`'s. What a condition or a
function holds may never run, and a ``try`` may catch that something is missing, so they say nothing; neither does native code. What is found is true of the
bytes and a version of Python, and is kept by both.
"""

from __future__ import annotations

import ast
import hashlib
import posixpath
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from zipfile import ZipFile

from reconciler.base.inputs import SHIPPED, SOURCE, open_input
from reconciler.checks.python.pythons import python_version, standard_modules
from reconciler.checks.python.text import decode, parse_source
from reconciler.packages.fetch.cache import load_record, record_path, save_record
from reconciler.packages.inspect.members import UNREADABLE, data_part, packed_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from reconciler.packages.content import Content

VERSION = 3
"""Of what is found. Facts of another version are found again."""

_MAX_FILES = 5_000
_NOT_FOR_IMPORT = frozenset(
    {"benchmark", "benchmarks", "build", "conftest", "doc", "docs", "example", "examples", "scripts", "setup", "test"}
    | {"testing", "tests", "tools"}
)
"""Folders and modules that many wheels carry and nobody imports."""

_REDIRECTS = re.compile(rb"\bsys\.(?:modules\b|meta_path|path\b|path_hooks)")
_OTHER_ERRORS = frozenset(
    {"AttributeError", "KeyError", "LookupError", "NameError", "OSError", "TypeError", "ValueError"}
)
_LEAVES = frozenset({"exit", "_exit"})


@dataclass(frozen=True)
class OutsideImport:
    """A module that a wheel imports and does not bring, nor the standard library."""

    name: str
    """At the top: ``pkg_resources``."""

    file: str
    """The path in the wheel."""

    line: int


@dataclass(frozen=True)
class OpenedFile:
    """A call that opens a file beside a module of the wheel whenever that module is imported."""

    file: str
    """The path of the module in the wheel."""

    line: int


@dataclass(frozen=True)
class LoadingFacts:
    """What happens for certain where the modules at the top of a wheel are imported."""

    outside: tuple[OutsideImport, ...] = ()
    """What is imported from elsewhere, each module once."""

    opened: tuple[OpenedFile, ...] = ()


def loading_facts(wheel: Content, runtime: str, cache: Path) -> LoadingFacts:
    """Return what importing a wheel's modules does in a runtime's Python; what cannot be read tells nothing."""
    key = hashlib.sha256(f"{VERSION} {runtime} {wheel.sha256}".encode()).hexdigest()
    path = record_path(cache, "wheel-imports", key)
    facts = load_record(path, LoadingFacts)
    if facts is None:
        facts = _read(wheel.path, runtime)
        save_record(path, facts)
    return facts


def _read(wheel: Path, runtime: str) -> LoadingFacts:
    try:
        with open_input(wheel, SHIPPED) as stream, ZipFile(stream) as archive:
            members = {
                packed_path(info.filename): info
                for info in archive.infolist()
                if data_part(info.filename) not in ("scripts", "headers")
            }
            sources = {path for path, info in members.items() if path.endswith(".py") and info.file_size <= SOURCE.size}
            road = _Road(runtime, _stems(members), frozenset(sources), lambda path: archive.read(members[path]))
            road.walk(_entrances(sources))
    except UNREADABLE:
        return LoadingFacts()
    outside = sorted(road.outside(), key=lambda outside: (outside.file, outside.line, outside.name))
    return LoadingFacts(tuple(outside), tuple(sorted(road.opened, key=lambda opened: (opened.file, opened.line))))


def _stems(paths: Iterable[str]) -> frozenset[str]:
    stems: set[str] = set()
    for path in paths:
        folder, file = posixpath.split(path)
        stems.add(posixpath.join(folder, file.partition(".")[0]))
        while folder and folder not in stems:
            stems.add(folder)
            folder = posixpath.dirname(folder)
    return frozenset(stems)


def _entrances(sources: Iterable[str]) -> list[str]:
    """Return the files that an import of a wheel's names loads first; of packages without ``__init__`` what is in them."""
    modules = {path: path.removesuffix(".py").removesuffix("/__init__").split("/") for path in sources}
    packages = {tuple(parts) for path, parts in modules.items() if path.endswith("/__init__.py")}
    outermost = {
        path: parts
        for path, parts in modules.items()
        if all(map(str.isidentifier, parts)) and not any(tuple(parts[:end]) in packages for end in range(1, len(parts)))
    }
    public = [
        path for path, parts in outermost.items() if not parts[-1].startswith("_") and parts[0] not in _NOT_FOR_IMPORT
    ]
    return public or [*outermost]


@dataclass
class _Road:
    """What was reached of one wheel so far."""

    runtime: str
    stems: frozenset[str]
    """The paths of files and folders, without endings."""

    sources: frozenset[str]
    read: Callable[[str], bytes]
    seen: set[str] = field(default_factory=set)
    imports: dict[str, OutsideImport] = field(default_factory=dict)
    opened: list[OpenedFile] = field(default_factory=list)
    redirects: bool = False
    """Whether a file on the road changes how import finds things."""

    def walk(self, paths: Iterable[str]) -> None:
        waiting = sorted(paths, reverse=True)
        while waiting and len(self.seen) < _MAX_FILES:
            path = waiting.pop()
            if path not in self.seen:
                self.seen.add(path)
                waiting += reversed(list(self._visit(path)))

    def outside(self) -> Iterator[OutsideImport]:
        """Yield what was found, less what the wheel carries elsewhere, where it may make import look."""
        parts = {posixpath.basename(stem) for stem in self.stems} if self.redirects else set()
        return (outside for name, outside in self.imports.items() if name not in parts)

    def _visit(self, path: str) -> Iterator[str]:
        """Yield the files of the wheel that loading one of them loads too, and take down what comes from elsewhere."""
        raw = self.read(path)
        self.redirects = self.redirects or _REDIRECTS.search(raw) is not None
        page, _ = decode(raw, self.runtime)
        tree, _ = parse_source(page, self.runtime)
        if tree is None:
            return
        inside = posixpath.dirname(path)
        near: set[str] = {"__file__"}
        for statement in _certain(tree.body):
            self.opened += (OpenedFile(path, call.lineno) for call in _opening_calls(statement, near))
            for base, names in _modules_of(statement, inside):
                yield from self._load(base, names, path, statement.lineno, inside)

    def _load(self, base: str, names: Iterable[str], path: str, line: int, inside: str) -> Iterator[str]:
        """Yield the files that an import loads; `base` is a path, absolute where it begins with a slash: ``/os/path``."""
        module = base.removeprefix("/")
        top, version = module.partition("/")[0], python_version(self.runtime)
        if base.startswith("/") and version < (3,) and posixpath.join(inside, top) in self.stems:
            module = posixpath.join(inside, module)  # 2.7 looks beside the module first
        elif base.startswith("/") and top not in self.stems:
            if top not in standard_modules(version):
                self.imports.setdefault(top, OutsideImport(top, path, line))
            return
        yield from self._files(module)
        yield from (file for name in names for file in self._files(f"{module}/{name}")[-1:])

    def _files(self, module: str) -> list[str]:
        """Return the sources that an import of a module, given as a path, loads: the packages that it is in, and it."""
        parts = module.split("/")
        names = ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]
        return [path for name in names for path in (f"{name}/__init__.py", f"{name}.py") if path in self.sources]


def _certain(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements that run whenever a module is loaded, those of classes and `finally` among them."""
    for statement in body:
        yield statement
        if isinstance(statement, ast.ClassDef):
            yield from _certain(statement.body)
        elif isinstance(statement, ast.Try):
            is_certain = not any(_may_catch(handler.type, statement.body) for handler in statement.handlers)
            yield from _certain([*(statement.body if is_certain else ()), *statement.finalbody])
        elif isinstance(statement, ast.Raise) or _is_exit(statement):
            return


_OPENING = frozenset({"open", "io.open", "codecs.open", "file"})
_NOT_CERTAIN = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.IfExp, ast.BoolOp)


def _opening_calls(statement: ast.stmt, near: set[str]) -> Iterator[ast.Call]:
    """Yield calls that open what a name in `near` leads to, and add the names that the statement derives from those."""
    if isinstance(statement, ast.If | ast.For | ast.While | ast.Try):
        return
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop()
        if isinstance(node, _NOT_CERTAIN):
            continue
        waiting += ast.iter_child_nodes(node)
        is_opening = isinstance(node, ast.Call) and bool(node.args) and ast.unparse(node.func) in _OPENING
        if is_opening and _names_of(node.args[0]) & near:  # type: ignore[attr-defined]
            yield node  # type: ignore[misc]
    if isinstance(statement, ast.Assign) and _names_of(statement.value) & near:
        near.update(target.id for target in statement.targets if isinstance(target, ast.Name))


def _names_of(expression: ast.expr) -> set[str]:
    return {node.id for node in ast.walk(expression) if isinstance(node, ast.Name)}


def _may_catch(kind: ast.expr | None, body: list[ast.stmt]) -> bool:
    """Say whether a handler may be for an import that fails; not if its own name comes of one of those imports."""
    if isinstance(kind, ast.Tuple):
        return any(_may_catch(element, body) for element in kind.elts)
    if isinstance(kind, ast.Attribute) and isinstance(kind.value, ast.Name):
        names = {alias.asname or alias.name for node in body if isinstance(node, ast.Import) for alias in node.names}
        return kind.value.id not in names
    return not (isinstance(kind, ast.Name) and kind.id in _OTHER_ERRORS)


def _is_exit(statement: ast.stmt) -> bool:
    call = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(call, ast.Call) and getattr(call.func, "attr", getattr(call.func, "id", "")) in _LEAVES


def _modules_of(statement: ast.stmt, inside: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the modules that a statement imports, as paths, each with the names that it wants of it."""
    if isinstance(statement, ast.Import):
        yield from ((f"/{alias.name.replace('.', '/')}", ()) for alias in statement.names)
    elif isinstance(statement, ast.ImportFrom):
        base = (statement.module or "").replace(".", "/")
        names = tuple(alias.name for alias in statement.names)
        if statement.level:
            folder = inside
            for _ in range(statement.level - 1):
                folder = posixpath.dirname(folder)
            yield posixpath.join(folder, base).rstrip("/"), names
        else:
            yield f"/{base}", names
    elif isinstance(statement, ast.Expr | ast.Assign):
        yield from ((f"/{name.replace('.', '/')}", ()) for name in _calls_of_import(statement.value))


def _calls_of_import(value: ast.expr) -> Iterator[str]:
    """Yield what ``__import__("name")`` names at the head of an expression, as old namespace packages write it."""
    while isinstance(value, ast.Call | ast.Attribute):
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "__import__":
            argument = value.args[0] if value.args else None
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                yield argument.value
            return
        value = value.func if isinstance(value, ast.Call) else value.value
