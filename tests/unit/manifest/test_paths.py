"""Paths of a manifest: relative, inside, regular files; everything else is refused before it is opened."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from reconciler.manifest.paths import Folder as Paths
from reconciler.manifest.paths import Refusal, why_not_a_path

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.manifest.folder import Folder

WRITTEN = {
    "up": "../a.py",
    "up and down": "udfs/../a.py",
    "up at the end": "udfs/..",
    "absolute": "/etc/passwd",
    "home": "~/a.py",
    "another's home": "~root/a.py",
    "a drive": "C:\\a.py",
    "a drive with slashes": "C:/a.py",
    "a drive's own folder": "c:a.py",
    "a share": "\\\\server\\share\\a.py",
    "a share with slashes": "//server/share/a.py",
    "backslashes": "udfs\\a.py",
    "a line break": "udfs/a\n.py",
    "a tab": "udfs/a\t.py",
    "NUL": "udfs/a\x00.py",
    "256 characters": "x" * 253 + ".py",
    "256 bytes": "é" * 127 + ".py",
    "very deep": "a/" * 2_500 + "a.py",
}


@pytest.mark.parametrize("text", WRITTEN.values(), ids=WRITTEN)
def test_a_path_that_leads_elsewhere_is_refused_as_it_is_written(tmp_path: Path, text: str) -> None:
    refusal = Paths(tmp_path).find(text)
    assert isinstance(refusal, Refusal)
    assert refusal.code == "E304"
    assert "\n" not in refusal.message
    assert "\x00" not in refusal.message


@pytest.mark.parametrize(
    "text", ["a.py", "./a.py", "udfs/a.py", "a b.py", "a~.py", "é.py", "...py", "x" * 255, "udfs/x-1.0+cu.whl", "-f"]
)
def test_a_path_inside_is_taken_as_it_is_written(text: str) -> None:
    assert why_not_a_path(text) is None


@pytest.fixture
def paths(folder: Folder) -> Paths:
    outside = folder.path.parent / "secret"
    outside.mkdir()
    (outside / "key.py").touch()
    root = folder.files("udfs/a.py").path
    (root / "file_out.py").symlink_to(outside / "key.py")
    (root / "folder_out").symlink_to(outside)
    (root / "relative_out.py").symlink_to("../secret/key.py")
    (root / "file_in.py").symlink_to("udfs/a.py")
    (root / "folder_in").symlink_to("udfs")
    (root / "out_and_in").symlink_to(f"../{root.name}/udfs")
    (root / "loop").symlink_to("loop")
    (root / "dangling.py").symlink_to("nothing.py")
    (root / "zero.py").symlink_to("/dev/zero")
    os.mkfifo(root / "fifo.py")
    return Paths(root.resolve())


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("file_out.py", "E304", "'file_out.py' leads out of the manifest's checkout"),
        ("relative_out.py", "E304", "'relative_out.py' leads out of the manifest's checkout"),
        ("folder_out/key.py", "E304", "'folder_out/key.py' leads out of the manifest's checkout"),
        ("folder_out", "E304", "'folder_out' leads out of the manifest's checkout"),
        ("zero.py", "E304", "'zero.py' leads out of the manifest's checkout"),
        ("loop", "E305", "'loop' is a symbolic link that leads back to itself"),
        ("loop/a.py", "E305", "'loop/a.py' is a symbolic link that leads back to itself"),
        ("dangling.py", "E305", "there is no file 'dangling.py'"),
        ("nothing.py", "E305", "there is no file 'nothing.py'"),
        ("nowhere/a.py", "E305", "there is no file 'nowhere/a.py'"),
        ("udfs/a.py/b.py", "E305", "there is no file 'udfs/a.py/b.py'"),
        ("udfs", "E305", "'udfs' is a directory, not a file"),
        ("udfs/", "E305", "'udfs/' is a directory, not a file"),
        (".", "E305", "'.' is a directory, not a file"),
        ("fifo.py", "E305", "'fifo.py' is a named pipe, not a file"),
    ],
)
def test_what_the_disk_holds_decides_the_rest(paths: Paths, text: str, code: str, message: str) -> None:
    refusal = paths.find(text)
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.message) == (code, message)


@pytest.mark.parametrize("text", ["udfs/a.py", "./udfs/a.py", "file_in.py", "folder_in/a.py", "out_and_in/a.py"])
def test_a_link_that_stays_inside_is_followed(paths: Paths, text: str) -> None:
    assert paths.find(text) == str(paths.root / "udfs/a.py")


def test_a_socket_is_not_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("s.py")
        assert Paths(tmp_path.resolve()).find("s.py") == Refusal("E305", "'s.py' is a socket, not a file", None)


def test_a_device_is_not_a_file(tmp_path: Path) -> None:
    device = Paths(type(tmp_path)("/dev")).find("null")
    assert device == Refusal("E305", "'null' is a device, not a file", None)


def test_a_manifest_in_the_root_folder_has_everything_inside() -> None:
    from pathlib import Path

    assert isinstance(Paths(Path("/")).find("dev"), Refusal)
    assert "leads out" not in str(Paths(Path("/")).find("dev"))


def test_what_may_not_be_read_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(path: str) -> os.stat_result:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "lstat", forbidden)
    paths = Paths(tmp_path.resolve())
    paths._real[""] = f"{paths.root}/"
    assert paths.find("a.py") == Refusal("E305", "'a.py' cannot be read: Permission denied", None)


def test_a_bad_path_is_reported_at_its_value(folder: Folder) -> None:
    assert folder.says("""\
        stack: s
        packages: {p: {wheels: [../x-1-py3-none-any.whl]}}
        resources: {r.csv: {file: /etc/passwd}}
        functions: {f: {source: ../f.py, class: F, packages: [p]}}
    """) == [
        "2:25 E304 '../x-1-py3-none-any.whl' holds '..'",
        "3:27 E304 '/etc/passwd' is an absolute path",
        "4:25 E304 '../f.py' holds '..'",
    ]


def test_a_link_may_lead_to_elsewhere_in_the_repository_and_nothing_to_the_folder_of_git(folder: Folder) -> None:
    top = folder.files("a/udfs.yaml", "b/x.py", ".git/config").path.resolve()
    (top / "a" / "shared").symlink_to("../b")
    (top / "a" / "settings").symlink_to("../.git")
    paths = Paths(top / "a")
    assert paths.find("shared/x.py") == str(top / "b" / "x.py")
    for text in ("settings/config", "../.git/config"):
        refusal = paths.find(text)
        assert isinstance(refusal, Refusal)
        assert refusal.code == "E304"
    refusal = Paths(top).find(".git/config")
    assert isinstance(refusal, Refusal)
    assert refusal.code == "E304"
