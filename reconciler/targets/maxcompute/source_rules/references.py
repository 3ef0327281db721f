"""
References of a module to archives, files and tables: its function lists each of them.

An ARCHIVE is unpacked to ``work/<resource name>/`` and nothing else is [doc "UDF resources", pyodps-pack.rst];
``get_cache_file`` takes a FILE, ``get_cache_archive`` an ARCHIVE, ``get_cache_table`` a TABLE, and only those that the
function lists [doc "Reference resources", FAQ: "FILE vs ARCHIVE for get_cache_file"]. Where code provides for what is not
there (a ``try``, a question first, one of several folders of ``sys.path``), it is a warning.
"""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.base.names import ARCHIVE_SUFFIXES
from reconciler.base.words import closest, suggest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.checks import Finding, Use
    from reconciler.checks.python.facts import ModuleFacts
    from reconciler.checks.python.text import Page

_WORK = re.compile(r"(?:\./|.*[\s=:'\"])?work/([^/\s'\"*?<>|%{}]+)")
_DIGEST = re.compile(r"__[0-9a-f]{8}(?=\.)")
_READERS = {"get_cache_file": "file", "get_cache_archive": "archive", "get_cache_table": "table"}
_LOADERS = frozenset({"CDLL", "PyDLL", "LoadLibrary"})
"""Of `ctypes`, which finds a library that is loaded by its SONAME alone."""

_TYPES = {"file": "a FILE", "archive": "an ARCHIVE", "table": "a TABLE", "py": "a PY", "jar": "a JAR"}
_QUESTIONS = frozenset({"exists", "isdir", "isfile", "access"})
_LIKE_AN_ARCHIVE = (*ARCHIVE_SUFFIXES, ".whl", ".egg")


def check_references(page: Page, facts: ModuleFacts, use: Use) -> Iterator[Finding]:
    """Yield every name that the function does not list, or lists as something else."""
    if findings := list(_wrong(page, facts, use)):
        spans = list(_tolerant_spans(facts, use))
        for finding in findings:
            is_tolerated = any(first <= finding.line <= last for first, last in spans)
            yield replace(finding, severity="warning") if is_tolerated else finding


def _tolerant_spans(facts: ModuleFacts, use: Use) -> Iterator[tuple[int, int]]:
    """Yield the first and last lines of what does no harm if something is not there."""
    for node in ast.walk(facts.tree):
        match node:
            case ast.Try(handlers=[_, *_], body=body):
                yield body[0].lineno, body[-1].end_lineno or body[-1].lineno
            case ast.If(test=test) | ast.IfExp(test=test) if _asks_first(facts, test):
                yield node.lineno, node.end_lineno or node.lineno
            case ast.Expr(value=ast.Call(func=func)) if facts.dotted_name(func).startswith("sys.path.") and use.wired:
                yield node.lineno, node.end_lineno or node.lineno
            case _:
                continue


def _asks_first(facts: ModuleFacts, test: ast.expr) -> bool:
    calls = (node for node in ast.walk(test) if isinstance(node, ast.Call))
    return any(facts.dotted_name(call.func).rpartition(".")[2] in _QUESTIONS for call in calls)


def _wrong(page: Page, facts: ModuleFacts, use: Use) -> Iterator[Finding]:
    passes_on = _passing_on(facts)
    for node in facts.nodes:
        match node:
            case ast.Constant(value=str() | bytes() as value):
                text = value if isinstance(value, str) else value.decode("latin-1")
                yield from _path(page, node, text, use)
            case ast.Call(func=func, args=[first, *_]):
                reader = passes_on.get(facts.dotted_name(func)) or facts.dotted_name(func).rpartition(".")[2]
                literal = facts.text(first)
                if reader in _READERS and literal is not None:
                    yield from _read(page, first, literal.value, reader, use)
                elif reader in _LOADERS and literal is not None:
                    yield from _load(page, first, literal.value, use)
            case _:
                continue


