"""history, show-run, unlock: the ledger, for people."""

from __future__ import annotations

import click

from reconciler.base.errors import Refused
from reconciler.base.words import safe
from reconciler.cli.support import identity
from reconciler.cli.support.options import Options, command, connected, loaded, manifest_options
from reconciler.cli.support.output import confirmed, print_document, print_lines, unasked
from reconciler.render import text
from reconciler.workflow import ledger_entries


@command()
@manifest_options
@click.option("-n", "newest", type=click.IntRange(min=1), default=10, show_default=True, help="How many.")
def history(options: Options, newest: int) -> int:
    """Show the last applies of this stack: when, by whom, from which commit, and what came of them."""
    manifest = loaded(options)
    with connected(manifest) as target:
        entries = ledger_entries.load_history(manifest, target, newest)
        now = target.store.now()
    if options.as_json:
        from reconciler.render import documents as document

        print_document(document.history(entries))
    else:
        print_lines(text.history(entries, now))
    return 0


@command(name="show-run")
@click.argument("epoch", type=click.IntRange(min=1))
@manifest_options
def show_run(options: Options, epoch: int) -> int:
    """Show one apply of the history: its steps, what came of each, and what was managed when it was over."""
    manifest = loaded(options)
    with connected(manifest) as target:
        entry = ledger_entries.load_entry(manifest, target, epoch)
        now = target.store.now()
    if options.as_json:
        from reconciler.render import documents as document

        print_document(document.run(entry))
    else:
        print_lines(text.run(entry, now))
    return 0


@command()
@manifest_options
@click.option(
    "--epoch", type=click.IntRange(min=1), required=True, help="The lease to end, as `udfs history` shows it."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
def unlock(options: Options, epoch: int, yes: bool) -> int:
    """End the lease of a run that is dead. A run that is alive notices within seconds and stops."""
    manifest = loaded(options)
    with connected(manifest) as target:
        entry = ledger_entries.load_entry(manifest, target, epoch)
        now = target.store.now()
        if not entry.is_held(now) and not options.as_json:
            print(f"epoch {epoch} holds no lease: it is {text.standing(entry, now)}")
            return 0
        if entry.is_held(now):
            if not yes:
                _ask(safe(str(entry.holder)))
            entry = ledger_entries.unlock(manifest, target, epoch, identity.holder(options.file.parent))
    if options.as_json:
        from reconciler.render import documents as document

        print_document(document.run(entry))
    elif entry.ended_by:
        print(safe(f"ended the lease of epoch {epoch}, held by {entry.holder}"))
    else:
        print(f"epoch {epoch} holds no lease any more: it is {text.standing(entry, now)}")
    return 0


def _ask(holder: str) -> None:
    if why := unasked():
        raise Refused("E507", f"the lease is held by {holder}, and nobody can be asked here: {why}", hint="add --yes")
    if not confirmed(f"End the lease of {holder}? Only 'yes' is taken:", answer=lambda typed: typed == "yes"):
        raise Refused("E507", "not confirmed; nothing was changed")
