"""Names that a manifest has are completed: in a shell, and in an editor by the schema."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from jsonschema import Draft202012Validator

from reconciler.cli.entry import run
from reconciler.cli.group import group

MANIFEST = """\
stack: shop
include: [team/more.yaml]
targets: {local: {endpoint: local, project: demo}, production: {project: shop, endpoint: local}}
packages:
  words: {requirements: [inflection]}
  science: {requirements: [scipy]}
functions:
  greet: {source: greet.py, class: Greet, packages: [words]}
"""
MORE = "functions:\n  Grow: {source: grow.py, class: Grow}\nresources:\n  iris.csv: {file: iris.csv}\n"


@pytest.fixture(autouse=True)
def half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write a manifest whose files are not there yet."""
    monkeypatch.chdir(tmp_path)
    Path("team").mkdir()
    Path("udfs.yaml").write_text(MANIFEST)
    Path("team/more.yaml").write_text(MORE)
    Path("other.yaml").write_text("functions: {gravity: {}}\n")
    Path("broken.yaml").write_text("functions: {gravity: [}\n")


@pytest.mark.parametrize(
    ("words", "incomplete", "completed"),
    [
        ("test", "gr", ["greet", "Grow"]),
        ("show", "greet", ["greet"]),
        ("call", "G", ["greet", "Grow"]),
        ("deps", "x", []),
        ("adopt", "", ["greet", "Grow", "iris.csv"]),
        ("export maxframe", "s", ["science"]),
        ("plan --target", "", ["local", "production"]),
        ("plan --target", "local,p", ["local,production"]),
        ("call --target", "p", ["production"]),
        ("test -f other.yaml", "", ["gravity"]),
        ("test -f broken.yaml", "", ["gravity"]),
        ("test -f nowhere.yaml", "", []),
    ],
)
def test_a_shell_completes_names_of_the_manifest(words: str, incomplete: str, completed: list[str]) -> None:
    shell = ShellComplete(group, {}, "udfs", "_UDFS_COMPLETE")
    assert [item.value for item in shell.get_completions(words.split(), incomplete)] == completed


def test_an_editor_is_offered_names_and_takes_others(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema"]) == 0
    assert "science" not in json.dumps(
        json.loads(capsys.readouterr().out)["$defs"]["Function"]["properties"]["packages"]["items"]
    )
    assert run(["schema", "--names"]) == 0
    schema = json.loads(capsys.readouterr().out)
    properties = schema["$defs"]["Function"]["properties"]
    assert properties["packages"]["items"]["anyOf"][0] == {"enum": ["words", "science"]}
    assert properties["resources"]["items"]["anyOf"][0] == {"enum": ["iris.csv"]}
    Draft202012Validator.check_schema(schema)
    manifest = {"stack": "s", "functions": {"f": {"source": "f.py", "class": "F", "packages": ["words", "not-yet"]}}}
    assert Draft202012Validator(schema).is_valid(manifest)
    assert run(["schema", "--install", "vscode"]) == 0
    assert json.loads(Path(".vscode/udfs.schema.json").read_text()) == schema
