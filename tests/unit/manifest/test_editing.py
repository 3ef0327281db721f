"""Entries come into a manifest's text, and everything else of it stays as it is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.base.errors import InvalidManifest
from reconciler.manifest.editing import Bare, ManifestEntry, add_entries, scalar
from reconciler.manifest.reader import Document, read_document

NEW = [
    ManifestEntry("new", {"class": "m.F", "resources": ["m.py"]}, "by hand"),
    ManifestEntry("no", {"class": "m.G"}, is_short=True),
]
WORDS = st.sampled_from(["a", "b c", "no", "1e5", "~", "x: y", "# z", "'", '"', "\\", "${var}", "é\t", "{", "- "])

EMPTY = {"empty": " {}", "null": " null", "none": ""}


def values(text: str) -> object:
    document = Document("udfs.yaml")
    read_document(text.encode(), document)
    assert document.problems == []
    return document.root


@st.composite
def manifests(draw: st.DrawFn) -> str:
    """Draw a manifest as somebody may have written it: any indent, comments everywhere, blocks and braces."""
    indent = " " * draw(st.integers(1, 5))
    remark = st.sampled_from(["", "# a remark\n", "\n", "\n# about what follows\n", f"{indent}# nothing: here\n"])
    value = st.sampled_from(
        [
            "{class: m.F}",
            "m",
            '"q # q"',
            f"\n{indent} class: F  # why",
            f"|\n{indent}  text\n\n{indent}  more",
            "[a,\n  b]",
        ]
    )
    sections = draw(st.permutations(["stack", "targets", "resources", "functions"]))
    sections = sections[: draw(st.integers(1, 4))]
    text = draw(remark).lstrip(" ")
    for section in [*sections, *([] if "functions" in sections else ["functions"])]:
        style = draw(st.sampled_from(["block", "braces", "empty", "null", "none"]))
        if style == "block":
            names = draw(st.lists(st.sampled_from("abcde"), min_size=1, unique=True))
            text += f"{section}:{draw(st.sampled_from(['', '   # said']))}\n"
            text += "".join(f"{indent}{name}: {draw(value)}\n{draw(remark)}" for name in names)
        elif style == "braces":
            text += f"{section}: {{a: {{b: c}}, d: e{draw(st.sampled_from(['', ',', ' ', ',  # last' + chr(10)]))}}}\n"
        else:
            text += f"{section}:{EMPTY[style]}{draw(st.sampled_from(['', '  # said']))}\n"
        text += draw(remark)
    return text


@given(manifests(), st.sampled_from(["functions", "resources"]), st.booleans(), st.booleans())
def test_entries_are_added_and_nothing_else_changes(text: str, section: str, windows: bool, cut: bool) -> None:
    # A text in a block that ends without a line break is another one with it; then nothing can be added behind it.
    text = text.rstrip("\n") if cut and "|" not in text else text
    text = text.replace("\n", "\r\n") if windows else text
    before = values(text)
    assert isinstance(before, dict)
    found = add_entries(text, section, NEW)
    kept = before.get(section)
    after = values(found)
    assert isinstance(after, dict)
    assert after[section] == {**(kept if isinstance(kept, dict) else {}), **{one.name: dict(one.fields) for one in NEW}}
    assert {k: v for k, v in after.items() if k != section} == {k: v for k, v in before.items() if k != section}
    here = 0
    for line in text.split("\n"):
        if not line.startswith(f"{section}:"):
            here = found.index(line.rstrip("\r"), here) + len(line.rstrip("\r"))
    assert ("\n" in found.replace("\r\n", "")) is ("\r\n" not in found)


@given(
    st.dictionaries(
        st.sampled_from(["stack", "functions", "resources"]),
        st.dictionaries(WORDS.filter("no".__ne__), WORDS),
        min_size=1,
    )
)
def test_a_manifest_that_is_one_line_of_json_stays_one(manifest: dict[str, dict[str, str]]) -> None:
    text = json.dumps(manifest)
    after = values(add_entries(text, "functions", NEW))
    assert after == {
        **manifest,
        "functions": {**manifest.get("functions", {}), **{one.name: dict(one.fields) for one in NEW}},
    }


@given(st.text() | WORDS)
def test_every_reader_takes_a_scalar_for_its_text(text: str) -> None:
    import yaml

    printable = "".join(c for c in text if not 0xD800 <= ord(c) < 0xE000)
    assert yaml.safe_load(f"{{a: {scalar(printable)}}}") == {"a": printable}


def test_what_cannot_be_added_for_certain_is_refused() -> None:
    with pytest.raises(InvalidManifest, match="no place is found"):
        add_entries("functions:\n  new: {class: m.F}\n", "functions", NEW)


def test_nothing_to_add_changes_nothing() -> None:
    assert add_entries("stack: s", "functions", []) == "stack: s"


def test_a_long_list_stands_line_by_line() -> None:
    entry = ManifestEntry(
        "f", {"class": "m.F", "resources": [f"a_resource_with_a_long_name_{number}.py" for number in range(9)]}
    )
    found = add_entries("stack: s\n", "functions", [entry])
    assert "    resources:\n      - a_resource_with_a_long_name_0.py\n" in found
    assert values(found) == {"stack": "s", "functions": {"f": dict(entry.fields)}}


def test_what_is_added_comes_before_the_end_of_the_document() -> None:
    found = add_entries("stack: s\nfunctions:\n  f: {class: m.F}\n...\n", "functions", NEW)
    assert found.index("new:") < found.index("...")


def test_numbers_and_truth_values_stand_as_they_are_and_texts_that_look_alike_in_quotes() -> None:
    entry = ManifestEntry("f", {"port": Bare("8080"), "open": Bare("true"), "handler": "true", "account": "0123"})
    added = add_entries("stack: s\n", "functions", [entry])
    assert [line.strip() for line in added.splitlines()[-5:]] == [
        "f:",
        "port: 8080",
        "open: true",
        'handler: "true"',
        'account: "0123"',
    ]
