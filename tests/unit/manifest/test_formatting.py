"""A formatted manifest means what it meant, keeps its comments, and is formatted."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.base.errors import InvalidManifest
from reconciler.cli.entry import run
from reconciler.manifest.formatting import FUNCTION, TOP, _meaning, format_manifest
from reconciler.manifest.schema import manifest_schema
from reconciler.targets.dialects import DIALECTS

MESSY = """\
# about the file

# what there is
functions:
    # f counts
    f:
        class: F   # its class
        source: 'f.py'
        # g is for later:
        #   g: {}
        tests:
        - args: [1,
                 2]
          returns: |
               x
                y


    g: {source: g.py, class: "G"}
# whose it is
stack: risk
variables:
     day:   2026-01-01
"""
NEAT = """\
# about the file

# whose it is
stack: risk
variables:
  day:   2026-01-01
# what there is
functions:
  # f counts
  f:
    source: 'f.py'
    class: F   # its class
    # g is for later:
    #   g: {}
    tests:
      - args: [1,
               2]
        returns: |
             x
              y


  g: {source: g.py, class: "G"}
"""


def formatted(text: str) -> str:
    return format_manifest(text.encode(), "udfs.yaml").decode()


def test_indents_and_order_change_and_nothing_within_a_line() -> None:
    assert formatted(MESSY) == NEAT


def test_an_empty_line_above_what_comes_first_is_not_kept() -> None:
    assert formatted("functions: {}\n\nstack: s\n") == "stack: s\nfunctions: {}\n"


def test_a_checkout_with_carriage_returns_keeps_them() -> None:
    assert formatted(MESSY.replace("\n", "\r\n")) == NEAT.replace("\n", "\r\n")


@pytest.mark.parametrize("text", ["stack: [", "f: &f {}\ng: *f\n", "\ufeffstack: x\n", "a: 1\na: 2\n", "a:\n\t- b\n"])
def test_what_no_manifest_may_be_is_refused(text: str) -> None:
    with pytest.raises(InvalidManifest):
        formatted(text)


@pytest.mark.parametrize("kind", DIALECTS)
def test_each_key_of_a_manifest_has_its_place(kind: str) -> None:
    schema = manifest_schema(DIALECTS[kind]().model)
    assert set(schema["properties"]) <= set(TOP)
    functions = schema["$defs"].get("Function", {"properties": {}})
    assert set(functions["properties"]) <= set(FUNCTION)


def test_a_manifest_that_is_one_line_stays_one() -> None:
    line = b"{stack: s, functions: {f: {source: f.py, class: F}}}\n"
    assert format_manifest(line, "udfs.yaml") == line


# --- Any manifest -----------------------------------------------------------------------------------------------------------

NAMES = st.sampled_from([*TOP, *FUNCTION, "f", "p1", "数据", "é"])
SCALARS = st.sampled_from(
    [
        "x",
        "'it''s'",
        '"a\\tb # c"',
        "2026-01-01",
        "12:30:00",
        "0o17",
        "~",
        "",
        "é 数",
        "yes",
        "'yes'",
        "1.50",
        "[a, {b: c}]",
        "{a: 1}",
    ]
)
COMMENTS = st.sampled_from(["", "", "", "# note", "#note", "", "   "])


@st.composite
def blocks(draw: st.DrawFn, indent: int, depth: int) -> list[str]:
    """Lines of a mapping or a list in blocks, with indents as people have them."""
    if depth and draw(st.booleans()) and draw(st.booleans()):
        return [line for _ in range(draw(st.integers(1, 3))) for line in draw(entries(indent, "- ", depth))]
    keys = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    return [line for key in keys for line in draw(entries(indent, f"{key}:", depth))]


@st.composite
def entries(draw: st.DrawFn, indent: int, lead: str, depth: int) -> list[str]:
    pad = " " * indent
    note = draw(COMMENTS)
    above = [f"{' ' * draw(st.integers(0, 6))}{note}"] if note.strip() else [""] * draw(st.integers(0, 2))
    kind = draw(st.sampled_from(["scalar", "scalar", "block", "literal", "plain"] if depth < 3 else ["scalar"]))
    if kind == "scalar":
        return [*above, f"{pad}{lead} {draw(SCALARS)}{draw(st.sampled_from(['', '  # why', '  ']))}"]
    inner = indent + draw(st.integers(1, 5))
    if kind == "literal":
        style = draw(st.sampled_from(["|", "|-", "|+", ">", ">-"]))
        lines = draw(st.lists(st.sampled_from(["a", "  b", "# c", "", "d  "]), max_size=3))
        return [
            *above,
            f"{pad}{lead} {style}",
            f"{' ' * inner}first",
            *(f"{' ' * inner}{line}" if line else "" for line in lines),
        ]
    if kind == "plain":
        return [*above, f"{pad}{lead} some", f"{' ' * inner}text", f"{' ' * inner}# its own"]
    return [*above, f"{pad}{lead}", *draw(blocks(inner, depth + 1))]


@settings(max_examples=150, deadline=None)
@given(blocks(0, 0), st.booleans(), st.booleans())
def test_what_a_manifest_means_stays_and_what_is_formatted_is_left_alone(
    lines: list[str], crlf: bool, ends: bool
) -> None:
    text = ("\r\n" if crlf else "\n").join(lines) + ("\n" if ends else "")
    try:
        result = formatted(text)
    except InvalidManifest:
        return
    assert _meaning(result.replace("\r\n", "\n")) == _meaning(text.replace("\r\n", "\n"))
    assert yaml.compose(result) is not None
    assert formatted(result) == result
    for line in lines:
        assert line.strip() in result, "nothing inside of a line is written anew, comments neither"


# --- The command ------------------------------------------------------------------------------------------------------------


def test_several_files_are_looked_at_before_any_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in {"a.yaml": MESSY, "b.yaml": "stack: [\n", "c.yaml": NEAT}.items():
        Path(name).write_text(text)
    assert run(["fmt", "a.yaml", "b.yaml"]) == 3
    assert Path("a.yaml").read_text() == MESSY
    assert "b.yaml:" in capsys.readouterr().err
    assert run(["fmt", "--check", "a.yaml", "c.yaml"]) == 2
    assert capsys.readouterr().out == "a.yaml: would be formatted\n1 file would be formatted, 1 unchanged\n"
    assert run(["fmt", "--diff", "a.yaml"]) == 0
    assert "-     day:   2026-01-01" in capsys.readouterr().out
    assert Path("a.yaml").read_text() == MESSY
    Path("a.yaml").chmod(0o640)
    assert run(["fmt", "a.yaml"]) == 0
    assert Path("a.yaml").read_text() == NEAT
    assert Path("a.yaml").stat().st_mode & 0o777 == 0o640
    assert run(["fmt", "--check", "a.yaml", "c.yaml"]) == 0


@pytest.mark.parametrize(
    "path", sorted((Path(__file__).parents[3] / "examples").rglob("udfs.yaml")), ids=lambda path: path.parent.name
)
def test_the_examples_are_formatted(path: Path) -> None:
    content = path.read_bytes()
    assert format_manifest(content, str(path)) == content
