"""A stack of many objects is read on one screen, and what may do harm is still named."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from reconciler.cli.entry import run
from reconciler.core.diff import Action, Change
from reconciler.core.report import Outcome, Report
from reconciler.render import styled, text
from reconciler.targets.maxcompute.objects import resource_key
from tests.benchmarks.stack import write

if TYPE_CHECKING:
    from pathlib import Path

SCREEN = 24
FUNCTIONS = 20


class Shell:
    """A folder with a stack, and what a command prints there."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys = folder, capsys

    def udfs(self, *arguments: str, code: int = 0) -> str:
        """Return what a command prints, to either stream."""
        self.capsys.readouterr()
        assert run(list(arguments)) == code
        printed = self.capsys.readouterr()
        return printed.out + printed.err


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    write(tmp_path, FUNCTIONS)
    manifest = tmp_path / "udfs.yaml"
    manifest.write_text(manifest.read_text().replace("'${env:ENDPOINT}'", "local").replace("'${env:PROJECT}'", "demo"))
    monkeypatch.chdir(tmp_path)
    return Shell(tmp_path, capsys)


def assert_fits(text: str) -> None:
    assert len(text.splitlines()) <= SCREEN, text
    assert all(len(line) <= 170 for line in text.splitlines() if "Digest" not in line), text


def test_a_first_apply_names_kinds_and_numbers_and_all_of_it_on_request(shell: Shell) -> None:
    plan = shell.udfs("plan")
    assert_fits(plan)
    assert "  + 20 functions, 40 resources are new; 2.3 kB to upload\n" in plan
    assert "      f00000, f00001, f00002 … f00019\n" in plan
    assert "Like objects share a line; --full names each\n" in plan
    assert "Plan: 60 to create, 0 to update, 0 to delete, 0 unchanged" in plan
    full = shell.udfs("plan", "--full")
    assert len(full.splitlines()) > 60
    assert "  + function f00007 will be created: it is new" in full
    applied = shell.udfs("apply", "--yes")
    assert_fits(applied)
    assert "60 created" in applied
    shown = shell.udfs("show")
    assert_fits(shown)
    assert shown.startswith("20 functions, each with 2 resources of its own\n  f00000, f00001, f00002 … f00019\n")
    assert shell.udfs("show", "f0000?").count("  SET odps.sql.python.version=cp37;\n") == 10
    run_ = shell.udfs("show-run", "1")
    assert_fits(run_)
    assert "  done      create  20 functions: f00000, f00001, f00002 … f00019\n" in run_


def test_what_may_do_harm_is_named_however_much_else_changes(shell: Shell) -> None:
    shell.udfs("apply", "--yes")
    for source in (shell.folder / "f").glob("f*.py"):
        source.write_text(source.read_text().replace("return ", "return 1 + "))
    (shell.folder / "f/d00003.csv").write_text("written over\n")
    manifest = shell.folder / "udfs.yaml"
    gone = "  f00019: {source: f/f00019.py, class: F, resources: [d00019.csv]}\n"
    manifest.write_text(manifest.read_text().replace(gone, ""))
    plan = shell.udfs("plan", "--summary")
    assert_fits(plan)
    assert "  + 19 resources are new, since their content changed" in plan
    assert "  ~ 19 functions get other code\n" in plan
    assert "  ~ resource d00003.csv will be changed: the manifest wants other content" in plan
    assert "  - function f00019 will be deleted: it is no longer in the manifest" in plan


def test_a_plan_can_be_shown_of_some_objects_and_stays_whole(shell: Shell) -> None:
    everything = json.loads(shell.udfs("plan", "--format", "json"))
    plan = shell.udfs("plan", "f0001?")
    assert "function f00012" in plan
    assert "resource d00012.csv" in plan, "what it needs is shown with it"
    assert "f00001" not in plan
    assert "Shown: 30 of 60 changes; the plan is the whole:" in plan
    assert everything["digest"] in plan
    assert "nothing in the plan is called 'f0002x'" in shell.udfs("plan", "f0002x", code=3)
    assert "| + | function `f00003` |" in shell.udfs("plan", "f00003", "--format", "markdown")


def test_an_apply_that_stopped_names_what_failed_and_counts_the_rest() -> None:
    def change(name: str) -> Change:
        return Change(Action.CREATE, resource_key(name), None, None)

    outcomes = [(change(f"a{number:03}.csv"), Outcome.DONE) for number in range(300)]
    outcomes += [(change("bad.csv"), Outcome.FAILED), (change("worse.csv"), Outcome.FAILED)]
    outcomes += [(change(f"z{number:03}.csv"), Outcome.NOT_TRIED) for number in range(300)]
    assert styled.plain_text(text.report_lines(Report(tuple(outcomes)))).splitlines() == [
        "  created             300 resources: a000.csv, a001.csv, a002.csv … a299.csv",
        "  failed (create)     resource bad.csv",
        "  failed (create)     resource worse.csv",
        "  not tried (create)  300 resources: z000.csv, z001.csv, z002.csv … z299.csv",
        "Stopped: 300 created, 302 not done",
    ]


def test_many_objects_that_nobody_manages_are_one_refusal_whose_way_out_works(shell: Shell) -> None:
    shell.udfs("apply", "--yes")
    manifest = shell.folder / "udfs.yaml"
    shutil.copy(manifest, kept := shell.folder / "kept.yaml")
    head = manifest.read_text().partition("resources:")[0] + "functions: {}\n"
    manifest.write_text(head)
    given_up = shell.udfs("disown", "*", "--yes")
    assert_fits(given_up)
    assert "  = 20 functions, 40 resources stay as they are and are no longer managed" in given_up
    shutil.copy(kept, manifest)
    refused = shell.udfs("plan", code=5)
    assert_fits(refused)
    assert "error[E501]: 60 objects of the manifest are in the project and udfs does not manage them" in refused
    assert "help: take over all that nobody manages, as it is: udfs adopt '*'" in refused
    document = json.loads(shell.udfs("plan", "--format", "json", code=5))
    assert len(document["refusals"]) == 60, "a program gets each of them"
    adopted = shell.udfs("adopt", "*", "--yes")
    assert_fits(adopted)
    assert "60 adopted" in adopted
    assert "Nothing to do: 60 objects as the manifest says" in shell.udfs("plan")


def test_tests_are_chosen_by_pattern_and_run_so_many_at_a_time(shell: Shell) -> None:
    manifest = shell.folder / "udfs.yaml"
    manifest.write_text(
        manifest.read_text().replace("class: F,", "class: F, python: cp311, tests: [{args: [], returns: 7}],")
    )
    printed = shell.udfs("test", "f00007", "g*", code=3)
    assert "the manifest has no function 'g*'" in printed
    printed = shell.udfs("test", "f0000?", "--jobs", "2", code=9)
    assert "  ok    f00007() → 7" in printed
    assert "Tests: 1 passed, 9 failed, of 10 functions, " in printed
    assert "'f0000?' fits 10 functions, and call takes one" in shell.udfs("call", "f0000?", code=3)
