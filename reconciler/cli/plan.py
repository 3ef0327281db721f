"""plan: what an apply would do."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.base.errors import Refused, UsageError
from reconciler.base.hints import Command
from reconciler.cli.support.files import save_plan
from reconciler.cli.support.options import (
    Options,
    command,
    comparing_options,
)
from reconciler.cli.support.output import Result
from reconciler.cli.support.plans import (
    CHANGES_PRESENT,
    PLAN_FORMATS,
    diff_option,
    plan_output,
    plan_target,
    read_sources,
    restore_option,
)
from reconciler.cli.support.selection import names_argument, select_changes
from reconciler.cli.support.several import each_target
from reconciler.render import text

if TYPE_CHECKING:
    from reconciler.core.plan import Plan


@command()
@names_argument
@each_target(*PLAN_FORMATS)
@comparing_options
@restore_option
@diff_option
@click.option("--exit-code", is_flag=True, help="Exit with 2 when there is something to do.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the plan down too, for udfs apply FILE. A plan that is refused is not written.",
)
@click.option(
    "--allow-deletes", type=click.IntRange(min=0), default=0, metavar="N", help="With --out: allow up to N deletes."
)
@click.option(
    "--against",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="DUMP",
    help="Plan against what udfs dump wrote; the project is not read.",
)
def plan(
    options: Options,
    names: tuple[str, ...],
    refresh: str,
    restore: bool,
    diff: bool,
    exit_code: bool,
    out: Path | None,
    allow_deletes: int,
    against: Path | None,
) -> Result:
    """Show what differs between the manifest and the project, and what apply would do. Changes nothing.

    For several targets there is one plan each; the exit code is the worst. NAMEs, in which * and ? stand for other
    characters, choose what is shown of it, with all that it needs: the plan is the whole.
    """
    if names and options.as_json:
        raise UsageError("E901", "names choose what people are shown, and a document has all", hint="leave them out")
    parts = plan_target(options, full=refresh == "full", restore=restore, against=against)
    prepared, snapshot, changes = parts.prepared, parts.snapshot, parts.plan
    if out is not None:
        # A saved plan is the same at any hour.
        save_plan(parts.bare, snapshot.reading, out, parts.manifest, allow_deletes)
    # While somebody else applies, what would come next is refused.
    next_command = None if snapshot.rival else _next_command(changes, options, out, allow_deletes, restore=restore)
    chosen = select_changes(changes, names, prepared.loaded)
    shown = [change for change in changes.changes if chosen is None or change.key in chosen]
    sources = read_sources(shown, snapshot, prepared, options) if diff else ()
    is_text = options.format == "text"
    return Result(
        plan_output(changes, options, next_command, chosen, sources),
        Refused.exit_code if changes.refusals else CHANGES_PRESENT if exit_code and changes.changes else 0,
        text.plan_summary(changes),
        changes.warnings if is_text else (),
        snapshot.notes,
    )


def _next_command(plan: Plan, options: Options, out: Path | None, allow_deletes: int, *, restore: bool) -> str | None:
    """Return the command that carries a plan out; None if there is nothing to carry out."""
    if not plan.changes or plan.refusals:
        return None
    options_again = [f"--allow-deletes {plan.deletes}"] if plan.deletes > (allow_deletes if out else 0) else []
    options_again += [f"--no-check {','.join(sorted(options.forced))}"] if options.forced else []
    if out is not None:
        # The file stands first, and names the target itself.
        invocation = replace(options, target=None).invocation
        return " ".join([f"udfs apply {shlex.quote(str(out))}{invocation.file}", *options_again])
    return options.invocation.command(Command("apply", " ".join([*options_again, *(["--restore"] if restore else [])])))
