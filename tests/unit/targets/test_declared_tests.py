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
    assert "f is declared as BIGINT->BIGINT" in again[2]
    assert validate("string->bigint", "x")[:2] == (0, 1)


def test_a_day_that_no_calendar_has_is_told_at_its_place_with_the_form_of_the_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UDFS_CACHE_DIR", str(tmp_path / "cache"))

    def refusal(signature: str, argument: str) -> str:
        (tmp_path / "f.py").write_text(SOURCE.format(f"{signature}->bigint"))
        (tmp_path / "udfs.yaml").write_text(MANIFEST.format(argument))
        assert run(["validate"]) == 3
        return capsys.readouterr().err

    assert "udfs.yaml:4:47: error[E376]: argument 1 does not fit: '2024-02-30' is no DATE" in refusal(
        "date", "2024-02-30"
    )
    assert "'2024-2-3' is no DATETIME, which is written 2026-05-31 12:30:00" in refusal("datetime", "2024-2-3")
    assert "'yes' is no BOOLEAN, which is true or false" in refusal("boolean", "yes")
    assert '{"aa": 1} is no STRUCT<Aa:BIGINT>' in refusal("struct<Aa:bigint>", "{aa: 1}")
