"""
Layers and code archives: what functions of a service are made of to which each of them is one archive, and its layers others.

A layer has modules in ``python/`` and libraries in ``lib/``, as the vendor's runtimes look for them; beside a function's code both lie at the
top, and its libraries in ``lib/``. Members of wheels are copied as they lie in them, so that an archive is the same everywhere.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING

from reconciler.base.errors import PackageError
from reconciler.manifest.model import Resource
from reconciler.packages.artifacts import Artifacts, Item, PackedCode, PackedLayer, Shipment
from reconciler.packages.content import read_content
from reconciler.packages.inspect import gate
from reconciler.packages.judged import Judged, is_wrong, judge, problem_of
from reconciler.packages.layer_checks import MODULE_FOLDER, judge_layers
from reconciler.packages.libraries import find_libraries
from reconciler.packages.pack.archives import Shape, clash_error, combine, lay_out, pack_once
from reconciler.packages.pack.folders import pack_files, pack_folder
from reconciler.packages.pack.zips import make_entry, write_zip, zip_entries
from reconciler.packages.parts import Parts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from reconciler.base.errors import Problem
    from reconciler.manifest.load import Loaded
    from reconciler.manifest.model import Package
    from reconciler.manifest.runtimes import Runtime, Service
    from reconciler.packages.artifacts import Keys, Wheel
    from reconciler.packages.content import Content
    from reconciler.packages.debian_files import DebianFiles
    from reconciler.packages.fetch.cache import Cache
    from reconciler.packages.pack.zips import Packed
    from reconciler.packages.wheels import Supply, WheelRequest

LIBRARY_FOLDER = "lib/"
"""Of a layer, and of code."""

_FIND_LIBRARY = """\
# Written by udfs for `find_library: patch`. Without ldconfig and a compiler ctypes.util.find_library finds nothing, though the
# library lies in a layer: first it looks there.
import ctypes.util
import os

FOLDERS = []


def _patch(system, path):
    def find_library(name):
        for folder in path + FOLDERS:
            try:
                files = sorted(os.listdir(folder))
            except OSError:
                continue
            for file in files:
                if file.startswith("lib%s.so" % name):
                    return file if folder in path else os.path.join(folder, file)
        return system(name)

    return find_library


ctypes.util.find_library = _patch(
    ctypes.util.find_library, [folder for folder in os.environ.get("LD_LIBRARY_PATH", "").split(":") if folder]
)
"""
"""
A sitecustomize, which Python imports when it starts, if it lies on ``sys.path`` by then.

That the runtimes have ``/opt/python`` there so early is what the vendor's page on layers says, and was not tried.
"""

_APART = "leave the file out of one with `exclude:`, or put them into layers of their own"


def find_library_patch(service: Service) -> bytes:
    """Return the module that lets `ctypes.util.find_library` find what lies in a service's layers, or beside code."""
    folders = [
        f"{service.layer_folder}{LIBRARY_FOLDER.rstrip('/')}",
        f"{service.code_folder}{LIBRARY_FOLDER.rstrip('/')}",
    ]
    return _FIND_LIBRARY.replace("FOLDERS = []", f"FOLDERS = {folders!r}").encode()


def collect_code(loaded: Loaded, cache: Cache, supply: Supply | None, files: Judged[dict[str, Content]]) -> Artifacts:
    """Return the layers and the code of a manifest, from its files; raises one PackageError with all problems."""
    parts = find_parts(loaded, cache, supply, files.value)
    problems = [*files.problems, *parts.problems]
    if is_wrong(problems):  # what is not there cannot be missed, and would be
        raise PackageError.of(dict.fromkeys(problems))
    problems += judge_layers(loaded, parts.value, cache)
    if is_wrong(problems):
        raise PackageError.of(dict.fromkeys(problems))
    layers = judge(
        {
            (name, tag): partial(pack_layer, name, loaded.runtimes[tag], loaded, parts.value, cache)
            for name, layer in loaded.manifest.layers.items()
            for tag in layer.runtimes
        },
        lambda pair: loaded.at("layers", pair[0]),
        lambda pair, _: _duplicates(
            pair[0], loaded.manifest.layers[pair[0]].packages, pair[1], ("layers",), parts.value, loaded
        ),
    )
    code = judge(
        {name: partial(pack_code, name, loaded, parts.value, cache) for name in loaded.manifest.functions},
        lambda name: loaded.at("functions", name),
        lambda name, packed: _duplicates(
            name, loaded.manifest.functions[name].packages, packed.runtime.tag, ("functions",), parts.value, loaded
        ),
    )
    problems += [*layers.problems, *code.problems]
    if is_wrong(problems):
        raise PackageError.of(dict.fromkeys(problems))
    warnings = tuple(dict.fromkeys(problems))
    shipments = {name: _ship(name, loaded, layers.value, packed) for name, packed in code.value.items()}
    return Artifacts(
        parts.value.files,
        {},
        {package: tuple(libraries) for package, libraries in parts.value.libraries.items()},
        wheels={pair: tuple(wheels) for pair, wheels in parts.value.wheels.items()},
        warnings=warnings,
        shipments=shipments,
        layers=layers.value,
        code=code.value,
    )


