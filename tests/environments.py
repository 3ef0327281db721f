"""Environment archives for tests: with whatever a zip archive can say of its members, and unpacked as Flink does it."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from reconciler.packages.content import read_content
from reconciler.packages.environment.contents import EnvironmentArchive, read_environment
from tests.natives import elf

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    Members = Mapping[str, "tuple[int | None, bytes]"]

LINK, PROGRAM, FILE = stat.S_IFLNK | 0o777, stat.S_IFREG | 0o755, stat.S_IFREG | 0o644

SITE = "venv/lib/python3.11/site-packages"
SOUND: Members = {
    "venv/bin/python": (LINK, b"python3.11"),
    "venv/bin/python3.11": (PROGRAM, elf(needed=("libc.so.6",))),
    "venv/lib/python3.11/os.py": (FILE, b""),
    f"{SITE}/pyflink/__init__.py": (FILE, b""),
    f"{SITE}/apache_flink-1.20.5.dist-info/METADATA": (FILE, b""),
}
"""What a worker of Flink 1.20 starts from."""


def write_archive(path: Path, members: Members) -> Path:
    """Write an archive; a member whose mode is None comes from a system that is not Unix."""
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        for name, (mode, content) in members.items():
            info = ZipInfo(name)
            info.create_system, info.external_attr = (3, mode << 16) if mode is not None else (0, 0)
            archive.writestr(info, content)
    return path


def look_into(path: Path) -> EnvironmentArchive:
    return read_environment(path, read_content(path).sha256)


def unpack(archive: Path, folder: Path) -> None:
    """Unpack with modes and links, as Flink does."""
    with ZipFile(archive) as opened:
        for info in opened.infolist():
            path, mode = folder / info.filename, info.external_attr >> 16
            path.parent.mkdir(parents=True, exist_ok=True)
            if stat.S_ISLNK(mode):
                path.symlink_to(opened.read(info).decode())
            elif not info.is_dir():
                path.write_bytes(opened.read(info))
                path.chmod(stat.S_IMODE(mode))
