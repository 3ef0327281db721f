"""Loading as a whole: which target, what comes back, and that nothing but a manifest or positioned problems ever does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.base.errors import InvalidManifest
from reconciler.base.explanations import load_explanations
from reconciler.base.hints import spell
from reconciler.manifest.load import load_manifest
from reconciler.manifest.reader import MAX_PROBLEMS
from reconciler.manifest.section import as_written, read_section
from reconciler.targets.dialects import DIALECTS
from reconciler.targets.maxcompute.manifest import IMPLICIT_TARGET, Manifest, target_of
from tests.unit.manifest.folder import Folder, brief, underlined

TASTE = """\
    stack: risk-scoring
    python: cp37                      # cp27 | cp37 | cp311
    targets:
      local: {endpoint: local, project: demo}            # the default target
      prod:  {endpoint: "${env:ODPS_ENDPOINT}", project: risk_prod, schema: default}
    packages:
      science:
        wheels:
          - requirement: numpy==1.19.2
            sha256: 62139af94728d22350a571b7c82795b9d59be77fc162414ada6c8b6a10ef5d02
          - dist/scipy-1.5.2-cp37-cp37m-manylinux1_x86_64.whl
    resources:
      iris.csv: {file: data/iris.csv}
    functions:
      my_psi:
        source: udfs/my_psi.py
        class: MyPsi
        packages: [science]
        resources: [iris.csv]
        tests:
          - {args: [1.0], returns: -0.5772156649015329}
