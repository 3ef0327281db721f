"""Workflows and actions, ours and those of the examples, are as those who read them for a living want them."""

from __future__ import annotations

import re
import subprocess
import sysconfig
from pathlib import Path

import pytest

from tests.pipelines.platform import read_yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted([*ROOT.glob(".github/workflows/*.yml"), *ROOT.glob("examples/*/.github/workflows/*.yml")])
ACTIONS = sorted(ROOT.glob(".github/actions/*/action.yml"))
OTHERS = sorted(ROOT.glob("examples/*/.gitlab-ci.yml"))


def lint(program: str, *arguments: str | Path) -> None:
    """Run a program of this environment, and fail with what it says."""
    command = [Path(sysconfig.get_path("scripts")) / program, *arguments]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert process.returncode == 0, process.stdout + process.stderr


def test_actionlint() -> None:
    lint("actionlint", *WORKFLOWS)


def test_zizmor() -> None:
    lint("zizmor", "--offline", "--quiet", *WORKFLOWS, *ACTIONS)


@pytest.mark.parametrize(
    ("schema", "files"),
    [("github-workflows", WORKFLOWS), ("github-actions", ACTIONS), ("gitlab-ci", OTHERS)],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_schemas(schema: str, files: list[Path]) -> None:
    if files:
        lint("check-jsonschema", "--builtin-schema", f"vendor.{schema}", *files)


@pytest.mark.parametrize("path", [*WORKFLOWS, *ACTIONS], ids=lambda path: str(path.relative_to(ROOT)))
def test_every_action_is_pinned_by_its_commit_and_no_expression_is_pasted_into_a_script(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    pinned = re.compile(
        r"((?:actions|pypa)/[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+|OWNER/udfs/\.github/actions/\w+@0{40})$"
    )
    for uses in re.findall(r"uses: (.+)", text):
        assert pinned.match(uses), uses
    source = read_yaml(text)
    jobs = [*source["jobs"].values()] if "jobs" in source else [source["runs"]]
    for script in [step["run"] for job in jobs for step in job["steps"] if "run" in step]:
        assert "${{" not in script
    assert "pull_request_target" not in source.get("on", {})
