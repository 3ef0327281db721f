"""A walk of somebody new: an empty repository, the steps of `examples/gitops/README.md` as they stand there, a pull request, a merge, a night."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sysconfig
from typing import TYPE_CHECKING

import pytest

from tests.pipelines.platform import git
from tests.pipelines.scene import EXAMPLE, ROOT, WORKFLOW
from tests.pipelines.test_gitops import add_function, outcomes, results, set_up
from tests.pipelines.test_scenarios import at_night, comment_of, issues_of, require_applied

if TYPE_CHECKING:
    from pathlib import Path

    from tests.pipelines.scene import Scene

COMMIT = "c" * 40


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A folder with the example in it, and a remote: what step 1 comes to."""
    folder = tmp_path / "home"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns(".udfs"))
    git(folder, "init", "-q", "-b", "main")
    git(folder, "remote", "add", "origin", "https://github.com/acme/functions.git")
    return folder


def follow(folder: Path) -> str:
    """Type what stands on lines of its own in the steps for GitHub, and return what it prints."""
    [steps] = re.findall(r"## Set it up at GitHub\n(.*)", (EXAMPLE / "README.md").read_text(), re.DOTALL)
    lines = re.findall(r"^ {7}(\S.*)$", steps, re.MULTILINE)
    assert len(lines) > 1
    script = "\n".join(lines).replace("COMMIT", COMMIT).replace("YOURS", "ours").replace("=ours", "=https://m.example")
    path = f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}"
    command = ["bash", "-euc", script]
    environment = {**os.environ, "PATH": path}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True).stdout


def test_the_steps_name_our_actions_by_their_commit_and_print_whom_to_trust(repository: Path) -> None:
    printed = follow(repository)
    for workflow in repository.glob(".github/workflows/*.yml"):
        uses = re.findall(r"uses: (.+)", workflow.read_text())
        ours = [name for name in uses if "/udfs/" in name]
        assert ours
        assert all(re.fullmatch(rf"ours/udfs/\.github/actions/\w+@{COMMIT}", name) for name in ours), ours
    assert "repo:acme/functions:environment:prod" in printed


@pytest.fixture
def files(repository: Path) -> dict[str, str]:
    follow(repository)
    paths = (path for path in repository.rglob("*") if path.is_file() and ".git" not in path.parts)
    return {str(path.relative_to(repository)): path.read_text() for path in paths}


@at_night
@pytest.mark.timeout(1800)
def test_a_first_start_a_pull_request_a_merge_and_a_night(scene: Scene) -> None:
    scene.platform.actions = {"ours/udfs": ROOT}
    assert "OWNER" not in (scene.platform.origin / WORKFLOW).read_text().partition("\njobs:")[2]
    set_up(scene)
    pull_request = add_function(scene, "shout")
    planned = scene.plan(pull_request)
    assert results(planned)["plan"] == "success", planned.log
    assert "`shout`" in comment_of(scene, pull_request)
    require_applied(scene.merge(pull_request))
    assert scene.class_of("web", "shout").endswith(".Shout")
    assert set(outcomes(scene.night(), "udfs-drift-1").values()) == {"clean"}
    assert issues_of(scene) == {}
