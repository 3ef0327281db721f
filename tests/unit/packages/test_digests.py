"""A file that has not changed is not read again; one that has is, whatever it looks like."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from reconciler.packages.content import read_content
from reconciler.packages.fetch import cache as digests
from reconciler.packages.fetch.cache import Cache, Digests
from tests.builders import wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reconciler.packages.content import Content

BYTES = b"what was there"
OTHER = b"what is there!"
REST = 2.1
"""Seconds after which a file is at rest."""


def _write(path: Path) -> None:
    path.write_bytes(OTHER)


def _write_and_set_the_time_back(path: Path) -> None:
    before = path.stat()
    path.write_bytes(OTHER)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _replace(path: Path) -> None:
    before = path.stat()
    new = path.with_name("new")
    new.write_bytes(OTHER)
    os.utime(new, ns=(before.st_atime_ns, before.st_mtime_ns))
    new.replace(path)


def _exchange_for_one_as_old(path: Path) -> None:
    path.with_name("as-old").replace(path)


@pytest.fixture(scope="module")
def rested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with files that have been at rest and are remembered."""
    folder = tmp_path_factory.mktemp("rested")
    for change in [*CHANGES, _nothing]:
        (folder / change.__name__).mkdir()
        (folder / change.__name__ / "file").write_bytes(BYTES)
        (folder / change.__name__ / "as-old").write_bytes(OTHER)
    time.sleep(REST)
    seen = Digests(folder, "m")
    for change in [*CHANGES, _nothing]:
        seen.read(folder / change.__name__ / "file")
    seen.save()
    return folder


def _nothing(path: Path) -> None:
    pass


CHANGES = [_write, _write_and_set_the_time_back, _replace, _exchange_for_one_as_old]


def _not_again(path: Path) -> Content:
    raise AssertionError(f"{path} was read again")


def test_a_file_at_rest_is_read_once(rested: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = rested / "_nothing" / "file"
    before = read_content(path)
    monkeypatch.setattr(digests, "read_content", _not_again)
    assert Digests(rested, "m").read(path) == before
    with pytest.raises(AssertionError):
        Digests(rested, "another manifest").read(path)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_file_that_somebody_changed_is_read_again_though_size_and_time_are_the_same(
    rested: Path, change: Callable[[Path], None]
) -> None:
    path = rested / change.__name__ / "file"
    change(path)
    assert Digests(rested, "m").read(path) == read_content(path)
    assert path.read_bytes() == OTHER


def test_a_file_that_was_just_written_is_not_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two writes within one tick of the file system's clock look like one."""
    (tmp_path / "file").write_bytes(BYTES)
    seen = Digests(tmp_path, "m")
    seen.read(tmp_path / "file")
    seen.save()
    monkeypatch.setattr(digests, "read_content", _not_again)
    with pytest.raises(AssertionError):
        Digests(tmp_path, "m").read(tmp_path / "file")


@pytest.mark.parametrize(
    "damage", ["", "[]", "{", '{"x": 1}', '{"x": [[1, 2], "a", "b"]}', '{"x": [[1,2,3,4,5], 6, 7]}']
)
def test_what_was_remembered_and_cannot_be_read_is_forgotten(tmp_path: Path, damage: str) -> None:
    (tmp_path / "file").write_bytes(BYTES)
    Digests(tmp_path, "m")._run.path.write_text(damage)
    assert Digests(tmp_path, "m").read(tmp_path / "file") == read_content(tmp_path / "file")


def test_without_a_folder_to_write_to_everything_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(BYTES)
    nowhere = tmp_path / "file" / "below"
    seen = Digests(nowhere, "m")
    assert seen.read(tmp_path / "file") == read_content(tmp_path / "file")
    seen.save()


def test_a_file_of_the_cache_that_somebody_changed_is_refused_though_its_hash_is_remembered(tmp_path: Path) -> None:
    (tmp_path / "a.whl").write_bytes(BYTES)
    cache = Cache(tmp_path / "cache")
    path = cache.put(tmp_path / "a.whl").path
    sha256 = read_content(path).sha256
    time.sleep(REST)
    seen = Digests(cache.root, "m")
    assert Cache(cache.root, seen.read).get(sha256) is not None
    seen.save()
    path.chmod(0o644)
    _write_and_set_the_time_back(path)
    assert Cache(cache.root, Digests(cache.root, "m").read).get(sha256) is None


WATCH = """
import sys
opened = set()
sys.addaudithook(lambda event, given: opened.add(str(given[0])) if event == "open" else None)
from reconciler.cli.entry import run
code = run(["build"])
import json
print(json.dumps([code, sorted(name for name in opened if name.endswith((".whl", ".zip")))]), file=sys.stderr)
"""


def test_a_second_build_opens_no_wheel(tmp_path: Path) -> None:
    one = wheel(tmp_path, "a", files={"a.py": "", "tests/t.py": ""})
    wheel(tmp_path, "b", files={"b.py": ""})
    (tmp_path / "f.py").write_text(
        "from odps.udf import annotate\n@annotate('->bigint')\nclass F(object):\n    def evaluate(self):\n        return 1\n"
    )
    (tmp_path / "udfs.yaml").write_text(
        "stack: s\npackages:\n"
        f"  plain: {{wheels: [{one.name}, b-1.0-py3-none-any.whl]}}\n"
        f"  packed: {{wheels: [{one.name}], slim: true, bundle: single}}\n"
        "functions:\n  f: {source: f.py, class: F, packages: [plain]}\n  g: {source: f.py, class: F, packages: [packed]}\n"
    )
    env = {**os.environ, "UDFS_CACHE_DIR": str(tmp_path / "cache")}

    def opened() -> list[str]:
        time.sleep(REST)
        done = subprocess.run(
            [sys.executable, "-c", WATCH], cwd=tmp_path, env=env, capture_output=True, text=True, check=True
        )
        code, found = json.loads(done.stderr.splitlines()[-1])
        assert code == 0, done.stderr
        return [name for name in found if name.startswith(str(tmp_path))]

    first = opened()
    assert any(name.endswith("a-1.0-py3-none-any.whl") for name in first)
    opened()  # what the first one made was just written, and is read once more
    assert opened() == []
