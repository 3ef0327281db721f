"""A function of the project that hides a built-in one: `::f(…)` calls what is behind it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from reconciler.cli.entry import run
from reconciler.local.sql.built_ins import table
from reconciler.local.sql.built_ins.names import BUILT_IN
from reconciler.local.sql.dialect import WITH_SYNTAX
from reconciler.local.sql.table_functions import COLUMNS
from reconciler.targets.maxcompute.sql_words import why_confusing

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


def test_local_sql_runs_no_function_that_a_manifest_is_not_told_of() -> None:
    """One list for both: what is not in it is the project's alone, and what is in it runs here or is told to be missing."""
    runs = {*table.names(), *COLUMNS, *WITH_SYNTAX - {"case"}}
    assert runs <= BUILT_IN
    assert all(why_confusing(name) for name in runs)


def test_of_a_built_in_function_that_is_missing_here_so_much_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    missing = sorted(BUILT_IN - {*table.names(), *COLUMNS, *WITH_SYNTAX})
    assert missing
    for name in (missing[0], missing[-1], "nobodys"):
        assert run(["sql", f"SELECT {name}(1)"]) == 3
        assert ("missing here" in capsys.readouterr().err) == (name != "nobodys")
