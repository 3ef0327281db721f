"""
Content-addressed cache: a folder of files that are found by their sha256.

Nothing in the folder is taken at its name: `Cache.get` holds a file's hash against it each time it hands it out, so a file
that somebody changed, or that a full disk cut off, counts as absent and is fetched again. The hash comes from `Cache.read`,
which may remember it as long as the file system says that nobody has written to the file since (`digests`): to change a
file is to change its ctime, and then it is read again. What the remembered hashes cannot withstand is somebody who writes
to the user's own folder of caches *and* forges the list of hashes there.
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.base.errors import PackageError
from reconciler.packages.content import Content, read_content

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class OtherBytes(PackageError):
    """A file is not the one that its hash was given for."""


@dataclass(frozen=True)
class Cache:
    """The cache under `root`, which need not exist yet."""

    root: Path
    read: Callable[[Path], Content] = read_content
    """Hashes a file."""

    def get(self, sha256: str) -> Content | None:
        """Return the file with this hash if it is here and whole."""
        folder = self._folder(sha256)
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            content = self._content(path)
            if content is not None and content.sha256 == sha256:
                return content
        return None

    @contextmanager
    def workspace(self) -> Iterator[Path]:
        """Give a folder beside the files, gone afterwards: what is finished there can be renamed into its place."""
        with _writing(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            folder = tempfile.TemporaryDirectory(prefix=".fetch-", dir=self.root, ignore_cleanup_errors=True)
        with folder as path:
            yield Path(path)

    def put(self, file: Path, sha256: str | None = None) -> Content:
        """Take a finished file of a `workspace` over, if it has this hash."""
        with _writing(self.root):
            content = read_content(file)
            if sha256 is not None and content.sha256 != sha256:
                raise OtherBytes(
                    "E402",
                    f"'{file.name}' has sha256 {content.sha256}, not {sha256}",
                    hint="nothing was kept; correct the sha256 in the manifest if the file is the one you mean",
                )
            target = self._folder(content.sha256) / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            # By one rename, and never opened for writing there: any number of processes may use the cache at once.
            file.chmod(0o444)
            file.replace(target)
        return Content(target, content.sha256, content.md5, content.size)

    def _content(self, path: Path) -> Content | None:
        try:
            return self.read(path) if path.is_file() else None
        except OSError:  # unreadable is as good as absent
            return None

    @property
    def inspections(self) -> Path:
        """Where what was found inside files is kept."""
        return self.root / "inspections"

    def _folder(self, sha256: str) -> Path:
        # A folder, because a file keeps its name in it: a wheel's carries its tags.
        return self.root / "sha256" / sha256[:2] / sha256


@contextmanager
def _writing(root: Path) -> Iterator[None]:
    """Turn a full disk or a missing right into a sentence."""
    try:
        yield
    except OSError as error:
        raise PackageError(
            "E407",
            f"the cache '{root}' cannot be written: {error.strerror or error}",
            hint="make room there, or choose another folder for the cache",
        ) from error


def read_file(cache: Cache, path: Path, name: str) -> Content:
    """Hash a file of the manifest's folder; `name` is what the manifest calls it."""
    try:
        return cache.read(path)
    except OSError as error:
        raise PackageError("E305", f"'{name}' cannot be read: {error.strerror or error}") from error
