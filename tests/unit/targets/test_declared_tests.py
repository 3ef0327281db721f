"""Tests in the manifest against signatures: what they came to is kept until something it depends on changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.cli.entry import run
from reconciler.targets.maxcompute.source_rules import declared_signature

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from reconciler.manifest.load import Loaded

SOURCE = """\
from odps.udf import annotate
@annotate("{}")
class F(object):
    def evaluate(self, a):
        return a
"""
MANIFEST = "stack: s\npython: cp37\nfunctions:\n  f: {{source: f.py, class: F, tests: [{{args: [{}], returns: 1}}]}}\n"


def test_the_outcome_is_kept_until_source_or_tests_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UDFS_CACHE_DIR", str(tmp_path / "cache"))
    reads: list[str] = []

    def noted(loaded: Loaded, name: str) -> Any:
        reads.append(name)
        return declared_signature(loaded, name)

    monkeypatch.setattr("reconciler.targets.maxcompute.declared_tests.declared_signature", noted)

    def validate(signature: str, argument: str) -> tuple[int, int, str]:
        (tmp_path / "f.py").write_text(SOURCE.format(signature))
        (tmp_path / "udfs.yaml").write_text(MANIFEST.format(argument))
        reads.clear()
        return run(["validate"]), len(reads), capsys.readouterr().err

    assert validate("bigint->bigint", "1")[:2] == (0, 1)
    assert validate("bigint->bigint", "1")[:2] == (0, 0)
    wrong = validate("bigint->bigint", "x")
    again = validate("bigint->bigint", "x")
    assert wrong[:2] == (3, 1)
    assert again[:2] == (3, 0)
    assert "E376" in wrong[2]
    assert "f is declared as bigint->bigint" in again[2]
    assert validate("string->bigint", "x")[:2] == (0, 1)
