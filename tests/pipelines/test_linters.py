"""Workflows and actions, ours and those of the examples, are as those who read them for a living want them."""

from __future__ import annotations

import re
import subprocess
import sysconfig
import textwrap
from pathlib import Path

import pytest

from tests.pipelines.platform import read_yaml

ROOT = Path(__file__).parents[2]
STARTER = ROOT / "reconciler/cli/starter/github.yml"
WORKFLOWS = sorted(
    [*(*ROOT.glob(".github/workflows/*.yml"), *ROOT.glob("examples/*/.github/workflows/*.yml"), STARTER)]
)
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
    # GitHub's own, PyPA's, and the one by which code scanning takes SARIF: there is no other way to hand it in from a workflow.
    pinned = re.compile(
        r"((?:actions/[\w/-]+|pypa/[\w/-]+|github/codeql-action/upload-sarif)@[0-9a-f]{40} # v\d+\.\d+\.\d+"
        r"|OWNER/udfs/\.github/actions/\w+@0{40})$"
    )
    for uses in re.findall(r"uses: (.+)", text):
        assert pinned.match(uses), uses
    source = read_yaml(text)
    jobs = [*source["jobs"].values()] if "jobs" in source else [source["runs"]]
    for script in [step["run"] for job in jobs for step in job["steps"] if "run" in step]:
        assert "${{" not in script
    assert "pull_request_target" not in source.get("on", {})


@pytest.mark.parametrize("path", [ROOT / "docs/guides/pipeline.md", *WORKFLOWS], ids=lambda path: path.name)
def test_actions_of_ours_get_what_they_need_and_nothing_that_they_do_not_know(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        [block] = re.findall(r"```yaml\n( +jobs:\n.*?)```", text, re.DOTALL)
        text = textwrap.dedent(block)
    for name, job in read_yaml(text)["jobs"].items():
        used = [re.match(r"OWNER/udfs/.github/actions/(\w+)@", step.get("uses", "")) for step in job["steps"]]
        for step, match in zip(job["steps"], used, strict=True):
            if match is None:
                continue
            inputs = read_yaml((ROOT / f".github/actions/{match[1]}/action.yml").read_text())["inputs"]
            required = {key for key, about in inputs.items() if about.get("required")}
            assert required <= step.get("with", {}).keys() <= inputs.keys(), f"{name}: {match[1]}"
        names = [match[1] for match in used if match]
        is_used = len(names) > 1 or any("udfs " in step.get("run", "") for step in job["steps"])
        assert not names or (names[0] == "setup" and is_used), f"{name}: udfs has to be there first"
