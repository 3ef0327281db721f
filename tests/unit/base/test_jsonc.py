"""An entry is put into settings with comments, and nothing else of them changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.base.jsonc import insert_entry, read_jsonc
from reconciler.cli.entry import run

SETTINGS = """\
// mine
{
    "a": "// no comment, and \\"{\\" neither", /* [ */
    "yaml.schemas": {
        // one more
        "x.json": ["x.yaml"],
    },
}
"""


def test_comments_and_last_commas_stay() -> None:
    result = insert_entry(SETTINGS, ("yaml.schemas",), "y.json", ["udfs.yaml"])
    assert result == SETTINGS.replace('"yaml.schemas": {', '"yaml.schemas": {\n        "y.json": ["udfs.yaml"],', 1)


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"a": 1} x', '{"yaml.schemas": []}', '{"yaml.schemas": {"y.json": 1}}', "{'a': 1}"]
)
def test_what_is_not_understood_is_not_changed(text: str) -> None:
    with pytest.raises(ValueError):
        insert_entry(text, ("yaml.schemas",), "y.json", [])


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "yaml.schemas", "//", "{"]), inner, max_size=3)
    ),
)


@given(
    st.dictionaries(st.sampled_from(["a", "b", "yaml.schemas", "//"]), VALUES, max_size=3), st.sampled_from([None, 2])
)
def test_settings_have_one_entry_more(settings: dict[str, Any], indent: int | None) -> None:
    text = json.dumps(settings, indent=indent)
    schemas = settings.get("yaml.schemas", {})
    if not isinstance(schemas, dict):
        with pytest.raises(ValueError):
            insert_entry(text, ("yaml.schemas",), "y.json", [1])
        return
    wanted = {**settings, "yaml.schemas": {**schemas, "y.json": [1]}}
    assert read_jsonc(insert_entry(text, ("yaml.schemas",), "y.json", [1])) == wanted


def test_the_schema_is_given_to_vscode_once_and_never_over_settings_that_are_not_understood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Path(".vscode/settings.json")
    assert run(["schema", "--install", "vscode"]) == 0
    assert json.loads(settings.read_text()) == {"yaml.schemas": {"./.vscode/udfs.schema.json": ["**/udfs.yaml"]}}
    assert json.loads(Path(".vscode/udfs.schema.json").read_text())["properties"]["stack"]
    before = settings.read_text()
    assert run(["schema", "--install", "vscode"]) == 0
    assert settings.read_text() == before
    settings.write_text(SETTINGS)
    assert run(["schema", "policy.yaml", "--install", "vscode"]) == 0
    assert settings.read_text().startswith('// mine\n{\n    "a": "// no comment')
    settings.write_text("{'a': 1}")
    capsys.readouterr()
    assert run(["schema", "--install", "vscode"]) == 3
    assert "error[E749]: .vscode/settings.json is not changed" in capsys.readouterr().err
    assert settings.read_text() == "{'a': 1}"
