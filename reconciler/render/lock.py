"""Changes of a lock file, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.base.errors import count
from reconciler.base.words import safe, size

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.packages.lock.file import Lock, LockChange, Locked
    from reconciler.render.styled import Line


def lock_lines(lock_file: str, lock: Lock, moves: Sequence[LockChange], *, written: bool) -> Iterator[Line]:
    """Yield what changed, group by group, and what the lock then holds."""
    group = None
    for move in moves:
        if (move.package, move.runtime) != group:
            group = (move.package, move.runtime)
            yield ("name", safe(move.package)), ("", f" for {move.runtime}")
        yield from _move(move)
    files = {
        (file.sha256, file.size)
        for groups in lock.packages.values()
        for group in groups.values()
        for file in group.files
    }
    total = sum(size or 0 for _, size in files)
    if not files:
        yield (("", f"Nothing to lock: nothing is required. {'Wrote' if written else 'Left'} {safe(lock_file)}."),)
    else:
        verb = "Wrote" if written else "Nothing changes in"
        yield (("", f"{verb} {safe(lock_file)}: {count(len(files), 'file')}, {size(total)}."),)


def _move(move: LockChange) -> Iterator[Line]:
    before, after = move.before, move.after
    if after is None:
        assert before is not None
        yield ("delete", f"  - {safe(before.name)} {safe(before.version)}"), ("", "")
        return
    name, detail = safe(after.name), f"  {_size(after)}{safe(_why(after))}"
    if before is None:
        yield ("create", f"  + {name} {safe(after.version)}"), ("quiet", detail)
    elif before.version != after.version:
        yield ("update", f"  ~ {name} {safe(before.version)} → {safe(after.version)}"), ("quiet", detail)
    else:
        yield ("update", f"  ~ {name} {safe(after.version)}, another file: {safe(after.file)}"), ("quiet", detail)


def _size(file: Locked) -> str:
    return size(file.size) if file.size is not None else "size unknown"


def _why(file: Locked) -> str:
    built = f", built from {file.source.file}" if file.source else ""
    if file.requirements:
        return f"{built}, required: {', '.join(file.requirements)}"
    return f"{built}, needed by {', '.join(file.needed_by)}" if file.needed_by else built
