"""Files are measured in one pass, whatever their size."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.packages import content
from reconciler.targets.maxcompute.runtimes import SERVICE


@given(st.binary(max_size=200), st.sampled_from([1, 1 << 10, (1 << 20) // 100 + 1]))
def test_for_any_bytes_both_hashes_and_the_size_are_those_of_the_whole_file(block: bytes, times: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(block * times)
        found = content.read_content(path)
    assert found.size == len(block * times)
    assert found.sha256 == hashlib.sha256(block * times).hexdigest()
    assert found.md5 == hashlib.md5(block * times, usedforsecurity=False).hexdigest()


def test_the_largest_resource_is_taken_and_one_byte_more_is_not() -> None:
    assert content.why_too_large(SERVICE.max_resource, SERVICE) is None
    reason = content.why_too_large(SERVICE.max_resource + 1, SERVICE)
    assert reason is not None
    assert "at most 2,048 MB" in reason


def test_a_missing_file_is_an_os_error_of_the_caller(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        content.read_content(tmp_path / "nothing")
