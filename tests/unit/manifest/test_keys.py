"""Each key says what it means, with an example that is right; an editor, `udfs explain` and the reference say the same."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from reconciler.cli.entry import run
from reconciler.manifest.keys import KeyText, describe_key, describe_section
from reconciler.manifest.policy_file import Policy
from reconciler.manifest.schema import section_schema
from reconciler.targets.dialects import DIALECTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.manifest.section import Section

SECTIONS: dict[str, type[Section]] = {**{kind: load().model for kind, load in DIALECTS.items()}, "policy": Policy}
MANIFEST = DIALECTS["maxcompute"]().model


def texts() -> Iterator[tuple[str, KeyText]]:
    for kind, section in SECTIONS.items():
        yield from ((kind, text) for text in describe_section(section))


def hovers(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what an editor shows of each key, by the title of its section and its name."""
    for section in (schema, *schema["$defs"].values()):
        yield from ((f"{section['title']}.{name}", shown) for name, shown in section["properties"].items())


@pytest.mark.parametrize(
    ("kind", "text"), list(texts()), ids=lambda value: value if isinstance(value, str) else value.path
)
def test_a_key_has_a_meaning_and_an_example(kind: str, text: KeyText) -> None:
    assert text.meaning
    assert text.example.startswith(f"{text.name}:")


@pytest.mark.parametrize("kind", SECTIONS)
def test_an_example_is_valid_where_it_stands(kind: str) -> None:
    schema = section_schema(SECTIONS[kind])
    for name, shown in hovers(schema):
        key = {name: shown for name, shown in shown.items() if name != "examples"}
        validator = Draft202012Validator({"$defs": schema["$defs"], **key})
        for example in shown["examples"]:
            assert not [error.message for error in validator.iter_errors(example)], name


def test_an_editor_and_explain_say_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    shown = dict(hovers(section_schema(MANIFEST)))
    assert run(["explain", "functions.tests.raises", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["meaning"] == shown["SqlTest.raises"]["description"]


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("stack", "stack"),
        ("functions.tests", "functions.tests"),
        ("functions.my_psi.tests", "functions.tests"),
        ("functions.my_psi.tests.0.args", "functions.tests.args"),
        ("functions.tests[].args", "functions.tests.args"),
        ("packages.build.environment", "packages.build.environment"),
        ("functions.tets", None),
        ("functions.a.b.tests", None),
        ("stack.tests", None),
        ("stack.", None),
        ("", None),
        (".", None),
    ],
)
def test_names_in_a_path_are_passed_over_and_wrong_keys_are_not(path: str, key: str | None) -> None:
    text = describe_key(MANIFEST, path)
    assert (text and text.path) == key


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("functions.tets", "functions.tests"), ("args", "functions.tests.args"), ("policy.max_sise", "policy.max_size")],
)
def test_a_key_that_there_is_not_is_refused_with_the_nearest(
    typed: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["explain", typed]) == 3
    assert f"E744]: there is no key '{typed}'\n  help: did you mean '{meant}'?\n" in capsys.readouterr().err
