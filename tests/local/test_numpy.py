"""The NumPy example of MaxCompute's documentation, word for word, with the real wheel in a real CPython 3.7."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from reconciler.local.runner import Interpreter, Job, ResourceFile, call
from tests.local.conftest import ENVIRONMENT, found

WHEEL = "numpy-1.19.2-cp37-cp37m-manylinux1_x86_64"
SHA256 = "62139af94728d22350a571b7c82795b9d59be77fc162414ada6c8b6a10ef5d02"

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


@pytest.fixture(scope="session")
def wheel(request: pytest.FixtureRequest, python37: Interpreter) -> Path:
    """The wheel, from the package index this machine is set up for; kept in pytest's cache."""
    assert request.config.cache is not None
    directory = Path(request.config.cache.mkdir("wheels"))
    path = directory / f"{WHEEL}.whl"
    if not path.exists():
        target = ["--python-version", "37", "--implementation", "cp", "--abi", "cp37m"]
        target += ["--platform", "manylinux1_x86_64", "--only-binary", ":all:", "--no-deps"]
        # Downloaded beside and put in place whole: another process of the run may be waiting for it too.
        with tempfile.TemporaryDirectory(dir=directory) as beside:
            command = [sys.executable, "-m", "pip", "download", "--quiet", *target, "--dest", beside, "numpy==1.19.2"]
            answer = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)
            if answer.returncode != 0:
                pytest.skip(f"the package index does not give the wheel: {answer.stderr.strip().splitlines()[-1]}")
            (Path(beside) / path.name).replace(path)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == SHA256
    return path


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
