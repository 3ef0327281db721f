"""A folder under `resources:` becomes one archive, the same wherever it is packed, or is refused."""

from __future__ import annotations

import os
import shutil
import tarfile
import time
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.base.errors import PackageError
from reconciler.base.line_ends import LineEnds, with_crlf, with_line_feeds
from reconciler.manifest.model import Resource
from reconciler.packages.fetch.cache import Cache
from reconciler.packages.inspect.contents import inspect_file
from reconciler.packages.inspect.files import file_kind
from reconciler.packages.pack.folders import convert_line_ends, pack_folder, pack_package

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.packages.content import Content
    from reconciler.packages.pack.archives import PackedArchive

SUFFIXES = (".zip", ".tar", ".tgz", ".tar.gz")
FILES = {"a.csv": b"1,2\n" * 500, "b/ü.txt": b"", "b/c/run.sh": b"#!/bin/sh\n", "b/__pycache__/x.pyc": b"?"}


def _write(folder: Path, files: Mapping[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def _pack(
    folder: Path, name: str = "data.zip", exclude: Sequence[str] = (), cache: Path | None = None
) -> PackedArchive:
    return pack_folder(name, folder, "data", Resource(exclude=list(exclude)), Cache(cache or folder.parent / "cache"))


def _contents(made: PackedArchive) -> dict[str, tuple[bytes, int]]:
    path = made.content.path
    if path.suffix == ".zip":
        with ZipFile(path) as archive:
            infos = archive.infolist()
            assert [info.filename for info in infos] == sorted(info.filename for info in infos)
            return {info.filename: (archive.read(info), info.external_attr >> 16 & 0o777) for info in infos}
    with tarfile.open(path) as archive:
        return {info.name: (archive.extractfile(info).read(), info.mode) for info in archive}  # type: ignore[union-attr]


def _refused(folder: Path, exclude: Sequence[str] = ()) -> PackageError:
    with pytest.raises(PackageError) as caught:
        _pack(folder, exclude=exclude)
    return caught.value


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_everything_is_packed_but_what_python_made(tmp_path: Path, suffix: str) -> None:
    folder = _write(tmp_path / "data", FILES)
    (folder / "b/c/run.sh").chmod(0o700)
    (folder / "a.csv").chmod(0o600)
    made = _pack(folder, f"data{suffix}")
    assert _contents(made) == {
        "a.csv": (FILES["a.csv"], 0o644),
        "b/c/run.sh": (FILES["b/c/run.sh"], 0o755),
        "b/ü.txt": (b"", 0o644),
    }
    faults = inspect_file(made.content.path, file_kind(made.content.path)).faults
    assert all(fault.severity == "warning" for fault in faults)  # a file may begin like a native one and be none


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_same_files_give_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    first = _pack(_write(tmp_path / "data", FILES), f"data{suffix}")
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    time.tzset()
    before = os.umask(0o077)
    try:
        again = _write(tmp_path / "elsewhere" / "x", dict(reversed(FILES.items())))
        os.utime(again / "a.csv", (1e9, 1e9))
        found = _pack(again, f"other{suffix}", cache=tmp_path / "other")
    finally:
        os.umask(before)
        monkeypatch.undo()
        time.tzset()
    assert found.content.path != first.content.path
    assert found.content.sha256 == first.content.sha256


def test_what_is_excluded_is_not_even_looked_at(tmp_path: Path) -> None:
    folder = _write(tmp_path / "data", {**FILES, "raw/x.bin": b"x", "keep/raw.txt": b""})
    (folder / "link").symlink_to("/etc/passwd")
    made = _pack(folder, exclude=["raw/", "link", "*.xyz", "b/*", "!b/c/"])
    assert _contents(made).keys() == {"a.csv", "keep/raw.txt", "b/c/run.sh"}
    assert made.idle == ("*.xyz",)
    assert [(one.why, one.files) for one in made.left_out] == [("exclude", 3)]


def test_nothing_is_packed_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = _write(tmp_path / "data", FILES)
    first = _pack(folder)
    monkeypatch.setattr("reconciler.packages.pack.folders.write_file_zip", None)
    assert _pack(folder) == first
    (folder / "b/c/run.sh").chmod(0o755)
    with pytest.raises(TypeError):
        _pack(folder)


def test_links_devices_and_odd_names_are_refused_all_at_once(tmp_path: Path) -> None:
    folder = _write(tmp_path / "data", {"good": b"", "Case": b"", "case": b"", "a\\b": b"", "new\nline": b""})
    (folder / "file-link").symlink_to("good")
    (folder / "folder-link").symlink_to("/etc")
    (folder / "gone").symlink_to("nowhere")
    os.mkfifo(folder / "pipe")
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff")).write_bytes(b"")
    (problem,) = _refused(folder).problems
    assert problem.code == "E421"
    assert problem.detail == (
        r"'a\\b' holds characters that mean different files to different systems",
        "'case' differs from 'Case' only in case",
        "'file-link' is a symbolic link",
        "'folder-link' is a symbolic link",
        "'gone' is a symbolic link",
        r"'new\nline' holds characters that mean different files to different systems",
        "'pipe' is neither a file nor a folder",
        r"'\udcff' holds characters that mean different files to different systems",
    )


@pytest.mark.parametrize("files", [{}, {"__pycache__/a.pyc": b""}, {"a.tmp": b""}])
def test_a_folder_with_nothing_to_pack_is_refused(tmp_path: Path, files: dict[str, bytes]) -> None:
    (tmp_path / "data").mkdir()
    (problem,) = _refused(_write(tmp_path / "data", files), ["*.tmp"]).problems
    assert (problem.code, problem.message) == ("E426", "there is no file to pack in 'data'")


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("now", [b"after!", b"longer than before", b"less"])
def test_a_file_that_changes_while_it_is_packed_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, now: bytes
) -> None:
    folder = _write(tmp_path / "data", {"a": b"before"})
    cache = Cache(tmp_path / "cache")
    seen = cache.read(folder / "a")
    (folder / "a").write_bytes(now)
    with pytest.raises((PackageError, OSError)):
        pack_folder(f"data{suffix}", folder, "data", Resource(), Cache(cache.root, lambda path: seen))
    assert not list(cache.root.rglob("*.json"))


def _outcome(folder: Path, name: str) -> tuple[PackedArchive | None, list[str]]:
    try:
        return _pack(folder, name), []
    except PackageError as error:
        return None, [problem.code for problem in error.problems]


NAMES = st.text(st.sampled_from("aAé/. \\\n"), min_size=1, max_size=5)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(NAMES, st.binary(max_size=30), max_size=6), st.sampled_from(SUFFIXES))
def test_a_folder_is_packed_the_same_twice_or_refused(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes], suffix: str
) -> None:
    root = tmp_path_factory.mktemp("fuzz")
    (root / "data").mkdir()
    written: dict[str, bytes] = {}
    for name, content in files.items():
        path = root / "data" / os.path.normpath(f"/{name}").lstrip("/")
        try:
            _write(root, {str(path.relative_to(root)): content})
        except OSError:  # a file where a folder is, or no name at all
            continue
        written[path.relative_to(root / "data").as_posix()] = content
    made, codes = _outcome(root / "data", f"x{suffix}")
    assert codes in ([], ["E421"], ["E426"])
    if made is None:
        return
    shutil.copytree(root / "data", root / "copy")
    assert _pack(root / "copy", f"x{suffix}", cache=root / "second").content.sha256 == made.content.sha256
    assert {name: content for name, (content, _) in _contents(made).items()} == written
    faults = inspect_file(made.content.path, file_kind(made.content.path)).faults
    assert all(fault.severity == "warning" for fault in faults)  # a file may begin like a native one and be none


