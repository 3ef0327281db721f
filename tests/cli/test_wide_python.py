"""The Python 2.7 of most machines has wide Unicode: it runs what is pure Python, and is kept from what is compiled."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest

from reconciler.cli.entry import run
from reconciler.local.runner import InterpreterNotFound, locate
from tests import builders, natives

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST = """\
stack: old
python: cp27
packages: {compiled: {wheels: [%s]}}
functions:
  pure: {source: f.py, class: F}
  compiled: {source: f.py, class: F, packages: [compiled]}
"""
SOURCE = """\
from odps.udf import annotate

@annotate("string->string")
class F(object):
    def evaluate(self, x):
        return x.upper()
"""


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> Path:
    try:
        found = locate("cp27", os.environ)
    except InterpreterNotFound as missing:
        pytest.skip(str(missing))
    if found.abi != "cp27mu":
        pytest.skip(f"needs a Python 2.7 with wide Unicode; {found.path} is {found.abi}")
    monkeypatch.setenv("UDFS_PYTHON_CP27", str(found.path))
    return found.path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    extension = natives.elf(names=("PyUnicodeUCS2_FromObject",))
    made = builders.wheel(tmp_path, "compiled", tag="cp27-cp27m-manylinux1_x86_64", files={"_c.so": extension})
    (tmp_path / "udfs.yaml").write_text(MANIFEST % made.name)
    (tmp_path / "f.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_pure_functions_run_and_compiled_ones_are_refused_with_the_way_out(
    wide: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["apply", "--yes"]) == 0
    capsys.readouterr()
    assert run(["call", "pure", "a"]) == 0
    assert capsys.readouterr().out == "A\n"
    assert run(["call", "compiled", "a"]) == 3
    told = capsys.readouterr().err
    assert re.match(
        r"error\[E706\]: f__[0-9a-f]{8}\.F cannot run here: compiled-1\.0-cp27-cp27m-manylinux1_x86_64\.zip/_c\.so",
        told,
    )
    assert f"{wide} is cp27mu: it was built with wide Unicode" in told
    assert "--enable-unicode=ucs2" in told


def test_doctor_says_what_such_a_python_can_do(wide: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor"]) == 0
    told = capsys.readouterr().out
    assert f"cp27mu, {wide}; not cp27m, so it runs pure Python only" in told
    assert "--enable-unicode=ucs2" in told
