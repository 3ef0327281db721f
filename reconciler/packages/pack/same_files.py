"""
Comparison of zip archives by the files that they hold: names, bytes, and which can be executed.

Two tools pack the same files into twin bytes: dates, order, level and folders of their own differ, and nothing that runs sees that.
"""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING
from zipfile import ZipFile, ZipInfo

from reconciler.base.inputs import SHIPPED, open_input
from reconciler.packages.inspect.members import UNREADABLE

if TYPE_CHECKING:
    from pathlib import Path

_BLOCK = 1 << 20
_UNIX = 3


def hold_same_files(path: Path, beside: Path) -> bool:
    """Say whether two zip archives hold the same files; what cannot be read, or has links, is not the same as anything."""
    try:
        with (
            open_input(path, SHIPPED) as stream,
            open_input(beside, SHIPPED) as twin_stream,
            ZipFile(stream) as first,
            ZipFile(twin_stream) as second,
        ):
            return _are_same(first, second)
    except UNREADABLE:
        return False


def _are_same(first: ZipFile, second: ZipFile) -> bool:
    ours, theirs = _files(first), _files(second)
    if ours.keys() != theirs.keys() or any(map(_is_link, (*ours.values(), *theirs.values()))):
        return False
    pairs = [(info, theirs[name]) for name, info in ours.items()]
    # Sizes first: an archive that unpacks without end is not unpacked.
    if any(
        (entry.file_size, entry.CRC) != (twin.file_size, twin.CRC) or not _run_alike(entry, twin)
        for entry, twin in pairs
    ):
        return False
    return all(_have_same_bytes(first, entry, second, twin) for entry, twin in pairs)


def _files(archive: ZipFile) -> dict[str, ZipInfo]:
    return {info.filename: info for info in archive.infolist() if not info.is_dir()}


def _is_link(info: ZipInfo) -> bool:
    return info.create_system == _UNIX and stat.S_ISLNK(info.external_attr >> 16)


def _run_alike(entry: ZipInfo, twin: ZipInfo) -> bool:
    """Say whether both or neither can be executed, as far as both tell."""
    modes = [
        info.external_attr >> 16 for info in (entry, twin) if info.create_system == _UNIX and info.external_attr >> 16
    ]
    return len({bool(mode & 0o100) for mode in modes}) < 2


def _have_same_bytes(first: ZipFile, entry: ZipInfo, second: ZipFile, twin: ZipInfo) -> bool:
    with first.open(entry) as stream, second.open(twin) as twin_stream:
        while block := stream.read(_BLOCK):
            if block != twin_stream.read(len(block)):
                return False
        return not twin_stream.read(1)
