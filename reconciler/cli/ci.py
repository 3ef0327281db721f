"""ci: the manifests of a repository in a pipeline; each step writes a folder that later steps read."""

from __future__ import annotations

import click

from reconciler.cli.pipeline.apply import ci_apply
from reconciler.cli.pipeline.approvals import approvals
from reconciler.cli.pipeline.check import ci_check
from reconciler.cli.pipeline.drift import ci_drift
from reconciler.cli.pipeline.plan import ci_plan
from reconciler.cli.pipeline.publish import publish


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def ci() -> None:
    """Check, plan and apply the manifests of a repository in a pipeline, in three lines of any CI system.

    Without -f it is each udfs.yaml of the repository, and each comes behind those that its `after:` names. The exit code is
    the worst of all: 130, 8, 1, 4, 3, 5, 6, 7, 9, 2, 0.
    """


ci.add_command(ci_check, "check")
ci.add_command(ci_plan, "plan")
ci.add_command(ci_apply, "apply")
ci.add_command(ci_drift, "drift")
ci.add_command(publish)
ci.add_command(approvals)
