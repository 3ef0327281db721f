"""The JSON Schema: current, valid, and of one mind with the model about the examples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from reconciler.manifest.schema import manifest_schema
from reconciler.targets.dialects import DIALECTS
from reconciler.targets.maxcompute.manifest import Manifest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
KEPT = {
    "maxcompute": ROOT / "schemas" / "udfs.schema.json",
    "fc": ROOT / "schemas" / "udfs.fc.schema.json",
    "flink": ROOT / "schemas" / "udfs.flink.schema.json",
}
EXAMPLES = sorted([*(ROOT / "examples").glob("*/udfs.yaml"), *(ROOT / "examples").glob("*/source/udfs.yaml")])
MARK = "# yaml-language-server: $schema="
MINIMAL: dict[str, Any] = {"stack": "s", "functions": {}}


def valid(values: object) -> bool:
    return bool(Draft202012Validator(manifest_schema(Manifest)).is_valid(values))


@pytest.mark.parametrize("kind", DIALECTS)
def test_the_kept_schema_is_the_one_of_the_model(kind: str) -> None:
    schema = json.dumps(manifest_schema(DIALECTS[kind]().model), indent=2) + "\n"
    assert KEPT[kind].read_text(encoding="utf-8") == schema, (
        f"run: udfs schema --kind {kind} > schemas/{KEPT[kind].name}"
    )


@pytest.mark.parametrize("kind", DIALECTS)
def test_the_schema_is_a_schema(kind: str) -> None:
    Draft202012Validator.check_schema(manifest_schema(DIALECTS[kind]().model))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.relative_to(ROOT / "examples").as_posix())
def test_the_examples_are_valid_to_an_editor(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    first = text.splitlines()[0]
    if first.startswith(MARK):
        named = (path.parent / first.removeprefix(MARK)).resolve()
        assert named in KEPT.values()
        schema = json.loads(named.read_text(encoding="utf-8"))
        errors = [error.message for error in Draft202012Validator(schema).iter_errors(yaml.safe_load(text))]
        assert errors == []


@pytest.mark.parametrize(
    "values",
    [
        MINIMAL,
        {**MINIMAL, "functions": None, "resources": None, "packages": None, "targets": None, "variables": None},
        {**MINIMAL, "runtimes": None},
        {**MINIMAL, "runtimes": {"cp37": None, "cp311": {"python": "3.11.4", "platform": "aarch64"}}},
        {**MINIMAL, "variables": {"n": 3, "b": True, "t": "x"}},
        {**MINIMAL, "functions": {"f": {"class": "A", "tests": None, "packages": None}}},
        {**MINIMAL, "functions": {"f": {"class": "A", "tests": [{"args": None, "returns": None}]}}},
        {**MINIMAL, "resources": {"r": {"table": "t", "partition": "pt=1"}}},
        {**MINIMAL, "packages": {"p": {"wheels": ["a.whl", {"requirement": "a==1", "sha256": "a" * 64}]}}},
    ],
)
def test_what_the_tool_takes_an_editor_takes(values: object) -> None:
    assert valid(values)


@pytest.mark.parametrize(
    "values",
    [
        [],
        {"stack": "s"},
        {**MINIMAL, "stak": "s"},
        {**MINIMAL, "stack": "S"},
        {**MINIMAL, "python": "3.10"},
        {**MINIMAL, "targets": {"t": {}}},
        {**MINIMAL, "targets": {"a b": {"project": "p"}}},
        {**MINIMAL, "functions": {"f": {"clas": "A"}}},
        {**MINIMAL, "functions": {"f": {"class": ""}}},
        {**MINIMAL, "functions": {"f": {"class": "A", "packages": "p"}}},
        {**MINIMAL, "resources": {"r": {"comment": "x"}}},
        {**MINIMAL, "resources": {"r": {"file": "x", "table": "y"}}},
        {**MINIMAL, "resources": {"r": {"file": "x", "partition": "pt=1"}}},
        {**MINIMAL, "packages": {"p": {"wheels": []}}},
        {**MINIMAL, "packages": {"p": {"wheels": [{"requirement": "a==1"}]}}},
    ],
)
def test_what_the_tool_refuses_for_its_shape_an_editor_refuses(values: object) -> None:
    assert not valid(values)


def test_every_key_says_what_it_is_for() -> None:
    def bare(node: Any, path: str) -> Iterator[str]:
        for name, field in node.get("properties", {}).items():
            if "description" not in field:
                yield f"{path}.{name}"

    schema = manifest_schema(Manifest)
    found = [*bare(schema, "udfs.yaml")]
    for name, part in schema["$defs"].items():
        assert part["description"]
        found += bare(part, name)
    assert found == []


def test_no_part_takes_unknown_keys() -> None:
    schema = manifest_schema(Manifest)
    assert {part["additionalProperties"] for part in (schema, *schema["$defs"].values())} == {False}
