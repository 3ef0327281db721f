"""
The Python files of a manifest, each with all functions that use it, and what is wrong with them.

A function brings its source, or a PY resource that holds its class, and the PY resources that those import. What lies in
another project, or is not Python, is not looked at.
"""

from __future__ import annotations

import gc
import hashlib
import sys
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING

from reconciler.base.activity import activity
from reconciler.base.errors import Position, Problem
from reconciler.base.inputs import SOURCE, read_input
from reconciler.base.names import module_name
from reconciler.checks import VERSION, Finding, Use
from reconciler.checks.python.pythons import python_version
from reconciler.checks.python.resources import look_into
from reconciler.packages.artifacts import Archive
from reconciler.packages.content import OwnPackage
from reconciler.packages.fetch.cache import LastRun

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from reconciler.checks.python.rules import RuleSet
    from reconciler.manifest.dialect import Code
    from reconciler.manifest.load import Loaded
    from reconciler.manifest.model import Function
    from reconciler.packages.artifacts import Artifacts, Item, Shipment
    from reconciler.packages.content import Content


@activity("checking sources")
def check_sources(loaded: Loaded, artifacts: Artifacts, rules: RuleSet, cache: Path) -> tuple[Problem, ...]:
    """Return what the sources of a manifest's functions tell, errors and warnings, by file and line."""
    memory = LastRun(cache, "sources", str(loaded.folder), tuple[Finding, ...])
    shown = PurePath(loaded.at().file).parent
    problems: list[Problem] = []
    contents = {
        **artifacts.files,
        **{
            _beside(path, inside): content
            for path, package in artifacts.packages.items()
            for inside, content in package.sources.items()
        },
    }
    texts = _Texts(contents.values())
    files: dict[str, dict[Use, None]] = {}
    for shipment in artifacts.shipments.values():
        for file, use in _uses(shipment, loaded, artifacts):
            files.setdefault(file, {})[use] = None
    for file, of_file in files.items():
        content, uses = contents[file], tuple(of_file)
        # All that a result depends on; the parser is this Python's.
        depends_on = repr((VERSION, rules.version, sys.version_info[:3], content.sha256, uses))
        key = hashlib.sha256(depends_on.encode()).hexdigest()
        findings = memory.get(key)
        if findings is None:
            from reconciler.checks.python.check import check_module  # most runs find all their sources as they were

            with _without_collecting():
                findings = check_module(read_input(content.path, SOURCE), uses, rules, texts.__getitem__)
        memory.put(key, findings)
        problems += [_problem(shown, file, finding) for finding in findings]
    memory.save()
    return tuple(sorted(problems, key=lambda problem: (problem.at, problem.code)))


def check_each_alone(loaded: Loaded, rules: RuleSet, names: Iterable[str]) -> Iterator[Problem]:
    """Yield what is wrong with the sources of some functions, whatever these ship; what cannot be read is told elsewhere."""
    from reconciler.checks.python.check import check_alone

    shown = PurePath(loaded.at().file).parent
    findings: dict[tuple[str, Finding], None] = {}
    for name in names:
        source, code = loaded.manifest.functions[name].source, loaded.code[name]
        if code.entry is None or source is None or not source.endswith(".py") or source not in loaded.files:
            continue
        with suppress(OSError):
            raw = read_input(loaded.file(source), SOURCE)
            alone = check_alone(raw, code.runtime.tag, code.class_path.rpartition(".")[2], rules)
            findings |= dict.fromkeys((source, finding) for finding in alone)
    for file, finding in findings:
        yield _problem(shown, file, finding)


def _problem(shown: PurePath, file: str, finding: Finding) -> Problem:
    return Problem(
        finding.code,
        finding.message,
        Position(str(shown / file), finding.line, finding.column),
        finding.hint,
        finding.source,
        finding.width,
        finding.severity,
    )


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Keep the garbage collector from walking over trees: they hold no cycles, and are gone when the last name is."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


class _Texts(dict[str, bytes]):
    """The bytes of files by their sha256, each read when it is asked for."""

    def __init__(self, contents: Iterable[Content]) -> None:
        super().__init__()
        self._paths = {content.sha256: content.path for content in contents}

    def __missing__(self, sha256: str) -> bytes:
        content = self[sha256] = read_input(self._paths[sha256], SOURCE)
        return content


def _beside(path: str, inside: str) -> str:
    """Return the path from the manifest of a file that is called `inside` in the archive of a package."""
    return f"{path.rstrip('/')}/{inside.partition('/')[2]}"


def findings_by_runtime(
    name: str, loaded: Loaded, artifacts: Artifacts, rules: RuleSet
) -> dict[str, tuple[Finding, ...]]:
    """Return for each runtime what the files of one function tell, were it to run there; the worst first."""
    from reconciler.checks.python.check import check_module

    read = [
        (read_input(artifacts.files[file].path, SOURCE), use)
        for file, use in _uses(artifacts.shipments[name], loaded, artifacts)
    ]
    findings = {
        tag: [finding for raw, use in read for finding in check_module(raw, [replace(use, runtime=tag)], rules)]
        for tag in loaded.runtimes
    }
    return {tag: tuple(sorted(by_tag, key=lambda finding: finding.severity)) for tag, by_tag in findings.items()}


