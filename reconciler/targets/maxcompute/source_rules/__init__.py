"""
Source rules of MaxCompute: the class of a function, the archives and files that it names, and what the sandbox forbids.

The wheels of a function are unpacked beside a running worker; the environment in which MaxCompute first looks at a module has
none of them, and an import at module level "reports an error" there [docs "Use third-party packages" and pyodps-pack.rst:
import inside the function]. For 3.11 that is not settled: a public tool of the vendor's, dbt-maxcompute, imports at module
level there.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from reconciler.base.inputs import SOURCE, read_named
from reconciler.base.names import module_name
from reconciler.checks.python.facts import gather_facts
from reconciler.checks.python.rules import RuleSet
from reconciler.checks.python.text import decode, parse_source
from reconciler.targets.maxcompute.runtimes import SERVICE
from reconciler.targets.maxcompute.source_rules.classes import check_class, declared_class
from reconciler.targets.maxcompute.source_rules.references import check_references
from reconciler.targets.maxcompute.source_rules.sandbox import WITHOUT_FILES, check_sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from reconciler.checks.python.facts import ModuleFacts
    from reconciler.manifest.load import Loaded
    from reconciler.targets.maxcompute.signature import Signature
    from reconciler.targets.maxcompute.source_rules.classes import Kind

SOURCE_RULES = RuleSet(
    service=SERVICE,
    version=3,
    of_module=(check_references, check_sandbox),
    of_class=check_class,
    of_interest=(
        *("work/", "get_cache_", r"\.\w{1,5}['\"]"),  # names of resources
        *(r"open\b", r"os\."),  # what the sandbox minds
    ),
    without_files=WITHOUT_FILES,
    early_packages=frozenset({"cp311"}),
)


def declared_signature(loaded: Loaded, name: str) -> tuple[Kind, Signature | None] | None:
    """Return what a function of the manifest is and its signature, None where its source does not tell."""
    function, code = loaded.manifest.functions[name], loaded.code[name]
    files = {resource.lower(): declared.file for resource, declared in loaded.manifest.resources.items()}
    file = function.source or files.get((code.entry or "").lower())
    if file is None:
        return None
    facts = _read_facts(loaded.file(file), code.runtime.tag)
    if facts is None:
        return None
    return declared_class(facts, code.class_path.rpartition(".")[2], _other_modules(loaded, name, files))


def _read_facts(path: Path, runtime: str) -> ModuleFacts | None:
    page, _ = decode(read_named(path, SOURCE), runtime)
    tree, _ = parse_source(page, runtime)
    return None if tree is None else gather_facts(page, tree, runtime, SOURCE_RULES.of_interest)


def _other_modules(loaded: Loaded, name: str, files: Mapping[str, str | None]) -> Callable[[str], ModuleFacts | None]:
    """Return what reads the function's other modules by their dotted names, where a base of its class may be."""
    function, runtime = loaded.manifest.functions[name], loaded.code[name].runtime.tag
    listed = ((resource, files.get(resource.lower())) for resource in function.resources if resource.endswith(".py"))
    paths = {module_name(path): loaded.file(path) for path in function.modules}
    paths |= {module_name(resource): loaded.file(file) for resource, file in listed if file is not None}

    @cache
    def read(module: str) -> ModuleFacts | None:
        top, *inside = module.split(".")
        path = paths.get(top)
        if path is not None and path.is_dir():
            path = path.joinpath(*inside)
            path = path / "__init__.py" if path.is_dir() else path.with_name(f"{path.name}.py")
        elif inside:
            return None
        return _read_facts(path, runtime) if path is not None and path.is_file() else None

    return read
