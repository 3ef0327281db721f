"""Every case of ``cases/`` goes as it is written down."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.local import Server, Settings
from tests.acceptance.session import Session, replay

if TYPE_CHECKING:
    from collections.abc import Iterator

CASES = sorted((Path(__file__).parent / "cases").glob("*.txt"))


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    folder = tmp_path / "work"
    folder.mkdir()
    with Server(tmp_path / "store", Settings(control=True), environment=os.environ) as server:
        yield Session(folder, server, monkeypatch)


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_session_goes_as_written(case: Path, session: Session, request: pytest.FixtureRequest) -> None:
    text = case.read_text(encoding="utf-8")
    happened = replay(text, session)
    if request.config.getoption("--update") and happened != text:
        case.write_text(happened, encoding="utf-8")
    assert happened == case.read_text(encoding="utf-8")
    assert "canary-secret" not in happened
    assert "/reconciler/" not in happened, "a traceback of ours"
