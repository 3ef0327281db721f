"""
A disk that is full, and one that is read-only, under everything that is written on this machine.

The command says so and ends with 1; what was there before is still there, whole; nothing half-written is left; and once
there is room again, the same command does its work.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

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


def test_a_store_on_a_full_disk_is_whole_when_there_is_room_again(world: World) -> None:
    manifest = world.project / "udfs.yaml"
    manifest.write_text(manifest.read_text().replace(HEAD, ""))
    said = run(world.project, world.folder / "said", "apply", "--yes", limits=Limits(file_bytes=ROOM))
    assert said.code in {1, 8}, said
    assert "Traceback" not in said.err, said
    again = run(world.project, world.folder / "said", "apply", "--yes")
    if again.code == 7:
        # The run could not even give its lease back.
        world.must("unlock", "--epoch", "1", "--yes")
        again = run(world.project, world.folder / "said", "apply", "--yes")
    assert again.code == 0, again
    assert run(world.project, world.folder / "said", "plan", "--exit-code").code == 0


def test_a_cache_that_is_read_only_stops_no_command_that_needs_nothing_of_it(
    world: World, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path_factory.mktemp("cache")
    cache.chmod(0o555)
    monkeypatch.setenv("UDFS_CACHE_DIR", str(cache))
    said = run(world.project, world.folder / "said", "validate", limits=Limits(powerless=True))
    assert (said.code, "Traceback" in said.err) == (0, False), said
