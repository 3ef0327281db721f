"""ci: the manifests of a repository in a pipeline; each step writes a folder that later steps read."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import click

from reconciler.base.errors import Refused
from reconciler.cli.support.options import command, handover_options, refresh_option
from reconciler.cli.support.pipeline import CiRun, EntryResult, ci_options
from reconciler.cli.support.plans import CHANGES_PRESENT, PLAN_FORMATS, plan_output, plan_target
from reconciler.render import text

if TYPE_CHECKING:
    from reconciler.cli.support.options import Format, Options
    from reconciler.cli.support.output import Result
    from reconciler.cli.support.plans import TargetPlan


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def ci() -> None:
    """Check, plan and apply the manifests of a repository in a pipeline, in three lines of any CI system.

    Without -f it is each udfs.yaml of the repository. The exit code is the worst of all.
    """


@command()
@ci_options("plan")
@handover_options
@refresh_option
@click.option("--exit-code", is_flag=True, help="Exit with 2 when there is something to do.")
@click.option(
    "--allow-deletes", type=click.IntRange(min=0), default=0, metavar="N", help="Allow up to N deletes in each plan."
)
def ci_plan(run: CiRun, refresh: str, exit_code: bool, allow_deletes: int) -> Result:
    """Plan each manifest and target, and with --out write each plan in every format, to be approved and applied."""

    def work(options: Options) -> EntryResult:
        return plan_result(plan_target(options, full=refresh == "full"), options, allow_deletes)

    return _forgive(run.each(work), exit_code=exit_code)


def plan_result(parts: TargetPlan, options: Options, allow_deletes: int) -> EntryResult:
    """Return what a plan comes to in a pipeline."""
    from reconciler.engine import saved_plan

    plan = parts.plan
    counts = {action.value: number for action, number in plan.counts.items()}
    saved = None
    if not plan.refusals:
        saved = saved_plan.write(
            saved_plan.save(parts.bare, parts.snapshot.reading, parts.manifest, allow_deletes=allow_deletes)
        )
    return EntryResult(
        "refused" if plan.refusals else "changes" if plan.changes else "clean",
        Refused.exit_code if plan.refusals else CHANGES_PRESENT if plan.changes else 0,
        text.plan_summary(plan),
        lambda form: plan_output(plan, replace(options, format=cast("Format", form))),
        PLAN_FORMATS,
        stack=plan.stack,
        counts={**counts, "problems": len(plan.refusals) + len(plan.warnings)},
        fingerprint=plan.digest,
        digest=plan.digest,
        problems=(*plan.refusals, *plan.warnings),
        saved=saved,
        notes=parts.snapshot.notes,
    )


def _forgive(result: Result, *, exit_code: bool) -> Result:
    """Return a result whose changes, where nothing else is amiss, are no failure of the step unless that is asked for."""
    return result if exit_code or result.code != CHANGES_PRESENT else replace(result, code=0)


ci.add_command(ci_plan, "plan")
