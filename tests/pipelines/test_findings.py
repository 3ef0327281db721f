"""The job that hands findings in, for a repository with more manifests and targets than GitHub takes in one upload."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.pipelines.platform import Event, Platform, git, read_yaml
from tests.pipelines.scene import EXAMPLE, WORKFLOW
from tests.pipelines.supplied import SUPPLIED

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("number", "left_out"), [(45, 0), (83, 3)])
def test_findings_are_handed_in_by_twenty_and_what_is_left_out_is_told(
    number: int, left_out: int, tmp_path: Path
) -> None:
    job = read_yaml((EXAMPLE / WORKFLOW).read_text())["jobs"]["findings"]
    job = {key: value for key, value in job.items() if key not in {"needs", "if", "concurrency"}}
    source = {"name": "udfs", "on": {"workflow_dispatch": None}, "permissions": {}, "jobs": {"findings": job}}
    text = yaml.safe_dump(source).replace("${{ needs.check.outputs.wheels }}", "udfs-check-1")
    text = text.replace("needs.plan.outputs.plans != ''", "runner.os != ''")
    origin, check, plan = (tmp_path / name for name in ("origin", "check", "plan"))
    for category in range(number):
        step, folder = ("plan", plan) if category % 3 else ("check", check)
        file = folder / f"stack-{category}" / f"{step}.sarif"
        file.parent.mkdir(parents=True)
        run = {"automationDetails": {"id": f"udfs {step}/{category}/"}, "results": []}
        file.write_text(json.dumps({"runs": [run]}))
    (origin / WORKFLOW).parent.mkdir(parents=True)
    (origin / WORKFLOW).write_text(text.replace("${{ needs.plan.outputs.plans }}", "udfs-plan-1"))
    git(origin, "init", "-q", "-b", "main")
    git(origin, "add", "-A")
    git(origin, "commit", "-qm", "First")
    platform = Platform(tmp_path / "platform", origin, {}, SUPPLIED)
    event = Event("workflow_dispatch", git(origin, "rev-parse", "HEAD"), "refs/heads/main", {"inputs": {}})
    ran = platform.start(WORKFLOW, event, {"udfs-check-1": check, "udfs-plan-1": plan})
    assert ran.result == "success", ran.log
    assert "Error" not in ran.log, ran.log
    assert len(platform.alerts["refs/heads/main"]) == number - left_out
    summary = ran.jobs["findings"].summary
    assert f"{left_out} of {number} parts are not" in summary if left_out else not summary
