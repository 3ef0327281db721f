"""drift: what others changed in the project."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.base.activity import announce
from reconciler.base.errors import UdfsError
from reconciler.base.hints import Command
from reconciler.cli.support.options import (
    Options,
    command,
    comparing_options,
)
from reconciler.cli.support.output import Result
from reconciler.cli.support.plans import CHANGES_PRESENT, diff_option, read_sources, take_snapshot
from reconciler.cli.support.project import prepare_project
from reconciler.cli.support.several import each_target
from reconciler.core.plan import restoring
from reconciler.engine.ledger import require_free
from reconciler.render import text
from reconciler.workflow import planning

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.base.errors import Problem
    from reconciler.cli.support.options import Format
    from reconciler.cli.support.output import Output
    from reconciler.cli.support.plans import Snapshot
    from reconciler.core.drift import Drift
    from reconciler.core.plan import Plan
    from reconciler.core.report import SourceChange
    from reconciler.manifest.load import Loaded
    from reconciler.workflow.preparation import Prepared


DRIFT_FORMATS: tuple[Format, ...] = ("text", "json", "markdown", "html", "sarif", "github")


@command()
@each_target(*DRIFT_FORMATS)
@comparing_options
@diff_option
def drift(options: Options, refresh: str, diff: bool) -> Result:
    """Show what was changed in the project behind the manifest's back, and as far as the service tells, by whom and when.

    Exits with 2 when there is drift. What the manifest itself has changed since the last apply is none. While somebody applies
    (7), and where the service does not answer, there is no verdict.
    """
    prepared = prepare_project(options)
    try:
        snapshot = take_still_snapshot(prepared.loaded, full=refresh == "full")
    except UdfsError as error:
        return _without_verdict(error, prepared.loaded, options)
    verdict = judge_snapshot(prepared, snapshot, options)
    drift, plan, warnings = verdict.drift, verdict.plan, verdict.warnings
    code = CHANGES_PRESENT if drift.drifted else 0
    keys = {deviation.key for deviation in drift.drifted}
    drifted = [change for change in plan.changes if change.key in keys]
    # From what the manifest has to what somebody made of it.
    sources = read_sources(drifted, snapshot, prepared, options) if diff else ()
    from_manifest = [source.backwards for source in sources]
    return Result(
        drift_output(drift, plan, options, from_manifest, warnings),
        code,
        text.drift_summary(drift),
        warnings if options.format in {"text", "markdown"} else (),
    )


@dataclass(frozen=True)
class DriftVerdict:
    """What drifted, the plan of the same reading, which knows what could be restored, and what else is to be said."""

    drift: Drift
    plan: Plan
    warnings: tuple[Problem, ...]


def take_still_snapshot(manifest: Loaded, *, full: bool) -> Snapshot:
    """Read a project that nobody is changing; raises where nothing can be said of it."""
    snapshot = take_snapshot(manifest, full=full)
    require_free(snapshot.rival, snapshot.now)
    return snapshot


def judge_snapshot(prepared: Prepared, snapshot: Snapshot, options: Options) -> DriftVerdict:
    """Return what others changed."""
    plan = planning.make_plan(prepared, snapshot.reading, now=snapshot.now)
    drift = planning.find_drift(prepared, snapshot.reading, snapshot.copies, snapshot.now)
    warnings = options.invocation.complete(
        (
            *(snapshot.copies.warnings(prepared.desired) if snapshot.copies else ()),
            *prepared.forced,
            *planning.idle_exemptions(prepared.loaded, drift.tolerations, snapshot.now),
        )
    )
    announce(drift)
    return DriftVerdict(drift, plan, warnings)


def _without_verdict(error: UdfsError, loaded: Loaded, options: Options) -> Result:
    """Return what is said where nothing can be said; other formats have no word for it, and nothing would mean clean."""
    problems, summary = options.invocation.complete(error.problems), text.no_verdict(error)
    if options.format not in {"text", "json", "markdown"}:
        raise error
    output = unknown_output(error, loaded, options)
    return Result(output, error.exit_code, summary, () if options.as_json else problems)


def unknown_output(error: UdfsError, loaded: Loaded, options: Options) -> Output:
    """Return in a format that there is no verdict, and why."""
    problems, summary = options.invocation.complete(error.problems), text.no_verdict(error)
    match options.format:
        case "json":
            from reconciler.render.documents.applies import unknown_drift_document

            return unknown_drift_document(loaded.manifest.stack, planning.plan_destination(loaded), problems)
        case "markdown":
            from reconciler.render import markdown

            return markdown.problems_markdown(summary, problems)
        case _:
            return ((("warning", summary),),)


def drift_output(
    drift: Drift,
    plan: Plan,
    options: Options,
    sources: Sequence[SourceChange] = (),
    warnings: Sequence[Problem] = (),
) -> Output:
    """Return drift in the format that was asked for."""
    invocation = options.invocation
    restored = restoring(plan, drift)
    again = invocation.command(Command("apply", "--restore")) if restored.changes else None
    match options.format:
        case "json":
            from reconciler.render.documents.applies import drift_document

            return drift_document(drift, plan, restored, warnings)
        case "markdown":
            from reconciler.render import markdown

            room = markdown.target_share(options.among)
            document = markdown.drift_markdown(drift, plan, again, room, invocation, options.view)
            return markdown.add_sources(document, sources, room)
        case "html":
            from reconciler.render.page.document import HtmlPage
            from reconciler.render.page.parts import drift_part, share_room

            room = share_room(options.among)
            part = drift_part(drift, plan, again, invocation, view=options.view, sources=sources, room=room)
            return HtmlPage(f"Drift of stack {plan.stack}", (part,))
        case "sarif" | "github":
            from reconciler.cli.support.output import findings_output

            problems = invocation.complete(deviation.problem for deviation in drift.drifted)
            return findings_output((*problems, *warnings), options.format)
        case _:
            return text.drift_lines(drift, plan, again, invocation, sources, options.view)
