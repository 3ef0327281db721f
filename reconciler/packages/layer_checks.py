"""
Checks of layers and code: whether what a function has together loads in its runtime, and what ELF files cannot show.

The second half are things that fail at run time without a word that helps: `ctypes.util.find_library` finds nothing without ldconfig and a
compiler, data is looked for where Debian would have installed it, and LD_LIBRARY_PATH is read when a process starts and never again.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import TYPE_CHECKING

from reconciler.base.errors import Position, Problem
from reconciler.base.inputs import SOURCE, read_input
from reconciler.manifest.suites import SUITES, fitting_suite
from reconciler.packages.fetch.cache import load_record, record_path, save_record
from reconciler.packages.inspect import gate
from reconciler.packages.inspect.contents import FileFacts, Native
from reconciler.packages.inspect.library_path import PlacedNative, find_missing, find_rivals, find_strays
from reconciler.packages.inspect.members import packed_path
from reconciler.packages.judged import problem_of
from reconciler.packages.pack.zips import zip_entries

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from reconciler.manifest.load import Loaded
    from reconciler.manifest.runtimes import Runtime
    from reconciler.packages.artifacts import Wheel
    from reconciler.packages.debian_files import DebianFiles
    from reconciler.packages.fetch.cache import Cache
    from reconciler.packages.parts import Parts

MODULE_FOLDER = "python/"
"""Of a layer."""

VARIABLE_PATHS = (
    ("MAGIC", re.compile(r"((?:usr/)?share/misc/magic\.mgc)\Z")),
    ("TESSDATA_PREFIX", re.compile(r"((?:usr/)?share/tesseract-ocr/[^/]+/tessdata)/")),
    ("GDAL_DATA", re.compile(r"((?:usr/)?share/gdal)/")),
    ("PROJ_DATA", re.compile(r"((?:usr/)?share/proj)/proj\.db\Z")),
    ("FONTCONFIG_PATH", re.compile(r"(etc/fonts)/fonts\.conf\Z")),
)
"""Variable → the data that is found by it, where Debian's packages have it."""

_OLD_PROJ = re.compile(r"libproj\.so\.(1?\d|2[0-4])\Z")
"""PROJ before 9.1, which reads PROJ_LIB."""

_ASKS = re.compile(rb"find_library\(\s*[rubRUB]{0,2}['\"]([\w.+-]+)['\"]")
_SPEAKS_OF = b"LD_LIBRARY_PATH"
VERSION = 1
"""Of what is read from wheels. With another number all are read again."""


@dataclass(frozen=True)
class PackageFolder:
    """What packages bring into one folder that a function sees: ``/opt/`` of its layers, or ``/code/``."""

    top: str
    modules: str
    """Where modules lie in it: ``python/``, or nothing."""

    packages: tuple[str, ...]


def judge_layers(loaded: Loaded, parts: Parts, cache: Cache) -> Iterator[Problem]:
    """Yield what is wrong with layers and code of all functions; of layers that no function uses, by themselves."""
    service = loaded.manifest.service
    yield from _debian_misfits(loaded, parts)
    judged: set[object] = set()
    used: set[tuple[str, str]] = set()
    for name, function in loaded.manifest.functions.items():
        runtime = loaded.code[name].runtime
        layers = [layer for layer in function.layers if layer in loaded.manifest.layers]
        used |= {(layer, runtime.tag) for layer in layers}
        folders = [_layer_folder(loaded, layer) for layer in layers]
        folders.append(PackageFolder(service.code_folder, "", tuple(function.packages)))
        position = loaded.at("functions", name)
        yield from _data_variables(name, folders, function.environment, runtime, parts, position)
        yield from _environment_in_sources(name, loaded, parts)
        key = (tuple(folders), runtime.tag, function.environment.get(_SPEAKS_OF.decode()))
        if key not in judged:
            judged.add(key)
            yield from _check_folders(name, folders, runtime, function.environment, loaded, parts, cache, position)
    for layer, declared in loaded.manifest.layers.items():
        for tag in declared.runtimes:
            if (layer, tag) not in used:
                folders, position = [_layer_folder(loaded, layer)], loaded.at("layers", layer)
                yield from _check_folders(layer, folders, loaded.runtimes[tag], {}, loaded, parts, cache, position)


def _layer_folder(loaded: Loaded, layer: str) -> PackageFolder:
    return PackageFolder(
        loaded.manifest.service.layer_folder, MODULE_FOLDER, tuple(loaded.manifest.layers[layer].packages)
    )


# --- Libraries ------------------------------------------------------------------------------------------------------------


