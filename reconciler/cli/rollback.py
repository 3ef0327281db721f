"""rollback, gc and destroy: an earlier version, old versions, and everything."""

from __future__ import annotations

from dataclasses import replace

import click

from reconciler.base.errors import Refused, count
from reconciler.cli.support.confirm import Consent, carry_out
from reconciler.cli.support.files import parse_digest
from reconciler.cli.support.options import Options, command, manifest_options, view_option, yes_option
from reconciler.cli.support.output import Result
from reconciler.cli.support.perform import Proposal, writers_option
from reconciler.cli.support.plans import complete_plan, plan_output
from reconciler.cli.support.project import connect, open_manifest
from reconciler.engine.approval import Approval
from reconciler.workflow import planning
from reconciler.workflow.records import find_begun


@command()
@click.argument("epoch", type=click.IntRange(min=1), required=False)
@manifest_options
@view_option
@click.option("--dry-run", is_flag=True, help="Show what would be changed, with its digest, and stop.")
@yes_option
@click.option(
    "--digest",
    callback=parse_digest,
    metavar="sha256:…",
    help="Perform only the rollback with this digest, or what is left of it.",
)
@writers_option
def rollback(options: Options, epoch: int | None, dry_run: bool, yes: bool, digest: str | None, writers: int) -> Result:
    """Bring the functions back to what an earlier apply left: one request each, nothing is uploaded.

    Without EPOCH (see udfs history) it is the last state before the present one. Functions that came later stay. Where one job
    looks and another acts, --dry-run tells the digest that --digest takes.
    """
    manifest = open_manifest(options)
    with connect(manifest) as target:
        reading, plan = planning.make_rollback(manifest, target, epoch)
        if dry_run:
            code = Refused.exit_code if plan.refusals else 0
            return Result(plan_output(complete_plan(plan, options), options), code)
        approval = None
        if digest is not None:
            begun = find_begun(manifest, target, reading, digest) if digest != plan.digest else frozenset()
            approval = Approval(digest=digest, begun=begun)
        consent = Consent(yes, digest=digest, writers=writers)
        result = carry_out(Proposal(plan, reading, target), options, consent, approval=approval)
    # Nothing in Git has changed, so the next apply would undo this.
    if result.code == 0 and plan.changes and not options.as_json:
        note = "the manifest was not changed: revert it too, or the next apply undoes this rollback"
        return replace(result, notes=(note,))
    return result


@command()
@manifest_options
@view_option
@click.option("--dry-run", is_flag=True, help="Show what would be deleted, and stop.")
@click.option(
    "--keep",
    type=click.IntRange(min=0),
    default=5,
    show_default=True,
    metavar="N",
    help="Keep what a rollback to the last N different states needs.",
)
@yes_option
@writers_option
def gc(options: Options, dry_run: bool, keep: int, yes: bool, writers: int) -> Result:
    """Delete versions that no function lists any more, and whose grace (`grace:` of the manifest) is over."""
    manifest = open_manifest(options)
    with connect(manifest) as target:
        reading, plan = planning.make_collection(manifest, target, keep)
        if not plan.changes and not options.as_json:
            return Result(f"Nothing to collect: {count(plan.superseded, 'old version')} kept\n")
        if dry_run:
            return Result(plan_output(complete_plan(plan, options), options))
        # Deletes are the point here, so they need no allowance.
        consent = Consent(yes, plan.deletes, writers=writers)
        return carry_out(Proposal(plan, reading, target), options, consent)


@command()
@manifest_options
@view_option
@yes_option
@writers_option
def destroy(options: Options, yes: bool, writers: int) -> Result:
    """Delete everything that this stack manages in the project; objects of others stay."""
    manifest = open_manifest(options)
    with connect(manifest) as target:
        reading = target.read()
        plan = planning.apply_quiet_times(planning.make_destruction(manifest, reading), manifest, target)
        # Every delete is meant; the stack's name is typed instead of 'yes', so that it is not meant for another.
        consent = Consent(yes, plan.deletes, writers=writers, retype=plan.stack)
        return carry_out(Proposal(plan, reading, target), options, consent)