"""


@pytest.fixture
def taste(folder: Folder) -> Folder:
    """The manifest of the documentation, and its files."""
    return folder.files("dist/scipy-1.5.2-cp37-cp37m-manylinux1_x86_64.whl", "data/iris.csv", "udfs/my_psi.py")


def test_a_manifest_becomes_values(taste: Folder) -> None:
    loaded = taste.load(TASTE)
    assert loaded.folder == taste.path.resolve()
    assert (loaded.target_name, target_of(loaded).project) == ("local", "demo")
    assert loaded.code["my_psi"].class_path == "my_psi.MyPsi"
    assert loaded.file("udfs/my_psi.py") == taste.path.resolve() / "udfs/my_psi.py"
    assert loaded.warnings == ()
    assert loaded.manifest.functions["my_psi"].tests[0].returns == -0.5772156649015329


def test_everything_knows_where_it_stands(taste: Folder) -> None:
    loaded = taste.load(TASTE)
    places: dict[tuple[str | int, ...], str] = {
        (): "udfs.yaml:1:1",
        ("stack",): "udfs.yaml:1:8",
        ("functions",): "udfs.yaml:14:1",
        ("functions", "my_psi"): "udfs.yaml:15:3",
        ("functions", "my_psi", "class"): "udfs.yaml:17:12",
        ("functions", "my_psi", "resources", 0): "udfs.yaml:19:17",
        ("functions", "my_psi", "python"): "udfs.yaml:15:3",
        ("packages", "science", "wheels", 0): "udfs.yaml:9:9",
        ("packages", "science", "wheels", 1): "udfs.yaml:11:9",
        ("variables", "x"): "udfs.yaml:1:1",
    }
    assert {keys: str(loaded.at(*keys)) for keys in places} == places


def test_later_stages_make_problems_with_place_line_and_caret(taste: Folder) -> None:
    problem = taste.load(TASTE).problem(
        "E401", "no", "packages", "science", "wheels", 1, hint="another", severity="warning"
    )
    assert str(problem.at) == "udfs.yaml:11:9"
    assert underlined(problem) == "dist/scipy-1.5.2-cp37-cp37m-manylinux1_x86_64.whl"
    assert (problem.hint, problem.severity) == ("another", "warning")


def test_problems_call_the_file_by_its_path_unless_told_otherwise(folder: Folder) -> None:
    folder.manifest.write_text("", encoding="utf-8")
    with pytest.raises(InvalidManifest) as caught:
        load_manifest(folder.manifest, DIALECTS, env={})
    assert str(caught.value.problems[0].at) == f"{folder.manifest}:1:1"
    assert caught.value.exit_code == 3


# --- targets ----------------------------------------------------------------------------------------------------------

ONE = "stack: s\ntargets: {prod: {project: p}}\nfunctions: {}\n"
TWO = "stack: s\ntargets:\n  prod: {project: p}\n  test: {project: t}\nfunctions: {}\n"
LOCAL = "stack: s\ntargets: {prod: {project: p}, local: {project: l}}\nfunctions: {}\n"
NONE = "stack: s\nfunctions: {}\n"


@pytest.mark.parametrize(
    ("text", "named", "chosen"),
    [
        (ONE, None, "prod"),
        (LOCAL, None, "local"),
        (LOCAL, "prod", "prod"),
        (TWO, "test", "test"),
        (NONE, None, "local"),
        (NONE, "local", "local"),
    ],
)
def test_the_target_that_is_meant(folder: Folder, text: str, named: str | None, chosen: str) -> None:
    loaded = folder.load(text, target=named)
    assert loaded.target_name == chosen
    assert loaded.target == loaded.manifest.targets.get(chosen, IMPLICIT_TARGET)


def test_without_targets_there_is_the_local_one(folder: Folder) -> None:
    target = target_of(folder.load(NONE))
    assert (target.endpoint, target.project, target.schema_) == ("local", "demo", None)


@pytest.mark.parametrize(
    ("text", "named", "expected", "hint"),
    [
        (
            TWO,
            None,
            "2:1 E307 there are several targets and none of them is called 'local'",
            "choose one with --target; declared: 'prod', 'test'",
        ),
        (TWO, "prd", "2:1 E307 there is no target 'prd'", "did you mean 'prod'?"),
        (TWO, "local", "2:1 E307 there is no target 'local'", "declared: 'prod', 'test'"),
        (NONE, "prod", "1:1 E307 there is no target 'prod'", "the manifest declares none, so only 'local' is there"),
    ],
)
def test_a_target_that_cannot_be_told(folder: Folder, text: str, named: str | None, expected: str, hint: str) -> None:
    (problem,) = folder.problems(text, target=named)
    assert (brief(problem), spell(problem.hint)) == (expected, hint)


# --- the file itself --------------------------------------------------------------------------------------------------


def refused(path: Path) -> str:
    with pytest.raises(InvalidManifest) as caught:
        load_manifest(path, DIALECTS, env={}, shown="udfs.yaml")
    (problem,) = caught.value.problems
    return brief(problem)


def test_a_manifest_that_cannot_be_read(folder: Folder) -> None:
    assert refused(folder.manifest) == "E101 there is no manifest 'udfs.yaml'"
    assert refused(folder.path) == "E101 the manifest 'udfs.yaml' is not a regular file"
    (folder.path / "loop").symlink_to("loop")
    assert refused(folder.path / "loop").startswith("E101 the manifest 'udfs.yaml' cannot be read: ")
    assert refused(Path("a\x00b")).startswith("E101 the manifest 'udfs.yaml' cannot be read: ")
    (folder.files("f").path / "f/udfs.yaml")
    assert refused(folder.path / "f/udfs.yaml").startswith("E101 the manifest 'udfs.yaml' cannot be read: ")


@pytest.mark.parametrize("device", ["/dev/null", "/dev/zero"])
def test_a_device_is_no_manifest(device: str) -> None:
    assert refused(Path(device)) == "E101 the manifest 'udfs.yaml' is not a regular file"


def test_a_named_pipe_is_refused_without_waiting_for_a_writer(folder: Folder) -> None:
    os.mkfifo(folder.manifest)
    assert refused(folder.manifest) == "E101 the manifest 'udfs.yaml' is not a regular file"


def test_a_manifest_behind_a_link_has_its_files_beside_the_link(taste: Folder, tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    elsewhere = tmp_path / "shared.yaml"
    taste.load(TASTE)
    taste.manifest.rename(elsewhere)
    taste.manifest.symlink_to(elsewhere)
    assert load_manifest(taste.manifest, DIALECTS, env={}).folder == taste.path.resolve()
    (tmp_path / ".git").rmdir()
    message = "E101 the manifest 'udfs.yaml' is not read: it is a link that leads out of its checkout"
    assert refused(taste.manifest) == message


def test_the_errors_do_not_need_the_libraries_of_the_manifest() -> None:
    code = "import sys, reconciler.base.errors, reconciler.base.names; print({'yaml', 'pydantic', 'packaging'} & {*sys.modules})"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


# --- for any input ----------------------------------------------------------------------------------------------------


def outcome(content: bytes) -> None:
    """Load these bytes and check what must hold whatever they are."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "udfs.yaml"
        path.write_bytes(content)
        started = time.perf_counter()
        try:
            load_manifest(path, DIALECTS, env={"NAME": "x"}, shown="udfs.yaml")
        except InvalidManifest as error:
            problems = error.problems
        else:
            return
        assert time.perf_counter() - started < 5
    lines = content.decode("utf-8", "replace").split("\n")
    assert 0 < len(problems) <= MAX_PROBLEMS
    for problem in problems:
        assert problem.code in load_explanations()
        assert problem.at is not None
        assert problem.at.file == "udfs.yaml"
        assert 1 <= problem.at.line <= len(lines)
        line = lines[problem.at.line - 1]
        assert 1 <= problem.at.column <= len(line) + 1
        assert problem.message.isprintable()
        assert spell(problem.hint).isprintable()
        if problem.source is not None:
            assert problem.source.replace("\t", "").isprintable() or not problem.source.isascii()
            assert problem.at.column <= len(problem.source) + 1


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_give_a_manifest_or_positioned_problems(content: bytes) -> None:
    outcome(content)


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_text_gives_a_manifest_or_positioned_problems(content: str) -> None:
    outcome(content.encode("utf-8", "replace"))


