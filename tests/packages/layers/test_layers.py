"""Layers and code of functions are archives in which everything lies where a runtime looks for it."""

from __future__ import annotations

import shutil
import stat
from typing import TYPE_CHECKING
from zipfile import ZipFile

from reconciler.packages.fetch.cache import Cache
from reconciler.packages.inventory import take_inventory
from tests.builders import wheel
from tests.natives import elf

if TYPE_CHECKING:
    from pathlib import Path

    from tests.packages.layers.workbench import Bench


def names(path: Path) -> list[str]:
    with ZipFile(path) as archive:
        return archive.namelist()


def test_wheels_lie_in_the_python_folder_of_a_layer_and_libraries_under_their_sonames(bench: Bench) -> None:
    wheel(bench.folder, "abc", "1.0", files={"abc_/__init__.py": "", "abc_/tests/test_x.py": ""})
    wheel(bench.folder, "xyz", "1.0", files={"xyz/__init__.py": ""})
    (bench.folder / "libz.so.1.2").write_bytes(elf(soname="libz.so.1", needed=("libc.so.6",)))
    bench.write(
        "packages:\n"
        "  a: {wheels: [abc-1.0-py3-none-any.whl], slim: true}\n"
        "  b: {wheels: [xyz-1.0-py3-none-any.whl], libraries: [libz.so.1.2]}\n"
        "layers: {both: {packages: [a, b], runtimes: [custom.debian12, python3.12]}}\n"
        "functions: {f: {source: index.py, layers: [both]}}\n",
        **{"index.py": "def handler(event, context): pass\n"},
    )
    artifacts = bench.collect()
    layer = artifacts.layers["both", "custom.debian12"].content
    assert [name for name in names(layer.path) if "dist-info" not in name] == [
        "lib/libz.so.1",
        "python/abc_/__init__.py",
        "python/xyz/__init__.py",
    ]
    assert layer.sha256 == artifacts.layers["both", "python3.12"].content.sha256
    assert names(artifacts.code["f"].content.path) == ["index.py"]
    assert [item.name for item in artifacts.shipments["f"].items] == ["f.zip", "both.zip"]
    assert {layer.sha256, artifacts.code["f"].content.sha256} <= {content.sha256 for content in artifacts.contents}
    loaded = bench.load()
    inventory = take_inventory("s", artifacts, loaded.package_runtimes, None)
    assert [(part.kind, part.name) for part in inventory.parts] == [
        ("library", "libz.so.1"),
        ("wheel", "abc"),
        ("wheel", "xyz"),
    ]


def test_a_functions_own_packages_lie_beside_its_code_and_programs_stay_executable(bench: Bench) -> None:
    wheel(bench.folder, "abc", "1.0", files={"abc_/__init__.py": ""})
    bench.write(
        "packages: {a: {wheels: [abc-1.0-py3-none-any.whl]}}\nfunctions: {f: {source: fn, packages: [a]}}\n",
        **{"fn/index.py": "", "fn/bin/run.sh": "#!/bin/sh\n", "fn/__pycache__/index.pyc": ""},
    )
    (bench.folder / "fn/bin/run.sh").chmod(0o755)
    packed = bench.collect().code["f"].content
    with ZipFile(packed.path) as archive:
        modes = {info.filename: stat.S_IMODE(info.external_attr >> 16) for info in archive.infolist()}
    assert {name: mode for name, mode in modes.items() if "dist-info" not in name} == {
        "abc_/__init__.py": 0o644,
        "bin/run.sh": 0o755,
        "index.py": 0o644,
    }


def test_an_archive_is_the_same_bytes_from_an_empty_cache(bench: Bench, tmp_path: Path) -> None:
    wheel(bench.folder, "abc", "1.0", files={"abc_/__init__.py": "a = 1\n" * 100})
    bench.write(
        "packages: {a: {wheels: [abc-1.0-py3-none-any.whl]}}\n"
        "layers: {l: {packages: [a], runtimes: [python3.12]}}\nfunctions: {f: {source: fn}}\n",
        **{"fn/index.py": "x = 1\n" * 100},
    )
    first = bench.collect()
    shutil.rmtree(tmp_path / "cache")
    bench.cache = Cache(tmp_path / "another")
    second = bench.collect()
    assert first.layers["l", "python3.12"].content.sha256 == second.layers["l", "python3.12"].content.sha256
    assert first.code["f"].content.sha256 == second.code["f"].content.sha256


def test_two_files_of_one_place_and_two_versions_of_one_distribution_are_refused(bench: Bench) -> None:
    wheel(bench.folder, "abc", "1.0", files={"abc_/__init__.py": "1"})
    wheel(bench.folder, "xyz", "1.0", files={"abc_/__init__.py": "2"})
    wheel(bench.folder, "xyz", "2.0", files={"xyz/__init__.py": "2"})
    bench.write(
        "packages:\n  a: {wheels: [abc-1.0-py3-none-any.whl]}\n  b: {wheels: [xyz-1.0-py3-none-any.whl]}\n"
        "  c: {wheels: [xyz-2.0-py3-none-any.whl]}\n"
        "layers:\n"
        "  one: {packages: [a, b], runtimes: [python3.12]}\n"
        "  two: {packages: [b, c], runtimes: [python3.12]}\n"
        "functions: {}\n"
    )
    problems = {problem.code: problem for problem in bench.problems()}
    assert "what 'one' is made of cannot be one archive: 'python/abc_/__init__.py'" in problems["E424"].message
    assert "'two' gets 'xyz' in more than one version: 1.0 and 2.0" in problems["E433"].message
    assert problems["E433"].at is not None
    assert problems["E433"].at.line == 9
