"""Holder of a lease: who applies, from where and from which commit, by the environment and by Git."""

from __future__ import annotations

import getpass
import os
import secrets
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from reconciler.cli.support.git import ask_git
from reconciler.core.record import Holder

if TYPE_CHECKING:
    from pathlib import Path

_PIPELINES = ("CI_PIPELINE_URL", "BUILD_URL", "BUILD_BUILDURI", "CIRCLE_BUILD_URL")
"""Where GitLab, Jenkins, Azure and CircleCI say where a run can be looked at; GitHub's is put together."""


def holder(folder: Path) -> Holder:
    """Return who runs this command, and on which commit of the manifest's folder."""
    commit = ask_git(folder, "rev-parse", "HEAD")
    return Holder(
        user=_text(os.environ.get("GITHUB_ACTOR") or os.environ.get("GITLAB_USER_LOGIN") or _user()),
        host=_text(socket.gethostname()),
        pipeline=_text(_pipeline()),
        commit=_text(commit),
        run=secrets.token_hex(4),
        dirty=bool(commit and ask_git(folder, "status", "--porcelain", "--ignore-submodules=all", "--", ".")),
    )


def _text(text: str) -> str:
    """Return what the system told with escapes for the bytes that are no text: the ledger takes nothing else."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container may run under a number that has no name.
        return f"uid {os.getuid()}"


def _pipeline() -> str:
    server, repository, run = (os.environ.get(f"GITHUB_{name}") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID"))
    if server and repository and run:
        return _public(f"{server}/{repository}/actions/runs/{run}")
    return next((_public(url) for name in _PIPELINES if (url := os.environ.get(name))), "")


def _public(url: str) -> str:
    """Return a URL without what may be a secret: user, password, query and fragment. The ledger is read by many."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
