"""The cache hands out exactly what was asked for, or nothing."""

from __future__ import annotations

import hashlib
import stat
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from reconciler.base.errors import PackageError
from reconciler.packages.fetch.cache import Cache

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.packages.content import Content

BYTES = b"a wheel, let us say" * 1000
SHA256 = hashlib.sha256(BYTES).hexdigest()
NAME = "a-1.0-py3-none-any.whl"


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "not" / "there" / "yet")


def _put(cache: Cache, content: bytes = BYTES, name: str = NAME) -> Path:
    with cache.workspace() as folder:
        (folder / name).write_bytes(content)
        return cache.put(folder / name, SHA256).path


def _names(cache: Cache) -> list[str]:
    return sorted(str(path.relative_to(cache.root)) for path in cache.root.rglob("*") if path.is_file())


def test_what_was_put_is_found_by_its_hash_under_its_name(cache: Cache) -> None:
    assert cache.get(SHA256) is None
    path = _put(cache)
    found = cache.get(SHA256)
    assert found is not None
    assert (found.path, found.sha256, found.size) == (path, SHA256, len(BYTES))
    assert _names(cache) == [f"sha256/{SHA256[:2]}/{SHA256}/{NAME}"]


def test_a_kept_file_is_read_only(cache: Cache) -> None:
    assert stat.S_IMODE(_put(cache).stat().st_mode) == 0o444


@pytest.mark.parametrize("damage", [b"", BYTES[:-1], BYTES + b"!", b"x" * len(BYTES)])
def test_a_tampered_file_is_refused_and_replaced_by_the_next_put(cache: Cache, damage: bytes) -> None:
    path = _put(cache)
    path.chmod(0o644)
    path.write_bytes(damage)
    assert cache.get(SHA256) is None
    _put(cache)
    found = cache.get(SHA256)
    assert found is not None
    assert found.path.read_bytes() == BYTES


def test_a_damaged_twin_does_not_hide_a_whole_one(cache: Cache) -> None:
    whole = _put(cache)
    (whole.parent / "a-0.whl").write_bytes(b"")
    (whole.parent / "a-1.whl").mkdir()
    found = cache.get(SHA256)
    assert found is not None
    assert found.path == whole


def test_a_file_that_cannot_be_read_is_as_good_as_absent(cache: Cache) -> None:
    def fail(path: Path) -> Content:
        raise OSError(5, "Input/output error", str(path))

    _put(cache)
    assert Cache(cache.root, fail).get(SHA256) is None


def test_bytes_with_another_hash_are_not_kept(cache: Cache) -> None:
    with pytest.raises(PackageError) as caught:
        _put(cache, b"something else")
    assert caught.value.problems[0].code == "E402"
    assert _names(cache) == []


def test_a_workspace_is_gone_when_its_work_fails(cache: Cache) -> None:
    def interrupted() -> None:
        with cache.workspace() as folder:
            (folder / "half").write_bytes(b"half of it")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(cache.root.iterdir()) == []


def test_many_may_put_and_get_the_same_file_at_once(cache: Cache) -> None:
    def work(number: int) -> bytes:
        _put(cache)
        found = cache.get(SHA256)
        assert found is not None
        return found.path.read_bytes()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(work, range(64))) == {BYTES}
    assert _names(cache) == [f"sha256/{SHA256[:2]}/{SHA256}/{NAME}"]


def test_a_cache_that_cannot_be_written_is_said_to_be_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(PackageError) as caught:
        _put(Cache(tmp_path / "file"))
    problem = caught.value.problems[0]
    assert problem.code == "E407"
    assert str(tmp_path / "file") in problem.message
