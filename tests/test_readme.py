"""The README says what is so."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.base.errors import EXIT_CODES
from reconciler.cli.entry import run
from reconciler.cli.overview import COMMANDS
from reconciler.cli.overview import EXIT_CODES as EPILOG
from tests.invariants.scenarios import SCENARIOS
from tests.invariants.troubles import TROUBLES

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks() -> Iterator[str]:
    yield from re.findall(r"```console\n(.*?)```", README, re.DOTALL)


def test_every_command_is_listed() -> None:
    table = re.findall(r"`udfs ([a-z-]+)", README[README.index("## Commands") :])
    assert set(COMMANDS) <= set(table)
    assert set(table) <= set(COMMANDS)


def test_exit_codes_are_told_alike_everywhere() -> None:
    told = set(map(int, re.findall(r"\| (\d+) \| ", README)))
    helped = set(map(int, re.findall(r"\b(\d+)  [a-z]", EPILOG)))
    assert told == helped
    assert told <= set(EXIT_CODES)


def test_ci_runs_the_command_that_the_readme_gives_for_the_tests() -> None:
    [command] = [block.strip() for block in blocks() if "pytest" in block]
    assert command in (ROOT / ".ci/run").read_text(encoding="utf-8")


def test_the_plan_shown_is_the_plan_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [shown] = [block for block in blocks() if block.startswith("$ udfs plan -f examples/numpy")]
    shutil.copytree(ROOT / "examples/numpy", tmp_path / "examples/numpy", ignore=shutil.ignore_patterns(".udfs"))
    monkeypatch.chdir(tmp_path)
    code = run(["plan", "-f", "examples/numpy/udfs.yaml"])
    told = capsys.readouterr()
    if "E403" in told.err:
        pytest.skip("the package index cannot be reached")
    assert code == 0, told.err
    lines = [line for line in shown.splitlines()[1:] if not line.startswith("fetching ")]
    assert told.out == "\n".join(lines) + "\n"


def test_the_error_shown_is_the_error_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [shown] = [block for block in blocks() if block.startswith("$ udfs validate\n")]
    [wrong] = re.findall(r"^ 4 \| (.*)", shown, re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    Path("udfs.yaml").write_text(f"stack: demo\nfunctions:\n  f:\n{wrong}\n")
    assert run(["validate"]) == 3
    assert capsys.readouterr().err == shown.partition("\n")[2]


def test_the_proof_that_is_quoted_is_of_these_scenarios_and_troubles() -> None:
    [shown] = [block for block in blocks() if block.startswith("$ python -m tests.proof")]
    assert re.search(rf"^ +{len(SCENARIOS)}  scenarios, .* {len(TROUBLES)} troubles", shown, re.MULTILINE)
    assert re.search(r"^udfs at commit [0-9a-f]{10},", shown, re.MULTILINE)


def test_every_test_that_the_decisions_name_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / ".github/DECISIONS.md").read_text(encoding="utf-8")))
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    assert named, "the invariants name their tests"
    assert not [
        one for one in sorted(named) if f"def {one}(" not in sources and not list((ROOT / "tests").rglob(f"{one}.py"))
    ]
