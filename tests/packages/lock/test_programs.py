"""A project that asks a program where its libraries are gets its answer, for its metadata and for its build."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.cli.entry import run
from tests.local.conftest import found as interpreter

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST = """\
stack: risk
targets: {local: {endpoint: local, project: demo}}
packages:
  own:
    requirements: [./own]
    build: {programs: [vendor/own-config]}
functions:
  f: {source: f.py, class: F, packages: [own]}
"""
SOURCE = "from odps.udf import annotate\n@annotate('->string')\nclass F(object):\n    def evaluate(self):\n        return ''\n"
BACKEND = """
import os, subprocess, zipfile
VERSION = subprocess.check_output(["own-config", "--version"]).decode().strip()
METADATA = "Metadata-Version: 2.1\\nName: own\\nVersion: " + VERSION + "\\n"
INFO = "own-" + VERSION + ".dist-info"
def prepare_metadata_for_build_wheel(folder, config_settings=None):
    os.mkdir(os.path.join(folder, INFO))
    for name, text in (("METADATA", METADATA), ("WHEEL", "Wheel-Version: 1.0\\n")):
        with open(os.path.join(folder, INFO, name), "w") as file:
            file.write(text)
    return INFO
def build_wheel(folder, config_settings=None, metadata_directory=None):
    file = "own-" + VERSION + "-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, file), "w") as archive:
        archive.writestr(INFO + "/METADATA", METADATA)
        archive.writestr(INFO + "/WHEEL", "Wheel-Version: 1.0\\nGenerator: own\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        archive.writestr(INFO + "/RECORD", "".join(name + ",,\\n" for name in archive.namelist()))
    return file
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose version is what its program says; nobody has made the program executable."""
    interpreter("cp37")
    folder = tmp_path / "place"
    monkeypatch.setenv("UDFS_CACHE_DIR", str(tmp_path / "cache"))
    for name, text in {
        "udfs.yaml": MANIFEST,
        "f.py": SOURCE,
        "vendor/own-config": "#!/bin/sh\necho 3.6.2\n",
        "own/backend.py": BACKEND,
        "own/pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    monkeypatch.chdir(folder)
    return folder


def test_what_a_build_asks_is_first_on_its_path(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["lock"]) == 0, capsys.readouterr().err
    assert "own 3.6.2" in capsys.readouterr().out


def test_another_answer_is_another_lock(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["lock"]) == 0, capsys.readouterr().err
    (place / "vendor/own-config").write_text("#!/bin/sh\necho 3.6.3\n")
    assert run(["lock", "--check"]) != 0
    assert run(["lock"]) == 0, capsys.readouterr().err
    assert "own 3.6.2 → 3.6.3" in capsys.readouterr().out


def test_a_program_that_is_not_there_is_told_by_its_place(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "vendor/own-config").unlink()
    assert run(["validate"]) == 3
    assert "udfs.yaml:6:24: error[E305]: there is no file 'vendor/own-config'" in capsys.readouterr().err
