"""Who applies: what the ledger writes down, from the environment and from Git."""

from __future__ import annotations

import getpass
import os
import secrets
import socket
import subprocess
from typing import TYPE_CHECKING

from reconciler.ledger import Holder

if TYPE_CHECKING:
    from pathlib import Path

_PIPELINES = ("CI_PIPELINE_URL", "BUILD_URL", "BUILD_BUILDURI", "CIRCLE_BUILD_URL")
"""Where GitLab, Jenkins, Azure and CircleCI say where a run can be looked at; GitHub's is put together."""


def holder(folder: Path) -> Holder:
    """Return who runs this command, and on which commit of the manifest's folder."""
    commit = _git(folder, "rev-parse", "HEAD")
    return Holder(
        user=os.environ.get("GITHUB_ACTOR") or os.environ.get("GITLAB_USER_LOGIN") or _user(),
        host=socket.gethostname(),
        pipeline=_pipeline(),
        commit=commit,
        run=secrets.token_hex(4),
        dirty=bool(commit and _git(folder, "status", "--porcelain", "--", ".")),
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container may run under a number that has no name.
        return f"uid {os.getuid()}"


def _pipeline() -> str:
    server, repository, run = (os.environ.get(f"GITHUB_{name}") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID"))
    if server and repository and run:
        return f"{server}/{repository}/actions/runs/{run}"
    return next((url for name in _PIPELINES if (url := os.environ.get(name))), "")


def _git(folder: Path, *arguments: str) -> str:
    """Return what git says of a folder; nothing where there is no git or no repository."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
