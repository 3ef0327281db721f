"""Each folder of ``examples/`` applies to a fresh service, returns what its manifest says, plans nothing more, and goes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.cli.entry import run
from reconciler.local.runner import InterpreterNotFound, locate
from reconciler.manifest.load import load_manifest
from reconciler.targets.dialects import DIALECTS
from reconciler.testing.expectations import format_value

if TYPE_CHECKING:
    from reconciler.manifest.load import Loaded

FOLDER = Path(__file__).parents[2] / "examples"
EXAMPLES = sorted(
    path.parent for path in FOLDER.glob("*/udfs.yaml") if path.parent.name not in ("fc", "flink", "flink-service")
)


@pytest.fixture
def example(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Loaded:
    folder = tmp_path / "example"
    shutil.copytree(request.param, folder, ignore=shutil.ignore_patterns(".udfs", "build"))
    monkeypatch.chdir(folder)
    if Path("build.py").exists():
        built = subprocess.run([sys.executable, "build.py"], check=False, capture_output=True, text=True)
        assert built.returncode == 0, built.stderr
    loaded = load_manifest(Path("udfs.yaml"), DIALECTS, env=os.environ)
    runtimes = {code.runtime.tag for code in loaded.code.values()}
    if "cp27" in runtimes:
        monkeypatch.setenv("UDFS_PYTHON_CP27", str(request.getfixturevalue("cp27m")))
    for runtime in runtimes - {"cp311"}:
        try:
            locate(runtime, os.environ)
        except InterpreterNotFound as missing:
            pytest.skip(str(missing))
    return loaded


def changes(text: str) -> set[str]:
    """Return the changes that a plan lists, or a README shows of one: without folders, and without sizes of what is compiled."""
    if "-0_" in text:  # what is compiled here has the digest of what this compiler makes, and so has what names it
        text = re.sub(r"(-0_|__)[0-9a-f]{8}", r"\1digest", text)
    found = re.findall(r"^ +(\+ (?:resource|function) .*)$", text, re.MULTILINE)
    return {re.sub(r"; [\d.,]+ k?M?B to upload|examples/\w+/", "", line) for line in found}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name, indirect=True)
def test_example_goes_round(example: Loaded, capsys: pytest.CaptureFixture[str]) -> None:
    if any(package.is_locked for package in example.manifest.packages.values()):
        _lock(capsys)
    capsys.readouterr()
    planned, told = run(["plan"]), capsys.readouterr()
    if "E403" in told.err:
        pytest.skip("the package index cannot be reached")
    assert planned == 0, told.err
    assert changes(Path("README.md").read_text(encoding="utf-8")) <= changes(told.out)
    assert run(["apply", "--yes"]) == 0, capsys.readouterr().err
    assert run(["plan", "--exit-code"]) == 0
    assert run(["drift"]) == 0
    capsys.readouterr()
    tests = [(name, test) for name, function in example.manifest.functions.items() for test in function.tests]
    assert tests, "an example shows what its functions return"
    assert run(["test"]) == 0
    assert capsys.readouterr().out.count("  ok  ") == len(tests)
    for name, test in tests:
        arguments = ["NULL" if value is None else format_value(value) for value in test.input[0]]
        code = run(["call", name, *arguments])
        told = capsys.readouterr()
        assert (code, told.out) == (0, format_value(test.returns) + "\n"), told.err
    assert run(["destroy", "--yes"]) == 0
    assert run(["show"]) == 0
    assert "has no function" in capsys.readouterr().out


@pytest.mark.parametrize("runtime", ["cp27", "cp37", "cp311"])
@pytest.mark.parametrize(
    "name", [path.name for path in EXAMPLES if "packages:" not in (path / "udfs.yaml").read_text()]
)
def test_example_without_packages_runs_in_every_cpython(
    name: str, runtime: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / name
    shutil.copytree(EXAMPLES[0].parent / name, folder, ignore=shutil.ignore_patterns(".udfs"))
    monkeypatch.chdir(folder)
    text = Path("udfs.yaml").read_text(encoding="utf-8")
    Path("udfs.yaml").write_text(re.sub(r"(?m)^python: \w+", f"python: {runtime}", text), encoding="utf-8")
    try:
        locate(runtime, os.environ)
    except InterpreterNotFound as missing:
        pytest.skip(str(missing))
    loaded = load_manifest(Path("udfs.yaml"), DIALECTS, env=os.environ)
    assert {code.runtime.tag for code in loaded.code.values()} == {runtime}
    assert run(["test"]) == 0
    tests = sum(len(function.tests) for function in loaded.manifest.functions.values())
    assert f"Tests: {tests} passed" in capsys.readouterr().out


def _lock(capsys: pytest.CaptureFixture[str]) -> None:
    """Make the lock if none came with the example, and see that it is what the manifest wants."""
    if not Path("udfs.lock").exists() and run(["lock"]) != 0:
        told = capsys.readouterr().err
        if "E475" in told:
            pytest.skip("the package index cannot be reached")
        pytest.fail(told)
    assert run(["lock", "--check"]) == 0