def _uses(shipment: Shipment, loaded: Loaded, artifacts: Artifacts) -> Iterator[tuple[str, Use]]:
    """Yield the files of one function and how it uses them."""
    code = loaded.code[shipment.function]
    if code.entry is None:
        return
    function = loaded.manifest.functions[shipment.function]
    use = _use(shipment, code, function, loaded.manifest.installed_modules(function), artifacts)
    modules = _modules(shipment)
    entry = next((file for module, file in modules if module == code.entry and file in artifacts.files), None)
    for module, file in modules:
        if module == code.entry:
            yield file, use
        elif entry is not None and file in artifacts.files:
            mine = module.removesuffix(".py"), artifacts.files[entry].sha256
            yield file, replace(use, class_name=None, entry=mine)
        else:
            yield file, replace(use, class_name=None, helpers=())
    for path, package in _own_packages(shipment):
        for inside in package.sources:
            yield _beside(path, inside), _inside(use, inside, package.sources)


def _use(shipment: Shipment, code: Code, function: Function, installed: tuple[str, ...], artifacts: Artifacts) -> Use:
    """Return how a function uses the module that holds its class."""
    archives, libraries, packages = shipment.of("archive"), shipment.of("library"), _own_packages(shipment)
    ours = filter(_is_ours, shipment.of("module"))
    listed = [(item.label, item.type) for item in shipment.items if item.package is None and not _is_ours(item)]
    shipped = [(item.name, item.type) for item in (*archives, *libraries, *ours)]
    renamed = (str(code.entry).removesuffix(".py"),) if code.versioned else ()
    peers = [name[:-3] for name, kind in listed if kind == "py"]
    in_resources, unseen = look_into(shipment.of("resource"))
    return Use(
        runtime=code.runtime.tag,
        class_name=code.class_path.rpartition(".")[2],
        resources=(*listed, *shipped),
        modules=_modules_in(archives),
        peers=tuple(name for name in peers if name not in renamed),
        in_resources=in_resources,
        unseen=unseen,
        isolated=function.is_contained or bool(libraries) or _is_native(archives, listed),
        renamed=renamed,
        installed=installed,
        image=function.image,
        own_packages=tuple(module_name(path) for path, _ in packages),
        wired=function.source is not None and function.wire,
        helpers=tuple(_helpers(shipment, code.entry, artifacts)),
    )


def _modules_in(archives: Iterable[Item]) -> tuple[str, ...]:
    """Return the modules at the top of archives, sorted."""
    return tuple(sorted({name for item in archives if item.facts for name in item.facts.modules}))


def _is_native(archives: Iterable[Item], listed: Iterable[tuple[str, str | None]]) -> bool:
    is_packed = any(isinstance(item.made_of, Archive) and item.made_of.native for item in archives)
    return is_packed or any(_is_library(name) for name, _ in listed)


def _is_ours(item: Item) -> bool:
    """Say whether an item is one of the user's own packages."""
    return isinstance(item.made_of, OwnPackage)


def _modules(shipment: Shipment) -> list[tuple[str, str]]:
    """Return the Python modules that lie beside each other in the function's folder, each with its file."""
    return [(item.label, item.file) for item in shipment.items if item.type == "py" and item.file is not None]


def _own_packages(shipment: Shipment) -> list[tuple[str, OwnPackage]]:
    """Return the user's own packages, each with its path."""
    return [(str(item.file), item.made_of) for item in shipment.items if isinstance(item.made_of, OwnPackage)]


def _helpers(shipment: Shipment, entry: str | None, artifacts: Artifacts) -> Iterator[tuple[str, str]]:
    """Yield the modules beside the entry module, each with the sha256 of its text."""
    for module, file in _modules(shipment):
        if module != entry and file in artifacts.files:
            yield module.removesuffix(".py"), artifacts.files[file].sha256
    for _, package in _own_packages(shipment):
        for inside, content in package.sources.items():
            yield inside.removesuffix(".py").removesuffix("/__init__").replace("/", "."), content.sha256


def _inside(use: Use, inside: str, sources: Iterable[str]) -> Use:
    """Return how a function uses a module of a package; Python 2.7 finds its neighbours by their plain names, too."""
    folder = inside.rpartition("/")[0]
    start = len(folder) + 1
    beside = {
        source[start:].partition("/")[0].removesuffix(".py") for source in sources if source.startswith(f"{folder}/")
    }
    peers = (*use.peers, *sorted(beside)) if python_version(use.runtime) < (3,) else use.peers
    return replace(use, class_name=None, helpers=(), peers=peers, package=folder.replace("/", "."))


def _is_library(name: str) -> bool:
    return name.endswith(".so") or ".so." in name
