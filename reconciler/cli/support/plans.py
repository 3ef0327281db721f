"""
Plans of `plan`, `apply` and `drift`: a snapshot of the project, and a plan in each format.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.base.activity import announce
from reconciler.base.errors import UsageError
from reconciler.cli.support.files import manifest_digest, read_dump
from reconciler.cli.support.output import findings_output, with_source
from reconciler.cli.support.project import connect, open_manifest, prepare_files
from reconciler.cli.support.promotion import find_unpromoted
from reconciler.render import text
from reconciler.targets import adapter_of
from reconciler.workflow import planning

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from reconciler.cli.support.options import Format, Options
    from reconciler.cli.support.output import Output
    from reconciler.core.copies import Copies
    from reconciler.core.diff import Change
    from reconciler.core.kind import Key
    from reconciler.core.plan import Plan
    from reconciler.core.record import Entry, Reading
    from reconciler.core.report import SourceChange
    from reconciler.core.target import Target
    from reconciler.manifest.load import Loaded
    from reconciler.workflow.preparation import Prepared

CHANGES_PRESENT = 2

PLAN_FORMATS: tuple[Format, ...] = ("text", "json", "markdown", "html", "sarif", "github")
"""In which a plan can be shown (`plan_output`)."""

restore_option = click.option(
    "--restore", is_flag=True, help="Only bring back what was changed outside; nothing that the manifest changed."
)


@dataclass(frozen=True)
class Snapshot:
    """What the project holds, and when it was read, by the clock that an apply goes by."""

    reading: Reading
    now: datetime
    is_live: bool = True
    """False for a dump: who applied when it was written says nothing about now."""

    copies: Copies | None = None
    """What another tool keeps that deploys to the same place."""

    @property
    def rival(self) -> Entry | None:
        """The entry of whoever changes the project meanwhile."""
        last = self.reading.last
        return last if self.is_live and last and last.is_held(self.now) else None

    @property
    def notes(self) -> tuple[str, ...]:
        """What to say when somebody is applying: what was read is neither as it was nor as it will be."""
        if self.rival is None:
            return ()
        since = f"epoch {self.rival.epoch}, since {self.rival.started:%H:%MZ}"
        who = f"{self.rival.holder} is applying this stack right now ({since})"
        return (f"{who}: what is shown may be half-way; look again later",)


def take_snapshot(manifest: Loaded, *, full: bool) -> Snapshot:
    """Read the project."""
    with connect(manifest) as target:
        return read_snapshot(manifest, target, full=full)


def read_snapshot(manifest: Loaded, target: Target, *, full: bool) -> Snapshot:
    """Read a project that is connected."""
    reading = target.read(full=full)
    # A service that does not tell the time is refused only where it matters.
    is_dated = bool(reading.last or manifest.policies or manifest.manifest.ignore)
    now = target.store.now() if is_dated else datetime.now(timezone.utc)
    other_tools = adapter_of(manifest).other_tools
    copies = other_tools.find_copies(manifest, target) if other_tools else None
    return Snapshot(reading, now, copies=copies)


@dataclass(frozen=True)
class TargetPlan:
    """A plan for one target, with all that it was made of."""

    prepared: Prepared
    snapshot: Snapshot
    bare: Plan
    """Without what depends on the hour: as it is written down."""

    plan: Plan
    """As it is shown."""

    manifest: str
    """The sha256 of the manifest's bytes."""


def plan_target(
    options: Options, *, full: bool = False, restore: bool = False, against: Path | None = None
) -> TargetPlan:
    """Make the plan of one target; `against` a dump, nothing of the project is read."""
    digest = manifest_digest(options.file)
    prepared = prepare_files(open_manifest(options, warn=False), options, warn=False)
    if against is not None:
        snapshot = Snapshot(read_dump(against, prepared.loaded), datetime.now(timezone.utc), is_live=False)
    else:
        snapshot = take_snapshot(prepared.loaded, full=full)
    bare = planning.make_plan(
        prepared, snapshot.reading, now=snapshot.now, from_dump=against is not None, restoring=restore
    )
    bare = complete_plan(bare, options)
    shown = planning.add_cautions(bare, prepared, snapshot.now, snapshot.copies)
    if snapshot.is_live:
        shown = planning.foresee(shown, prepared, lambda: connect(prepared.loaded))
    # What has to be true of another target may become so until the plan is performed.
    unpromoted = find_unpromoted(bare, prepared, snapshot.reading, options)
    warnings = (replace(problem, severity="warning") for problem in unpromoted)
    shown = complete_plan(replace(shown, cautions=(*shown.cautions, *warnings)), options)
    announce(shown)
    return TargetPlan(prepared, snapshot, bare, shown, digest)


def complete_plan(plan: Plan, options: Options) -> Plan:
    """Return a plan with the hints of its refusals and warnings completed."""
    complete = options.invocation.complete
    return replace(plan, refusals=complete(plan.refusals), cautions=complete(plan.cautions))


def plan_output(
    plan: Plan,
    options: Options,
    next_command: str | None = None,
    chosen: Collection[Key] | None = None,
    sources: Sequence[SourceChange] = (),
) -> Output:
    """Return a plan in the format that was asked for; of `chosen` objects only, where people read it."""
    if options.format == "json":
        from reconciler.engine.plan_file import plan_document

        return plan_document(plan)
    if options.format in {"sarif", "github"}:
        return findings_output((*plan.refusals, *plan.warnings), options.format)
    if options.format == "html":
        from reconciler.render.page.document import HtmlPage
        from reconciler.render.page.parts import plan_part, share_room

        part = plan_part(
            plan, next_command, chosen=chosen, view=options.view, sources=sources, room=share_room(options.among)
        )
        return HtmlPage(f"Plan of stack {plan.stack}", (part,))
    if options.format == "markdown":
        from reconciler.render import markdown

        room = markdown.target_share(options.among)
        return markdown.add_sources(
            markdown.plan_markdown(plan, next_command, room, chosen, options.view), sources, room
        )
    return text.plan_lines(
        plan,
        command=next_command,
        refusals=with_source(plan.refusals),
        view=options.view,
        chosen=chosen,
        sources=sources,
    )


diff_option = click.option("--diff", "diff", is_flag=True, help="Show how sources change, line by line.")


def read_sources(
    changes: Sequence[Change], snapshot: Snapshot, prepared: Prepared, options: Options
) -> tuple[SourceChange, ...]:
    """Return the texts that differ between the project, which is asked for them, and the manifest."""
    from reconciler.workflow.sources import source_changes

    if options.format not in {"text", "markdown", "html"} or not snapshot.is_live:
        raise UsageError("E901", "--diff is for what people read, and of a project that is there", hint="leave it out")
    # What is dropped may still be on its way into the folder.
    downloads = tempfile.TemporaryDirectory(prefix="udfs-", ignore_cleanup_errors=True)
    with connect(prepared.loaded) as target, downloads as folder:
        return source_changes(changes, snapshot.reading.live, target, prepared.contents, Path(folder))
