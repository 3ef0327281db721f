"""Origin of a checkout: which one it is, by the pipeline's variables or by Git's remote."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from reconciler.base.errors import UsageError
from reconciler.cli.support.git import ask_git
from reconciler.targets.powers import Origin

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_SHORT = re.compile(r"(?:[^@/]+@)?(?P<host>[^:/]+):(?P<path>[^/].*)")
_NAME = re.compile(r"[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)+\Z")


def find_repository(folder: Path, environment: Mapping[str, str]) -> Origin:
    """Return the repository that a folder is a checkout of; E595 where nothing says which."""
    if name := environment.get("GITHUB_REPOSITORY"):
        numbers = (environment.get(f"GITHUB_REPOSITORY_{what}ID", "") for what in ("OWNER_", ""))
        return Origin("github", "github.com", name, *numbers)
    if name := environment.get("CI_PROJECT_PATH"):
        return Origin("gitlab", environment.get("CI_SERVER_HOST", "gitlab.com"), name)
    address = ask_git(folder, "remote", "get-url", "origin")
    host, path = _parts(address)
    path = path.strip("/").removesuffix(".git")
    if not host or not _NAME.match(path):
        hint = "run it in a checkout with a remote `origin`, or set GITHUB_REPOSITORY=OWNER/NAME or CI_PROJECT_PATH=GROUP/NAME"
        raise UsageError("E595", "nothing here says which repository this is", hint=hint)
    platform = next((word for word in ("github", "gitlab") if word in host), "")
    return Origin(platform, host, path)


def _parts(address: str) -> tuple[str, str]:
    if "://" in address:
        try:
            parts = urlsplit(address)
        except ValueError:
            return "", ""
        return parts.hostname or "", parts.path
    match = _SHORT.match(address)
    return (match["host"], match["path"]) if match else ("", "")
