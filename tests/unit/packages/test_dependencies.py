"""What `udfs libs` and `udfs deps` know, where a session would not reach."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from reconciler.cli.entry import run
from reconciler.packages import content
from reconciler.packages.dependencies import inspect_together
from reconciler.packages.inspect.contents import FileFacts
from reconciler.packages.inspect.gate import Part
from reconciler.targets.maxcompute.runtimes import RUNTIMES

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_wheel_whose_name_is_none_does_not_load() -> None:
    (found,) = inspect_together([(Part("odd.whl", FileFacts("wheel")), 1)], [RUNTIMES["cp37"]], RUNTIMES["cp37"])
    (verdict,) = found.verdicts
    assert not verdict.loads
    assert verdict.findings[0].message == "has tags that do not fit: its name is not a wheel's"


def test_a_pipe_is_not_waited_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "x.so")
    assert run(["libs", str(tmp_path / "x.so")]) == 3
    assert "error[E305]" in capsys.readouterr().err


def test_a_file_that_cannot_be_read_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(path: Path) -> content.Content:
        raise OSError(5, "Input/output error")

    (tmp_path / "x.so").write_bytes(b"x")
    monkeypatch.setattr(content, "read_content", broken)
    assert run(["libs", str(tmp_path / "x.so")]) == 3
    assert "cannot be read: Input/output error" in capsys.readouterr().err
