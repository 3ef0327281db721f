"""The code that `udfs export maxframe` prints, imported with the real MaxFrame client, which says what it was told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.entry import run
from tests.builders import wheel
from tests.uv import uv_environment

MANIFEST = """\
stack: s
targets: {local: {project: risk, schema: s1}}
packages:
  own: {wheels: [own-1.0-py3-none-any.whl, other-2.0-py3-none-any.whl]}
  six: {requirements: ["six<1.17"], prefer_binary: true}
functions:
  f: {source: f.py, class: F, packages: [own]}
"""
ASK = """\
import json, sys
from maxframe.udf import get_udf_pythonpacks, get_udf_resources
from exported import *
import exported

@getattr(exported, sys.argv[1])
def process(row):
    return row

packs = [[list(one.requirements), one.prefer_binary, one.pre_release] for one in get_udf_pythonpacks(process)]
print(json.dumps({"resources": get_udf_resources(process), "packs": packs, "works": process(1)}))
"""


@pytest.fixture(scope="module")
def maxframe(request: pytest.FixtureRequest) -> Path:
    """A folder with the client and what it needs; large, so it is kept between runs, and apart from this environment."""
    if sys.version_info >= (3, 13):
        pytest.skip("MaxFrame is published for Python 3.12 and older")
    version = f"{sys.version_info.major}{sys.version_info.minor}"
    folder = Path(request.config.cache.mkdir("maxframe")) / version
    if not folder.exists():
        with tempfile.TemporaryDirectory(dir=folder.parent) as beside:
            command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--target", f"{beside}/new"]
            command += ["--python", sys.executable, "--only-binary", ":all:", "maxframe>=2.9,<3"]
            env = uv_environment(os.environ)
            answer = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
            if answer.returncode != 0:
                pytest.skip(f"the package index does not give MaxFrame: {answer.stderr.strip().splitlines()[-1]}")
            Path(f"{beside}/new").replace(folder)
    return folder


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    wheel(tmp_path, "own")
    wheel(tmp_path, "other", "2.0")
    (tmp_path / "f.py").write_text(
        "from odps.udf import annotate\n\n@annotate('->bigint')\nclass F(object):\n    def evaluate(self): return 1\n"
    )
    (tmp_path / "udfs.yaml").write_text(MANIFEST)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(maxframe: Path, folder: Path, name: str, code: str) -> dict[str, Any]:
    (folder / "exported.py").write_text(code)
    env = {**os.environ, "PYTHONPATH": f"{maxframe}{os.pathsep}{folder}"}
    answer = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ASK, name], env=env, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def test_a_job_gets_the_archives_of_an_apply_or_the_versions_of_the_lock(
    maxframe: Path, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if run(["lock"]) != 0:
        pytest.skip(f"the package index does not answer: {capsys.readouterr().err.splitlines()[0]}")
    capsys.readouterr()
    assert run(["export", "maxframe", "own"]) == 0
    assert told(maxframe, project, "with_own", capsys.readouterr().out) == {
        "resources": [
            "risk/schemas/s1/resources/own-1.0-py3-none-any.zip",
            "risk/schemas/s1/resources/other-2.0-py3-none-any.zip",
        ],
        "packs": [],
        "works": 1,
    }
    assert run(["export", "maxframe", "six", "--requirements"]) == 0
    found = told(maxframe, project, "with_six", capsys.readouterr().out)
    assert found == {"resources": [], "packs": [[["six==1.16.0"], True, False]], "works": 1}


def test_without_its_lock_a_package_is_not_exported(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["export", "maxframe", "six", "--requirements"]) == 3
    assert "E476" in capsys.readouterr().err
