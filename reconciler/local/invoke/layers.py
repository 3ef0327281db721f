"""
Layers of a function, merged into the one folder that it sees as /opt: of two files with one name that of the first layer.

"Layers are merged in reverse order", says the documentation, so that the first that is configured wins. A file takes a folder's place, and a
folder a file's, in the same order; that is a guess.
"""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path


def merge_layers(layers: tuple[Path, ...], folder: Path) -> Path:
    """Return a folder with all layers in it: the layer itself where there is one, else `folder`, which is made and filled with links."""
    if len(layers) == 1:
        return layers[0]
    folder.mkdir()
    for layer in layers:
        _merge(layer, folder)
    return folder


def _merge(source: Path, target: Path) -> None:
    for entry in sorted(os.scandir(source), key=lambda entry: entry.name):
        goal = target / entry.name
        exists = goal.is_symlink() or goal.exists()
        if entry.is_dir(follow_symlinks=False):
            if not exists:
                goal.mkdir()
            if stat.S_ISDIR(goal.lstat().st_mode):
                _merge(Path(entry.path), goal)
        elif not exists:
            _link(Path(entry.path), goal)


def _link(source: Path, goal: Path) -> None:
    """Give a file a second name; a copy where it lies on another disk."""
    try:
        goal.hardlink_to(source)
    except OSError:
        shutil.copy2(source, goal, follow_symlinks=False)
