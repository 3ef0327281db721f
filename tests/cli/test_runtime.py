"""``udfs runtime`` lists what stands for each runtime here, and makes a root only of a Debian that has the runtime's Python."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from reconciler.cli.entry import run
from reconciler.packages.debian import root
from reconciler.packages.debian.root import RootRecord
from reconciler.packages.fetch.cache import Cache, save_record

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    monkeypatch.setenv("UDFS_CACHE_DIR", str(tmp_path / "cache"))
    return Cache(tmp_path / "cache")


def test_each_runtime_is_listed_with_its_python_and_its_root(cache: Cache, capsys: pytest.CaptureFixture[str]) -> None:
    record = RootRecord("k", "bookworm", (3, 11), "2026-01-10", (("python3", "3.11.2-1"),), 2_000_000, is_signed=True)
    (cache.root / root.ROOTS / "k" / "usr").mkdir(parents=True)
    save_record(cache.root / root.ROOTS_BY_SUITE / "bookworm.json", record)
    assert run(["runtime", "list"]) == 0
    lines = {line.split()[0]: line.split(maxsplit=3)[1:] for line in capsys.readouterr().out.splitlines()}
    assert lines["custom.debian12"] == ["3.11.2", "debian12", "root of 2026-01-10, 1 package, 2 MB"]
    assert lines["python3.12"][:2] == ["3.12.4", "debian11"]
    assert run(["runtime", "list", "--format", "json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["runtimes"]}
    assert rows["custom.debian12"]["root"]["packages"] == {"python3": "3.11.2-1"}
    assert "root" not in rows["cp27"]


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [("custom.debain12", "E735", "custom.debian12"), ("cp37", "E736", "udfs doctor")],
)
def test_what_no_root_can_be_made_of_is_refused(
    cache: Cache, capsys: pytest.CaptureFixture[str], name: str, code: str, words: str
) -> None:
    assert run(["runtime", "make", name]) == 3
    message = capsys.readouterr().err
    assert code in message
    assert words in message


def test_doctor_says_that_a_runtime_of_the_manifest_has_no_python_here_until_one_stands_for_it(
    cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UDFS_PYTHON_CP311", str(tmp_path / "python3.11"))
    assert run(["init", "--kind", "fc"]) == 0
    assert run(["doctor"]) == 1
    said = capsys.readouterr().out
    assert re.search(r"^missing +custom\.debian12 +no CPython 3\.11$", said, re.MULTILINE), said
    assert "or name one you have: UDFS_PYTHON_CP311=/path/to/python3.11" in said
    record = RootRecord("k", "bookworm", (3, 11), "2026-01-10", (("python3", "3.11.2-1"),), 2_000_000, is_signed=True)
    (cache.root / root.ROOTS / "k" / "usr").mkdir(parents=True)
    save_record(cache.root / root.ROOTS_BY_SUITE / "bookworm.json", record)
    assert run(["doctor"]) == 0
    assert re.search(r"^ok +custom\.debian12 +root of 2026-01-10", capsys.readouterr().out, re.MULTILINE)
