"""
Git, asked about a checkout: what the program itself says, and nothing where there is none.

The configuration of a checkout can name programs that git runs even to tell its state: a monitor, hooks, filters, a program that
shows differences. None of them is run.
"""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from reconciler.base import environments

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_SECONDS, _PATIENCE = 10.0, 60.0
"""What is asked in passing may take less than what a command stands on, in a repository of a million files."""


class GitRefused(Exception):
    """Git is not there, or did not do what it was asked for; its own words are the message."""


def ask_git(folder: Path, *arguments: str) -> str:
    """Return what git says of a folder, without blanks around it; nothing where there is no git or no repository."""
    try:
        return run_git(folder, *arguments, seconds=_SECONDS).strip()
    except GitRefused:
        return ""


def run_git(folder: Path, *arguments: str, seconds: float = _PATIENCE) -> str:
    """Return what git says of a folder; raises `GitRefused`."""
    query = ("config", "--includes", "--local", "--name-only", "--get-regexp", r"^filter\.")
    filters = _run(folder, query, seconds, may_fail=True)
    off = [f"{name}={'false' if name.endswith('.required') else ''}" for name in filters.split("\n") if name]
    return _run(folder, (*(word for setting in off for word in ("-c", setting)), *arguments), seconds)


def _run(folder: Path, arguments: Sequence[str], seconds: float, *, may_fail: bool = False) -> str:
    command = ["git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-C", str(folder), *arguments]
    env = {**environments.for_git(os.environ), "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
    try:
        process = subprocess.run(command, capture_output=True, timeout=seconds, check=False, env=env)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise GitRefused(str(error)) from None
    if process.returncode and not may_fail:
        raise GitRefused(process.stderr.decode("utf-8", "replace").strip() or f"git ended with {process.returncode}")
    # As the system's own names, so that what is handed back to git is to the byte what it told.
    return os.fsdecode(process.stdout)
