"""The example of Function Compute: locked for what its manifest says; and the whole of it, from Debian's packages to what tests return."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from reconciler.cli.entry import run
from reconciler.manifest.load import load_manifest
from reconciler.packages.lock.use import use_lock
from reconciler.targets.dialects import DIALECTS
from tests.acceptance.test_examples import FOLDER

if TYPE_CHECKING:
    from pathlib import Path

WHOLE = os.environ.get("UDFS_PROOF") == "whole"


def test_the_lock_is_of_the_manifest_and_names_debian_packages_with_their_digests() -> None:
    loaded = load_manifest(FOLDER / "fc" / "udfs.yaml", DIALECTS, env={})
    assert {function.python for function in loaded.manifest.functions.values()} == {"custom.debian12", "python3.12"}
    use_lock(loaded)  # refuses one of another manifest
    lock = (FOLDER / "fc" / "udfs.lock").read_text(encoding="utf-8")
    assert "tesseract-ocr" in lock
    assert "://" not in lock


@pytest.mark.skipif(not WHOLE, reason="fetches 45 MB: UDFS_PROOF=whole")
def test_the_example_is_tested_applied_called_and_destroyed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(FOLDER / "fc", tmp_path / "fc", ignore=shutil.ignore_patterns(".udfs"))
    monkeypatch.chdir(tmp_path / "fc")
    assert run(["test"]) == 0, capsys.readouterr().err
    assert capsys.readouterr().out.count("  ok  ") == 3
    assert run(["apply", "--yes"]) == 0
    assert run(["plan", "--exit-code"]) == 0
    assert run(["drift"]) == 0
    capsys.readouterr()
    assert run(["call", "read", "--event", "Function 3912"]) == 0
    assert capsys.readouterr().out == '{"text": "Function 3912"}\n'
    assert run(["destroy", "--yes"]) == 0
