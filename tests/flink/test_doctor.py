"""What ``udfs doctor`` says of the Python that an environment packs, and of a Flink of one's own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.environments import SOUND, write_archive
from tests.flink.test_environments_of_manifests import small_interpreter
from tests.invariants.world import here
from tests.natives import elf

MANIFEST = """\
stack: risk
target: {{kind: flink}}
targets:
  local: {{endpoint: local, engine: flink-1.20}}
environments:
  main: {{python: {python}, {environment}}}
"""
JOBS = "jobs:\n  words: {sql: words.sql}\n"


@pytest.fixture(autouse=True)
def _in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UDFS_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("UDFS_FLINK", str(tmp_path / "nowhere" / "bin" / "python"))


def line_of(subject: str, environment: str, python: str = "cp311", more: str = "") -> str:
    """Return what doctor says of a subject: its sign, the finding, and the hint behind it."""
    Path("udfs.yaml").write_text(MANIFEST.format(python=python, environment=environment) + more)
    said = here("doctor").out
    match = re.search(rf"^(\S+ +){subject} +(.*(?:\n {{10}}.*)*)", said, re.MULTILINE)
    assert match is not None, said
    return f"{match[1].strip()} {' '.join(match[2].split())}"


def test_an_interpreter_that_is_named_is_looked_at_as_the_build_will(tmp_path: Path) -> None:
    folder = small_interpreter(tmp_path / "cpython")
    named = f"requirements: [greet], interpreter: {folder}"
    assert line_of("environment main", named) == f"ok CPython 3.11 in {folder}"
    assert "E661" in line_of("environment main", "requirements: [greet], interpreter: /nowhere")
    assert "and the environment's Python cp310" in line_of("environment main", named, "cp310")
    newer = elf(needed=("libc.so.6",), versions={"libc.so.6": ("GLIBC_2.38",)})
    (folder / "bin" / "python3.11").write_bytes(newer)
    said = line_of("environment main", named)
    assert said.startswith(f"missing E412 CPython 3.11 in {folder} needs a newer system")
    assert "GLIBC_2.38" in said
    assert "`builder: container` takes an interpreter" in said


def test_a_python_that_this_machine_has_not_is_missing_with_two_ways_out() -> None:
    said = line_of("environment main", "requirements: [greet]", "cp310")
    assert said.startswith("missing E701 no CPython 3.10")
    assert "name one under `interpreter:`" in said
    assert "`builder: container`" in said


def test_the_python_of_an_image_takes_an_engine_until_it_is_in_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boxed = "requirements: [greet], builder: container"
    monkeypatch.setenv("DOCKER_PATH", str(tmp_path / "absent"))
    assert line_of("environment main", boxed).startswith("missing E448")
    engine = tmp_path / "engine"
    engine.write_text("#!/bin/sh\nexit 1\n")
    engine.chmod(0o755)
    monkeypatch.setenv("DOCKER_PATH", str(engine))
    said = line_of("environment main", boxed)
    match = re.fullmatch(rf"- CPython 3\.11 of (\S+manylinux2014\S+), which {engine} fetches once", said)
    assert match is not None, said
    image = re.sub("[/:]", "_", match[1])
    kept = small_interpreter(tmp_path / "cache" / "interpreters" / image / "cp311-cp311")
    assert line_of("environment main", boxed) == f"ok CPython 3.11 in {kept}"


def test_an_archive_that_is_given_needs_nothing_here(tmp_path: Path) -> None:
    write_archive(tmp_path / "venv.zip", SOUND)
    assert line_of("environment main", "archive: venv.zip") == (
        "ok venv.zip has a Python of its own, which udfs validate looks at"
    )


def test_a_flink_of_ones_own_is_missing_where_the_manifest_has_jobs_for_one(tmp_path: Path) -> None:
    write_archive(tmp_path / "venv.zip", SOUND)
    (tmp_path / "words.sql").write_text("INSERT INTO a SELECT 1;")
    said = line_of("flink", "archive: venv.zip", more=JOBS)
    assert said.startswith("missing E665 UDFS_FLINK names an environment with no Flink 1.20")
    assert "pip install 'apache-flink==1.20.*'" in said
    Path("udfs.yaml").write_text(Path("udfs.yaml").read_text().replace(JOBS, ""))
    assert "E665" not in here("doctor").out
