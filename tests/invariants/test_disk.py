"""
A disk that is full, and one that is read-only, under everything that is written on this machine.

The command says so and ends with 1; what was there before is still there, whole; nothing half-written is left; and once
there is room again, the same command does its work.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from reconciler.local.storage.room import disk_failure
from tests.canary import SECRET
from tests.invariants.processes import Limits, run
from tests.invariants.scenarios import HEAD
from tests.invariants.world import SOURCE, World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.invariants.world import Said

ROOM = 6_000
"""Bytes: less than any of these files needs, more than a command prints."""

FUNCTIONS = 24
TESTS = "tests: [" + ", ".join(['{args: ["a"], returns: "a1"}'] * 8) + "]"
WRITING = {
    "a saved plan": ("plan", "--out", "it.json"),
    "a dump": ("dump", "--out", "it.json"),
    "a bill of materials": ("sbom", "--out", "it.json"),
    "the results of tests": ("test", "--junit", "it.json"),
}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "ann")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", SECRET)
    with World(tmp_path) as made:
        each = "\n".join(f"  f{number}: {{source: f.py, class: F, {TESTS}}}" for number in range(FUNCTIONS))
        made.write(f_py=SOURCE.format("F", "1"), udfs_yaml=f"stack: risk\npython: cp311\n{HEAD}functions:\n{each}\n")
        for number in range(FUNCTIONS):
            made.put_resource(f"theirs{number}.csv", b"1", comment="not ours " * 9)
        yield made


def refused(said: Said) -> None:
    assert said.code == 1, said
    assert "error[E904]" in said.err, said
    assert "Traceback" not in said.err, said


@pytest.mark.parametrize("what", WRITING)
def test_a_full_disk_leaves_the_file_that_was_there(what: str, world: World) -> None:
    target = world.project / "it.json"
    target.write_text("what was there")
    limits = Limits(file_bytes=200 if what == "a bill of materials" else ROOM)
    refused(run(world.project, world.folder / "said", *WRITING[what], limits=limits))
    assert target.read_text() == "what was there"
    assert sorted(one.name for one in world.project.iterdir()) == ["f.py", "it.json", "udfs.yaml"]
    assert run(world.project, world.folder / "said", *WRITING[what]).code == 0
    assert target.read_text() != "what was there"


@pytest.mark.skipif(sys.platform != "linux" and os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("what", WRITING)
def test_a_folder_that_is_read_only_is_told(what: str, world: World) -> None:
    world.project.chmod(0o555)
    try:
        refused(run(world.project, world.folder / "said", *WRITING[what], limits=Limits(powerless=True)))
    finally:
        world.project.chmod(0o755)
    assert sorted(one.name for one in world.project.iterdir()) == ["f.py", "udfs.yaml"]


@pytest.mark.parametrize("is_new", [True, False])
@pytest.mark.parametrize("room", [1_000, ROOM, 40_000, 80_000, 160_000])
def test_a_store_on_a_full_disk_is_told_as_that_and_whole_when_there_is_room_again(
    room: int, is_new: bool, world: World
) -> None:
    manifest = world.project / "udfs.yaml"
    manifest.write_text(manifest.read_text().replace(HEAD, ""))
    if not is_new:
        assert run(world.project, world.folder / "said", "plan").code == 0
    said = run(world.project, world.folder / "said", "apply", "--yes", limits=Limits(file_bytes=room))
    assert said.code in {1, 8}, said
    assert "Traceback" not in said.err, said
    assert "no room to write" in said.err, said
    assert "make room on that disk" in said.err, said
    assert "delete" not in said.err, said
    again = run(world.project, world.folder / "said", "apply", "--yes")
    if again.code == 7:
        # The run could not even give its lease back.
        world.must("unlock", "--epoch", "1", "--yes")
        again = run(world.project, world.folder / "said", "apply", "--yes")
    assert again.code == 0, again
    assert run(world.project, world.folder / "said", "plan", "--exit-code").code == 0
    assert (world.project / ".udfs" / ".gitignore").read_text().endswith("*\n")


def test_an_archive_for_which_the_cache_has_no_room_is_not_told_as_a_file_that_cannot_be_read(
    world: World, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UDFS_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
    (world.project / "data").mkdir()
    (world.project / "data" / "a.bin").write_bytes(os.urandom(ROOM * 2))
    with (world.project / "udfs.yaml").open("a") as manifest:
        manifest.write("resources:\n  data.zip: {file: data}\n")
    said = run(world.project, world.folder / "said", "validate", limits=Limits(file_bytes=ROOM))
    assert said.code == 3, said
    assert "error[E407]" in said.err, said
    assert "cannot be read" not in said.err, said
    assert run(world.project, world.folder / "said", "validate").code == 0


def test_what_sqlite_says_of_a_full_disk_is_understood(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "full.db")) as db:
        db.execute("PRAGMA max_page_count = 2")
        db.execute("CREATE TABLE t (x)")
        with pytest.raises(sqlite3.OperationalError) as full:
            db.execute("INSERT INTO t VALUES (zeroblob(100000))")
        with pytest.raises(sqlite3.OperationalError) as other:
            db.execute("SELECT nothing FROM t")
    failure = disk_failure(full.value, tmp_path)
    assert failure is not None
    assert failure.errno == errno.ENOSPC
    assert disk_failure(other.value, tmp_path) is None
    # An error of the disk that no write shows again is one of the disk, and no lack of room.
    failure = disk_failure(sqlite3.OperationalError("disk I/O error"), tmp_path)
    assert failure is not None
    assert failure.errno == errno.EIO


def test_a_cache_that_is_read_only_stops_no_command_that_needs_nothing_of_it(
    world: World, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path_factory.mktemp("cache")
    cache.chmod(0o555)
    monkeypatch.setenv("UDFS_CACHE_DIR", str(cache))
    said = run(world.project, world.folder / "said", "validate", limits=Limits(powerless=True))
    assert (said.code, "Traceback" in said.err) == (0, False), said
