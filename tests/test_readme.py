"""The README says what is so, and is short; what it shows of commands is played by `tests/site`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.base.errors import EXIT_CODES
from reconciler.cli.overview import EXIT_CODES as EPILOG
from tests.invariants.scenarios import SCENARIOS
from tests.invariants.troubles import TROUBLES

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks() -> Iterator[str]:
    yield from re.findall(r"```console\n(.*?)```", README, re.DOTALL)


def test_the_readme_is_read_in_one_sitting() -> None:
    assert len(README.splitlines()) <= 150


def test_what_the_readme_leads_to_is_there() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)|(?:src|srcset)=\"([^\"]+)\"", README)
    assert links
    assert not [name for pair in links for name in pair if name and not (ROOT / name).exists()]


def test_exit_codes_are_told_alike_everywhere() -> None:
    assert set(map(int, re.findall(r"\b(\d+)  [a-z]", EPILOG))) == set(EXIT_CODES)


def test_ci_runs_the_command_that_the_readme_gives_for_the_tests() -> None:
    [command] = [block.strip() for block in blocks() if "pytest" in block]
    assert command in (ROOT / ".ci/run").read_text(encoding="utf-8")


def test_the_proof_that_is_quoted_is_of_these_scenarios_and_troubles() -> None:
    page = (ROOT / "docs/concepts/proved.md").read_text(encoding="utf-8")
    [shown] = re.findall(r"```console\n(\$ python -m tests.proof.*?)```", page, re.DOTALL)
    assert re.search(rf"^ +{len(SCENARIOS)}  scenarios, .* {len(TROUBLES)} troubles", shown, re.MULTILINE)
    assert re.search(r"^udfs at commit [0-9a-f]{10},", shown, re.MULTILINE)


def test_every_test_that_the_decisions_name_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / ".github/DECISIONS.md").read_text(encoding="utf-8")))
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    assert named, "the invariants name their tests"
    assert not [
        one for one in sorted(named) if f"def {one}(" not in sources and not list((ROOT / "tests").rglob(f"{one}.py"))
    ]
