"""Runtimes and what stands for them on this machine, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.base.errors import count

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from reconciler.manifest.runtimes import Runtime
    from reconciler.packages.debian.root import RootRecord
    from reconciler.render.styled import Line

_HEAD = ("RUNTIME", "PYTHON", "SYSTEM")


def runtime_lines(rows: Sequence[tuple[Runtime, str | None, RootRecord | None]]) -> Iterator[Line]:
    """Yield a line a runtime."""
    cells = [(runtime.tag, runtime.full_version, runtime.platform.name) for runtime, _, _ in rows]
    widths = [max(map(len, column)) for column in zip(_HEAD, *cells, strict=True)]
    head = "  ".join(f"{name:{width}}" for name, width in zip(_HEAD, widths, strict=True))
    yield (("name", f"{head}  HERE"),)
    for row, (_, python, root) in zip(cells, rows, strict=True):
        text = "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True))
        yield ("", f"{text}  "), _stand_in(python, root)


def _stand_in(python: str | None, root: RootRecord | None) -> tuple[str, str]:
    if root is not None:
        return "create", f"root of {root.released}, {count(len(root.packages), 'package')}, {root.size / 1e6:.0f} MB"
    return ("", python) if python is not None else ("quiet", "none")


def root_lines(runtime: Runtime, folder: Path, record: RootRecord) -> Iterator[Line]:
    """Yield what a root is made of, and where it lies."""
    text = f"{count(len(record.packages), 'package')} of {record.suite} as of {record.released}"
    yield ("name", runtime.tag), ("", f" has a root: {text}, {record.size / 1e6:.0f} MB")
    yield (("quiet", f"  {folder}"),)
    if not record.is_signed:
        yield (("error", "  its mirror's signature was not checked"),)
