"""`udfs ci --changed-since`: which manifests a change is about, whatever of theirs it is."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.cli.entry import run
from reconciler.manifest.load import load_manifest
from reconciler.packages.reads import list_reads
from reconciler.targets.dialects import DIALECTS
from tests import builders
from tests.cli.test_ci import add, git

if TYPE_CHECKING:
    from collections.abc import Iterator

RICH = """stack: rich
python: cp37
policy: policy.yaml
include: [more/udfs-part.yaml]
targets:
  local: {endpoint: local, project: demo}
  prod: {endpoint: "${env:NOT_SET_HERE}", project: prod}
packages:
  wheels: {wheels: [dist/one-1.0-py3-none-any.whl]}
  locked: {requirements: [./project], requirements_file: requirements/all.txt, find_links: [links]}
resources:
  d.csv: {file: data/d.csv}
  model.zip: {file: model}
tables:
  t: {columns: {x: bigint}, file: data/t.csv}
functions:
  f: {source: src/f.py, class: F, modules: [lib/one.py, lib/pack, lib/linked.py], resources: [d.csv, model.zip], packages: [wheels]}
"""

INPUTS = (
    *(
        "udfs.yaml",
        "more/udfs-part.yaml",
        "udfs.lock",
        "policy.yaml",
        "dist/one-1.0-py3-none-any.whl",
        "links/new.whl",
        "project/pyproject.toml",
    ),
    *("project/new/deep.py", "requirements/all.txt", "requirements/more.txt", "data/d.csv", "model/weights.bin"),
    *("model/deep/new.bin", "data/t.csv", "src/f.py", "lib/one.py", "lib/pack/__init__.py", "lib/pack/new.py"),
    *("../../shared/linked.py", "../../.gitattributes", "data/.gitattributes"),
)
OTHERS = (
    "README.md",
    "src/unused.py",
    "docs/udfs.yaml.md",
    "../../shared/other.py",
    "../../Makefile",
    "other/.gitattributes",
)


@pytest.fixture(scope="module")
def monorepo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("monorepo")
    here = Path.cwd()
    os.chdir(top)
    try:
        git("init", "-q", "-b", "main")
        Path(".gitignore").write_text(".udfs/\nout/\n")
        add("plain")
        folder = add("rich")
        (folder / "udfs.yaml").write_text(RICH)
        (folder / "dist").mkdir()
        builders.wheel(folder / "dist", "one")
        texts = {
            "policy.yaml": "require_tests: false\n",
            "more/udfs-part.yaml": "resources: {e.csv: {file: data/d.csv}}\n",
            "links/keep": "",
            "project/pyproject.toml": "[project]\nname = 'p'\nversion = '1'\n",
            "requirements/all.txt": "-r more.txt\n",
            "requirements/more.txt": "six==1.16.0\n",
            "data/d.csv": "1\n",
            "data/t.csv": "x\n1\n",
            "model/weights.bin": "w",
            "src/f.py": (folder / "src/f_rich.py").read_text(),
            "lib/one.py": "",
            "lib/pack/__init__.py": "",
            "../../shared/linked.py": "X = 1\n",
        }
        for name, text in texts.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        (folder / "lib/linked.py").symlink_to("../../../shared/linked.py")
        git("add", ".")
        git("commit", "-qm", "first")
        git("tag", "base")
    finally:
        os.chdir(here)
    return top


@pytest.fixture
def clean(monorepo: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(monorepo)
    git("checkout", "-q", "-f", "base")
    git("clean", "-qfd")
    return monorepo


def changed(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    capsys.readouterr()
    run(["ci", "plan", "--format", "json", "--changed-since", "base", *arguments])
    out = capsys.readouterr().out
    return [entry["manifest"] for entry in json.loads(out)["entries"]]


@pytest.mark.parametrize("name", INPUTS)
def test_whatever_a_manifest_reads_counts_edited_and_deleted(
    clean: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = Path("teams/rich", name)
    was_there = file.exists()
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as stream:
        stream.write("\n")
    others = {"teams/plain/udfs.yaml"} if name == "../../.gitattributes" else set()
    assert set(changed(capsys)) == {"teams/rich/udfs.yaml", *others}
    if was_there and name != "udfs.yaml":
        file.unlink()
        assert changed(capsys) == ["teams/rich/udfs.yaml"]


@pytest.mark.parametrize("name", OTHERS)
def test_what_lies_beside_it_does_not(clean: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    file = Path("teams/rich", name)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("other\n")
    git("add", ".")
    git("commit", "-qm", "another")
    assert changed(capsys) == []


@contextmanager
def opened(below: Path) -> Iterator[set[str]]:
    """Collect what this process opens below a folder."""
    names: set[str] = set()
    is_on = True

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if is_on and event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
            path = Path(os.path.normpath(Path.cwd() / os.fsdecode(arguments[0])))
            if path.is_relative_to(below) and not path.is_dir():
                names.add(path.relative_to(below).as_posix())

    sys.addaudithook(hook)
    try:
        yield names
    finally:
        is_on = False


def test_nothing_else_is_opened_than_is_said_to_be_read(clean: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = Path("teams/rich/udfs.yaml")
    # Without what would have to be resolved first.
    locked = next(line for line in RICH.splitlines() if line.startswith("  locked:"))
    manifest.write_text(RICH.replace(f"{locked}\n", ""))
    with opened(clean) as names:
        assert run(["validate", "-f", str(manifest)]) == 0, capsys.readouterr().err
        assert run(["plan", "-f", str(manifest)]) == 0
    reads = list_reads(load_manifest(manifest, DIALECTS, env={}), clean, manifest.as_posix())
    read = {name for name in names if not name.startswith((".git/", "teams/rich/.udfs/"))}
    assert {"teams/rich/src/f.py", "teams/rich/policy.yaml", "teams/rich/model/weights.bin"} <= read
    assert [name for name in sorted(read) if not reads.are_touched([name])] == []


def test_a_manifest_that_cannot_be_read_counts_and_one_that_is_gone_is_told(
    clean: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("teams/rich/src/f.py").unlink()
    assert changed(capsys) == ["teams/rich/udfs.yaml"]
    Path("teams/plain/udfs.yaml").unlink()
    assert run(["ci", "plan", "--changed-since", "base"]) == 3
    assert "teams/plain/udfs.yaml is gone" in capsys.readouterr().err


def test_a_base_that_is_not_in_a_shallow_clone_is_told_with_the_way_out(
    clean: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = git("rev-parse", "HEAD")
    git("commit", "-q", "--allow-empty", "-m", "second")
    git("clone", "-q", "--depth", "1", f"file://{clean}", str(tmp_path / "clone"))
    monkeypatch.chdir(tmp_path / "clone")
    for base in (first, "origin/none", "--output=x"):
        assert run(["ci", "plan", "--changed-since", base]) == 3
        err = capsys.readouterr().err
        assert "error[E553]" in err
        assert ("fetch-depth: 0" in err) == (not base.startswith("-"))
