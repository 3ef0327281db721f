"""NumPy as MaxCompute documents it: the example with its wheel in a real CPython 3.7, and installed in a real 2.7."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest

from reconciler.local.runner import Interpreter, Job, ResourceFile, call, locate
from tests.local.conftest import ENVIRONMENT, found

WHEEL = "numpy-1.19.2-cp37-cp37m-manylinux1_x86_64"
SHA256 = "62139af94728d22350a571b7c82795b9d59be77fc162414ada6c8b6a10ef5d02"
WHEEL_OF_2 = "numpy-1.16.6-cp27-cp27m-manylinux1_x86_64"
SHA256_OF_2 = "d3c5377c6122de876e695937ef41ffee5d2831154c5e4856481b93406cdfeecb"

SOURCE = f"""\
from odps.udf import annotate
import sys

@annotate("->string")
class TryImport(object):
    def __init__(self):
        sys.path.insert(0, 'work/{WHEEL}.zip')

    def evaluate(self):
        import numpy
        return "import succeed"
"""

COMPUTE = f"""\
import sys
from odps.udf import annotate

@annotate("bigint->array<double>")
class Eigenvalues(object):
    def __init__(self):
        sys.path.insert(0, 'work/{WHEEL}.zip')

    def evaluate(self, n):
        import numpy
        return sorted(numpy.linalg.eigvalsh(numpy.diag(numpy.arange(n, dtype=float))).tolist())
"""


@pytest.fixture(scope="session")
def python37() -> Interpreter:
    interpreter = found("cp37")
    if interpreter.machine != "x86_64" or sys.platform != "linux":
        pytest.skip(f"the wheel is for Linux on x86_64, this is {sys.platform} on {interpreter.machine}")
    return interpreter


def fetch(name: str, sha256: str, config: pytest.Config) -> Path:
    """Return a wheel from the package index this machine is set up for; kept in pytest's cache."""
    assert config.cache is not None
    directory = Path(config.cache.mkdir("wheels"))
    path = directory / f"{name}.whl"
    _, version, python, abi, platform = name.split("-")
    if not path.exists():
        target = ["--python-version", python.removeprefix("cp"), "--implementation", "cp", "--abi", abi]
        target += ["--platform", platform, "--only-binary", ":all:", "--no-deps"]
        # Downloaded beside and put in place whole: another process of the run may be waiting for it too.
        with tempfile.TemporaryDirectory(dir=directory) as beside:
            command = [
                sys.executable,
                "-m",
                "pip",
                "download",
                "--quiet",
                *target,
                "--dest",
                beside,
                f"numpy=={version}",
            ]
            answer = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)
            if answer.returncode != 0:
                pytest.skip(f"the package index does not give the wheel: {answer.stderr.strip().splitlines()[-1]}")
            (Path(beside) / path.name).replace(path)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == sha256
    return path


@pytest.fixture(scope="session")
def wheel(request: pytest.FixtureRequest, python37: Interpreter) -> Path:
    return fetch(WHEEL, SHA256, request.config)


@pytest.fixture
def python27(request: pytest.FixtureRequest, cp27m: Path, tmp_path: Path) -> Interpreter:
    """A virtual environment of 2.7 with NumPy in it."""
    if os.uname().machine != "x86_64":
        pytest.skip("the wheel is for x86_64")
    site = tmp_path / "lib" / "python2.7" / "site-packages"
    zipfile.ZipFile(fetch(WHEEL_OF_2, SHA256_OF_2, request.config)).extractall(site)
    program = tmp_path / "bin" / "python2.7"
    program.parent.mkdir()
    program.symlink_to(cp27m)
    return locate("cp27", {}, program)


def job(tmp_path: Path, wheel: Path, source: str, name: str) -> Job:
    (tmp_path / "import_numpy.py").write_text(source)
    resources = (
        ResourceFile("import_numpy.py", "py", tmp_path / "import_numpy.py"),
        ResourceFile(f"{WHEEL}.zip", "archive", wheel),
    )
    return Job(f"import_numpy.{name}", resources, "cp37")


def test_the_documented_example_answers_import_succeed(python37: Interpreter, wheel: Path, tmp_path: Path) -> None:
    with call(python37, job(tmp_path, wheel, SOURCE, "TryImport"), [()]) as results:
        assert list(results) == ["import succeed"]


def test_its_native_code_computes(python37: Interpreter, wheel: Path, tmp_path: Path) -> None:
    with call(python37, job(tmp_path, wheel, COMPUTE, "Eigenvalues"), [(3,), (4,)]) as results:
        assert list(results) == [[0.0, 1.0, 2.0], [0.0, 1.0, 2.0, 3.0]]


INSTALLED = """\
from odps.udf import annotate
import numpy

@annotate("bigint->double")
class Largest(object):
    def evaluate(self, n):
        numpy.fft.fft(numpy.random.rand(8))
        for name in ("ctypes", "_ctypes", "zlib"):
            try:
                __import__(name)
            except ImportError:
                continue
            raise ValueError(name)
        return float(max(numpy.linalg.eigvalsh(numpy.diag(numpy.arange(n, dtype=float)))))
"""


@pytest.mark.parametrize("isolated", [None, False])
def test_python_2_has_it_installed_and_its_sandbox_stays_closed(
    python27: Interpreter, tmp_path: Path, *, isolated: bool | None
) -> None:
    (tmp_path / "m.py").write_text(INSTALLED)
    job = Job("m.Largest", (ResourceFile("m.py", "py", tmp_path / "m.py"),), "cp27", isolated=isolated)
    with call(python27, job, [(3,), (4,)]) as results:
        assert list(results) == [2.0, 3.0]
