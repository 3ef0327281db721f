"""A function of the project that hides a built-in one: `::f(…)` calls what is behind it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from reconciler.cli.entry import run

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST = """\
stack: s
targets: {local: {endpoint: local, project: demo}}
functions:
  concat: {source: f.py, class: F}
"""
SOURCE = "from odps.udf import annotate\n@annotate('string,string->string')\nclass F(object):\n    def evaluate(self, a, b):\n        return 'mine'\n"


@pytest.fixture(autouse=True)
def applied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "udfs.yaml").write_text(MANIFEST)
    (tmp_path / "f.py").write_text(SOURCE)
    assert run(["apply", "--yes"]) == 0
    assert "E377" in capsys.readouterr().err


def test_two_colons_before_a_call_name_the_built_in_function(capsys: pytest.CaptureFixture[str]) -> None:
    query = "SELECT concat('a', 'b'), ::concat('a', 'b'), 1 + ::length(::concat('a', 'bc')), CASE WHEN true THEN ::if(false, 1, 2) END"
    assert run(["sql", query, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == [["mine", "ab", 4, 2]]


def test_two_colons_behind_a_value_are_no_conversion(capsys: pytest.CaptureFixture[str]) -> None:
    for value in ("a::string", "'1'::bigint", "(1)::decimal(10,2)"):
        assert run(["sql", f"SELECT {value} FROM (SELECT 1 a) t"]) == 3
        assert "a conversion is CAST(… AS …)" in capsys.readouterr().err
