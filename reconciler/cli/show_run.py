"""show-run: one apply of the history."""

from __future__ import annotations

import click

from reconciler.cli.support.options import Options, command, manifest_options
from reconciler.cli.support.output import Result
from reconciler.cli.support.project import connect, open_manifest
from reconciler.render import text
from reconciler.workflow import records


@command(name="show-run")
@click.argument("epoch", type=click.IntRange(min=1))
@manifest_options
def show_run(options: Options, epoch: int) -> Result:
    """Show one apply of the history: its steps, what came of each, and what was managed when it was over."""
    manifest = open_manifest(options)
    with connect(manifest) as target:
        entry = records.load_entry(manifest, target, epoch)
        now = target.store.now()
    if options.as_json:
        from reconciler.render.documents.applies import run_document

        return Result(run_document(entry))
    return Result(text.run_lines(entry, now))
