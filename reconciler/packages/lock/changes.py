"""Difference of two locks, a distribution at a time: what a person wants to know before committing one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.packages.lock.file import Lock, Locked


@dataclass(frozen=True)
class LockChange:
    """One distribution of one package group and runtime."""

    package: str
    runtime: str
    before: Locked | None
    after: Locked | None

    @property
    def name(self) -> str:
        wheel = self.after or self.before
        assert wheel is not None
        return wheel.name


def compare_locks(old: Lock, new: Lock) -> tuple[LockChange, ...]:
    """Return what was added, removed, or is another file now; in the order of the lock."""
    return tuple(_moves(old, new))


def _moves(old: Lock, new: Lock) -> Iterator[LockChange]:
    pairs = {
        (package, runtime) for lock in (old, new) for package, groups in lock.packages.items() for runtime in groups
    }
    for package, runtime in sorted(pairs):
        before, after = _files(old, package, runtime), _files(new, package, runtime)
        for name in sorted({*before, *after}):
            was, now = before.get(name), after.get(name)
            if was is None or now is None or (was.file, was.sha256) != (now.file, now.sha256):
                yield LockChange(package, runtime, was, now)


def _files(lock: Lock, package: str, runtime: str) -> dict[str, Locked]:
    group = lock.group(package, runtime)
    return {wheel.name: wheel for wheel in group.files} if group else {}
