"""A library that no wheel of a function brings is taken out of one that carries it for itself, and found in a real CPython under the name that is needed."""

from __future__ import annotations

import os
import platform
from typing import TYPE_CHECKING

import pytest

from reconciler.cli.entry import run
from reconciler.local.runner import InterpreterNotFound, locate
from tests import builders, natives

if TYPE_CHECKING:
    from pathlib import Path

TAG = "manylinux2014_x86_64"
INSIDE = "libtiny-1a2b3c4d.so.1.0.0"
"""As auditwheel calls it."""

SOURCE = """
from odps.udf import annotate

@annotate("->bigint")
class F(object):
    def evaluate(self):
        import consumer
        return consumer.uses()
"""
CONSUMER = "import ctypes, os\nuses = ctypes.CDLL(os.path.join(os.path.dirname(__file__), '_uses.so')).uses\n"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with two wheels, of which one needs what the other carries, and no index."""
    try:
        locate("cp37", os.environ)
    except InterpreterNotFound as missing:
        pytest.skip(str(missing))
    if platform.machine() != "x86_64":
        pytest.skip("the wheels are for x86-64")
    tiny, build, dist = "int tiny(void) { return 41; }", tmp_path / "build", tmp_path / "dist"
    carried = natives.compiled(build, INSIDE, tiny, f"-Wl,-soname,{INSIDE}")
    linked = natives.compiled(build, "libtiny.so.1", tiny, "-Wl,-soname,libtiny.so.1")
    uses = natives.compiled(build, "_uses.so", "int tiny(void); int uses(void) { return tiny() + 1; }", str(linked))
    dist.mkdir()
    files = {"carrier/__init__.py": b"", f"carrier.libs/{INSIDE}": carried.read_bytes()}
    builders.wheel(dist, "carrier", tag=f"cp37-cp37m-{TAG}", files=files, requires=("nowhere",))
    files = {"consumer/__init__.py": CONSUMER.encode(), "consumer/_uses.so": uses.read_bytes()}
    builders.wheel(dist, "consumer", tag=f"py3-none-{TAG}", files=files)
    (tmp_path / "f.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    for name, value in {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": "/dev/null", "UV_NO_INDEX": "1"}.items():
        monkeypatch.setenv(name, value)
    return tmp_path


def write(folder: Path, libraries: str) -> None:
    package = f"{{requirements: [consumer], find_links: [dist], libraries: [{libraries}]}}"
    functions = "functions: {f: {source: f.py, class: F, packages: [p]}}"
    (folder / "udfs.yaml").write_text(f"stack: s\npython: cp37\npackages:\n  p: {package}\n{functions}\n")


def test_a_library_is_taken_out_of_the_wheel_that_carries_it(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(repository, "")
    assert (run(["lock"]), run(["validate"])) == (0, 3)
    assert "E415" in capsys.readouterr().err
    write(repository, "{library: libtiny.so.1, from: carrier}")
    assert run(["validate"]) == 3
    assert "the lock is stale" in capsys.readouterr().err
    assert run(["lock"]) == 0, capsys.readouterr().err
    assert "libtiny.so.1 of carrier 1.0" in capsys.readouterr().out
    assert run(["apply", "--yes"]) == 0, capsys.readouterr().err
    told = capsys.readouterr().out
    assert ("resource libtiny.so.1" in told, "carrier-1.0" in told) == (True, False)
    assert (run(["call", "f"]), capsys.readouterr().out) == (0, "42\n")


def test_a_wheel_without_the_library_says_what_it_has(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(repository, "{library: libother.so.2, from: carrier==1.0}")
    assert (run(["lock"]), run(["validate"])) == (0, 3)
    told = capsys.readouterr().err
    assert ("error[E486]" in told, INSIDE in told) == (True, True)


def test_a_carrier_is_a_distribution_of_the_index(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(repository, "{library: libtiny.so.1, from: ./dist/carrier.whl}")
    assert run(["validate"]) == 3
    assert "error[E470]" in capsys.readouterr().err
