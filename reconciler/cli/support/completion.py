"""Completion of names in a shell: of functions, packages and targets, as the manifest has them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import click


def complete_from(*sections: str) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """Return what completes the names of a manifest's entries; of a list ``a,b`` the last one."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
        from reconciler.manifest.entry_names import entry_names

        file = context.params.get("file") or Path("udfs.yaml")
        names = entry_names(file) if isinstance(file, Path) else {}
        before, comma, word = incomplete.rpartition(",")
        fitting = (name for section in sections for name in names.get(section, ()))
        return [f"{before}{comma}{name}" for name in fitting if name.lower().startswith(word.lower())]

    return complete
