"""Path patterns as in ``.gitignore``, and the names of what nobody meant to ship."""

from __future__ import annotations

import re
from fnmatch import translate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


_LITTER = (
    *(".git", ".hg", ".svn", ".bzr"),
    *("__pycache__", ".ipynb_checkpoints", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis"),
    *(".idea", ".vscode", "*~", "*.sw[a-p]", ".#*", "#*#", "*.kate-swp", ".~lock.*#", "~$*"),
    *(".DS_Store", "._*", ".Spotlight-V100", ".Trashes", ".fseventsd", "Thumbs.db", "ehthumbs.db", "desktop.ini"),
    *(".directory", ".nfs*", ".fuse_hidden*"),
    *(".venv", ".tox", ".nox", ".eggs"),
    *(".env", ".env.*", ".envrc"),
)
"""
Names that version control, Python, editors, file managers and file systems give to what they keep beside files; last, what by custom holds the
secrets of one machine.
"""

ENVIRONMENT_MARK = "pyvenv.cfg"
"""The file at the top of a virtual environment [PEP 405], whatever that is called."""

_is_litter = re.compile("|".join(map(translate, _LITTER)), re.IGNORECASE).match


def is_litter(name: str) -> bool:
    """Say whether a file or folder of this name is what a tool left, and on this machine alone."""
    return _is_litter(name) is not None


def matcher(patterns: Sequence[str]) -> Callable[[str], bool]:
    """Return what says whether a path is named by patterns as in ``.gitignore``; raises ValueError for what is none."""
    if not patterns:
        return lambda path: False
    from pathspec import GitIgnoreSpec

    return GitIgnoreSpec.from_lines(patterns).match_file
