"""Small real things for tests: what a build tool or an index would have made, without either."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
from typing import TYPE_CHECKING, Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from reconciler.base.errors import Position
from reconciler.manifest.dialect import Code
from reconciler.manifest.load import Loaded
from reconciler.manifest.reader import Document
from reconciler.manifest.section import read_section
from reconciler.targets.maxcompute.manifest import IMPLICIT_TARGET, Manifest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from reconciler.core.diff import Change


class Unchecked(Loaded):
    """A manifest that was typed and not checked: what the checks refuse is in the tests of what comes after them, too."""

    def at(self, *keys: str | int) -> Position:
        return Position("/".join(map(str, keys)))


def unchecked(folder: Path, manifest: Mapping[str, Any]) -> Loaded:
    """Return a manifest as if it had been loaded from `folder`; a place is named by the keys that lead to it."""
    typed = read_section(Manifest, {"stack": "s", **manifest})
    code = {}
    for name, function in typed.functions.items():
        entry = function.source.rpartition("/")[2] if function.source else "m.py"
        code[name] = Code(function.class_, entry, typed.runtime(function), entry, versioned=function.source is not None)
    return Unchecked(typed, folder, "local", IMPLICIT_TARGET, code, (), (), {}, Document("udfs.yaml"))


BACKEND = """
import os, zipfile
def build_wheel(folder, config_settings=None, metadata_directory=None):
    info = NAME + "-" + VERSION + ".dist-info/"
    file = NAME + "-" + VERSION + "-py2.py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, file), "w") as archive:
        archive.writestr(NAME + ".py", "")
        archive.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: %s\\nVersion: %s\\n" % (NAME, VERSION))
        archive.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nGenerator: own\\nRoot-Is-Purelib: true\\nTag: py2-none-any\\nTag: py3-none-any\\n")
        archive.writestr(info + "RECORD", "".join("%s,,\\n" % name for name in archive.namelist() + [info + "RECORD"]))
    return file
"""


def sdist(folder: Path, name: str, version: str = "1.0", *, first: str = "") -> Path:
    """Write a source archive whose build backend is its own and names no requirement, and return its path; `first` is what it does."""
    files = {
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
        "PKG-INFO": f"Metadata-Version: 1.1\nName: {name}\nVersion: {version}\n",
        "backend.py": f"{first}\nNAME, VERSION = {name!r}, {version!r}\n{BACKEND}",
    }
    path = folder / f"{name}-{version}.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for member, text in files.items():
            entry = tarfile.TarInfo(f"{name}-{version}/{member}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return path


def wheel(
    folder: Path,
    name: str,
    version: str = "1.0",
    *,
    tag: str = "py3-none-any",
    files: Mapping[str, bytes | str] | None = None,
    requires: tuple[str, ...] = (),
    requires_python: str | None = None,
) -> Path:
    """
    Write a wheel, metadata and RECORD included, and return its path; equal arguments give equal bytes.

    `tag` may be compressed (``py2.py3-none-any``). Without `files` it holds one module that knows its version.
    """
    stem = f"{name.replace('-', '_')}-{version}"
    info = f"{stem}.dist-info"
    pure = str(tag.endswith("-any")).lower()
    metadata = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"]
    metadata += [f"Requires-Python: {requires_python}\n"] if requires_python else []
    metadata += [f"Requires-Dist: {one}\n" for one in requires]
    members: dict[str, bytes | str] = {
        **(files if files is not None else {f"{name.replace('-', '_')}.py": f"VERSION = {version!r}\n"}),
        f"{info}/METADATA": "".join(metadata),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: {pure}\n{_tag_lines(tag)}",
    }
    encoded = {path: text if isinstance(text, bytes) else text.encode() for path, text in members.items()}
    record = "".join(f"{path},sha256={_digest(content)},{len(content)}\n" for path, content in encoded.items())
    encoded[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stem}-{tag}.whl"
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        for member, content in encoded.items():
            archive.writestr(ZipInfo(member, (1980, 1, 1, 0, 0, 0)), content, ZIP_DEFLATED)
    return path


def sha256(path: Path) -> str:
    """Return the hash by which a manifest pins a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _tag_lines(tag: str) -> str:
    pythons, abis, platforms = (part.split(".") for part in tag.split("-"))
    return "".join(f"Tag: {py}-{abi}-{plat}\n" for py in pythons for abi in abis for plat in platforms)


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


class Silent:
    """A `Progress` that shows nothing."""

    def started(self, change: Change) -> None:
        """Show nothing."""

    def sent(self, change: Change, size: int) -> None:
        """Show nothing."""

    def finished(self, change: Change) -> None:
        """Show nothing."""
