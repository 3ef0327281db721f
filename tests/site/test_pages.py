"""What a page of the documentation shows is what appears."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.site.console import ROOT, CannotPlay, Terminal, blocks_of, is_as_shown

if TYPE_CHECKING:
    from pathlib import Path

DOCS = ROOT / "docs"
WHOLE = os.environ.get("UDFS_PROOF") == "whole"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
PLAYED = [
    page for page in PAGES if blocks_of(page.read_text(encoding="utf-8")) and "zh" not in page.relative_to(ROOT).parts
]


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    return Terminal(tmp_path / "work", monkeypatch)


@pytest.mark.parametrize("page", PLAYED, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_shows_what_appears(page: Path, terminal: Terminal, request: pytest.FixtureRequest) -> None:
    text = page.read_text(encoding="utf-8")
    if text.startswith("---\nproof: whole\n") and not WHOLE and not request.config.getoption("--update"):
        pytest.skip("a long page: UDFS_PROOF=whole plays it")
    try:
        happened = terminal.play(text)
    except CannotPlay as lacking:
        pytest.skip(str(lacking))
    if request.config.getoption("--update") and happened != text:
        page.write_text(happened, encoding="utf-8")
    assert happened == page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("printed", "shown", "same"),
    [
        (["2026-11-30 06:52Z  committed"], ["2025-01-01 00:00Z  committed"], True),
        (["a", "b", "c", "d"], ["a", "…", "d"], True),
        (["a", "d"], ["a", "b", "d"], False),
        (["greet__874c3d65.py"], ["greet__00000000.py"], True),
        (["greet__874c3d65.py"], ["greet.py"], False),
        (["2 created"], ["3 created"], False),
    ],
)
def test_only_what_differs_from_run_to_run_may_differ(printed: list[str], shown: list[str], same: bool) -> None:
    assert is_as_shown(printed, shown) is same


def test_a_command_that_prints_something_else_is_seen(terminal: Terminal) -> None:
    page = '# P\n\n```text title="a.txt"\nhello\n```\n\n```console\n$ cat a.txt\nbye\n```\n'
    assert terminal.play(page) == page.replace("bye", "hello")
