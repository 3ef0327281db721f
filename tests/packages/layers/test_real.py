"""Real Debian packages and wheels of a real index, laid into layers; every night, as they are fetched."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest

from reconciler.base.errors import PackageError
from reconciler.packages.debian.mirror import find_mirror

if TYPE_CHECKING:
    from pathlib import Path

    from tests.packages.layers.workbench import Bench

pytestmark = pytest.mark.skipif(
    os.environ.get("UDFS_PROOF") != "whole", reason="fetches suites and a hundred packages: every night"
)
IS_DEBIAN_12 = platform.machine() == "x86_64" and platform.libc_ver()[1] == "2.36"


@pytest.fixture(autouse=True)
def mirror() -> None:
    try:
        find_mirror(os.environ)
    except PackageError as error:
        pytest.skip(f"needs a mirror of Debian: {error}")


def manifest(package: str, runtime: str = "custom.debian12") -> str:
    return (
        f"packages: {{p: {{{package}, slim: true}}}}\nlayers: {{l: {{packages: [p], runtimes: [{runtime}]}}}}\n"
        f"functions: {{f: {{source: f.py, runtime: {runtime}, layers: [l]}}}}\n"
    )


def run(bench: Bench, opt: Path, program: str) -> subprocess.CompletedProcess[str]:
    """Run Python over a layer, with a PATH on which there is nothing to ask for libraries."""
    with ZipFile(bench.collect().layers["l", "custom.debian12"].content.path) as archive:
        archive.extractall(opt)
    env = {"PATH": "", "PYTHONPATH": f"{opt}/python", "LD_LIBRARY_PATH": f"{opt}/lib"}
    return subprocess.run(
        [sys.executable, "-c", program], env=env, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.skipif(not IS_DEBIAN_12, reason="needs Debian 12, whose libraries are loaded here")
def test_pyzbar_fails_without_the_patch_and_works_with_it(bench: Bench, tmp_path: Path) -> None:
    program = "from pyzbar.pyzbar import decode; print(decode((bytes(64 * 64), 64, 64)))"
    bench.write(manifest("requirements: [pyzbar], debian: [libzbar0]"), **{"f.py": ""})
    bench.lock()
    assert [problem.code for problem in bench.problems()] == ["E467"]
    assert "Unable to find zbar shared library" in run(bench, tmp_path / "without", program).stderr
    patched = replace(bench)
    patched.write(manifest("requirements: [pyzbar], debian: [libzbar0], find_library: patch"))
    assert patched.problems() == ()
    assert run(patched, tmp_path / "with", program).stdout.strip() == "[]"


def test_tesseract_of_debian_12_is_refused_on_debian_11_and_that_of_its_own_suite_is_not(bench: Bench) -> None:
    bench.write(manifest("debian: [tesseract-ocr], suite: bookworm", "python3.12"), **{"f.py": ""})
    bench.lock()
    problem = next(problem for problem in bench.problems() if problem.severity == "error")
    assert (problem.code, problem.hint) == ("E412", "the suite that fits is bullseye, of Debian 11")
    assert any("GLIBC_2.3" in line and line.startswith("lib/") for line in problem.detail)
    bench.write(manifest("debian: [tesseract-ocr]", "python3.12"))
    bench.lock()
    assert not [problem.message for problem in bench.problems() if problem.severity == "error"]


@pytest.mark.parametrize("names", ["libgdal32", "tesseract-ocr, libmagic1", "ghostscript"])
def test_closures_of_debian_are_closed_to_the_gate_and_a_hole_is_named(bench: Bench, names: str) -> None:
    """apt's closure over its base lacks nothing, so that an error of the gate is one."""
    bench.write(manifest(f"debian: [{names}]"), **{"f.py": ""})
    bench.lock()
    assert not [problem.message for problem in bench.problems() if problem.severity == "error"]
    bench.write(manifest(f"debian: [{names}], exclude: ['libgomp.so*', 'libpng16.so*']"))
    messages = [problem.message for problem in bench.problems() if problem.code == "E459"]
    assert messages
    assert all("needs it" in message for message in messages)
