"""Packages of jobs: an archive beside the environment, made of the lock for the Python that imports it."""

from __future__ import annotations

import os
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.builders import wheel
from tests.environments import SOUND, write_archive
from tests.invariants.world import here

MANIFEST = """\
stack: risk
target: {kind: flink}
targets:
  local: {endpoint: local, engine: flink-1.20}
environments:
  main: {python: cp311, archive: venv.zip}
packages:
  edit: {requirements: [greet], find_links: [dist]}
jobs:
  near-job: {sql: job.sql, environment: main, packages: [edit]}
"""


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull, "UV_NO_CONFIG": "1"}.items():
        monkeypatch.setenv(name, value)
    dist = tmp_path / "dist"
    dist.mkdir()
    wheel(dist, "greet", "1.0", files={"greet/__init__.py": "WORD = 'hello'", "greet/tests/a.py": ""})
    wheel(dist, "other", "1.0", tag="cp37-cp37m-manylinux2014_x86_64", files={"other.py": ""})
    write_archive(tmp_path / "venv.zip", SOUND)
    (tmp_path / "job.sql").write_text("SELECT 1;\n")
    (tmp_path / "udfs.yaml").write_text(MANIFEST)


def rewrite(old: str, new: str) -> None:
    text = Path("udfs.yaml").read_text()
    assert old in text
    Path("udfs.yaml").write_text(text.replace(old, new))


def test_a_package_is_locked_and_packed_for_the_python_of_the_jobs_environment(tmp_path: Path) -> None:
    assert "E476" in here("validate").err
    assert "greet 1.0" in here("lock").out
    assert here("validate").code == 0
    built = here("build", "--out", "one").out
    assert here("build", "--out", "two").out == built
    [name] = [line.split()[1] for line in built.splitlines() if "edit" in line]
    with ZipFile(tmp_path / "one" / name) as archive:
        names = archive.namelist()
    assert "greet/__init__.py" in names, "what is imported lies at the top"
    assert not [name for name in names if "tests" in name]
    planned = here("plan").out
    assert planned.count("/edit.zip will be created") == 1


def test_without_an_environment_the_package_says_which_python_or_the_vendors_engine_does() -> None:
    rewrite("environment: main, ", "")
    rewrite("  main: {python: cp311, archive: venv.zip}\n", "  main: {python: cp39, archive: venv.zip}\n")
    assert "error[E349]: which Python imports 'edit' is not known" in here("validate").err
    rewrite("edit: {", "edit: {python: cp311, ")
    assert "edit for cp311" in here("lock").out
    rewrite("python: cp311, req", "req")
    rewrite("engine: flink-1.20", "engine: vvr-8.0.11-flink-1.17")
    assert "edit for cp39" in here("lock").out
    rewrite("vvr-8.0.11", "vvr-8.0.10")
    assert "edit for cp37" in here("lock").out


def test_a_package_that_no_job_uses_is_told_and_not_locked() -> None:
    rewrite(", packages: [edit]", "")
    locked = here("lock")
    assert (locked.code, "greet" in locked.out) == (0, False), locked.err
    assert "warning[E312]: no job uses the package 'edit'" in here("validate").err


@pytest.mark.parametrize(
    ("package", "says"),
    [
        ("{archive: deps.zip, requirements: [greet]}", "error[E338]: 'requirements' has no use beside 'archive'"),
        ("{slim: false}", "error[E201]: the package 'edit' names nothing to ship"),
        ("{requirements: [greet], python: cp27}", "error[E337]: PyFlink of flink-1.20 is not made for 'cp27'"),
        ("{requirements: ['greet==']}", "error[E4"),
        ("{wheels: [dist/other-1.0-cp37-cp37m-manylinux2014_x86_64.whl]}", "error[E401]: "),
    ],
)
def test_a_mistake_in_a_package_is_told_at_its_place(package: str, says: str) -> None:
    with ZipFile("deps.zip", "w") as archive:
        archive.writestr("greet/__init__.py", "")
    rewrite("{requirements: [greet], find_links: [dist]}", package)
    told = here("validate")
    assert (told.code, says in told.err) == (3, True), told.err
