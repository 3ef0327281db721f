"""Content of xz files: what lzma reads is read, and nothing that takes more memory than a real file."""

from __future__ import annotations

import io
import lzma
import tarfile
from typing import TYPE_CHECKING
from zipfile import ZIP_LZMA, ZipFile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.base.errors import PackageError
from reconciler.packages.build import BuildSource
from reconciler.packages.build.sources import copy_source
from reconciler.packages.content import read_content
from reconciler.packages.inspect.xz import open_xz

if TYPE_CHECKING:
    from pathlib import Path


@given(st.lists(st.binary(max_size=3000), min_size=1, max_size=4), st.integers(0, 3), st.integers(1, 5000))
def test_streams_one_behind_the_other_are_read_whole(contents: list[bytes], padding: int, step: int) -> None:
    packed = b"".join(lzma.compress(content) + b"\0" * 4 * padding for content in contents)
    stream = open_xz(io.BytesIO(packed))
    assert b"".join(iter(lambda: stream.read(step), b"")) == b"".join(contents)


@given(st.binary(min_size=100, max_size=3000), st.integers(1, 60))
def test_what_is_cut_off_is_never_taken_for_whole(content: bytes, missing: int) -> None:
    packed = lzma.compress(content)[:-missing]
    with pytest.raises((EOFError, lzma.LZMAError)):
        open_xz(io.BytesIO(packed)).read()


def test_a_small_file_that_asks_for_a_gigabyte_is_not_given_it() -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 30}]
    packed = lzma.compress(b"small", lzma.FORMAT_XZ, filters=filters)
    with pytest.raises(lzma.LZMAError, match=r"[Mm]emory"):
        open_xz(io.BytesIO(packed)).read()


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_an_sdist_is_unpacked_whatever_it_is_packed_by(mode: str, tmp_path: Path) -> None:
    path = tmp_path / "a-1.0.tar.gz"
    (tmp_path / "setup.py").write_text("print()\n")
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        archive.add(tmp_path / "setup.py", "a-1.0/setup.py")
        link = tarfile.TarInfo("a-1.0/again.py")
        link.type, link.linkname = tarfile.LNKTYPE, "a-1.0/setup.py"
        archive.addfile(link)
    top = copy_source(BuildSource(path, "a", read_content(path).sha256), tmp_path / "out")
    assert {file.name: file.read_text() for file in top.iterdir()} == dict.fromkeys(
        ("setup.py", "again.py"), "print()\n"
    )


def test_an_sdist_that_says_how_much_memory_it_takes_is_refused(tmp_path: Path) -> None:
    alone, zipped = tmp_path / "a-1.0.tar.gz", tmp_path / "a-1.0.zip"
    alone.write_bytes(lzma.compress(b"small", lzma.FORMAT_ALONE))
    with ZipFile(zipped, "w", ZIP_LZMA) as archive:
        archive.writestr("a-1.0/setup.py", "print()\n")
    for number, path in enumerate((alone, zipped)):
        with pytest.raises(PackageError) as refused:
            copy_source(BuildSource(path, "a", read_content(path).sha256), tmp_path / str(number))
        assert refused.value.problems[0].code == "E442"
