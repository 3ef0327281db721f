"""`udfs ci` in a monorepo: which manifests it takes, and the folder that it leaves behind."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.entry import run

SOURCE = """from odps.udf import annotate
@annotate("bigint->bigint")
class F(object):
    def evaluate(self, x):
        return x + {}
"""
MANIFEST = """stack: {stack}
python: cp37
targets:
  local: {{endpoint: local, project: demo}}
  test: {{endpoint: local, project: demo_test}}
functions:
  f_{stack}: {{source: src/f_{stack}.py, class: F}}
"""


def git(*arguments: str) -> str:
    who = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *who, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def add(team: str) -> Path:
    folder = Path("teams", team)
    (folder / "src").mkdir(parents=True)
    (folder / "udfs.yaml").write_text(MANIFEST.format(stack=team))
    (folder / f"src/f_{team}.py").write_text(SOURCE.format(1))
    return folder


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    git("init", "-q", "-b", "main")
    Path(".gitignore").write_text(".udfs/\nout/\nignored/\n")
    for team in ("a", "b", "c"):
        add(team)
    git("add", ".")
    git("commit", "-qm", "first")
    return tmp_path


def index(folder: str = "out") -> dict[str, Any]:
    document: dict[str, Any] = json.loads(Path(folder, "index.json").read_text())
    return document


def outcomes(folder: str = "out") -> dict[tuple[str, str | None], str]:
    return {(entry["manifest"], entry["target"]): entry["outcome"] for entry in index(folder)["entries"]}


def test_every_manifest_is_planned_once_and_the_index_names_all_that_was_written(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["ci", "plan", "--out", "out", "--target", "local,test"]) == 0
    document = index()
    assert (document["format"], document["command"], document["exit_code"]) == ("udfs-ci/1", "plan", 2)
    assert document["commit"] == git("rev-parse", "HEAD")
    order = [(entry["manifest"], entry["target"]) for entry in document["entries"]]
    assert order == [(f"teams/{team}/udfs.yaml", target) for target in ("local", "test") for team in "abc"]
    for entry in document["entries"]:
        assert entry["outcome"] == "changes"
        assert entry["counts"]["create"] == 2
        assert {"text", "json", "markdown", "sarif", "annotations", "saved"} <= set(entry["files"])
        folder = Path("out", entry["folder"])
        assert {path.name for path in folder.iterdir()} == set(entry["files"].values())
        plan = json.loads((folder / entry["files"]["json"]).read_text())
        assert plan["digest"] == f"sha256:{entry['digest']}"
        assert run(["render", str(folder / entry["files"]["saved"])]) == 0
    assert Path("out/summary.md").read_text().count("\n| ~ |") == 6
    assert run(["ci", "plan", "--exit-code"]) == 2


def test_one_manifest_that_cannot_be_read_ends_nothing_but_itself(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("teams/b/udfs.yaml").write_text("stack: b\nfunktions: {}\n")
    assert run(["ci", "plan", "--out", "out"]) == 3
    assert outcomes() == {
        ("teams/a/udfs.yaml", None): "changes",
        ("teams/b/udfs.yaml", None): "failed",
        ("teams/c/udfs.yaml", None): "changes",
    }
    [entry] = [entry for entry in index()["entries"] if entry["outcome"] == "failed"]
    assert (entry["exit_code"], entry["stack"]) == (3, None)
    assert "E214" in entry["summary"]
    assert "file=teams/b/udfs.yaml,line=2" in Path("out", entry["folder"], "annotations.txt").read_text()


@pytest.mark.parametrize(
    ("arguments", "teams"),
    [
        ([], "abcd"),
        (["-f", "teams/a", "-f", "teams/c/udfs.yaml"], "ac"),
        (["-f", "teams/[ab]/*.yaml"], "ab"),
        (["-f", "**/udfs.yaml", "-f", "teams/a"], "abcd"),
        (["-f", "teams"], "abcd"),
    ],
)
def test_files_folders_and_patterns_name_manifests_each_once(
    repository: Path, arguments: list[str], teams: str, capsys: pytest.CaptureFixture[str]
) -> None:
    add("d")  # new, and not yet known to Git
    Path("ignored/x").mkdir(parents=True)
    Path("ignored/x/udfs.yaml").write_text("stack: x\n") if "**/udfs.yaml" not in arguments else None
    assert run(["ci", "plan", *arguments, "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [entry["manifest"] for entry in document["entries"]] == [f"teams/{team}/udfs.yaml" for team in teams]


def test_from_a_folder_below_the_whole_repository_is_meant_and_places_begin_at_its_top(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir("teams/a")
    assert run(["ci", "plan", "--format", "json"]) == 0
    names = [entry["manifest"] for entry in json.loads(capsys.readouterr().out)["entries"]]
    assert names == [f"teams/{team}/udfs.yaml" for team in "abc"]


@pytest.mark.parametrize("name", ["empty", "none-*.yaml"])
def test_where_there_is_no_manifest_nobody_is_told_that_all_is_well(
    repository: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("empty").mkdir()
    assert run(["ci", "plan", "-f", name]) == 3
    assert "E567" in capsys.readouterr().err


def test_a_manifest_without_the_target_is_passed_over_and_a_target_that_none_has_is_an_error(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("teams/b/udfs.yaml").write_text(MANIFEST.format(stack="b").replace("  test:", "  other:"))
    assert run(["ci", "plan", "--out", "out", "--target", "test"]) == 0
    assert outcomes()["teams/b/udfs.yaml", "test"] == "skipped"
    assert run(["ci", "plan", "--target", "tset"]) == 3
    assert "did you mean 'test'" in capsys.readouterr().err


# --- apply, drift and check -----------------------------------------------------------------------------------------------


def edit(team: str, old: str, new: str, file: str = "udfs.yaml") -> None:
    path = Path("teams", team, file)
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def test_what_was_planned_is_applied_and_again_when_the_job_is_run_again(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["ci", "plan", "--out", "plans"]) == 0
    assert run(["ci", "apply", "--approved", "plans", "--out", "out"]) == 0
    assert set(outcomes().values()) == {"changes"}
    assert all(entry["counts"]["done"] == 2 for entry in index()["entries"])
    # What is done is done: the same approval finds nothing left.
    assert run(["ci", "apply", "--approved", "plans", "--out", "out"]) == 0
    assert set(outcomes().values()) == {"clean"}
    assert run(["ci", "drift", "--out", "night"]) == 0
    assert set(outcomes("night").values()) == {"clean"}


def test_a_restore_is_of_every_manifest_and_of_what_was_changed_outside_alone(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["ci", "apply", "--yes"]) == 0
    for team in "ab":
        assert run(["sql", "-f", f"teams/{team}/udfs.yaml", f"DROP FUNCTION f_{team}"]) == 0
    Path("teams/c/src/f_c.py").write_text(SOURCE.format(2))
    assert run(["ci", "plan", "--restore", "--out", "out"]) == 0
    assert list(outcomes().values()) == ["changes", "changes", "clean"]
    assert run(["ci", "apply", "--restore", "--approved", "out"]) == 0
    assert run(["ci", "drift"]) == 0
    assert run(["ci", "plan", "--exit-code", "--out", "out"]) == 2
    assert list(outcomes().values()) == ["clean", "clean", "changes"]


def test_deletes_are_refused_before_anybody_approves_them_unless_their_number_is_named(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["ci", "apply", "--yes"]) == 0
    Path("teams/b/udfs.yaml").write_text(MANIFEST.format(stack="b").replace("  f_b:", "  g_b:"))
    assert run(["ci", "plan", "--out", "plans"]) == 5
    assert outcomes("plans")["teams/b/udfs.yaml", None] == "refused"
    assert "`deletes: 1`" in capsys.readouterr().out
    assert run(["ci", "plan", "--out", "plans", "--allow-deletes", "1"]) == 0
    assert run(["ci", "apply", "--approved", "plans"]) == 0


def test_what_nobody_approved_is_not_applied_and_keeps_nobody_else_back(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["ci", "apply"]) == 5
    assert "E507" in capsys.readouterr().err
    assert run(["ci", "plan", "--out", "plans"]) == 0
    edit("b", "x + 1", "x + 2", "src/f_b.py")
    assert run(["ci", "apply", "--approved", "plans", "--out", "out"]) == 6
    told = {entry["manifest"]: (entry["outcome"], entry["exit_code"]) for entry in index()["entries"]}
    assert told == {
        "teams/a/udfs.yaml": ("changes", 0),
        "teams/b/udfs.yaml": ("failed", 6),
        "teams/c/udfs.yaml": ("changes", 0),
    }
    assert run(["ci", "plan", "--out", "again"]) == 0
    assert outcomes("again") == {
        (f"teams/{team}/udfs.yaml", None): "changes" if team == "b" else "clean" for team in "abc"
    }
    [digest] = [entry["digest"] for entry in index("again")["entries"] if entry["outcome"] == "changes"]
    assert run(["ci", "apply", "--digest", f"sha256:{digest}", "-f", "teams/b"]) == 0


def test_who_waits_for_a_failed_one_is_not_begun(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit("a", "python: cp37\n", "python: cp37\nafter: [teams/c/udfs.yaml]\n")
    edit("b", "python: cp37\n", "python: cp37\nafter: [../a/udfs.yaml]\n")
    assert run(["ci", "plan", "--out", "plans", "--format", "json"]) == 0
    order = [entry["manifest"] for entry in json.loads(capsys.readouterr().out)["entries"]]
    assert order == [f"teams/{team}/udfs.yaml" for team in "cab"]
    edit("c", "source:", "sauce:")
    assert run(["ci", "apply", "--yes", "--out", "out"]) == 3
    assert list(outcomes().values()) == ["failed", "skipped", "skipped"]
    assert "not begun, because teams/c/udfs.yaml did not get through" in capsys.readouterr().out
    edit("c", "sauce:", "source:")
    assert run(["ci", "apply", "--yes", "--out", "out", "--target", "local,test"]) == 0
    assert list(outcomes().values()) == ["changes"] * 6


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ("teams/b/udfs.yaml", "teams/a/udfs.yaml", "teams/a/udfs.yaml:3:9: error[E569]"),
        ("teams/a/udfs.yaml", "", "'teams/a/udfs.yaml' comes after itself"),
        ("teams/x/udfs.yaml", "", "there is no manifest 'teams/x/udfs.yaml'"),
    ],
)
def test_a_circle_and_a_manifest_that_is_not_there_are_refused_with_their_places(
    repository: Path, first: str, second: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    edit("a", "python: cp37\n", f"python: cp37\nafter: [{first}]\n")
    if second:
        edit("b", "python: cp37\n", f"python: cp37\nafter: [{second}]\n")
    assert run(["ci", "plan"]) == 3
    assert message in capsys.readouterr().err


def test_a_check_runs_the_tests_and_writes_what_collectors_read(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for team, expected in (("a", 2), ("b", 3)):
        edit(team, "class: F}", f"class: F, tests: [{{args: [1], returns: {expected}}}]}}")
    assert run(["ci", "check", "--out", "out", "--wheels", "wheels"]) == 9
    told = {entry["manifest"]: (entry["outcome"], entry["exit_code"]) for entry in index()["entries"]}
    assert told == {
        "teams/a/udfs.yaml": ("clean", 0),
        "teams/b/udfs.yaml": ("failed", 9),
        "teams/c/udfs.yaml": ("clean", 0),
    }
    [failed] = [entry for entry in index()["entries"] if entry["outcome"] == "failed"]
    folder = Path("out", failed["folder"])
    assert 'failures="1"' in (folder / failed["files"]["junit"]).read_text()
    [sarif] = json.loads((folder / failed["files"]["sarif"]).read_text())["runs"]
    assert sarif["automationDetails"]["id"] == "udfs check/teams/b/udfs.yaml/"
    [result] = sarif["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "teams/b/udfs.yaml"


# --- A monorepo -----------------------------------------------------------------------------------------------------------


def test_of_thirty_manifests_and_three_targets_only_the_changed_one_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    git("init", "-q", "-b", "main")
    Path(".gitignore").write_text(".udfs/\n*-out/\n")
    teams = [f"t{number:02}" for number in range(30)]
    for team in teams:
        (add(team) / "udfs.yaml").write_text(
            MANIFEST.format(stack=team).replace(
                "functions:", "  prod: {endpoint: local, project: demo_prod}\nfunctions:"
            )
        )
    git("add", ".")
    git("commit", "-qm", "first")
    git("update-ref", "refs/remotes/origin/main", "HEAD")
    git("checkout", "-qb", "change")
    edit("t17", "x + 1", "x + 2", "src/f_t17.py")
    git("commit", "-qam", "one changes")
    arguments = ["--changed-since", "origin/main", "--target", "local,test,prod"]
    assert run(["ci", "plan", "--exit-code", "--out", "plan-out", *arguments]) == 2
    document = index("plan-out")
    assert [(entry["manifest"], entry["target"], entry["outcome"]) for entry in document["entries"]] == [
        ("teams/t17/udfs.yaml", target, "changes") for target in ("local", "test", "prod")
    ]
    assert len(document["unchanged"]) == 29
    assert document["base"] == git("rev-parse", "origin/main")
    assert "29 manifests unchanged" in Path("plan-out/summary.md").read_text()
    assert run(["ci", "apply", "--approved", "plan-out", *arguments, "--out", "apply-out"]) == 0
    assert run(["ci", "drift", *arguments]) == 0
    assert run(["ci", "plan", "--exit-code", *arguments]) == 0


def test_only_tests_of_functions_whose_bytes_are_not_those_deployed_are_run(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    functions = "".join(
        f"  g{number}: {{source: g{number}.py, class: F, tests: [{{args: [1], returns: 2}}]}}\n" for number in (1, 2)
    )
    Path("udfs.yaml").write_text(MANIFEST.format(stack="top").partition("functions:")[0] + f"functions:\n{functions}")
    for number in (1, 2):
        Path(f"g{number}.py").write_text(SOURCE.format(1) + f"# {number}\n")
    assert run(["apply", "--yes"]) == 0
    assert run(["dump", "--out", "dump.json"]) == 0
    capsys.readouterr()
    Path("g2.py").write_text(SOURCE.format(1) + "# another\n")
    for more in ([], ["--against", "dump.json"]):
        assert run(["test", "--changed", "--format", "json", *more]) == 0
        assert [trial["function"] for trial in json.loads(capsys.readouterr().out)["tests"]] == ["g2"]
    assert run(["test", "--against", "dump.json"]) == 3
