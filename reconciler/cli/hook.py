"""Hooks of pre-commit: a command for each manifest that changed files belong to."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.cli.entry import run

if TYPE_CHECKING:
    from collections.abc import Iterable

_COMMANDS = {"validate": ("validate",), "lock-check": ("lock", "--check")}
_MANIFEST = "udfs.yaml"


def main() -> None:
    """Run ``udfs-hook COMMAND FILE…`` as pre-commit does: in the repository's root, with names relative to it."""
    command, *files = sys.argv[1:]
    codes = [run([*_COMMANDS[command], "-f", str(manifest)]) for manifest in manifests_of(map(Path, files))]
    sys.exit(max(codes, default=0))


def manifests_of(files: Iterable[Path]) -> list[Path]:
    """
    Return the manifest of each file, once: itself, or that of its folder or of the nearest folder above.

    A manifest that reads files from elsewhere is not found by these; `udfs ci check` looks at what each one reads.
    """
    folders = (folder for file in files for folder in _nearest(file))
    return sorted({folder / _MANIFEST for folder in folders})


def _nearest(file: Path) -> list[Path]:
    return [folder for folder in file.parents if (folder / _MANIFEST).is_file()][:1]
