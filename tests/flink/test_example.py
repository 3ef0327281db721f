"""The example of Flink: its lock is current, and at night all of it runs on a real Flink."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.flink.real import ENVIRONMENT, NIGHTLY
from tests.invariants.world import here

FOLDER = Path(__file__).parents[2] / "examples" / "flink"


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "flink"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns(".udfs", "build"))
    monkeypatch.chdir(folder)
    return folder


def test_its_lock_is_what_the_manifest_asks_for(example: Path) -> None:
    (example / "build").mkdir()
    for name in ("mydata.zip", "upper.jar"):  # their content is nothing to the lock
        (example / "build" / name).touch()
    checked = here("lock", "--check")
    assert checked.code == 0, checked.err


@NIGHTLY
def test_it_is_tested_applied_and_its_rows_are_right(example: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    subprocess.run([sys.executable, "build.py"], check=True, timeout=120)
    tested = here("test")
    assert (tested.code, tested.out.count("  ok  ")) == (0, 5), tested.out + tested.err
    try:
        applied = here("apply", "--yes")
        assert applied.code == 0, applied.err
        printed = (example / ".udfs" / "flink" / "taskmanager.log").read_text("utf-8", "replace")
        assert sorted(re.findall(r"\+I\[(.*)\]", printed)) == [
            "0.25",
            "0.75",
            "Paris, PARIS, 1.5, 1475208422, 20.0",
            "Rome, ROME, 2.5, 3997176853, 20.0",
        ]
        assert here("plan", "--exit-code").code == 0
    finally:
        assert here("destroy", "--yes").code == 0
