"""Holder of a lease: who applies, from where and from which commit, by the environment and by Git."""

from __future__ import annotations

import getpass
import os
import secrets
import socket
from pathlib import Path

from reconciler.base.pipelines import Pipeline, describe_run, printable
from reconciler.cli.support.git import ask_git
from reconciler.core.record import Holder

_LARGEST_EVENT = 25_000_000
"""Bytes: GitHub sends no larger one (https://docs.github.com/en/webhooks/webhook-events-and-payloads)."""


def pipeline() -> Pipeline:
    """Return what the environment tells of the pipeline that this command runs in."""
    return describe_run(os.environ, _read_event)


def holder(folder: Path) -> Holder:
    """Return who runs this command, and on which commit of the manifest's folder."""
    commit = ask_git(folder, "rev-parse", "HEAD")
    run = pipeline()
    return Holder(
        user=run.user or printable(_user()),
        host=printable(socket.gethostname()),
        pipeline=run.run,
        system=run.system,
        branch=run.branch,
        pull_request=run.pull_request,
        # A checkout without Git, as an archive of the commit, is the commit that the system says it is.
        commit=printable(commit) or run.commit,
        run=secrets.token_hex(4),
        dirty=bool(commit and ask_git(folder, "status", "--porcelain", "--ignore-submodules=all", "--", ".")),
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container may run under a number that has no name.
        return f"uid {os.getuid()}"


def _read_event(path: str) -> str:
    """Return the text of the event's file; nothing of one that is not there, or so large that it is none."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(_LARGEST_EVENT + 1)
    except (OSError, ValueError):
        return ""
    return content.decode("utf-8", "replace") if len(content) <= _LARGEST_EVENT else ""
