"""What would not load, or not find its data, is told before anything is uploaded."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest

from tests.builders import wheel
from tests.natives import AARCH64, elf
from tests.packages.layers.mirror import LIBRARY_FOLDER as LIB

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.base.errors import Problem
    from tests.packages.layers.mirror import SmallMirror
    from tests.packages.layers.workbench import Bench


def manifest(package: str, runtime: str = "custom.debian12", function: str = "") -> str:
    return (
        f"packages: {{p: {{{package}}}}}\n"
        f"layers: {{l: {{packages: [p], runtimes: [{runtime}]}}}}\n"
        f"functions: {{f: {{source: f.py, runtime: {runtime}, layers: [l]{function}}}}}\n"
    )


def told(bench: Bench, text: str, source: str = "") -> dict[str, Problem]:
    bench.write(text, **{"f.py": source})
    if "debian" in text:
        bench.lock(allow_unsigned=True)
    return {problem.code: problem for problem in bench.problems()}


def test_a_layer_that_is_too_new_for_a_runtime_names_symbol_file_and_the_suite_that_fits(
    debian_bench: Bench, debian: SmallMirror
) -> None:
    new = elf(soname="liba.so.1", needed=("libc.so.6",), versions={"libc.so.6": ("GLIBC_2.14", "GLIBC_2.33")})
    debian.add("liba1", {f"{LIB}/liba.so.1": new}, Depends="libc6")
    assert told(debian_bench, manifest("debian: [liba1], suite: bookworm")) == {}
    problem = told(debian_bench, manifest("debian: [liba1], suite: bookworm", "python3.12"))["E412"]
    assert "'p' needs a newer system than python3.12" in problem.message
    assert "lib/liba.so.1 takes GLIBC_2.33 from libc.so.6, and the newest there is GLIBC_2.31" in problem.message
    assert problem.hint == "the suite that fits is bullseye, of Debian 11"
    assert problem.at is not None
    assert problem.at.line == 3


def test_a_program_of_another_machine_is_refused(debian_bench: Bench, debian: SmallMirror) -> None:
    debian.add("tool", {"usr/bin/tool": elf(machine=AARCH64)})
    assert "bin/tool is for aarch64" in told(debian_bench, manifest("debian: [tool]"))["E410"].message


def test_a_library_that_is_left_out_is_named_with_who_needs_it(debian_bench: Bench, debian: SmallMirror) -> None:
    debian.add("libb1", {f"{LIB}/libb.so.1": elf(soname="libb.so.1")})
    debian.add(
        "liba1",
        {f"{LIB}/liba.so.1": elf(soname="liba.so.1", needed=("libb.so.1", "libz.so.1"))},
        Depends="libb1, libc6",
    )
    debian.add("tool", {"usr/bin/tool": elf(needed=("liba.so.1", "libb.so.1"))}, Depends="liba1, libb1")
    assert told(debian_bench, manifest("debian: [tool]")) == {}
    problem = told(debian_bench, manifest("debian: [tool], exclude: ['libb.so*']"))["E459"]
    assert "'f' lacks 'libb.so.1': /opt/bin/tool of tool needs it and 1 more" in problem.message
    assert problem.detail == ("/opt/bin/tool of tool", "/opt/lib/liba.so.1 of liba1")
    assert problem.severity == "error"


def test_a_plugin_may_lack_what_nobody_loads_it_for(debian_bench: Bench, debian: SmallMirror) -> None:
    debian.add("plug", {f"{LIB}/plugins/extra.so": elf(needed=("libextra.so.1",))})
    assert told(debian_bench, manifest("debian: [plug]"))["E459"].severity == "warning"


def test_what_others_need_is_found_even_where_debian_leaves_it_to_an_rpath(
    debian_bench: Bench, debian: SmallMirror
) -> None:
    tool = elf(needed=("libprivate.so",), runpath=f"/{LIB}/tool")
    debian.add("tool", {"usr/bin/tool": tool, f"{LIB}/tool/libprivate.so": elf(soname="libprivate.so")})
    assert told(debian_bench, manifest("debian: [tool]")) == {}


def test_an_rpath_that_leads_out_is_told(debian_bench: Bench, debian: SmallMirror) -> None:
    debian.add("liba1", {f"{LIB}/liba.so.1": elf(soname="liba.so.1", runpath="/home/build/lib:$ORIGIN/../../../etc")})
    problem = told(debian_bench, manifest("debian: [liba1]"))["E465"]
    assert problem.detail == ("/opt/lib/liba.so.1 of liba1: /home/build/lib", "/opt/lib/liba.so.1 of liba1: /etc")


def test_two_layers_with_different_libraries_of_one_name_are_refused(debian_bench: Bench, debian: SmallMirror) -> None:
    debian.add("liba1", {f"{LIB}/liba.so.1": elf(soname="liba.so.1")})
    debian_bench.folder.mkdir()
    (debian_bench.folder / "liba.so.1").write_bytes(elf(soname="liba.so.1", names=("other",)))
    problem = told(
        debian_bench,
        "packages: {p: {debian: [liba1]}, q: {libraries: [liba.so.1]}}\n"
        "layers:\n  l: {packages: [p], runtimes: [custom.debian12]}\n  m: {packages: [q], runtimes: [custom.debian12]}\n"
        "functions: {f: {source: f.py, layers: [l, m]}}\n",
    )["E464"]
    assert problem.detail == ("/opt/lib/liba.so.1 of liba1", "/opt/lib/liba.so.1 of q")


def test_data_variables_are_told_until_they_are_set(debian_bench: Bench, debian: SmallMirror) -> None:
    debian.add(
        "libmagic-mgc", {"usr/lib/file/magic.mgc": b"m"}, links={"usr/share/misc/magic.mgc": "../../lib/file/magic.mgc"}
    )
    debian.add("tesseract-ocr-eng", {"usr/share/tesseract-ocr/5/tessdata/eng.traineddata": b"t"})
    debian.add("proj-data", {"usr/share/proj/proj.db": b"p"})
    packages = "debian: [libmagic-mgc, tesseract-ocr-eng, proj-data]"
    expected = {
        "MAGIC": "/opt/share/misc/magic.mgc",
        "TESSDATA_PREFIX": "/opt/share/tesseract-ocr/5/tessdata",
        "PROJ_DATA": "/opt/share/proj",
    }
    problem = told(debian_bench, manifest(packages))["E468"]
    assert problem.hint == f"environment: {{{', '.join(f'{name}: {value}' for name, value in expected.items())}}}"
    assert told(debian_bench, manifest(packages, function=f", environment: {expected}".replace("'", ""))) == {}


@pytest.mark.parametrize("patch", [False, True])
def test_python_that_asks_for_a_shipped_library_is_told_unless_it_is_helped(
    debian_bench: Bench, debian: SmallMirror, patch: bool
) -> None:
    code = "from ctypes.util import find_library\nA, B = find_library('a'), find_library('elsewhere')\n"
    wheel(debian_bench.folder, "pya", files={"pya.py": code})
    debian.add("liba1", {f"{LIB}/liba.so.1": elf(soname="liba.so.1")})
    package = f"debian: [liba1], wheels: [pya-1.0-py3-none-any.whl]{', find_library: patch' if patch else ''}"
    problems = told(debian_bench, manifest(package))
    assert [*problems] == ([] if patch else ["E467"])
    if not patch:
        assert "pya.py of pya-1.0-py3-none-any.whl" in problems["E467"].message


def test_the_patch_finds_a_shipped_library_by_the_name_under_which_it_loads(
    debian_bench: Bench, debian: SmallMirror, tmp_path: Path
) -> None:
    debian.add("liba1", {f"{LIB}/liba.so.1": elf(soname="liba.so.1")})
    told(debian_bench, manifest("debian: [liba1], find_library: patch"))
    opt = tmp_path / "opt"
    with ZipFile(debian_bench.collect().layers["l", "custom.debian12"].content.path) as archive:
        archive.extractall(opt)
    program = "import ctypes.util as u; print(u.find_library('a'), u.find_library('nowhere'))"
    for path, expected in ((f"/elsewhere:{opt}/lib", "liba.so.1 None"), ("", "None None")):
        env = {"PATH": "", "PYTHONPATH": f"{opt}/python", "LD_LIBRARY_PATH": path}
        done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == expected


SETTING = """\
import os
from os import environ
os.environ["LD_LIBRARY_PATH"] = "/opt/usr/lib"
environ["LD_LIBRARY_PATH"] += ":/x"
os.environ.setdefault("LD_LIBRARY_PATH", "/x")
os.putenv("LD_LIBRARY_PATH", "/x")
print(os.environ["LD_LIBRARY_PATH"], os.environ.get("LD_LIBRARY_PATH"))
os.environ["PATH"] = "LD_LIBRARY_PATH"
"""


def test_a_library_path_that_is_set_too_late_is_told_at_its_line(bench: Bench) -> None:
    bench.write("functions: {f: {source: f.py}}\n", **{"f.py": SETTING})
    places = [(problem.code, str(problem.at)) for problem in bench.problems()]
    assert places == [("E469", f"f.py:{line}:1") for line in (3, 4, 5, 6)]
