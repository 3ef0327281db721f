"""
Paths that a manifest may name: relative, inside its folder, and regular files.

A manifest must mean the same in every checkout and must not be able to upload what is not in Git, so nothing leads out
of the folder: not ``..``, not a home directory. A symbolic link may lead to elsewhere in the same repository, which Git keeps
like the rest, and not into Git's own folder.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from reconciler.base.inputs import describe_mode, is_inside, repository_of
from reconciler.base.words import did_you_mean, quote

if TYPE_CHECKING:
    from pathlib import Path

Kind: TypeAlias = Literal["file", "folder", "either"]

_DRIVE = re.compile(r"[A-Za-z]:")
_ORDINARY = re.compile(r"\w[\w.-]*(?:/\w[\w.-]*)*\Z", re.ASCII)
"""What nearly every path looks like, and nothing that needs a closer look."""
_WAYS_OUT = "move the manifest to a folder above both, or commit a link inside its folder: it may lead anywhere in the repository"
_MAX_PART = 255
_MAX_PATH = 4_000
_TAKEN: dict[Kind, tuple[int, ...]] = {
    "file": (stat.S_IFREG,),
    "folder": (stat.S_IFDIR,),
    "either": (stat.S_IFREG, stat.S_IFDIR),
}


_MOST_BESIDE = 2_000
"""Files of a folder among which the one that was meant is looked for."""


class Refusal(NamedTuple):
    """Why something that a manifest says is not taken."""

    code: str
    message: str
    hint: str | None = None


def why_not_a_path(text: str) -> Refusal | None:
    """Say what is wrong with a path as it is written, whatever there is on the disk."""
    # One match for nearly every path: this runs once for each file of 5,000 functions.
    if len(text) <= _MAX_PART and _ORDINARY.match(text):
        return None
    if any(ord(character) < 32 for character in text):
        return Refusal("E304", "a path holds no line break or other control character")
    if "\\" in text or _DRIVE.match(text):
        return Refusal("E304", f"{quote(text)} is a Windows path", "write it with /, relative to the manifest")
    if text.startswith("/"):
        return Refusal("E304", f"{quote(text)} is an absolute path", "write it relative to the manifest")
    if text.startswith("~"):
        return Refusal(
            "E304", f"{quote(text)} begins with ~, which is not expanded", "write it relative to the manifest"
        )
    parts = text.split("/")
    if ".." in parts:
        return Refusal("E304", f"{quote(text)} holds '..'", _WAYS_OUT)
    if len(text.encode()) > _MAX_PATH or any(len(part.encode()) > _MAX_PART for part in parts):
        return Refusal("E304", f"the path {quote(text)} is too long", "a name has at most 255 bytes")
    return None


@dataclass
class Folder:
    """A manifest's folder, and what was learnt about the folders below it."""

    root: Path
    """Absolute, symbolic links resolved."""

    _real: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._inside = f"{str(self.root).rstrip('/')}/"

    @cached_property
    def _checkout(self) -> Path:
        """Where links may lead to."""
        return repository_of(self.root) or self.root

    def find(self, text: str, kind: Kind = "file") -> str | Refusal:
        """
        Return the regular file that `text` names: absolute, symbolic links resolved.

        Where a folder is taken, it may be one; what is returned then ends in a slash.
        """
        refusal = why_not_a_path(text)
        if refusal is not None:
            return refusal
        try:
            return self._find(text, kind)
        except OSError as error:
            refusal = _unreachable(text, error, kind)
            guess = did_you_mean(text, self._beside(text)) if error.errno == errno.ENOENT else None
            return refusal._replace(hint=guess) if guess else refusal

    def _beside(self, text: str) -> list[str]:
        """Return the files of the folder that a path leads to, as they would be written."""
        head = text.rpartition("/")[0]
        try:
            with os.scandir(self.root / head) as entries:
                names = [entry.name for entry in islice(entries, _MOST_BESIDE) if not entry.name.startswith(".")]
        except OSError:
            return []
        return [f"{head}/{name}" if head else name for name in names]

    def _find(self, text: str, kind: Kind) -> str | Refusal:
        # Many files share a folder: resolve each folder once, then ask for the file alone.
        head, _, name = text.rpartition("/")
        folder = self._real.get(head)
        if folder is None:
            folder = self._real[head] = os.path.realpath(self.root / head, strict=True).rstrip("/") + "/"
        path = folder + name
        mode = os.lstat(path).st_mode
        if stat.S_ISLNK(mode):
            path = os.path.realpath(path, strict=True)
            # The link is followed and judged by what it leads to.
            mode = type(self.root)(path).stat().st_mode
        if (not path.startswith(self._inside) or "/.git" in path) and not self._is_in_checkout(path):
            return Refusal(
                "E304",
                f"{quote(text)} leads out of the manifest's checkout",
                "a symbolic link on the way does so, or it lies in the folder of Git itself",
            )
        if stat.S_IFMT(mode) not in _TAKEN[kind]:
            return Refusal(
                "E305", f"{quote(text)} is {describe_mode(mode)}, not a {'folder' if kind == 'folder' else 'file'}"
            )
        if stat.S_ISDIR(mode):
            return f"{path.rstrip('/')}/"
        return path

    def _is_in_checkout(self, path: str) -> bool:
        return is_inside(type(self.root)(path), self._checkout)


def _unreachable(text: str, error: OSError, kind: Kind) -> Refusal:
    if error.errno == errno.ELOOP:
        return Refusal("E305", f"{quote(text)} is a symbolic link that leads back to itself")
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return Refusal(
            "E305",
            f"there is no {kind if kind == 'folder' else 'file'} {quote(text)}",
            "paths are relative to the manifest",
        )
    return Refusal("E305", f"{quote(text)} cannot be read: {error.strerror}")
