"""Code of an import: fetched as a zip, held against the service's checksum, and unpacked into a folder that nobody else writes to."""

from __future__ import annotations

import shutil
import stat
from typing import TYPE_CHECKING
from zipfile import ZipFile

from reconciler.base.errors import Problem, Refused, ServiceError
from reconciler.packages.content import read_content
from reconciler.packages.inspect.members import UNREADABLE, TooMuch, zip_members
from reconciler.targets.fc.crc64 import crc64_of
from reconciler.targets.fc.objects import FcFunction

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from reconciler.core.state import Live
    from reconciler.targets.fc.target import FunctionCompute
    from reconciler.targets.powers import ImportRequest

FOLDER = "functions"
"""Where the folders of code go, beside the manifest."""

_ATTEMPTS = 3
_UNIX = 3


def require_free_folders(folder: Path, names: Iterable[str], request: ImportRequest) -> None:
    """Refuse before anything is fetched where a folder is in the way: E561."""
    problems = []
    for name in names:
        goal = folder / FOLDER / name
        if goal.is_symlink() or goal.parent.is_symlink():
            problems.append(Problem("E561", f"'{FOLDER}/{name}' is reached by a symbolic link", hint="move it away"))
        elif goal.exists() and not request.overwrite:
            hint = "move it away, or have it replaced with --overwrite"
            problems.append(Problem("E561", f"'{FOLDER}/{name}' is there already", hint=hint))
    if problems:
        raise Refused.of(problems)


def fetch_code(target: FunctionCompute, live: Live, staging: Path) -> Path:
    """Return a function's code as the service has it; E562 if it comes otherwise than the service says."""
    function, file = live.object, staging / f"{live.object.name}.zip"
    assert isinstance(function, FcFunction)
    checksum = ""
    for number in range(_ATTEMPTS):
        try:
            target.download(function.key, file)
        except ServiceError as error:
            if error.outcome == "final" or number == _ATTEMPTS - 1:
                raise
            continue
        checksum = crc64_of(read_content(file))
        if checksum == function.checksum:
            return file
    message = f"{function.key} was not received as the service describes it: CRC-64 {checksum}, and it has {function.checksum}"
    raise ServiceError("E562", message)


def why_not_unpacked(archive: Path, folder: Path) -> str | None:
    """Unpack code into a new folder, and return None; a text says why it cannot be."""
    unsafe: list[str] = []
    try:
        executable = _executables(archive)
        for member in zip_members(archive, unsafe):
            goal = folder / member.name
            goal.parent.mkdir(parents=True, exist_ok=True)
            with member.open() as source, goal.open("xb") as file:
                shutil.copyfileobj(source, file)
            if member.name in executable:
                goal.chmod(goal.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    except (TooMuch, *UNREADABLE) as error:
        return f"its code cannot be unpacked: {error}"
    if unsafe:
        return f"its code cannot be unpacked: {unsafe[0]}"
    return None if folder.is_dir() else "its code holds no file"


def _executables(archive: Path) -> frozenset[str]:
    with ZipFile(archive) as opened:
        return frozenset(
            info.filename
            for info in opened.infolist()
            if info.create_system == _UNIX and info.external_attr >> 16 & stat.S_IXUSR
        )


def place_folder(folder: Path, staging: Path, name: str, *, overwrite: bool) -> None:
    """Move the code of a function to where the manifest names it, in one step where nothing is there."""
    goal = folder / FOLDER / name
    goal.parent.mkdir(exist_ok=True)
    if overwrite and goal.exists():
        goal.rename(staging / f"{name}.before")
    (staging / FOLDER / name).rename(goal)
