"""Wheels are built where no credentials are, and handed over to where they are by the sha256 of the lock."""

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
  own: {requirements: [./own]}
functions:
  f: {source: f.py, class: F, packages: [own]}
"""
SOURCE = "from odps.udf import annotate\n@annotate('->string')\nclass F(object):\n    def evaluate(self):\n        import own\n        return own.NAME\n"
BACKEND = """
import os, zipfile
def build_wheel(folder, config_settings=None, metadata_directory=None):
    open({ran!r}, "a").write("ran ")
    info, file = "own-1.0.dist-info/", "own-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, file), "w") as archive:
        archive.writestr("own.py", "NAME = 'own'")
        archive.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: own\\nVersion: 1.0\\n")
        archive.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nGenerator: own\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        archive.writestr(info + "RECORD", "".join(name + ",,\\n" for name in archive.namelist()))
    return file
"""


@pytest.fixture
def builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """A locked project whose package is built; what is returned tells how often."""
    interpreter("cp37")
    ran = tmp_path / "place" / "ran"
    (tmp_path / "place" / "own").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "place")
    monkeypatch.setenv("UDFS_CACHE_DIR", str(tmp_path / "cache"))
    for name, text in {
        "udfs.yaml": MANIFEST,
        "f.py": SOURCE,
        "own/backend.py": BACKEND.format(ran=str(ran)),
        "own/pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "own"\nversion = "1.0"\n',
    }.items():
        (tmp_path / "place" / name).write_text(text)
    assert run(["lock"]) == 0, capsys.readouterr().err
    capsys.readouterr()
    return ran


def test_a_wheel_that_was_handed_over_is_taken_and_nothing_is_built(
    builds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["build", "--wheels", "handed"]) == 0
    [wheel] = (tmp_path / "place" / "handed").iterdir()
    assert wheel.name == "own-1.0-py3-none-any.whl"
    before = builds.read_text()
    monkeypatch.setenv("UDFS_CACHE_DIR", str(tmp_path / "elsewhere"))
    capsys.readouterr()
    assert run(["plan", "--no-build"]) == 3
    refused = capsys.readouterr().err
    assert "error[E487]: own 1.0 has to be built" in refused
    assert f"{wheel.name} (sha256 " in refused
    assert run(["apply", "--yes", "--no-build", "--wheels", "handed"]) == 0, capsys.readouterr().err
    assert run(["plan", "--no-build", "--exit-code"]) == 0, "what was taken is in the cache"
    assert builds.read_text() == before, "something was built where nothing may be"


def test_a_wheel_with_other_bytes_is_not_taken(
    builds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "place" / "handed").mkdir()
    (tmp_path / "place" / "handed" / "own-1.0-py3-none-any.whl").write_bytes(b"PK forged")
    monkeypatch.setenv("UDFS_CACHE_DIR", str(tmp_path / "elsewhere"))
    assert run(["plan", "--no-build", "--wheels", "handed"]) == 3
    assert "E402" in capsys.readouterr().err
    monkeypatch.setenv("UDFS_NO_BUILD", "1")
    assert run(["lock", "--upgrade", "own"]) == 3
    assert "E487" in capsys.readouterr().err


@pytest.mark.parametrize("value", ["0", "false", "off", "1", "true", "yes"])
def test_a_variable_that_says_no_is_as_good_as_none(builds: Path, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UDFS_NO_BUILD", value)
    assert run(["lock", "--upgrade", "own"]) == (0 if value in ("0", "false", "off") else 3)