def _load(page: Page, node: ast.expr, name: str, use: Use) -> Iterator[Finding]:
    """Yield a library that the function has by another version in its name; any other may be one of the system's."""
    libraries = [listed for listed, _ in use.resources if ".so" in listed]
    stem, ending, _ = name.partition(".so")
    alike = [library for library in libraries if library.partition(".so")[0] == stem]
    if ending and alike and name not in libraries:
        message = f"the function lists no library '{name}'"
        yield page.finding(node, "E813", message, suggest(alike[0]), "warning")


def _passing_on(facts: ModuleFacts) -> dict[str, str]:
    """
    Return the module's own functions that hand their first parameter to one of `_READERS`.

    The vendor's examples do that: ``def include_package_path(res_name): … get_cache_archive(res_name)``.
    """
    functions: dict[str, str] = {}
    calls = [node for node in facts.nodes if isinstance(node, ast.Call)]
    readers = [(call, facts.dotted_name(call.func).rpartition(".")[2]) for call in calls]
    for call, reader in readers:
        if reader not in _READERS or not (call.args and isinstance(call.args[0], ast.Name)):
            continue
        name = call.args[0].id
        for function in facts.functions:
            last = function.end_lineno or function.lineno
            if function.lineno <= call.lineno <= last and function.args.args and function.args.args[0].arg == name:
                functions[function.name] = reader
    return functions


def _path(page: Page, node: ast.Constant, text: str, use: Use) -> Iterator[Finding]:
    match = _WORK.match(text)
    archives = [name for name, kind in use.resources if kind in {"archive", None}]
    if match is None or match[1] in archives:
        return
    name, ends = match[1], match.end() == len(text)
    guess = closest(name, archives)
    if not name.lower().endswith(_LIKE_AN_ARCHIVE) and (guess is None or ends):
        return  # a folder of the function's own, or the beginning of a name
    if (kind := dict(use.resources).get(name)) is not None:
        message = f"only archives are unpacked to work/, and '{name}' is {_TYPES.get(kind, kind)} resource"
        yield page.finding(node, "E812", message, "get_cache_file reads it" if kind == "file" else None)
        return
    message = f"no archive '{name}' is unpacked: the function lists none of this name"
    yield page.finding(node, "E812", message, _advice(name, archives, guess))


def _advice(name: str, archives: Sequence[str], guess: str | None) -> str:
    """Return what to do about an archive that is not listed."""
    if name.endswith(".whl") and name[:-4] + ".zip" in archives:
        return f"wheels are uploaded as .zip: work/{name[:-4]}.zip"
    if hint := _changing(name, archives):
        return hint
    if guess is not None:
        return suggest(f"work/{guess}")
    return f"archives of the function: {', '.join(archives)}" if archives else "add its package or resource"


def _changing(name: str, listed: Sequence[str]) -> str | None:
    """Return what to do about a name that is now called after its content as well."""
    if not any(_DIGEST.sub("", archive, count=1) == name for archive in listed):
        return None
    return f"its name changes with its content, and import finds it without a path; `bundle: {name}` gives it one name for good"


def _read(page: Page, node: ast.expr, name: str, reader: str, use: Use) -> Iterator[Finding]:
    kind_needed = _READERS[reader]
    folded = {listed.lower(): (listed, kind) for listed, kind in use.resources}
    if name.lower() not in folded:
        message = f"the function lists no resource '{name}'"
        guess = closest(name, [listed for listed, kind in use.resources if kind in {kind_needed, None}])
        hint = suggest(guess) if guess else "name it under the function's `resources:`"
        yield page.finding(node, "E813", message, _changing(name, [listed for listed, _ in use.resources]) or hint)
        return
    listed, kind = folded[name.lower()]
    if kind in {kind_needed, None}:
        return
    assert kind is not None
    reader_of_kind = next((other for other, reader_kind in _READERS.items() if reader_kind == kind), None)
    message = f"{reader} takes {_TYPES[kind_needed]} resource, and '{listed}' is {_TYPES.get(kind, kind)}"
    hint = (
        f"{reader_of_kind}('{listed}')"
        if reader_of_kind
        else "import it"
        if kind == "py"
        else f"declare it with `type: {kind_needed}`"
    )
    yield page.finding(node, "E814", message, hint)
