"""Several targets in one command: each for itself, and told together."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest

from reconciler.base.errors import EXIT_CODES
from reconciler.cli.entry import run
from reconciler.cli.group import group
from reconciler.cli.overview import COMMANDS
from reconciler.cli.support import several as fanout

SOURCE = 'from odps.udf import annotate\n@annotate("->bigint")\nclass F(object):\n    def evaluate(self):\n        return {}\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two targets that are both in the local service."""
    monkeypatch.chdir(tmp_path)
    Path("f.py").write_text(SOURCE.format(1))
    targets = "{a: {endpoint: local, project: one}, b: {endpoint: local, project: two}}"
    Path("udfs.yaml").write_text(f"stack: s\ntargets: {targets}\nfunctions:\n  f: {{source: f.py, class: F}}\n")
    return tmp_path


def test_all_local_targets_are_applied_in_turn(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", "--all-targets", "--exit-code"]) == 2
    assert run(["apply", "--target", "b", "--yes"]) == 0
    assert run(["apply", "--target", "b,a", "--yes"]) == 0
    assert run(["plan", "--all-targets", "--exit-code"]) == 0
    capsys.readouterr()
    assert run(["apply", "--target", "b", "--target", "a", "--yes", "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(one["target"], one["document"]["plan"]["project"]) for one in told["targets"]] == [
        ("b", "two"),
        ("a", "one"),
    ]
    assert run(["history", "--target", "a"]) == run(["history", "--target", "b"]) == 0


def test_one_target_that_fails_hides_no_other(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", "--target", "a,nobody,b", "--format", "json"]) == 3
    told = json.loads(capsys.readouterr().out)
    assert [one["exit_code"] for one in told["targets"]] == [0, 3, 0]
    assert [one["document"]["format"] for one in told["targets"]] == ["udfs.plan/1", "udfs.problems/1", "udfs.plan/1"]
    assert run(["apply", "--target", "a,nobody,b", "--yes"]) == 3
    assert run(["plan", "--target", "a,b", "--exit-code"]) == 2, "nothing was changed"


def test_findings_of_all_targets_are_one_sarif_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("f.py").write_text("class G: pass\n")
    assert run(["validate", "--all-targets", "--format", "sarif"]) == 3
    [only] = json.loads(capsys.readouterr().out)["runs"]
    assert [(one["ruleId"], one["ruleIndex"]) for one in only["results"]] == [("E804", 0)], "both say the same"


def test_what_is_about_one_target_is_refused_for_several(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (
        ["plan", "--out", "x.json"],
        ["plan", "--against", "x"],
        ["apply", "x"],
        ["apply", "--digest", f"sha256:{'0' * 64}"],
    ):
        assert run([*command, "--all-targets"]) == 3
        assert "E564" in capsys.readouterr().err


@pytest.mark.parametrize("form", ["text", "json", "markdown"])
def test_the_hint_of_an_emptied_manifest_explains_and_names_nothing_that_destroys(
    folder: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    assert run(["apply", "--target", "b", "--yes"]) == 0
    Path("none.yaml").write_text(Path("udfs.yaml").read_text().split("functions:")[0] + "functions: {}\n")
    capsys.readouterr()
    for command in (["plan"], ["plan", "--out", "plan.json"], ["apply", "--yes", "--allow-deletes", "2"]):
        if command[0] == "apply" and form == "markdown":
            continue
        assert run([*command, "-f", "none.yaml", "--target", "b", "--format", form]) == 5
        told = "".join(capsys.readouterr())
        assert "E504" in told
        assert (told.count("udfs explain E504"), told.count("udfs destroy")) == (1, 0)
    run(["plan", "-f", "none.yaml", "--target", "a,b", "--format", form])
    told = "".join(capsys.readouterr())
    assert (told.count("udfs explain E504"), told.count("udfs destroy")) == (1, 0)
    assert not Path("plan.json").exists()


def test_every_exit_code_has_its_place_among_the_worst() -> None:
    assert set(fanout.SEVERITY) == set(EXIT_CODES)
    assert fanout.worst([]) == 0
    assert fanout.worst([2, 8, None, 1]) == 8


NEEDED = {
    "show-run": ["1"],
    "unlock": ["--epoch", "1"],
    "adopt": ["f"],
    "disown": ["f"],
    "import": ["f"],
    "call": ["f"],
    "sql": ["SELECT 1"],
    "export": ["maxframe", "p"],
    "serve": ["-f", "udfs.yaml"],
}
"""What a command cannot be called without."""


def aimed_commands() -> list[tuple[str, str]]:
    """Return every command that takes a target, with each way to give it an empty name."""
    context = click.Context(group)
    found = ((name, group.get_command(context, name)) for name in COMMANDS)
    taking = [name for name, one in found if one and any(param.name == "target" for param in one.params)]
    return [(name, empty) for name in taking for empty in (("",) if name == "serve" else ("", ",", "a,"))]


@pytest.mark.parametrize(("name", "empty"), aimed_commands())
def test_an_empty_name_of_a_target_is_not_the_default_one(
    name: str, empty: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([name, *NEEDED.get(name, []), "--target", empty]) == 3
    told = capsys.readouterr()
    assert (told.out, told.err.count("error[E307]"), told.err.count("  help: ")) == ("", 1, 1)


def test_of_several_manifests_none_is_left_out_in_silence(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", "-f", "a.yaml", "-f", "b.yaml"]) == 3
    assert "one manifest at a time, and 2 are named" in capsys.readouterr().err
