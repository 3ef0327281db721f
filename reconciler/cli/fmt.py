"""fmt: a manifest's text in one form, with what it means and its comments as they were."""

from __future__ import annotations

import difflib
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.base.errors import InvalidManifest, count
from reconciler.base.words import safe
from reconciler.cli.support.options import command
from reconciler.cli.support.output import Result

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.base.errors import Problem


@command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE]...")
@click.option("--check", is_flag=True, help="Write nothing; exit with 2 if a file is not formatted.")
@click.option("--diff", is_flag=True, help="Write nothing, and show what would change.")
def fmt(files: tuple[Path, ...], check: bool, diff: bool) -> Result:
    """Format manifests and the files they include: indents of two, keys in the documented order, single empty lines. Comments and quotes stay, and so does what it means."""
    files = _with_included(files or (Path("udfs.yaml"),))
    # All are looked at first: of several, none is written if one cannot be read.
    changes = _changes(files)
    is_dry = check or diff
    for file, (_, formatted) in () if is_dry else changes.items():
        _replace(file.resolve(), formatted)
    word = "would be formatted" if is_dry else "formatted"
    summary = f"{count(len(changes), 'file')} {word}, {len(files) - len(changes)} unchanged"
    if diff:
        lines = [line for file, contents in changes.items() for line in _difference(file, *contents)]
    else:
        lines = [*(f"{file}: {word}" for file in changes), summary]
    return Result("".join(f"{safe(line)}\n" for line in lines), 2 if check and changes else 0, summary)


def _with_included(files: Iterable[Path]) -> tuple[Path, ...]:
    """Return files, each once, and behind each what it includes."""
    from reconciler.manifest.include import included_files
    from reconciler.manifest.load import content_of

    every: dict[Path, Path] = {}
    for file in files:
        every.setdefault(file.resolve(), file)
        for path in included_files(content_of(file, str(file)), file.parent):
            every.setdefault(path, path)
    return tuple(every.values())


def _changes(files: Iterable[Path]) -> dict[Path, tuple[bytes, bytes]]:
    """Return the files that are not formatted, with what they hold and are to hold."""
    from reconciler.manifest.formatting import format_manifest
    from reconciler.manifest.load import content_of

    changes: dict[Path, tuple[bytes, bytes]] = {}
    problems: list[Problem] = []
    for file in files:
        content = content_of(file, str(file))
        try:
            formatted = format_manifest(content, str(file))
        except InvalidManifest as error:
            problems += error.problems
            continue
        if formatted != content:
            changes[file] = (content, formatted)
    if problems:
        raise InvalidManifest.of(problems)
    return changes


def _replace(file: Path, content: bytes) -> None:
    """Replace a file atomically; who may read it stays."""
    from reconciler.base.files import replace_file

    mode = stat.S_IMODE(file.stat().st_mode)
    replace_file(file, content)
    file.chmod(mode)


def _difference(file: Path, old: bytes, new: bytes) -> Iterator[str]:
    before, after = (content.decode().splitlines() for content in (old, new))
    return difflib.unified_diff(before, after, str(file), f"{file} (formatted)", lineterm="")