def _ship(function: str, loaded: Loaded, layers: Mapping[tuple[str, str], PackedLayer], code: PackedCode) -> Shipment:
    """Return what a function ships: its code, and the layers that it lists."""
    items = [Item(f"{function}.zip", "archive", ("functions", function), "archive", code.content)]
    for number, layer in enumerate(loaded.manifest.functions[function].layers):
        if (packed := layers.get((layer, code.runtime.tag))) is not None:
            keys: Keys = ("functions", function, "layers", number)
            items.append(Item(f"{layer}.zip", "archive", keys, "archive", packed.content))
    return Shipment(function, code.runtime, tuple(items))


def find_parts(loaded: Loaded, cache: Cache, supply: Supply | None, files: Mapping[str, Content]) -> Judged[Parts]:
    """Return what packages bring for the runtimes that use them; `supply` is None where there are none."""
    if supply is None:
        return Judged(Parts(files))
    from reconciler.packages.wheels import find_wheels

    wheels = find_wheels(loaded, supply)
    by_pair: defaultdict[tuple[str, str], list[Wheel]] = defaultdict(list)
    carriers: list[tuple[WheelRequest, Wheel]] = []
    for request, wheel in wheels.value:
        if request.library is not None:
            carriers.append((request, wheel))
        else:
            by_pair[request.package, request.runtime.tag].append(wheel)
    libraries = find_libraries(loaded, files, carriers, cache)
    problems = [*wheels.problems, *libraries.problems]
    debian: dict[tuple[str, str], DebianFiles] = {}
    if any(package.debian for package in loaded.manifest.packages.values()):
        from reconciler.packages.debian_files import find_debian

        packages = find_debian(loaded, supply)
        debian = packages.value
        problems += packages.problems
    return Judged(Parts(files, by_pair, libraries.value, debian), tuple(problems))


def pack_layer(layer: str, runtime: Runtime, loaded: Loaded, parts: Parts, cache: Cache) -> PackedLayer:
    """Return a layer for one of its runtimes, from the cache or packed now; raises E424 for different files in one place."""
    packages = loaded.manifest.layers[layer].packages
    recipe = ["layer", _recipe(packages, runtime, loaded, parts)]

    def members() -> Iterator[tuple[str, Sequence[Packed]]]:
        yield from _package_members(packages, runtime, loaded, parts, cache, MODULE_FOLDER)

    return PackedLayer(_pack(f"{layer}.zip", recipe, members, cache))


def pack_code(function: str, loaded: Loaded, parts: Parts, cache: Cache) -> PackedCode:
    """Return the archive of a function: its source at the top, or all of its folder, and beside it what its own packages bring."""
    declared, runtime = loaded.manifest.functions[function], loaded.code[function].runtime
    own = _pack_source(function, loaded, parts, cache)
    companions = [(name, read_content(path), False) for name, path in declared.companions.items()]
    if own is not None and not declared.packages and not companions:
        return PackedCode(runtime, own)
    beside = [(name, content.sha256) for name, content, _ in companions]
    recipe = ["code", own.sha256 if own else "", beside, _recipe(declared.packages, runtime, loaded, parts)]

    def members() -> Iterator[tuple[str, Sequence[Packed]]]:
        if own is not None:
            yield str(declared.source), tuple(zip_entries(own.path))
        if companions:
            yield "udfs", tuple(zip_entries(pack_files(companions, cache).path))
        yield from _package_members(declared.packages, runtime, loaded, parts, cache, "")

    return PackedCode(runtime, _pack(f"{function}.zip", recipe, members, cache))


