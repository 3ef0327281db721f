"""ci plan: one plan a manifest and target, in every format, to be approved and applied."""

from __future__ import annotations

import functools
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from reconciler.base.errors import Refused, UsageError
from reconciler.cli.pipeline.options import ci_options, pipeline_base
from reconciler.cli.pipeline.results import EntryResult
from reconciler.cli.support import identity
from reconciler.cli.support.git import list_changes, read_committed
from reconciler.cli.support.options import command, handover_options, has_renderer, refresh_option
from reconciler.cli.support.output import with_source
from reconciler.cli.support.plans import CHANGES_PRESENT, PLAN_FORMATS, plan_output, plan_target, restore_option
from reconciler.cli.support.project import open_manifest
from reconciler.core.plan import guards
from reconciler.render import text

if TYPE_CHECKING:
    from reconciler.base.errors import Problem
    from reconciler.cli.pipeline.run import CiRun
    from reconciler.cli.support.options import Format, Options
    from reconciler.cli.support.output import Output, Result
    from reconciler.cli.support.plans import TargetPlan
    from reconciler.core.plan import Plan
    from reconciler.manifest.load import Loaded
    from reconciler.render.styled import Line
    from reconciler.workflow.ci.policy_edits import Base


@command()
@ci_options("plan")
@handover_options
@refresh_option
@restore_option
@click.option("--exit-code", is_flag=True, help="Exit with 2 when there is something to do.")
@click.option(
    "--allow-deletes", type=click.IntRange(min=0), default=0, metavar="N", help="Allow up to N deletes in each plan."
)
@click.option(
    "--against",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    metavar="DIR",
    help="Plan against dumps, STACK.TARGET.json each; no project is read.",
)
def ci_plan(
    run: CiRun, refresh: str, restore: bool, exit_code: bool, allow_deletes: int, against: Path | None
) -> Result:
    """Plan each manifest and target, and with --out write each plan in every format, to be approved and applied."""

    base = _pull_request_base(run)

    def work(options: Options) -> EntryResult:
        dump = None
        if against is not None:
            loaded = open_manifest(options, warn=False)
            dump = dump_of(loaded, against)
        parts = plan_target(options, full=refresh == "full", restore=restore, against=dump)
        return plan_result(_tell_policy_edits(parts, run, base, options), options, allow_deletes)

    return _forgive(run.each(work), exit_code=exit_code)


def _pull_request_base(run: CiRun) -> Base | None:
    """Return what this pull request is compared with; None outside of one, and where the system tells of no base."""
    since = pipeline_base() if identity.pipeline().pull_request else ""
    if not since:
        return None
    from reconciler.workflow.ci.policy_edits import Base

    top = run.repository.top
    try:
        commit, changed = list_changes(top, since)
    except UsageError:
        return Base(since[:12], None, lambda name: None)
    manifests = tuple({entry.manifest.name: None for entry in run.entries})
    return Base(commit[:12], changed, functools.partial(read_committed, top, commit), manifests)


def _tell_policy_edits(parts: TargetPlan, run: CiRun, base: Base | None, options: Options) -> TargetPlan:
    """Return a plan that warns where its pull request edits the policy by which it is judged."""
    if base is None:
        return parts
    from reconciler.workflow.ci.policy_edits import find_policy_edits

    called = run.repository.label(options.file.absolute())
    edits = find_policy_edits(parts.prepared.loaded, called, run.repository.top, base, os.environ)
    return replace(parts, plan=replace(parts.plan, cautions=(*parts.plan.cautions, *edits)))


def plan_result(parts: TargetPlan, options: Options, allow_deletes: int) -> EntryResult:
    """Return what a plan comes to in a pipeline."""
    from reconciler.engine import saved_plan

    # What an apply would refuse is told now: after the merge it is too late to ask whether it was meant.
    unmeant = tuple(_explain_guard(problem, parts.plan) for problem in guards(parts.plan, allow_deletes=allow_deletes))
    plan = replace(parts.plan, refusals=(*parts.plan.refusals, *unmeant))
    saved = None
    if not plan.refusals:
        saved = saved_plan.write(
            saved_plan.save(parts.bare, parts.snapshot.reading, parts.manifest, allow_deletes=allow_deletes)
        )
    return replace(
        describe_plan(plan, options),
        problems=(*plan.refusals, *plan.warnings),
        saved=saved,
        notes=parts.snapshot.notes,
    )


def _explain_guard(problem: Problem, plan: Plan) -> Problem:
    number = plan.deletes
    hint = (
        f"if this is meant: --allow-deletes {number}, which the actions of udfs take from a label of the pull request, "
        f"`deletes: {number}`; a new name belongs under `moved:`"
    )
    return replace(problem, hint=hint)


def describe_plan(plan: Plan, options: Options) -> EntryResult:
    """Return what a plan says, and how it is written in each format."""
    return EntryResult(
        "refused" if plan.refusals else "changes" if plan.changes else "clean",
        Refused.exit_code if plan.refusals else CHANGES_PRESENT if plan.changes else 0,
        text.plan_summary(plan),
        lambda form: _plan_output(plan, replace(options, format=cast("Format", form))),
        tuple(filter(has_renderer, PLAN_FORMATS)),
        stack=plan.stack,
        counts=operation_counts(plan),
        fingerprint=plan.digest,
        digest=plan.digest,
    )


def _plan_output(plan: Plan, options: Options) -> Output:
    """Return a plan in a format; of text, the warnings are part of the log that people read."""
    output = plan_output(plan, options)
    if options.format != "text" or not plan.warnings:
        return output
    from reconciler.render.styled import problems_lines

    return (*cast("tuple[Line, ...]", output), (), *problems_lines(with_source(plan.warnings)))


def operation_counts(plan: Plan) -> dict[str, int]:
    """Return the operations of a plan by their actions, and its problems."""
    counts = {action.value: number for action, number in plan.counts.items()}
    return {**counts, "unchanged": len(plan.unchanged), "problems": len(plan.refusals) + len(plan.warnings)}


def _forgive(result: Result, *, exit_code: bool) -> Result:
    """Return a result whose changes, where nothing else is amiss, are no failure of the step unless that is asked for."""
    return result if exit_code or result.code != CHANGES_PRESENT else replace(result, code=0)


def dump_of(loaded: Loaded, folder: Path) -> Path:
    """Return where the dump of a stack and target lies among those of all."""
    return folder / f"{loaded.manifest.stack}.{loaded.target_name}.json"
