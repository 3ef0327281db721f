"""The pipeline of `udfs init NAME --ci github` passes on the project as it stands, and stops a change that breaks a test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.invariants.world import here

if TYPE_CHECKING:
    from pathlib import Path

    from tests.pipelines.scene import Scene


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.chdir(tmp_path)
    assert here("init", "risk-scores", "--ci", "github").code == 0
    project = tmp_path / "risk-scores"
    return {str(path.relative_to(project)): path.read_text() for path in project.rglob("*") if path.is_file()}


@pytest.mark.timeout(300)
def test_a_new_project_passes_and_a_broken_test_does_not(scene: Scene, files: dict[str, str]) -> None:
    manifest = files["udfs.yaml"]
    passed = scene.plan(scene.open("comment", {"udfs.yaml": manifest + "# reviewed\n"}))
    if "E403" in passed.log:
        pytest.skip("no package index answers")
    assert passed.result == "success", passed.log
    broken = scene.plan(scene.open("broken", {"udfs.yaml": manifest.replace("Hello, Ada", "Bye, Ada")}))
    assert broken.result == "failure"