def _pack_source(function: str, loaded: Loaded, parts: Parts, cache: Cache) -> Content | None:
    declared = loaded.manifest.functions[function]
    if (source := declared.source) is None:
        return None
    if (content := parts.files.get(source)) is not None:
        return pack_files([(source.rpartition("/")[2], content, False)], cache)
    name = f"{source.strip('/').rpartition('/')[2]}.zip"
    return pack_folder(name, loaded.folder / source, source, Resource(exclude=list(declared.exclude)), cache).content


def _pack(
    name: str, recipe: object, members: Callable[[], Iterator[tuple[str, Sequence[Packed]]]], cache: Cache
) -> Content:
    def make(folder: Path) -> tuple[Path, tuple[()], tuple[()]]:
        merged, clashes = combine(members())
        if clashes:
            raise clash_error(f"what '{name.removesuffix('.zip')}' is made of", clashes, hint=_APART)
        with (folder / name).open("xb") as out:
            write_zip(out, merged)
        return folder / name, (), ()

    return pack_once(recipe, cache, make).content


def _recipe(packages: Sequence[str], runtime: Runtime, loaded: Loaded, parts: Parts) -> list[object]:
    """Return all that the bytes of what packages bring depend on."""
    return [
        [
            [(wheel.filename, wheel.content.sha256) for wheel in parts.wheels.get((package, runtime.tag), ())],
            [(library.name, library.content.sha256) for library in parts.libraries.get(package, ())],
            find_library_patch(runtime.service).decode() if loaded.manifest.packages[package].find_library else "",
            debian.recipe if (debian := parts.debian.get((package, runtime.tag))) else [],
            asdict(_shape(loaded.manifest.packages[package])),
        ]
        for package in packages
    ]


def _shape(package: Package) -> Shape:
    return Shape(package.slim, tuple(package.exclude), package.byte_compile)


def _package_members(
    packages: Sequence[str], runtime: Runtime, loaded: Loaded, parts: Parts, cache: Cache, python: str
) -> Iterator[tuple[str, Sequence[Packed]]]:
    """Yield the members of what packages bring, each where it belongs: modules below `python`, libraries in their folder."""
    for package in packages:
        wheels = parts.wheels.get((package, runtime.tag), ())
        layout = lay_out(
            [(wheel.filename, tuple(zip_entries(wheel.content.path))) for wheel in wheels],
            _shape(loaded.manifest.packages[package]),
        )
        if layout.clashes:
            raise clash_error(f"the wheels of '{package}'", layout.clashes, hint=_APART)
        yield package, [replace(member, name=python + member.name) for member in layout.members]
        if libraries := parts.libraries.get(package, ()):
            packed = pack_files([(f"{LIBRARY_FOLDER}{of.name}", of.content, False) for of in libraries], cache)
            yield package, tuple(zip_entries(packed.path))
        if loaded.manifest.packages[package].find_library:
            yield package, [make_entry(f"{python}sitecustomize.py", find_library_patch(runtime.service))]
        if (debian := parts.debian.get((package, runtime.tag))) is not None:
            yield f"Debian packages of '{package}'", tuple(debian.members())


def _duplicates(
    name: str, packages: Sequence[str], tag: str, section: Keys, parts: Parts, loaded: Loaded
) -> Iterator[Problem]:
    """Yield the distributions that one archive would have in two versions."""
    from packaging.utils import parse_wheel_filename

    names = [(package, wheel.filename) for package in packages for wheel in parts.wheels.get((package, tag), ())]
    parsed = [(package, parse_wheel_filename(filename)) for package, filename in names]
    distributions = [(package, str(distribution), str(version)) for package, (distribution, version, *_) in parsed]
    for finding in gate.duplicates({}, distributions):
        yield problem_of(name, finding, loaded.at(*section, name), loaded.forced)
