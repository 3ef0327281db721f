"""
File system of a sandbox: which folders of this machine, or of a root made for it, stand where, all of them read-only.

The root itself is an empty file system in memory, so that what is not named here is not there: no home, no /run, no /var of this
machine, and of its /etc the few files that programs need to start.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SYSTEM = ("bin", "lib", "lib32", "lib64", "libx32", "sbin", "usr")
_SETTINGS = (
    *("alternatives", "group", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "mime.types", "passwd"),
    *("ca-certificates", "fonts", "pki", "ssl", "services", "protocols"),
)
"""What programs read of /etc to start, to find libraries that `update-alternatives` chose, and to say the time. No host name, no shadow."""
_SMALL = 1 << 20
_NETWORK_SETTINGS = ("hosts", "nsswitch.conf", "resolv.conf")
_LEFT_OUT = ("code", "dev", "opt", "proc", "run", "sys", "tmp")
"""Folders of a root that are not taken from it."""


@dataclass(frozen=True)
class Bind:
    """A file or folder of this machine, and where the command sees it."""

    source: Path
    target: str


@dataclass(frozen=True)
class Sandbox:
    """What a command sees and may use."""

    binds: tuple[Bind, ...] = ()
    """Read-only, each over those before it."""

    root: Path | None = None
    """The folder of a root file system; None for the programs of this machine."""

    environment: Mapping[str, str] = field(default_factory=dict)
    """All of it."""

    cwd: str = "/"
    network: bool = False
    memory: int | None = None
    """Bytes, of all its processes together where the system can count them so."""

    scratch: int = 512 << 20
    """Bytes of /tmp. They lie in memory, and count as such."""


@dataclass(frozen=True)
class Tree:
    """The file system as it is put together."""

    binds: tuple[Bind, ...]
    links: tuple[tuple[str, str], ...]
    """Where each stands, and where it leads."""

    settings: tuple[Bind, ...] = ()
    """Small files in folders of the root's own: they may be bound, or copied."""


def find_tree(sandbox: Sandbox) -> Tree:
    """Return what stands where, the system first."""
    binds: list[Bind] = []
    links: list[tuple[str, str]] = []
    root = sandbox.root or Path("/")
    for path in _system(root, sandbox.root is not None):
        target = f"/{path.relative_to(root)}"
        if path.is_symlink():
            links.append((target, str(path.readlink())))
        else:
            binds.append(Bind(path, target))
    settings: list[Bind] = []
    if sandbox.root is None:
        for bind in _settings(sandbox.network):
            (settings if _is_small_file(bind.source) else binds).append(bind)
    elif sandbox.network:
        # Over files of the root's: in a folder that is read-only no other can be put.
        replaced = [name for name in _NETWORK_SETTINGS if stat.S_ISREG(_mode(root / "etc" / name))]
        binds += [Bind(path.resolve(), str(path)) for name in replaced if (path := Path("/etc", name)).exists()]
    binds += [Bind(bind.source.resolve(), bind.target) for bind in sandbox.binds]
    return Tree(tuple(binds), tuple(links), tuple(settings))


def _settings(has_network: bool) -> Iterator[Bind]:
    """Yield what programs read of this machine's /etc."""
    for name in (*_SETTINGS, *(_NETWORK_SETTINGS if has_network else ())):
        path = Path("/etc", name)
        if path.exists():
            yield Bind(path.resolve(), str(path))


def _is_small_file(path: Path) -> bool:
    return path.is_file() and os.access(path, os.R_OK) and path.stat().st_size <= _SMALL


def _mode(path: Path) -> int:
    """Return the mode of what stands at a path, links not followed; 0 where nothing does."""
    try:
        return path.lstat().st_mode
    except OSError:
        return 0


def _system(root: Path, is_whole: bool) -> Iterator[Path]:
    names = sorted(path.name for path in root.iterdir() if path.name not in _LEFT_OUT) if is_whole else _SYSTEM
    for name in names:
        path = root / name
        if path.is_symlink() or path.exists():
            yield path
