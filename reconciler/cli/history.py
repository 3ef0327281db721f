"""history, show-run and unlock: the applies of a stack, one of them, and the end of the lease of one that is dead."""

from __future__ import annotations

import functools

import click

from reconciler.base.words import safe
from reconciler.cli.support.options import (
    Options,
    command,
    formats,
    manifest_options,
    view_option,
    with_options,
    yes_option,
)
from reconciler.cli.support.output import Result
from reconciler.cli.support.project import connect, open_manifest
from reconciler.render import records as records_text
from reconciler.workflow import records

_history_options = functools.partial(with_options, choice=formats("text", "json", "markdown", "html"))


@command()
@_history_options
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
    if options.format == "markdown":
        from reconciler.render.markdown import history_markdown

        return Result(history_markdown(entries, now))
    if options.format == "html":
        from reconciler.render.page.document import HtmlPage
        from reconciler.render.page.parts import history_part

        stack = manifest.manifest.stack
        return Result(HtmlPage(f"History of stack {stack}", (history_part(entries, now, stack),)))
    return Result(records_text.history_lines(entries, now))


@command(name="show-run")
@click.argument("epoch", type=click.IntRange(min=1))
@_history_options
@view_option
def show_run(options: Options, epoch: int) -> Result:
    """Show one apply of the history: its steps, what came of each, and what was managed when it was over."""
    manifest = open_manifest(options)
    with connect(manifest) as target:
        entry = records.load_entry(manifest, target, epoch)
        now = target.store.now()
    if options.as_json:
        from reconciler.render.documents.applies import run_document

        return Result(run_document(entry))
    if options.format == "markdown":
        from reconciler.render.markdown import run_markdown

        return Result(run_markdown(entry, now))
    if options.format == "html":
        from reconciler.render.page.document import HtmlPage
        from reconciler.render.page.parts import run_part

        return Result(HtmlPage(records_text.run_title(entry), (run_part(entry, now),)))
    return Result(records_text.run_lines(entry, now, options.view))


@command()
@manifest_options
@click.option(
    "--epoch", type=click.IntRange(min=1), required=True, help="The lease to end, as `udfs history` shows it."
)
@yes_option
def unlock(options: Options, epoch: int, yes: bool) -> Result:
    """End the lease of a run that is dead. A run that is alive notices within seconds and stops."""
    from reconciler.cli.support import identity
    from reconciler.cli.support.confirm import require_consent

    manifest = open_manifest(options)
    with connect(manifest) as target:
        entry = records.load_entry(manifest, target, epoch)
        now = target.store.now()
        # A run that is over holds no lease, and there is nothing to end.
        was_held = entry.is_held(now)
        if was_held:
            if not yes:
                holder = safe(str(entry.holder))
                question = f"End the lease of {holder}? Type 'yes' to confirm:"
                require_consent(question, unseen=f"{holder} holds the lease, and ", hint="add --yes")
            entry = records.end_lease(manifest, target, epoch, identity.holder(options.file.parent))
    if options.as_json:
        from reconciler.render.documents.applies import run_document

        return Result(run_document(entry))
    if was_held and entry.ended_by:
        return Result(safe(f"ended the lease of epoch {epoch}, held by {entry.holder}") + "\n")
    any_more = " any more" if was_held else ""
    return Result(f"epoch {epoch} holds no lease{any_more}: it is {records_text.standing(entry, now)}\n")
