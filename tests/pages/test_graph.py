"""Graphs: what a manifest ships, as text that Graphviz and Mermaid read."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from reconciler.cli.entry import run
from reconciler.core.diff import Action
from reconciler.core.picture import MOST_NODES, Node, Picture, desired_picture
from reconciler.render.graph import dot_graph, mermaid_graph
from tests.pages.stack import EVIL, write_stack
from tests.unit.core.states import function, resource, state, wanted

if TYPE_CHECKING:
    from pathlib import Path

needs_graphviz = pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
HOSTILE = [
    EVIL,
    '"]; rm -rf [label="',
    "\\N \\G \\",
    "<b>x</b>",
    "&lt;amp;",
    "a\nb\x1b[2J",
    "end",
    "subgraph",
    "#quot;",
    "名前",
]


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    monkeypatch.chdir(tmp_path)
    write_stack(tmp_path)
    return tmp_path


def graph(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert run(["graph", *arguments]) == 0
    return capsys.readouterr().out


def test_functions_lead_to_packages_and_these_to_wheels(stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = graph(capsys)
    numbers = dict(re.findall(r'(n\d+) \[label="([^"]*)"', text))
    edges = {(numbers[user], numbers[need]) for user, need in re.findall(r"(n\d+) -> (n\d+);", text)}
    assert ("score_customer\\nfunction with 1 file of its own", "science\\npackage") in edges
    assert ("science\\npackage", "alpha-1.0-py3-none-any.zip\\narchive") in edges
    assert (
        "bucket_00, bucket_01, bucket_02 … bucket_11\\n12 functions, each with 1 file of its own",
        "words.csv\\nfile",
    ) in edges
    assert "bucket_05\\nfunction" in graph(capsys, "--full")
    assert 'n0["bucket_00, bucket_01, bucket_02 … bucket_11<br>12 functions' in graph(capsys, "--format", "mermaid")


@needs_graphviz
def test_graphviz_draws_svg(stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts = {of.text for of in ET.fromstring(graph(capsys, "--format", "svg")).iter() if of.tag.endswith("text")}
    assert {"stack risk", "science", "package", "words.csv"} <= texts


def test_without_graphviz_the_way_out_is_told(
    stack: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(stack))
    assert run(["graph", "--format", "svg"]) == 3
    told = capsys.readouterr().err
    assert "error[E741]" in told
    assert "udfs graph --format dot" in told


def hostile_picture() -> Picture:
    return Picture(tuple(Node(0, "function", (name,), Action.DELETE) for name in HOSTILE), ((0, 1),))


@needs_graphviz
def test_graphviz_reads_hostile_names_as_names() -> None:
    text = dot_graph(hostile_picture(), HOSTILE[1])
    read = subprocess.run(["dot", "-Tjson"], input=text, capture_output=True, text=True, check=True, timeout=60)
    document = json.loads(read.stdout)
    assert len(document["objects"]) == len(HOSTILE)
    assert len(document["edges"]) == 1
    drawn = subprocess.run(["dot", "-Tsvg"], input=text, capture_output=True, text=True, check=True, timeout=60).stdout
    texts = [of.text for of in ET.fromstring(drawn).iter() if of.tag.endswith("text")]
    for name in (EVIL, HOSTILE[1], "\\N \\G \\", "<b>x</b>", "&lt;amp;", "a\\nb\\x1b[2J", "名前"):
        assert f"- {name}" in texts


def test_in_mermaid_a_name_ends_no_label_and_is_no_entity_of_its_own() -> None:
    text = mermaid_graph(hostile_picture())
    lines = text.splitlines()
    assert lines[0] == "flowchart LR"
    assert len(lines) == 2 + len(HOSTILE)
    for line in lines[1:-1]:
        label = re.fullmatch(r'  n\d+\["([^"]*)<br>function"\]', line)
        assert label is not None, line
        assert not set("<>&`\\") & set(label[1])
        assert re.fullmatch(r"(?:[^#]|#\d+;)*", label[1])


def test_a_picture_of_thousands_has_no_more_nodes_than_anybody_looks_at_and_loses_no_function() -> None:
    wants = state(
        *(wanted(function(f"f{n:04}", f"own_{n}.py", f"shared_{n % 500}.csv")) for n in range(2_000)),
        *(wanted(resource(f"own_{n}.py")) for n in range(2_000)),
        *(wanted(resource(f"shared_{n}.csv")) for n in range(500)),
    )
    picture = desired_picture(wants)
    assert len(picture.nodes) <= 3 * (MOST_NODES + 6)
    assert sum(len(node.names) for node in picture.nodes if node.column == 0) == 2_000
    assert sum(len(node.names) for node in picture.nodes if node.column == 2) == 500
    assert len(desired_picture(wants, 0).nodes) == 4_500
