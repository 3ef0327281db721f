"""targets: what each target of a manifest comes to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.base.words import safe
from reconciler.cli.support.options import command, format_option
from reconciler.cli.support.output import print_document, print_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from reconciler.manifest.effective import Value
    from reconciler.render.text import Line


@command()
@click.option(
    "-f", "--file", type=click.Path(path_type=Path), default=Path("udfs.yaml"), show_default=True, help="The manifest."
)
@format_option
def targets(file: Path, format: str) -> int:
    """Show what each target comes to: its values and variables, and the line that each comes from.

    No target has to be complete, and no service is asked. Values that come from the environment are shown for the target itself,
    and not for variables.
    """
    from reconciler.manifest.effective import effective
    from reconciler.targets.dialects import DIALECTS

    found = effective(file, DIALECTS, os.environ)
    if format == "json":
        from reconciler.render import documents as document

        print_document(document.effective(found))
    else:
        print_lines(_lines(found))
    return 0


def _lines(found: Mapping[str, Sequence[Value]]) -> Iterator[Line]:
    for number, (name, values) in enumerate(found.items()):
        if number:
            yield ()
        yield (("name", safe(name)),)
        keys = [f"{'var:' * one.is_variable}{safe(one.key)}" for one in values]
        width = max(map(len, keys), default=0)
        for key, one in zip(keys, values, strict=True):
            yield ("", f"  {key:{width}}  "), *_shown(one)


def _shown(one: Value) -> Iterator[tuple[str, str]]:
    if one.shown is not None:
        yield "", safe(one.shown)
    else:
        yield ("quiet", "(set)") if one.text is not None else ("error", "(not there)")
    yield "quiet", f"  {one.at}" if one.at else "  by default"
    if one.written:
        yield "quiet", f", written {safe(one.written)}"
    if one.instead_of:
        yield "quiet", f", instead of {safe(one.instead_of[0])} at {one.instead_of[1]}"
