"""What somebody approves is all that there is to approve: through the whole command, and however much it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconciler.cli.entry import run

SOURCE = """from odps.udf import annotate
@annotate("->bigint")
class F(object):
    def evaluate(self):
        return {}
"""
TARGETS = "stack: s\ntargets: {a: {endpoint: local, project: one}, b: {endpoint: local, project: two}}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("d.csv").write_text("1\n")
    Path("f.py").write_text(SOURCE.format(1))
    return tmp_path


def write(resources: list[str], rest: str = "") -> None:
    entries = "".join(f"  {name}: {{file: d.csv}}\n" for name in resources)
    Path("udfs.yaml").write_text(f"{TARGETS}{rest}resources:\n{entries}functions:\n  f: {{source: f.py, class: F}}\n")


def test_in_the_comment_on_two_targets_deletions_are_not_what_is_left_out(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(["gone_1.csv", "gone_2.csv"])
    assert run(["apply", "--all-targets", "--yes"]) == 0
    write([f"a_new_one_with_a_rather_long_name_{number:04}.csv" for number in range(699)])
    capsys.readouterr()
    assert run(["plan", "--all-targets", "--format", "markdown"]) == 0
    told = capsys.readouterr().out
    assert len(told) < 65_536
    assert " more\n\n</details>" in told, "it does not all fit"
    for name in ("gone_1.csv", "gone_2.csv"):
        assert told.count(f"| - | resource `{name}` | will be deleted") == 2
    assert told.count("Digest: `sha256:") == 2


def test_a_program_is_told_every_warning_and_only_with_the_plan(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("f.py").write_text(f"import socket\n{SOURCE.format('socket.socket()')}")
    days = "[mon, tue, wed, thu, fri, sat, sun]"
    Path("policy.yaml").write_text(f"frozen:\n  - {{days: {days}, zone: UTC, why: the year is being closed}}\n")
    write(["d.csv"], "policy: policy.yaml\n")
    Path("udfs.yaml").write_text(Path("udfs.yaml").read_text().replace("class: F", "class: F, image: commonx"))
    assert run(["plan", "--target", "a", "--format", "json"]) == 0
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert "warning" not in err
    assert [(one["code"], one["severity"], one["file"]) for one in told["warnings"]] == [
        ("E375", "warning", "udfs.yaml"),
        ("E818", "warning", "f.py"),
        ("E537", "warning", "policy.yaml"),
    ]
    assert run(["plan", "--target", "a", "--out", "plan.json"]) == 0
    saved = json.loads(Path("plan.json").read_text())
    assert "warnings" not in saved
    assert saved["digest"] == told["digest"]


def test_a_time_of_rest_says_nothing_where_nothing_would_be_applied(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(["d.csv"])
    assert run(["apply", "--target", "a", "--yes"]) == 0
    Path("policy.yaml").write_text("frozen:\n  - {days: [mon, tue, wed, thu, fri, sat, sun], zone: UTC}\n")
    write(["d.csv"], "policy: policy.yaml\n")
    capsys.readouterr()
    assert run(["plan", "--target", "a"]) == 0
    assert "E537" not in "".join(capsys.readouterr())
    assert run(["apply", "--target", "a", "--yes"]) == 0


def test_a_target_for_which_nobody_approved_a_plan_is_not_applied_with_the_other(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(["d.csv"])
    assert run(["plan", "--target", "a", "--out", "a.json"]) == 0
    capsys.readouterr()
    assert run(["apply", "--target", "a,b", "--approved", "a.json", "--yes"]) == 6
    told = capsys.readouterr().err
    assert "error[E538]: nobody approved to create resource d.csv" in told
    assert "sha256:None" not in told
    assert run(["plan", "--target", "a", "--exit-code"]) == 2, "nothing was changed in any target"
