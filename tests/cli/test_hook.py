"""Hooks of pre-commit look at every manifest that changed files belong to, and at no other."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from reconciler.cli import hook
from reconciler.cli.entry import run

ROOT = Path(__file__).parents[2]
HOOKS = {entry["id"]: entry for entry in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    monkeypatch.chdir(tmp_path)
    for team in ("risk", "ads", "ads/old"):
        assert run(["init", "-f", f"{team}/udfs.yaml"]) == 0
    Path("ads/udfs.yaml").write_text("stack: [\n")
    Path("setup.py").write_text("")
    capsys.readouterr()
    return tmp_path


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    monkeypatch.setattr(sys, "argv", ["udfs-hook", *arguments])
    with pytest.raises(SystemExit) as end:
        hook.main()
    return end.value.code


def test_a_manifest_is_looked_at_once_and_a_broken_one_beside_it_fails(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = ["risk/udfs.yaml", "risk/udfs/greet.py", "ads/old/udfs/greet.py", "setup.py"]
    assert call(monkeypatch, "validate", *files) == 0
    assert [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()] == [
        "ads/old/udfs.yaml",
        "risk/udfs.yaml",
    ]
    assert call(monkeypatch, "validate", "ads/udfs/new.py", *files) == 3
    told = capsys.readouterr()
    assert "ads/udfs.yaml:" in told.err
    assert "risk/udfs.yaml: valid" in told.out, "the others are looked at all the same"
    assert call(monkeypatch, "lock-check", "risk/udfs.yaml") == 0
    assert call(monkeypatch, "validate", "setup.py") == 0


def test_the_hooks_call_what_is_there_for_the_files_that_matter() -> None:
    for entry in HOOKS.values():
        program, command = entry["entry"].split()
        assert command in (hook._COMMANDS if program == "udfs-hook" else ["fmt"])
    patterns = {name: re.compile(entry["files"]) for name, entry in HOOKS.items() if "files" in entry}
    assert patterns["udfs-validate"].search("teams/risk/udfs.yaml")
    assert not patterns["udfs-fmt"].search("teams/risk/my-udfs.yaml")
    assert patterns["udfs-lock-check"].search("requirements-dev.txt")


@pytest.mark.skipif(
    os.environ.get("UDFS_PROOF") != "whole" or shutil.which("pre-commit") is None,
    reason="pre-commit installs udfs and what it needs once more, which takes a minute: at night",
)
def test_pre_commit_takes_the_hooks_and_each_passes_on_an_example(tmp_path: Path) -> None:
    source, example = tmp_path / "hooks", tmp_path / "example"
    shutil.copytree(ROOT / "examples/minimal", example, ignore=shutil.ignore_patterns(".udfs"))
    archive = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, check=True, capture_output=True
    ).stdout
    for name in filter(None, archive.decode().split("\0")):
        if (
            name.startswith(("reconciler/", "pyproject", "README", "LICENSE", ".pre-commit"))
            and (ROOT / name).is_file()
        ):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, source / name)
    env = {**os.environ, "PRE_COMMIT_HOME": str(tmp_path / "home"), "PYTHONPATH": ""}
    env |= {f"GIT_{who}_{what}": "ann@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    for folder in (source, example):
        for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "all"]):
            subprocess.run(["git", *arguments], cwd=folder, check=True, env=env)
    process = subprocess.run(
        ["pre-commit", "try-repo", str(source), "--all-files", "--verbose"],
        cwd=example, env=env, capture_output=True, text=True, check=False, timeout=500,
    )  # fmt: skip
    assert process.returncode == 0, process.stdout + process.stderr
    assert process.stdout.count("Passed") == len(HOOKS)
