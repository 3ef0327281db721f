"""What MaxCompute has installed beside the standard library is there in tests, calls and SQL, and nothing else of the machine is."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from reconciler.cli.entry import run
from reconciler.local.runner import InterpreterNotFound, locate
from reconciler.local.runner.distributions import DISTRIBUTIONS
from reconciler.targets.maxcompute.runtimes import distributions

MANIFEST = """\
stack: old
functions:
  shape: {source: f.py, class: F, python: cp27, tests: [{args: [2], returns: 5}]}
  pictured: {source: g.py, class: F, python: cp37, image: common, tests: [{args: [2], returns: 7}]}
"""
SOURCE = """\
from odps.udf import annotate
import {module}

try:
    import beside
except ImportError:
    beside = None

@annotate("bigint->bigint")
class F(object):
    def evaluate(self, x):
        return {module}.add(x) if beside is None else 0
"""
NUMPY = """\
import ctypes  # which no function of 2.7 may

def add(x):
    return x + 3
"""


def environment(runtime: str, folder: Path) -> Path:
    """Make what virtualenv makes, and return its Python."""
    try:
        found = locate(runtime, os.environ)
    except InterpreterNotFound as missing:
        pytest.skip(str(missing))
    program = folder / "bin" / found.path.name
    program.parent.mkdir(parents=True)
    program.symlink_to(found.path)
    return program


def install(python: Path, name: str, source: str, requires: str = "") -> None:
    """Install a distribution as pip does."""
    folder = python.parent.parent / "lib" / python.name / "site-packages"
    package, facts = folder / name, folder / f"{name}-1.0.dist-info"
    package.mkdir(parents=True)
    facts.mkdir()
    (package / "__init__.py").write_text(source)
    wanted = f"Requires-Dist: {requires}\n" if requires else ""
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{wanted}")
    (facts / "RECORD").write_text(f"{name}/__init__.py,,\n{facts.name}/METADATA,,\n../../bin/{name},,\n")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "udfs.yaml").write_text(MANIFEST)
    (tmp_path / "f.py").write_text(SOURCE.format(module="numpy"))
    (tmp_path / "g.py").write_text(SOURCE.format(module="pandas"))
    for runtime in ("cp27", "cp37"):
        monkeypatch.setenv(f"UDFS_PYTHON_{runtime.upper()}", str(environment(runtime, tmp_path / runtime)))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_is_there_in_every_way_to_run_a_function(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = (Path(os.environ[f"UDFS_PYTHON_{runtime}"]) for runtime in ("CP27", "CP37"))
    install(old, "numpy", NUMPY)
    install(old, "beside", "")
    install(new, "pandas", "import pytz\n\ndef add(x):\n    return x + pytz.FIVE\n", "pytz>=2020.1")
    install(new, "pytz", "FIVE = 5\n")

    tested = run(["test"])
    assert (tested, capsys.readouterr().out.count("passed")) == (0, 1)
    assert run(["apply", "--yes"]) == 0
    capsys.readouterr()
    assert run(["call", "shape", "40"]) == 0
    assert capsys.readouterr().out == "43\n"
    assert run(["sql", "SELECT shape(x) FROM VALUES (1), (2) t(x)", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == [[4], [5]]


def test_where_it_is_not_the_command_that_installs_it_is_named(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["test", "shape"]) == 9
    python = os.environ["UDFS_PYTHON_CP27"]
    assert (
        f"MaxCompute has numpy installed, and this machine not: {python} -m pip install numpy"
        in capsys.readouterr().out
    )


def test_the_runner_and_the_checks_have_one_list() -> None:
    assert {tag: set(names) for tag, names in DISTRIBUTIONS.items()} == {
        tag: set(distributions(tag)) for tag in DISTRIBUTIONS
    }
