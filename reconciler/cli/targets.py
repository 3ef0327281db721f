"""targets: the effective settings of each target."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from reconciler.base.words import safe
from reconciler.cli.support.options import command, file_option, format_option
from reconciler.cli.support.output import Result
from reconciler.manifest.effective import effective_targets
from reconciler.targets.dialects import DIALECTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from reconciler.manifest.effective import TargetSetting
    from reconciler.render.styled import Line


@command()
@file_option
@format_option
def targets(file: Path, format: str) -> Result:
    """Show what each target comes to: its values and variables, and the line that each comes from.

    No target has to be complete, and no service is contacted. Values that come from the environment are shown for the target itself,
    and not for variables.
    """
    values = effective_targets(file, DIALECTS, os.environ)
    if format == "json":
        from reconciler.render.documents.project import effective_document

        return Result(effective_document(values))
    return Result(_lines(values))


def _lines(targets: Mapping[str, Sequence[TargetSetting]]) -> Iterator[Line]:
    for number, (name, values) in enumerate(targets.items()):
        if number:
            yield ()
        yield (("name", safe(name)),)
        keys = [f"{'var:' * value.is_variable}{safe(value.key)}" for value in values]
        width = max(map(len, keys), default=0)
        for key, value in zip(keys, values, strict=True):
            yield ("", f"  {key:{width}}  "), *_pieces(value)


def _pieces(value: TargetSetting) -> Iterator[tuple[str, str]]:
    if value.shown is not None:
        yield "", safe(value.shown)
    else:
        yield ("quiet", "(set)") if value.text is not None else ("error", "(not there)")
    yield "quiet", f"  {value.at}" if value.at else "  by default"
    if value.written:
        yield "quiet", f", written {safe(value.written)}"
    if value.instead_of:
        yield "quiet", f", instead of {safe(value.instead_of[0])} at {value.instead_of[1]}"
