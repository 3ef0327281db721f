"""
Source rules of MaxCompute: the class of a function, the archives and files that it names, and what the sandbox forbids.

The wheels of a function are unpacked beside a running worker; the environment in which MaxCompute first looks at a module has
none of them, and an import at module level "reports an error" there [docs "Use third-party packages" and pyodps-pack.rst:
import inside the function]. For 3.11 that is not settled: a public tool of the vendor's, dbt-maxcompute, imports at module
level there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.base.inputs import SOURCE, read_input
from reconciler.checks.python.facts import gather_facts
from reconciler.checks.python.rules import RuleSet
from reconciler.checks.python.text import decode, parse_source
from reconciler.targets.maxcompute.runtimes import SERVICE
from reconciler.targets.maxcompute.source_rules.classes import check_class, declared_class
from reconciler.targets.maxcompute.source_rules.references import check_references
from reconciler.targets.maxcompute.source_rules.sandbox import check_sandbox

if TYPE_CHECKING:
    from reconciler.manifest.load import Loaded
    from reconciler.targets.maxcompute.signature import Signature
    from reconciler.targets.maxcompute.source_rules.classes import Kind

SOURCE_RULES = RuleSet(
    service=SERVICE,
    version=1,
    of_module=(check_references, check_sandbox),
    of_class=check_class,
    of_interest=(
        *("work/", "get_cache_", r"\.\w{1,5}['\"]"),  # names of resources
        *(r"open\b", r"os\."),  # what the sandbox minds
    ),
    early_packages=frozenset({"cp311"}),
)


def declared_signature(loaded: Loaded, name: str) -> tuple[Kind, Signature | None] | None:
    """Return what a function of the manifest is and its signature, None where its source does not tell."""
    function, code = loaded.manifest.functions[name], loaded.code[name]
    files = {resource.lower(): declared.file for resource, declared in loaded.manifest.resources.items()}
    file = function.source or files.get((code.entry or "").lower())
    if file is None:
        return None
    page, _ = decode(read_input(loaded.file(file), SOURCE), code.runtime.tag)
    tree, _ = parse_source(page, code.runtime.tag)
    if tree is None:
        return None
    return declared_class(
        gather_facts(page, tree, code.runtime.tag, SOURCE_RULES.of_interest), code.class_path.rpartition(".")[2]
    )
