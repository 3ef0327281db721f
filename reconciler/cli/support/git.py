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
from reconciler.base.errors import UsageError

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


def list_files(top: Path) -> list[str] | None:
    """Return the files of a checkout, those among them that are new and not ignored; None where Git does not say."""
    try:
        listing = run_git(top, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate")
    except GitRefused:
        return None
    return [name for name in listing.split("\0") if name]


def read_committed(top: Path, commit: str, name: str) -> bytes | None:
    """Return a file of a commit as it is kept there; None of one that it does not have."""
    try:
        return os.fsencode(run_git(top, "cat-file", "blob", f"{commit}:{name}"))
    except GitRefused:
        return None


def list_changes(top: Path, base: str) -> tuple[str, frozenset[str]]:
    """
    Return the commit at which a checkout left a base, and the files that differ from it: committed since, edited or new, and deleted.

    Raises E553 where the base is not in the clone: a shallow one has none.
    """
    hint = (
        "fetch it: `fetch-depth: 0` of actions/checkout, `GIT_DEPTH: 0` of GitLab, else `git fetch --unshallow`; "
        "or leave --changed-since out, and all manifests are looked at"
    )
    if not base or base.startswith("-"):
        hint = "name a commit, a branch or a tag: --changed-since origin/main"
        raise UsageError("E553", f"'{base}' is no commit", hint=hint)
    commit = ask_git(top, "rev-parse", "--verify", "--quiet", f"{base}^{{commit}}")
    if not commit:
        raise UsageError("E553", f"'{base}' is not in this clone", hint=hint)
    fork = ask_git(top, "merge-base", commit, "HEAD")
    if not fork and ask_git(top, "rev-parse", "--is-shallow-repository") == "true":
        raise UsageError("E553", f"this clone is too shallow to tell where it left '{base}'", hint=hint)
    try:
        # Against the files as they lie here, which are what is planned.
        changed = run_git(top, "diff", "--name-only", "-z", "--no-renames", "--no-ext-diff", fork or commit, "--")
        new = run_git(top, "ls-files", "-z", "--others", "--exclude-standard")
    except GitRefused as error:
        raise UsageError("E553", f"Git does not tell what changed since '{base}': {error}", hint=hint) from None
    return fork or commit, frozenset(name for name in f"{changed}\0{new}".split("\0") if name)
