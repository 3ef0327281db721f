"""rollback: bring the functions back to an earlier version."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from reconciler.cli.support.confirm import Consent, carry_out
from reconciler.cli.support.options import Options, command, manifest_options, yes_option
from reconciler.cli.support.perform import Proposal, writers_option
from reconciler.cli.support.project import connect, open_manifest
from reconciler.workflow import planning

if TYPE_CHECKING:
    from reconciler.cli.support.output import Result


@command()
@click.argument("epoch", type=click.IntRange(min=1), required=False)
@manifest_options
@yes_option
@writers_option
def rollback(options: Options, epoch: int | None, yes: bool, writers: int) -> Result:
    """Bring the functions back to what an earlier apply left: one request each, nothing is uploaded.

    Without EPOCH (see udfs history) it is the last state before the present one. Functions that came later stay.
    """
    manifest = open_manifest(options)
    with connect(manifest) as target:
        reading, plan = planning.make_rollback(manifest, target, epoch)
        result = carry_out(Proposal(plan, reading, target), options, Consent(yes, writers=writers))
    # Nothing in Git has changed, so the next apply would undo this.
    if result.code == 0 and plan.changes and not options.as_json:
        note = "the manifest was not changed: the next apply makes the functions what it says"
        return replace(result, notes=(note,))
    return result
