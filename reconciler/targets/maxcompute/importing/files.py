"""
Files of an import: from the project into a staging folder, and from there to where the manifest names them.

Each file is put in its place whole, and none replaces another content unless the user allows it.
"""

from __future__ import annotations

import filecmp
import os
import shutil
from typing import TYPE_CHECKING

from reconciler.base.activity import BYTES, activity
from reconciler.base.errors import Problem, Refused, ServiceError, count
from reconciler.base.inputs import SHIPPED, copy_input
from reconciler.base.threads import Threads
from reconciler.base.words import size
from reconciler.manifest.paths import Folder, Refusal
from reconciler.packages.content import read_content
from reconciler.targets.maxcompute.importing.selection import (
    is_file,
    path_of,
)
from reconciler.targets.maxcompute.objects import Resource

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reconciler.core.state import Live
    from reconciler.core.target import Target
    from reconciler.targets.maxcompute.importing.selection import Selection

_ATTEMPTS = 3
_READERS = 8


def require_free_paths(folder: Path, selection: Selection, *, overwrite: bool) -> None:
    """Refuse before anything is fetched if a file is in the way, or if a folder leads elsewhere."""
    checked = Folder(folder)
    problems = []
    for live in filter(is_file, selection.resources):
        path = path_of(resource_of(live))
        goal = folder / path
        existing = checked.find(path) if goal.exists() or goal.is_symlink() else None
        if isinstance(existing, Refusal) or goal.is_symlink() or goal.parent.is_symlink():
            message = existing.message if isinstance(existing, Refusal) else f"'{path}' is reached by a symbolic link"
            problems.append(Problem("E561", f"{live.object.key} cannot be written: {message}", hint="move it away"))
        elif existing is not None and not overwrite and not _has_content(goal, live):
            hint = "move it away, or have it replaced with --overwrite"
            problems.append(Problem("E561", f"'{path}' holds something else than {live.object.key}", hint=hint))
    if problems:
        raise Refused.of(problems)


def fetch_files(
    folder: Path, selection: Selection, target: Target, staging: Path, on_step: Callable[[str], None]
) -> None:
    """Put the files of all resources into `staging`, those that are there already without asking for them again."""
    missing = []
    for live in filter(is_file, selection.resources):
        path = path_of(resource_of(live))
        (staging / path).parent.mkdir(exist_ok=True)
        if _has_content(folder / path, live):
            link_or_copy(folder / path, staging / path)
        else:
            missing.append(live)
    total = sum(resource_of(live).size for live in missing)
    if missing:
        on_step(f"fetching {count(len(missing), 'file')}, {size(total)}")
    with activity("fetching") as fetching, Threads(_READERS) as threads:
        fetching.plan(BYTES, total)
        threads.map(lambda live: _fetch_file(live, target, staging / path_of(resource_of(live))), missing)


def place_files(folder: Path, selection: Selection, staging: Path, *, overwrite: bool) -> None:
    """Move the files to where the manifest names them, each in one step."""
    for live in filter(is_file, selection.resources):
        path = path_of(resource_of(live))
        staged, goal = staging / path, folder / path
        goal.parent.mkdir(exist_ok=True)
        if overwrite:
            staged.replace(goal)
            continue
        try:
            os.link(staged, goal)
        except FileExistsError:
            # It is what was fetched, or came there in the meantime.
            if not filecmp.cmp(staged, goal, shallow=False):
                raise Refused(
                    "E561", f"'{path}' holds something else than {live.object.key}", hint="move it away"
                ) from None
        except OSError:
            staged.replace(goal)


def write_manifest(file: Path, text: str) -> None:
    """Put a manifest in its place in one step, through a link to where it really is."""
    real = file.resolve()
    part = real.with_name(f".{real.name}.part")
    try:
        part.write_bytes(text.encode())
        if real.exists():
            shutil.copymode(real, part)
        part.replace(real)
    finally:
        part.unlink(missing_ok=True)


def _fetch_file(live: Live, target: Target, file: Path) -> None:
    resource, attempts = resource_of(live), _ATTEMPTS
    while True:
        attempts -= 1
        try:
            target.download(resource.key, file)
        except ServiceError as error:
            if error.outcome == "final" or not attempts:
                raise
            continue
        content = read_content(file)
        if content.size == resource.size and resource.md5 in {None, content.md5}:
            return
        if not attempts:
            difference = f"{content.size:,} bytes, md5 {content.md5}, and it has {resource.size:,}, md5 {resource.md5}"
            raise ServiceError("E562", f"{resource.key} was not received as the service describes it: {difference}")


def _has_content(file: Path, live: Live) -> bool:
    """Say whether a file is what the service has; of a resource without MD5 that is not known."""
    resource = resource_of(live)
    return file.is_file() and file.stat().st_size == resource.size and read_content(file).md5 == resource.md5


def resource_of(live: Live) -> Resource:
    assert isinstance(live.object, Resource)
    return live.object


def link_or_copy(source: Path, goal: Path) -> None:
    try:
        os.link(source, goal)
    except OSError:
        copy_input(source, goal, SHIPPED)
