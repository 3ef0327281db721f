"""Real requirements: locked with uv and pex, applied to a service, and imported by the CPython that they were locked for."""

from __future__ import annotations

import io
import os
from contextlib import redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING

import pytest

from reconciler.cli.entry import run
from reconciler.local.runner import InterpreterNotFound, locate
from reconciler.packages.lock.file import parse_lock

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.packages.lock.file import Locked

MANIFEST = """\
stack: real
packages:
  science: {requirements: [pandas<1.2, scikit-learn, scipy]}
  schema: {requirements: [jsonschema==4.17.3]}
  hashing: {requirements: [bcrypt==4.0.1]}
  web: {requirements: ["requests[socks]==2.31.0"]}
  old: {requirements: [numpy<1.17]}
functions:
  science: {source: science.py, class: F, packages: [science]}
  schema: {source: schema.py, class: F, packages: [schema, hashing]}
  schema_311: {source: schema.py, class: F, packages: [schema, hashing, web], python: cp311}
  old: {source: old.py, class: F, packages: [old], python: cp27}
"""
FUNCTION = """\
import os, sys
from odps.udf import annotate

sys.path[:0] = ["work/" + name for name in sorted(os.listdir("work"))]

@annotate("->string")
class F(object):
    def evaluate(self):
{}
"""
SCIENCE = """\
        import numpy, pandas, scipy, sklearn
        from scipy.special import psi
        from sklearn.linear_model import LinearRegression
        frame = pandas.DataFrame({"x": [1.0, 2.0, 3.0], "y": [2.0, 4.0, 6.0]})
        fitted = LinearRegression().fit(frame[["x"]], frame["y"])
        versions = [one.__version__ for one in (numpy, pandas, scipy, sklearn)]
        return "%s %.1f %.3f" % (" ".join(versions), fitted.coef_[0], psi(1.0))
"""
SCHEMA = """\
        import bcrypt, jsonschema
        jsonschema.validate([1], {"type": "array"})
        is_same = bcrypt.checkpw(b"a", bcrypt.hashpw(b"a", bcrypt.gensalt(4)))
        return "%d.%d %s" % (sys.version_info[0], sys.version_info[1], is_same)
"""
OLD = """\
        import numpy
        return "%s %d" % (numpy.__version__, numpy.arange(4).sum())
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Path:
    """A manifest that is locked and applied, once."""
    place = tmp_path_factory.mktemp("locked")
    (place / "udfs.yaml").write_text(MANIFEST)
    for name, body in (("science", SCIENCE), ("schema", SCHEMA), ("old", OLD)):
        (place / f"{name}.py").write_text(FUNCTION.format(body))
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(io.StringIO()), redirect_stderr(said):
        patch.chdir(place)
        patch.setenv("UDFS_CACHE_DIR", str(shared_cache))
        locked = run(["lock"])
        if "E475" in said.getvalue():
            pytest.skip("the package index cannot be reached")
        assert locked == 0, said.getvalue()
        assert run(["apply", "--yes"]) == 0, said.getvalue()
    return place


@pytest.fixture
def files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], dict[str, Locked]]:
    """Package and runtime → what is locked, by name; the test runs in the folder."""
    monkeypatch.chdir(folder)
    lock = parse_lock((folder / "udfs.lock").read_bytes())
    return {
        (package, runtime): {one.name: one for one in group.files}
        for package, runtimes in lock.packages.items()
        for runtime, group in runtimes.items()
    }


def called(name: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Return what a deployed function returns here."""
    code = run(["call", name])
    told = capsys.readouterr()
    assert code == 0, told.err
    return told.out.strip()


def needs(runtime: str) -> None:
    try:
        locate(runtime, os.environ)
    except InterpreterNotFound as missing:
        pytest.skip(str(missing))


@pytest.mark.usefixtures("files")
def test_what_was_locked_for_the_runtime_works_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    """The versions are the last ones of each project that take CPython 3.7.3."""
    needs("cp37")
    assert called("science", capsys) == "1.21.6 1.1.5 1.7.3 1.0.2 2.0 -0.577"


def test_markers_choose_for_each_runtime(
    files: dict[tuple[str, str], dict[str, Locked]], capsys: pytest.CaptureFixture[str]
) -> None:
    new, old = files["schema", "cp311"], files["schema", "cp37"]
    assert set(new) == {"attrs", "jsonschema", "pyrsistent"}
    assert {"importlib-resources", "pkgutil-resolve-name", "typing-extensions"} <= set(old)
    assert old["importlib-resources"].needed_by == ["jsonschema"]
    assert new["jsonschema"].sha256 == old["jsonschema"].sha256
    assert new["pyrsistent"].tag.startswith("cp311-cp311-")
    for runtime, function in (("cp37", "schema"), ("cp311", "schema_311")):
        needs(runtime)
        assert called(function, capsys) == f"3.{runtime[3:]} True"


def test_one_abi3_wheel_serves_both_runtimes(files: dict[tuple[str, str], dict[str, Locked]]) -> None:
    assert files["hashing", "cp37"]["bcrypt"].tag == "cp36-abi3-manylinux_2_17_x86_64"
    assert files["hashing", "cp37"] == files["hashing", "cp311"]


def test_an_extra_brings_what_it_names(files: dict[tuple[str, str], dict[str, Locked]]) -> None:
    found = files["web", "cp311"]
    assert found["pysocks"].needed_by == ["requests"]
    assert found["requests"].requirements == ["requests[socks]==2.31.0"]


def test_python_2_gets_the_wheel_of_its_unicode(
    files: dict[tuple[str, str], dict[str, Locked]],
    cp27m: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (numpy,) = files["old", "cp27"].values()
    assert numpy.file == "numpy-1.16.6-cp27-cp27m-manylinux1_x86_64.whl"
    monkeypatch.setenv("UDFS_PYTHON_CP27", str(cp27m))
    assert called("old", capsys) == "1.16.6 6"


@pytest.mark.usefixtures("files")
def test_a_warm_cache_plans_without_an_index(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    assert run(["lock", "--check"]) == 0
    assert run(["plan", "--exit-code"]) == 0
    assert "fetching" not in capsys.readouterr().err
