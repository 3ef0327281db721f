"""
Watching of files: the inputs of a manifest, looked at a few times a second until one of them changes.

They are a short, known list (`packages.reads`), so they are polled: a look at 1,000 files takes some milliseconds, and it sees the
same in containers, on network drives and behind editors that replace files, where notices of the system do not arrive.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    Looks = Mapping[str, tuple[int, int, int]]
    """Path → when it was changed, its size and its number on the disk; absent files are absent."""

INTERVAL = 0.3
"""Seconds between two looks: what is saved is noticed before a hand is off the keyboard."""


def look(paths: Iterable[Path]) -> Looks:
    """Return how files are now, and all files in folders."""
    looks = {}
    for path in _files(paths):
        try:
            stat = path.stat()
        except OSError:
            continue
        looks[str(path)] = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
    return looks


def wait_for_change(paths: Iterable[Path], before: Looks) -> None:
    """Return when one of the files is not as it was `before`, and when what is being saved is saved."""
    paths = tuple(paths)
    while look(paths) == before:
        time.sleep(INTERVAL)
    # An editor, or a checkout of another branch, writes one file after the other.
    now = None
    while now != (now := look(paths)):
        time.sleep(INTERVAL)


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for folder, _, names in os.walk(path):
            yield from (Path(folder, name) for name in names)
