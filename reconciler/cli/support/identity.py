"""Holder of a lease: who applies, from where and from which commit, by the environment and by Git."""

from __future__ import annotations

import getpass
import os
import secrets
import socket
from pathlib import Path

from reconciler.base.inputs import EVENT, read_input
from reconciler.base.pipelines import Pipeline, describe_run, printable
from reconciler.cli.support.git import ask_git
from reconciler.core.record import Holder


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
        return read_input(Path(path), EVENT).decode("utf-8", "replace")
    except (OSError, ValueError):
        return ""
