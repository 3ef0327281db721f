"""history: the last applies."""

from __future__ import annotations

import click

from reconciler.cli.support.options import Options, command, manifest_options
from reconciler.cli.support.output import Result
from reconciler.cli.support.project import connect, open_manifest
from reconciler.render import text
from reconciler.workflow import records


@command()
@manifest_options
@click.option("-n", "newest", type=click.IntRange(min=1), default=10, show_default=True, help="How many.")
def history(options: Options, newest: int) -> Result:
    """Show the last applies of this stack: when, by whom, from which commit, and what came of them."""
    manifest = open_manifest(options)
    with connect(manifest) as target:
        entries = records.load_history(manifest, target, newest)
        now = target.store.now()
    if options.as_json:
        from reconciler.render.documents.applies import history_document

        return Result(history_document(entries))
    return Result(text.history_lines(entries, now))