_WORDS = st.sampled_from(
    [
        "stack",
        "python",
        "targets",
        "packages",
        "resources",
        "functions",
        "variables",
        "source",
        "class",
        "wheels",
        "requirement",
        "sha256",
        "file",
        "table",
        "type",
        "tests",
        "args",
        "returns",
        "local",
        "project",
        "endpoint",
        "s",
        "cp37",
        "${var:a}",
        "${env:NAME}",
        "${",
        "$${",
        "a.py",
        "../x",
        "~",
        "null",
        "{}",
        "[]",
        "{",
        "}",
        "[",
        "]",
        ":",
        "-",
        ",",
        "\n",
        "#",
        "&",
        "*",
        "!",
        "|",
        ">",
        "'",
        '"',
        "\t",
    ]
)


@settings(deadline=None)
@given(st.lists(_WORDS | st.sampled_from([" ", "\n", "\n  ", ": "]), max_size=40).map("".join))
def test_any_words_of_a_manifest_give_a_manifest_or_positioned_problems(content: str) -> None:
    outcome(content.encode())


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_manifest_with_a_few_bytes_changed_gives_a_manifest_or_positioned_problems(data: st.DataObject) -> None:
    content = bytearray("\n".join(line[4:] for line in TASTE.splitlines()).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        length = data.draw(st.integers(0, 3))
        content[place : place + length] = data.draw(
            st.binary(max_size=3) | st.sampled_from([b"\n", b": ", b"- ", b"{"])
        )
    outcome(bytes(content))


_NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
_TEXTS = st.text(st.characters(exclude_categories=("C", "Zl", "Zp")), min_size=1, max_size=12).filter(
    lambda text: "${" not in text
)
_ARGUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=6,
)
_FUNCTIONS = st.fixed_dictionaries(
    {"source": st.just("a.py"), "class": st.sampled_from(["A", "a.B"])},
    optional={
        "python": st.sampled_from(["cp27", "cp37", "cp311"]),
        "description": _TEXTS,
        "resources": st.just(["r.csv"]),
        "tests": st.lists(st.fixed_dictionaries({"args": st.lists(_ARGUMENTS, max_size=3), "returns": _ARGUMENTS})),
    },
)
_MANIFESTS = st.fixed_dictionaries(
    {
        "stack": st.from_regex(r"[a-z][a-z0-9-]{0,39}", fullmatch=True),
        "resources": st.just({"r.csv": {"file": "r.csv"}}),
        "functions": st.dictionaries(_NAMES, _FUNCTIONS, max_size=3),
    },
    optional={
        "python": st.sampled_from(["cp27", "cp37", "cp311"]),
        "variables": st.dictionaries(_NAMES, _TEXTS, max_size=2),
        "targets": st.fixed_dictionaries({"local": st.fixed_dictionaries({"project": _NAMES})}),
    },
)


def _quoted(value: Any) -> str:
    """Write text in quotes and everything else as YAML 1.2 does, which is what JSON is."""
    if isinstance(value, dict):
        return (
            "{"
            + ", ".join(f"{json.dumps(key, ensure_ascii=False)}: {_quoted(item)}" for key, item in value.items())
            + "}"
        )
    if isinstance(value, list):
        return "[" + ", ".join(map(_quoted, value)) + "]"
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return ".inf" if value > 0 else "-.inf"
    return json.dumps(value, ensure_ascii=False)


def _is_in(written: object, values: object) -> bool:
    """Say whether everything that is written stands in `values` as well, where defaults may stand beside it."""
    if isinstance(written, dict) and isinstance(values, dict):
        return all(_is_in(item, values.get(key, {})) for key, item in written.items())
    if isinstance(written, list) and isinstance(values, list):
        return len(written) == len(values) and all(map(_is_in, written, values))
    return written == values


@settings(deadline=None)
@given(_MANIFESTS)
def test_any_valid_manifest_comes_back_from_yaml_as_it_was(values: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Folder(Path(name)).files("a.py", "r.csv")
        loaded = folder.load(_quoted(values).encode())
    assert loaded.manifest == read_section(Manifest, values)
    assert _is_in(as_written(loaded.manifest), values)


@settings(deadline=None)
@given(_MANIFESTS)
def test_any_valid_manifest_may_be_written_in_blocks(values: dict[str, Any]) -> None:
    for function in values["functions"].values():
        # YAML 1.1, which PyYAML writes, has numbers that YAML 1.2 does not have.
        function.pop("tests", None)
    # PyYAML writes a list that is there twice as an anchor and an alias.
    values = json.loads(json.dumps(values))
    text = yaml.safe_dump(values, allow_unicode=True, sort_keys=False)
    with tempfile.TemporaryDirectory() as name:
        loaded = Folder(Path(name)).files("a.py", "r.csv").load(text.encode())
    assert loaded.manifest == read_section(Manifest, values)
    assert _is_in(as_written(loaded.manifest), values)