LITTER = (
    ".DS_Store",
    "a.csv~",
    ".a.csv.swp",
    "Thumbs.db",
    ".idea/x.xml",
    "b/.git",
    "b/desktop.ini",
    "b/.#a.csv",
    "._a.csv",
    ".venv/lib/x.py",
    "env/pyvenv.cfg",
    "env/lib/y.py",
    ".env",
    "b/.env.prod",
)


def test_what_tools_leave_in_a_folder_is_packed_only_on_request(tmp_path: Path) -> None:
    folder = _write(tmp_path / "data", {"a.csv": b"1", **dict.fromkeys(LITTER, b"?")})
    assert [*_contents(_pack(folder))] == ["a.csv"]
    assert [*_contents(_pack(folder, exclude=["!.idea/", "!*~"]))] == [".idea/x.xml", "a.csv", "a.csv~"]
    assert [*_contents(_pack(folder, exclude=["!/.env", "!/env/"]))] == [
        ".env",
        "a.csv",
        "env/lib/y.py",
        "env/pyvenv.cfg",
    ]


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "package"])
def test_an_archive_with_other_line_ends_is_that_of_the_folder_with_them(tmp_path: Path, kind: str) -> None:
    texts = {"a.py": b"A = 1\nB = 2\n", "deep/b.txt": b"x\r\ny\n", "run.sh": b"#!/bin/sh\n"}
    other = {"image.bin": b"\0\r\n\n", "lonely.txt": b"no end"}
    kept = Cache(tmp_path / "cache", line_ends=LineEnds(tmp_path, "keep"))

    def pack(folder: Path) -> Content:
        (folder / "run.sh").chmod(0o755)
        if kind == "package":
            return pack_package(folder, "own", kept, is_versioned=False).content
        return pack_folder(f"data.{kind}", folder, "data", Resource(), kept).content

    here = pack(_write(tmp_path / "here" / "own", texts | other))
    for convert, end in ((with_crlf, b"\r\n"), (with_line_feeds, b"\n")):
        changed = {name: text.replace(b"\r\n", b"\n").replace(b"\n", end) for name, text in texts.items()}
        there = pack(_write(tmp_path / convert.__name__ / "own", changed | other))
        assert convert_line_ends(here, kind, convert, tmp_path).sha256 == there.sha256 != here.sha256
