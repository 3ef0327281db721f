"""rollback and gc: back to an earlier version, and what becomes of old ones."""

from __future__ import annotations

import click

from reconciler.base.errors import count
from reconciler.cli.support.confirm import Consent, carry_out, completed, writers_option
from reconciler.cli.support.options import Options, command, connected, loaded, manifest_options
from reconciler.cli.support.output import note, print_document, print_lines
from reconciler.engine.plan_file import plan_document
from reconciler.render import text
from reconciler.workflow import planning


@command()
@click.argument("epoch", type=click.IntRange(min=1), required=False)
@manifest_options
@click.option("--yes", is_flag=True, help="Do not ask.")
@writers_option
def rollback(options: Options, epoch: int | None, yes: bool, writers: int) -> int:
    """Bring the functions back to what an earlier apply left: one request each, nothing is uploaded.

    Without EPOCH (see udfs history) it is the last state before the present one. Functions that came later stay.
    """
    manifest = loaded(options)
    with connected(manifest) as target:
        reading, made = planning.make_rollback(manifest, target, epoch)
        code = carry_out(made, reading, target, {}, options, Consent(yes, allow_deletes=0), writers)
    if code == 0 and made.changes and not options.as_json:
        note("the manifest was not changed: the next apply makes the functions what it says")
    return code


@command()
@manifest_options
@click.option("--dry-run", is_flag=True, help="Show what would be deleted, and stop.")
@click.option(
    "--keep",
    type=click.IntRange(min=0),
    default=5,
    show_default=True,
    metavar="N",
    help="Keep what a rollback to the last N different states needs.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@writers_option
def gc(options: Options, dry_run: bool, keep: int, yes: bool, writers: int) -> int:
    """Delete versions that no function lists any more, and whose grace (`grace:` of the manifest) is over."""
    manifest = loaded(options)
    with connected(manifest) as target:
        reading, made = planning.make_collection(manifest, target, keep)
        made = completed(made, options)
        if not made.changes and not options.as_json:
            print(f"Nothing to collect: {count(made.superseded, 'old version')} kept")
            return 0
        if dry_run:
            if options.as_json:
                print_document(plan_document(made))
            else:
                print_lines(text.plan(made))
            return 0
        return carry_out(made, reading, target, {}, options, Consent(yes, made.deletes), writers)


__all__ = ["gc", "rollback"]