def _debian_misfits(loaded: Loaded, parts: Parts) -> Iterator[Problem]:
    """Yield why files of Debian packages do not load in a runtime, with the suite that does."""
    for (package, tag), debian in parts.debian.items():
        runtime = loaded.runtimes[tag]
        natives = tuple(Native(file.path, file.elf) for file in debian.placed if file.elf is not None)
        fitting = fitting_suite(runtime.glibc)
        key = "suite" if loaded.manifest.packages[package].suite else "debian"
        for finding in gate.misfits(FileFacts(natives=natives), runtime, has_programs=True):
            hint = f"the suite that fits is {fitting}, of Debian {SUITES[fitting].release}" if fitting else finding.hint
            yield problem_of(package, replace(finding, hint=hint), loaded.at("packages", package, key), loaded.forced)


def _check_folders(
    name: str,
    folders: Sequence[PackageFolder],
    runtime: Runtime,
    environment: Mapping[str, str],
    loaded: Loaded,
    parts: Parts,
    cache: Cache,
    position: Position,
) -> Iterator[Problem]:
    service = loaded.manifest.service
    natives = [placed for folder in folders for placed in _placed_natives(folder, runtime, loaded, parts)]
    if not natives:
        return
    search = {f"{service.layer_folder}lib", f"{service.code_folder}lib", service.code_folder.rstrip("/")}
    search |= {path.rstrip("/") for path in environment.get(_SPEAKS_OF.decode(), "").split(":") if path}
    search |= {path for folder in folders for path in _tree_folders(folder, runtime, loaded, parts)}
    base = {soname for _, debian in _debian_of(folders, runtime, parts) for soname in debian.provided}
    findings = [
        *find_missing(natives, search, base, runtime),
        *find_rivals(natives, search),
        *find_strays(natives, (service.layer_folder, service.code_folder)),
    ]
    yield from (problem_of(name, finding, position, loaded.forced) for finding in findings)
    sonames = {placed.name for placed in natives if placed.path.rpartition("/")[0] in search}
    yield from _library_searches(name, folders, runtime, sonames, loaded, parts, cache, position)


def _debian_of(
    folders: Iterable[PackageFolder], runtime: Runtime, parts: Parts
) -> Iterator[tuple[PackageFolder, DebianFiles]]:
    for folder in folders:
        for package in folder.packages:
            if (debian := parts.debian.get((package, runtime.tag))) is not None:
                yield folder, debian


def _tree_folders(folder: PackageFolder, runtime: Runtime, loaded: Loaded, parts: Parts) -> Iterator[str]:
    """Yield where libraries lie that keep Debian's paths; that LD_LIBRARY_PATH has these is for the function to say."""
    from reconciler.packages.debian.layout import is_on_path

    for package in folder.packages:
        debian = parts.debian.get((package, runtime.tag))
        if debian is not None and loaded.manifest.packages[package].layout == "tree":
            for file in debian.placed:
                if file.elf is not None and is_on_path(file.path):
                    yield f"{folder.top}{file.path.rpartition('/')[0]}"


def _placed_natives(folder: PackageFolder, runtime: Runtime, loaded: Loaded, parts: Parts) -> Iterator[PlacedNative]:
    for package in folder.packages:
        for wheel in parts.wheels.get((package, runtime.tag), ()):
            for native in wheel.facts.natives:
                if native.is_loaded:
                    path = f"{folder.top}{folder.modules}{packed_path(native.path)}"
                    yield PlacedNative(native, path, wheel.filename, is_module=True)
        for library in parts.libraries.get(package, ()):
            for native in library.facts.natives:
                yield PlacedNative(native, f"{folder.top}lib/{library.name}", package, library.content.sha256)
        debian = parts.debian.get((package, runtime.tag))
        for file in debian.placed if debian is not None else ():
            if file.elf is not None:
                native = Native(file.path, file.elf)
                yield PlacedNative(native, f"{folder.top}{file.path}", file.package, file.file.sha256, is_debian=True)


# --- What ELF files cannot show -------------------------------------------------------------------------------------------


def find_variables(folders: Iterable[PackageFolder], runtime: Runtime, parts: Parts) -> dict[str, str]:
    """Return the variables by which libraries in these folders find their data, with their values."""
    variables: dict[str, str] = {}
    for folder, debian in _debian_of(folders, runtime, parts):
        paths = [file.path for file in debian.placed]
        has_old_proj = any(_OLD_PROJ.search(path) for path in paths)
        for variable, pattern in VARIABLE_PATHS:
            name = "PROJ_LIB" if variable == "PROJ_DATA" and has_old_proj else variable
            match = next(filter(None, map(pattern.match, paths)), None)
            if match is not None:
                variables.setdefault(name, f"{folder.top}{match[1]}")
    return variables


