"""destroy: delete everything that a stack manages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.cli.support.confirm import Consent, carry_out
from reconciler.cli.support.options import Options, command, manifest_options, yes_option
from reconciler.cli.support.perform import Proposal, writers_option
from reconciler.cli.support.project import connect, open_manifest
from reconciler.workflow import planning

if TYPE_CHECKING:
    from reconciler.cli.support.output import Result


@command()
@manifest_options
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
