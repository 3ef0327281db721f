"""Archives that several functions bring: unpacked once, and yet each function's own."""

from __future__ import annotations

import os
import stat
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from reconciler.local.runner import UnsafeArchive
from reconciler.local.runner.layout import extract
from reconciler.local.runner.unpacked import UnpackedArchives


def archive(folder: Path) -> Path:
    link = zipfile.ZipInfo("pkg/latest.txt")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    tool = zipfile.ZipInfo("pkg/bin/tool")
    tool.create_system, tool.external_attr = 3, (stat.S_IFREG | 0o755) << 16
    path = folder / "pkg.zip"
    with zipfile.ZipFile(path, "w") as file:
        for member in ("pkg/__init__.py", "pkg/_x.so", "pkg/data.txt", "pkg/deep/er/data.bin", "rows/data.txt"):
            file.writestr(member, f"content of {member}")
        file.writestr("pkg/empty/", "")
        file.writestr(link, "data.txt")
        file.writestr(tool, "#!/bin/sh\n")
    return path


def tree(folder: Path) -> dict[str, tuple[str, bool]]:
    """Return what a function finds: links of the archive, contents of files, and whether one may be executed."""
    found = {}
    for parent, folders, files in os.walk(folder, followlinks=True):
        for path in (Path(parent, name) for name in (*folders, *files)):
            is_link = path.is_symlink() and not path.readlink().is_absolute()
            content = str(path.readlink()) if is_link else path.read_text() if path.is_file() else "folder"
            found[str(path.relative_to(folder))] = content, bool(path.stat().st_mode & 0o100)
    return found


def test_every_function_finds_what_extract_would_have_made(tmp_path: Path) -> None:
    zipped, archives = archive(tmp_path), UnpackedArchives()
    names = extract(zipped, tmp_path / "alone", name="pkg.zip")
    with ThreadPoolExecutor(8) as pool:
        targets = [tmp_path / str(number) for number in range(8)]
        laid = list(pool.map(lambda target: archives.lay(zipped, target, name="pkg.zip"), targets))
    assert laid == [names] * 8
    assert [tree(target) for target in targets] == [tree(tmp_path / "alone")] * 8


def test_what_a_function_writes_into_its_folder_no_other_function_reads(tmp_path: Path) -> None:
    zipped, archives = archive(tmp_path), UnpackedArchives()
    archives.lay(zipped, tmp_path / "first", name="pkg.zip")
    (tmp_path / "first" / "new.txt").write_text("new")
    (tmp_path / "first" / "rows" / "data.txt").write_text("changed")
    (tmp_path / "first" / "pkg").unlink()
    archives.lay(zipped, tmp_path / "second", name="pkg.zip")
    extract(zipped, tmp_path / "alone", name="pkg.zip")
    assert tree(tmp_path / "second") == tree(tmp_path / "alone")


def test_folders_with_code_may_not_be_written_to(tmp_path: Path) -> None:
    zipped, archives = archive(tmp_path), UnpackedArchives()
    archives.lay(zipped, tmp_path / "first", name="pkg.zip")
    shared = [tmp_path / "first" / "pkg", *(tmp_path / "first" / "pkg").resolve().rglob("*")]
    assert len(shared) > 5
    assert not [path for path in shared if path.stat().st_mode & 0o222]


def test_a_hostile_archive_is_refused_to_each_function_that_brings_it(tmp_path: Path) -> None:
    path, archives = tmp_path / "evil.zip", UnpackedArchives()
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("fine.py", "")
        file.writestr("../out.py", "")
    for number in range(2):
        with pytest.raises(UnsafeArchive, match="leaves its directory"):
            archives.lay(path, tmp_path / str(number), name="evil.zip")


def test_nothing_is_left_of_it_when_it_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    archives = UnpackedArchives()
    archives.lay(archive(tmp_path), tmp_path / "first", name="pkg.zip")
    assert list((tmp_path / "temporary").iterdir())
    del archives
    assert not list((tmp_path / "temporary").iterdir())
