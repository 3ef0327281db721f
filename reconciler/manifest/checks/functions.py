"""Functions of a manifest, as far as every service has them: what they list is declared, and their modules can be imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.base.names import is_package, module_name
from reconciler.base.words import quote
from reconciler.manifest.checks.names import check_file, check_repeated, is_identifier, undeclared_name
from reconciler.manifest.dialect import Flaw
from reconciler.manifest.paths import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.manifest.dialect import Draft, Keys
    from reconciler.manifest.model import Function, Layer, Test


def check_package_names(draft: Draft[Any], function: Function | Layer, here: Keys) -> Iterator[Flaw]:
    """Yield the packages that a function lists twice, or that are not declared."""
    yield from check_repeated(function.packages, *here, "packages")
    for index, name in enumerate(function.packages):
        if name not in draft.manifest.packages:
            otherwise = f"write packages: {{{name}: {{requirements: [{name}]}}}} beside functions:"
            yield undeclared_name(draft, name, (*here, "packages", index), draft.manifest.packages, otherwise)


def check_modules(draft: Draft[Any], function: Function, here: Keys) -> Iterator[Flaw]:
    """Yield what is wrong with a function's modules and packages of its own."""
    # PY resources are imported by their names, as modules are: of two with one name, one would never be found.
    imported = {item[:-3]: item for item in function.resources if item.endswith(".py")}
    yield from check_repeated(function.modules, *here, "modules")
    for index, path in enumerate(function.modules):
        keys, name = (*here, "modules", index), module_name(path)
        if not is_identifier(name):
            hint = "letters, digits and _, because it is imported by this name"
            yield Flaw("E372", f"{quote(path)} is not the name of a Python module", keys, hint)
            continue
        twin = imported.setdefault(name, path)
        if twin != path:
            yield Flaw("E374", f"{quote(twin)} and {quote(path)} are both imported as {quote(name)}", keys)
        yield from (_package if is_package(path) else _module)(draft, function, path, keys)


def _module(draft: Draft[Any], function: Function, path: str, keys: Keys) -> Iterator[Flaw]:
    file = yield from check_file(draft, path, *keys)
    yield from draft.claim(f"{module_name(path)}.py", (file, "py"), *keys)


def _package(draft: Draft[Any], function: Function, path: str, keys: Keys) -> Iterator[Flaw]:
    name, folder = module_name(path), draft.folder.find(path, "folder")
    if isinstance(folder, Refusal):
        # The most likely slip: a module named without its ending.
        is_module = not isinstance(draft.folder.find(f"{path}.py"), Refusal)
        yield Flaw(folder.code, folder.message, keys, f"'{path}.py' is there" if is_module else folder.hint)
        return
    yield from draft.claim(f"{name}.zip", (folder, "package"), *keys)
    # A package is an archive, and it is the lines behind a source that put archives on sys.path.
    if function.source is None or not function.wire:
        why = "has no source" if function.source is None else "says 'wire: false'"
        message = f"nothing would put the package {quote(name)} on sys.path: {quote(str(keys[1]))} {why}"
        hint = "list its files one by one, as .py, or pack it under `resources:` and put that on sys.path"
        yield Flaw("E373", message, keys, hint)


def check_expectations(draft: Draft[Any], tests: Sequence[Test], here: Keys) -> Iterator[Flaw]:
    """Yield tests that say twice what is called or expected, and such that expect nothing."""
    for index in range(len(tests)):
        keys = (*here, "tests", index)
        present = draft.document.value(*keys).keys()
        for first, second in (("args", "rows"), ("returns", "raises")):
            if {first, second} <= present:
                message = f"'{first}' and '{second}' exclude each other"
                yield Flaw("E204", message, (*keys, second), "keep one", at_key=True)
        if not present & {"returns", "raises"}:
            message = f"item {index + 1} of 'tests' needs the key 'returns' or 'raises'"
            yield Flaw("E201", message, keys, "returns: null if that is expected")


def check_shared_sources(draft: Draft[Any]) -> Iterator[Flaw]:
    """Yield functions that share a source, and so the module that is uploaded, and want it differently."""
    first: dict[str, str] = {}
    functions = draft.manifest.functions
    for name, function in functions.items():
        if function.source is None:
            continue
        twin = first.setdefault(function.source, name)
        if functions[twin].wire != function.wire:
            message = f"{quote(twin)} and {quote(name)} share a source, and only one of them says 'wire: false'"
            hint = "they share the module that is uploaded, too: say it of both, or give each a source of its own"
            yield Flaw("E370", message, ("functions", name, "wire"), hint)