def _data_variables(
    name: str,
    folders: Sequence[PackageFolder],
    environment: Mapping[str, str],
    runtime: Runtime,
    parts: Parts,
    position: Position,
) -> Iterator[Problem]:
    unset = {
        variable: value
        for variable, value in find_variables(folders, runtime, parts).items()
        if variable not in environment
    }
    if unset:
        names = ", ".join(unset)
        message = f"'{name}' does not set {names}: without, libraries look for their data where Debian installs it"
        listed = ", ".join(f"{variable}: {value}" for variable, value in unset.items())
        yield Problem("E468", message, position, f"environment: {{{listed}}}", severity="warning")


def _library_searches(
    name: str,
    folders: Sequence[PackageFolder],
    runtime: Runtime,
    sonames: Iterable[str],
    loaded: Loaded,
    parts: Parts,
    cache: Cache,
    position: Position,
) -> Iterator[Problem]:
    """Yield the libraries that Python asks `ctypes.util.find_library` for, and that it would not find although they are shipped."""
    packages = [package for folder in folders for package in folder.packages]
    if any(loaded.manifest.packages[package].find_library == "patch" for package in packages):
        return
    shipped = {soname.partition(".so")[0].removeprefix("lib") for soname in sonames}
    asking = {
        (wheel.filename, file, library): package
        for package in packages
        for wheel in parts.wheels.get((package, runtime.tag), ())
        for file, library in _library_calls(wheel, cache)
        if library in shipped
    }
    if asking:
        (wheel, file, library), package = next(iter(asking.items()))
        lines = [f"{file} of {wheel}: {library}" for wheel, file, library in asking]
        message = (
            f"'{name}' looks for '{library}' by ctypes.util.find_library, which finds nothing there: {file} of {wheel}"
        )
        hint = f"`find_library: patch` in the package '{package}' lets it find what is shipped"
        yield Problem(
            "E467", message, position, hint, severity="warning", detail=tuple(lines) if len(lines) > 1 else ()
        )


def _library_calls(wheel: Wheel, cache: Cache) -> list[tuple[str, str]]:
    """Return the files of a wheel that name a library to `find_library`, with its name; read once."""
    path = record_path(cache.root, f"library-calls-{VERSION}", wheel.content.sha256)
    calls = load_record(path, list[tuple[str, str]])
    if calls is None:
        members = (member for member in zip_entries(wheel.content.path) if member.name.endswith(".py"))
        calls = [
            (member.name, library.decode())
            for member in members
            if member.size <= SOURCE.size
            for library in _ASKS.findall(member.read())
        ]
        save_record(path, calls)
    return calls


def _environment_in_sources(name: str, loaded: Loaded, parts: Parts) -> Iterator[Problem]:
    """Yield where a function's own source sets LD_LIBRARY_PATH in its process."""
    source = loaded.manifest.functions[name].source
    if source is None:
        return
    top = loaded.folder / source
    files = sorted(top.rglob("*.py")) if top.is_dir() else [top] if source.endswith(".py") else []
    beside = PurePath(loaded.at().file).parent
    for file in files:
        for line, column in _settings_of_path(file):
            message = "LD_LIBRARY_PATH is set in the running process, which reads it when it starts and never again"
            hint = "set it under the function's `environment:`; only programs that are started from here see it so"
            yield Problem(
                "E469",
                message,
                Position(str(beside / file.relative_to(loaded.folder)), line, column),
                hint,
                severity="warning",
            )


def _settings_of_path(file: Path) -> list[tuple[int, int]]:
    """Return line and column of each place that sets LD_LIBRARY_PATH; none where the file cannot be read, which others tell."""
    try:
        text = read_input(file, SOURCE)
        tree = ast.parse(text) if _SPEAKS_OF in text else None
    except (OSError, SyntaxError, ValueError, RecursionError):
        return []
    return [(node.lineno, node.col_offset + 1) for node in ast.walk(tree) if _sets_path(node)] if tree else []  # type: ignore[attr-defined]


def _sets_path(node: ast.AST) -> bool:
    if isinstance(node, ast.Assign | ast.AugAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return any(
            isinstance(target, ast.Subscript) and _is_environ(target.value) and _names_path(target.slice)
            for target in targets
        )
    if not (isinstance(node, ast.Call) and node.args and isinstance(node.func, ast.Attribute)):
        return False
    is_setter = node.func.attr == "putenv" or (node.func.attr == "setdefault" and _is_environ(node.func.value))
    return is_setter and _names_path(node.args[0])


def _is_environ(node: ast.AST) -> bool:
    return (isinstance(node, ast.Attribute) and node.attr == "environ") or (
        isinstance(node, ast.Name) and node.id == "environ"
    )


def _names_path(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value == _SPEAKS_OF.decode()
