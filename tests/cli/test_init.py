"""A project that `udfs init NAME` makes is whole: it is checked, tested and applied as it stands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from tests.invariants.world import here

KINDS = pytest.mark.parametrize(
    ("kind", "call"), [("maxcompute", ["greet", "ada_lovelace"]), ("fc", ["greet", "--event", "ada_lovelace"])]
)


@pytest.fixture(autouse=True)
def _in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@KINDS
def test_a_project_is_tested_and_applied_as_it_stands(
    kind: str, call: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert here("init", "risk-scores", "--kind", kind).code == 0
    monkeypatch.chdir("risk-scores")
    tested = here("test")
    if "E403" in tested.err:
        pytest.skip("no package index answers")
    assert tested.code == 0, tested.err
    for command in (["fmt", "--check"], ["validate"], ["apply", "--yes"], ["plan", "--exit-code"]):
        ended = here(*command)
        assert (ended.code, ended.err.count("warning")) == (0, 0), ended.err
    assert "Hello, Ada Lovelace!" in here(*["call", *call]).out


@KINDS
def test_the_schema_that_the_manifest_names_is_there_and_takes_it(kind: str, call: list[str]) -> None:
    here("init", "risk-scores", "--kind", kind)
    text = Path("risk-scores/udfs.yaml").read_text()
    assert text.splitlines()[0] == "# yaml-language-server: $schema=udfs.schema.json"
    manifest = yaml.safe_load(text)
    assert manifest["stack"] == "risk-scores"
    schema = json.loads(Path("risk-scores/udfs.schema.json").read_text())
    assert not [*Draft202012Validator(schema).iter_errors(manifest)]


def test_nothing_is_written_where_a_file_of_it_is_there() -> None:
    Path("risk-scores").mkdir()
    Path("risk-scores/.gitignore").write_text("mine\n")
    refused = here("init", "risk-scores", "--ci", "github")
    assert (refused.code, "E903" in refused.err) == (3, True)
    assert [path.name for path in Path("risk-scores").iterdir()] == [".gitignore"]


@pytest.mark.parametrize("name", ["Risk", "a/b", "../up", "1st", "risk\n"])
def test_a_name_that_no_stack_may_have_is_refused(name: str) -> None:
    refused = here("init", name)
    assert (refused.code, "E745" in refused.err) == (3, True)
    assert not [*Path().iterdir()]
