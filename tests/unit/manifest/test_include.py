"""Entries in files of their own are the manifest's: by their places they are told, and what is wrong in one hides nothing in another."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from reconciler.base.errors import InvalidManifest
from reconciler.cli.entry import run
from reconciler.cli.support.files import manifest_digest
from reconciler.manifest.include import SECTIONS, digest_input, included_files
from reconciler.manifest.load import load_manifest
from reconciler.manifest.schema import included_schema
from reconciler.targets.dialects import DIALECTS

if TYPE_CHECKING:
    from pathlib import Path

ROOT = "stack: risk\ninclude: [teams/a.yaml, teams/b.yaml]\nfunctions:\n  top: {source: udfs/top.py, class: F}\n"
PART = "functions:\n  {name}: {{source: udfs/{name}.py, class: F}}\n"


def write(folder: Path, **files: str) -> Path:
    for name in ("top", "a", "b"):
        source = folder / "udfs" / f"{name}.py"
        source.parent.mkdir(exist_ok=True)
        source.write_text("class F: pass\n")
    parts = {"root": ROOT, "a": PART.format(name="a"), "b": PART.format(name="b"), **files}
    (folder / "teams").mkdir(exist_ok=True)
    for name, text in parts.items():
        path = folder / ("udfs.yaml" if name == "root" else f"teams/{name}.yaml")
        path.write_text(text)
    return folder / "udfs.yaml"


def problems(path: Path) -> list[str]:
    with pytest.raises(InvalidManifest) as caught:
        load_manifest(path, DIALECTS, env={}, shown="udfs.yaml")
    return [f"{problem.at} {problem.code} {problem.message}" for problem in caught.value.problems]


def test_what_is_included_is_the_manifests(tmp_path: Path) -> None:
    loaded = load_manifest(write(tmp_path), DIALECTS, env={}, shown="x/udfs.yaml")
    assert [*loaded.manifest.functions] == ["top", "a", "b"]
    assert str(loaded.at("functions", "top")) == "x/udfs.yaml:4:3"
    assert str(loaded.at("functions", "b", "source")) == "x/teams/b.yaml:2:15"
    problem = loaded.problem("E999", "x", "functions", "b", "class")
    assert problem.source == "  b: {source: udfs/b.py, class: F}"
    assert {*loaded.files} == {"teams/a.yaml", "teams/b.yaml", "udfs/top.py", "udfs/a.py", "udfs/b.py"}


def test_sections_that_the_root_lacks_come_from_files(tmp_path: Path) -> None:
    more = "packages: {p: {requirements: [six]}}\nresources:\nfunctions:\n  b: {source: udfs/b.py, class: F, packages: [p]}\n"
    root = "stack: risk\nresources:\ninclude: [teams/a.yaml, teams/b.yaml]"  # no line feed at the end
    loaded = load_manifest(write(tmp_path, root=root, b=more), DIALECTS, env={})
    assert [*loaded.manifest.functions] == ["a", "b"]
    assert [*loaded.manifest.packages] == ["p"]


def test_a_name_in_two_files_is_told_with_both_places(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        b=PART.format(name="top") + "packages: {p: {requirements: [six]}}\n",
        a="packages:\n  p: {requirements: [six]}\n",
    )
    with pytest.raises(InvalidManifest) as caught:
        load_manifest(path, DIALECTS, env={}, shown="udfs.yaml")
    assert [
        (str(problem.at), problem.code, problem.hint) for problem in caught.value.problems if problem.code != "E312"
    ] == [
        ("teams/b.yaml:2:3", "E752", "the other is at udfs.yaml:4:3; keep one, or rename it"),
        ("teams/b.yaml:3:12", "E752", "the other is at teams/a.yaml:2:3; keep one, or rename it"),
    ]


def test_names_that_differ_in_case_alone_are_told_with_the_other_file(tmp_path: Path) -> None:
    path = write(tmp_path, b="functions:\n  A: {source: udfs/a.py, class: F}\n")
    with pytest.raises(InvalidManifest) as caught:
        load_manifest(path, DIALECTS, env={}, shown="udfs.yaml")
    [problem] = caught.value.problems
    assert str(problem.at) == "teams/b.yaml:2:3"
    assert "teams/a.yaml:2:3" in str(problem.hint)


def test_all_that_is_wrong_is_told_in_one_run(tmp_path: Path) -> None:
    root = ROOT.replace("stack: risk", "stack: risk\npyhton: cp37").replace("class: F", "clas: F")
    told = problems(write(tmp_path, root=root, a="functions: {a: [}\n", b="functions:\n  b: {source: udfs/b.py}\n"))
    assert [line.split(" ", 2)[:2] for line in told] == [
        ["teams/a.yaml:1:17", "E111"],
        ["teams/b.yaml:2:3", "E201"],
        ["udfs.yaml:2:1", "E214"],
        ["udfs.yaml:5:30", "E214"],
    ]


def test_a_file_that_cannot_be_read_does_not_make_functions_missing(tmp_path: Path) -> None:
    told = problems(write(tmp_path, root="stack: risk\ninclude: [teams/a.yaml]\n", a="functions: {\n"))
    assert [line.split()[1] for line in told] == ["E111"]
    told = problems(write(tmp_path, root="stack: risk\ntarget: {kind: flink}\ninclude: [teams/none.yaml]\n"))
    assert [line.split()[1] for line in told] == ["E305"]


def test_where_it_goes_is_said_in_the_root_alone(tmp_path: Path) -> None:
    keys = "stack: other\ntargets: {x: {project: p}}\npolicy: p.yaml\ninclude: [c.yaml]\n"
    assert problems(write(tmp_path, a=PART.format(name="a") + keys)) == [
        f"teams/a.yaml:{line}:1 E753 `{key}:` stands in the root manifest alone"
        for line, key in enumerate(("stack", "targets", "policy", "include"), 3)
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "teams/a.yaml:1:1 E112 the included file is empty"),
        ("# later\n", "teams/a.yaml:1:1 E112 the included file is empty"),
        ("- a\n", "teams/a.yaml:1:1 E202 an included file takes a mapping"),
        ("functions: [a]\n", "teams/a.yaml:1:1 E202 'functions' takes a mapping"),
        (
            "funtions:\n  a: {source: udfs/a.py, class: F}\n",
            "teams/a.yaml:1:1 E214 unknown key 'funtions'",
        ),
        ("functions:\n  a: {source: ../a.py, class: F}\n", "teams/a.yaml:2:15 E304 '../a.py' holds '..'"),
    ],
)
def test_what_is_wrong_in_a_file_has_its_place_there(tmp_path: Path, text: str, told: str) -> None:
    assert problems(write(tmp_path, a=text)) == [told]


def test_an_unknown_key_that_the_root_has_too_is_told_there(tmp_path: Path) -> None:
    assert problems(write(tmp_path, root=ROOT + "odd: 1\n", a=PART.format(name="a") + "odd: 1\n")) == [
        "udfs.yaml:5:1 E214 unknown key 'odd'"
    ]


def test_a_section_of_another_shape_in_the_root_is_told_there(tmp_path: Path) -> None:
    root = ROOT.replace("functions:\n  top: {source: udfs/top.py, class: F}", "functions: [top]")
    assert [line.split()[:2] for line in problems(write(tmp_path, root=root))] == [["udfs.yaml:3:1", "E202"]]


@pytest.mark.parametrize(
    ("listed", "told"),
    [
        ("teams/a.yaml, teams/./a.yaml", "E754 'teams/./a.yaml' is included twice"),
        ("udfs.yaml", "E754 'udfs.yaml' is this manifest itself"),
        ("teams/none.yaml", "E305 there is no file 'teams/none.yaml'"),
        ("/etc/passwd", "E304 '/etc/passwd' is an absolute path"),
        ("../x.yaml", "E304 '../x.yaml' holds '..'"),
        ("teams", "E305 'teams' is a directory, not a file"),
        ("teams/pipe", "E305 'teams/pipe' is a named pipe, not a file"),
        ("'teams/${var:x}.yaml'", "E305 there is no file 'teams/${var:x}.yaml'"),
        ("out.yaml", "E304 'out.yaml' leads out of the manifest's checkout"),
        ("teams/large.yaml", "E104 more than 8 MB"),
    ],
)
def test_what_is_no_file_of_the_checkout_is_not_read(tmp_path: Path, listed: str, told: str) -> None:
    (tmp_path / "repo").mkdir()
    path = write(tmp_path / "repo")
    os.mkfifo(path.parent / "teams/pipe")
    (path.parent / "teams/large.yaml").write_bytes(b"#" * 8_000_001)
    (tmp_path / "else.yaml").write_text(PART.format(name="a"))
    (path.parent / "out.yaml").symlink_to(tmp_path / "else.yaml")
    path.write_text(ROOT.replace("teams/a.yaml, teams/b.yaml", listed))
    [problem] = [line for line in problems(path) if "E306" not in line]
    assert told in problem


def test_files_together_have_a_limit(tmp_path: Path) -> None:
    filler = "#" * 5_000_000 + "\n"
    told = problems(write(tmp_path, a=filler + PART.format(name="a"), b=filler + PART.format(name="b")))
    assert told == ["udfs.yaml:2:25 E104 the manifest and its included files have more than 8 MB"]


def test_items_that_are_no_paths_are_told_as_such(tmp_path: Path) -> None:
    assert [line.split()[:2] for line in problems(write(tmp_path, root=ROOT.replace("teams/b.yaml", "[b]")))] == [
        ["udfs.yaml:2:25", "E202"]
    ]
    assert [
        line.split()[:2] for line in problems(write(tmp_path, root=ROOT.replace("[teams/a.yaml, teams/b.yaml]", "x")))
    ] == [["udfs.yaml:2:10", "E202"]]


def test_a_digest_of_the_bytes_covers_included_files(tmp_path: Path) -> None:
    path = write(tmp_path)
    before = digest_input(path)
    assert before == b"".join((tmp_path / name).read_bytes() for name in ("udfs.yaml", "teams/a.yaml", "teams/b.yaml"))
    (tmp_path / "teams/b.yaml").write_text("functions: {}\n")
    assert digest_input(path) != before
    assert included_files(b"stack: x\n", tmp_path) == []
    assert included_files(b"include: x\n", tmp_path) == []
    assert included_files(b"- include\n", tmp_path) == []
    assert included_files(b"include: [teams/b.yaml, none.yaml]\nodd: {", tmp_path) in ([], [tmp_path / "teams/b.yaml"])


def test_sections_are_keys_of_some_dialect() -> None:
    known = {key for make in DIALECTS.values() for key in included_schema(make().model)["properties"]}
    assert {*SECTIONS} == known


def test_fmt_formats_what_is_included(tmp_path: Path) -> None:
    path = write(tmp_path, a="functions:\n    a: {source: udfs/a.py, class: F}\n")
    assert run(["fmt", str(path)]) == 0
    assert (tmp_path / "teams/a.yaml").read_text() == PART.format(name="a")


def test_a_saved_plan_is_of_all_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path)
    monkeypatch.chdir(tmp_path)
    before = manifest_digest(path)
    (tmp_path / "teams/b.yaml").write_text(PART.format(name="b") + "# seen by nobody\n")
    assert manifest_digest(path) not in {before, ""}
