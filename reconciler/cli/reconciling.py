"""plan, apply, drift, destroy."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import click

from reconciler import workflow
from reconciler.attempt import Patience
from reconciler.cli import identity
from reconciler.cli.common import Options, command, connected, is_interactive, loaded, manifest_options, prepared
from reconciler.cli.output import confirmed, note, print_document, print_lines, progress, quoted
from reconciler.errors import PartlyApplied, Problem, Refused, count
from reconciler.ledger import require_free
from reconciler.plan import guards, require_allowed
from reconciler.render import text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from reconciler.ledger import Reading
    from reconciler.plan import Plan
    from reconciler.report import Report
    from reconciler.targets import Target

CHANGES_PRESENT = 2


refresh_option = click.option(
    "--refresh",
    type=click.Choice(["changed", "full"]),
    default="changed",
    show_default=True,
    help="full: ask for the MD5 of every resource, also of those that look as the last apply left them.",
)


writers_option = click.option(
    "--writers",
    type=click.IntRange(1, 32),
    default=8,
    show_default=True,
    envvar="UDFS_WRITERS",
    help="How many changes are made at a time.",
)


@command()
@manifest_options
@refresh_option
@click.option("--exit-code", is_flag=True, help="Exit with 2 when there is something to do.")
def plan(options: Options, refresh: str, exit_code: bool) -> int:
    """Show what differs between the manifest and the project, and what apply would do. Changes nothing."""
    ready = prepared(loaded(options))
    with connected(ready.loaded) as target:
        reading = target.read(full=refresh == "full")
        made = workflow.make_plan(ready, reading)
        _mention_rival(reading, target, options)
    _print_plan(made, options, next_command=_next(made, options))
    if made.refusals:
        return Refused.exit_code
    return CHANGES_PRESENT if exit_code and made.changes else 0


@command()
@manifest_options
@refresh_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--allow-deletes", type=click.IntRange(min=0), default=0, metavar="N", help="Allow up to N deletes.")
@writers_option
def apply(options: Options, refresh: str, yes: bool, allow_deletes: int, writers: int) -> int:
    """Make the project match the manifest: show the plan, ask, and make the changes."""
    ready = prepared(loaded(options))
    with connected(ready.loaded) as target:
        reading = target.read(full=refresh == "full")
        made = workflow.make_plan(ready, reading)
        return _carry_out(
            made, reading, target, ready.contents, options, yes=yes, allow_deletes=allow_deletes, writers=writers
        )


@command()
@manifest_options
@click.option("--yes", is_flag=True, help="Do not ask.")
@writers_option
def destroy(options: Options, yes: bool, writers: int) -> int:
    """Delete everything that this stack manages in the project; objects of others stay."""
    manifest = loaded(options)
    with connected(manifest) as target:
        reading = target.read()
        made = workflow.make_destruction(manifest, reading)
        return _carry_out(
            made, reading, target, {}, options, yes=yes, allow_deletes=made.deletes, writers=writers, retype=made.stack
        )


@command()
@manifest_options
@refresh_option
def drift(options: Options, refresh: str) -> int:
    """Show what in the project is not as the manifest says, and as far as the service tells, who changed it.

    Exits with 2 when there is drift.
    """
    ready = prepared(loaded(options))
    with connected(ready.loaded) as target:
        made = workflow.make_plan(ready, target.read(full=refresh == "full"))
    if options.as_json:
        _print_plan(made, options)
    else:
        print_lines(text.drift(made, refusals=quoted(made.refusals)))
    return CHANGES_PRESENT if made.changes or made.refusals else 0


def _carry_out(
    made: Plan,
    reading: Reading,
    target: Target,
    contents: Mapping[str, Path],
    options: Options,
    *,
    yes: bool,
    allow_deletes: int,
    writers: int,
    retype: str | None = None,
) -> int:
    """Show a plan, see that it is allowed and wanted, make its changes, and report."""
    if not options.as_json:
        print_lines(text.plan(made))
    require_allowed(made, allow_deletes=allow_deletes)
    if made.changes and not yes:
        require_free(reading.last, target.store.now())
        _ask(made, retype)
    with progress(made) as shown:
        report = workflow.carry_out(
            made,
            reading,
            target,
            contents,
            identity.holder(options.file.parent),
            shown,
            patience=Patience(time.monotonic, jitter=lambda: random.uniform(0.5, 1.5)),
            writers=writers,
        )
    _print_report(made, report, options)
    return _outcome(report)


def _mention_rival(reading: Reading, target: Target, options: Options) -> None:
    """Say so when somebody is applying: the plan may be outdated in a moment."""
    if reading.last and reading.last.is_held(target.store.now()) and not options.as_json:
        note(f"{reading.last.holder} is applying this stack right now (epoch {reading.last.epoch})")


def _ask(made: Plan, retype: str | None) -> None:
    """Ask for consent; a stack is destroyed only by typing its name."""
    if not is_interactive():
        raise Refused("E507", "nobody can be asked here", hint="look at the plan, then add --yes")
    if retype:
        wanted, question = retype, f"Type the stack's name ({retype}) to delete {made.deletes} objects:"
    else:
        wanted, question = "yes", "Make these changes? Only 'yes' is taken:"
    if not confirmed(question, answer=lambda typed: typed == wanted):
        raise Refused("E507", "not confirmed; nothing was changed")


def _print_plan(made: Plan, options: Options, next_command: str | None = None) -> None:
    if options.as_json:
        from reconciler.render import document

        print_document(document.plan(made))
    else:
        print_lines(text.plan(made, command=next_command, refusals=quoted(made.refusals)))


def _next(made: Plan, options: Options) -> str | None:
    if not made.changes or made.refusals:
        return None
    if any(problem.code == "E504" for problem in guards(made, allow_deletes=made.deletes)):
        return f"udfs destroy{options.arguments()}"
    deletes = f" --allow-deletes {made.deletes}" if made.deletes else ""
    return f"udfs apply{options.arguments()}{deletes}"


def _print_report(made: Plan, report: Report, options: Options) -> None:
    if options.as_json:
        from reconciler.render import document

        print_document(document.report(made, report))
    elif made.changes:
        print_lines(text.report(report))


def _outcome(report: Report) -> int:
    """Return the exit code of a report, or raise what went wrong."""
    if report.interrupted:
        return 130
    if report.error is None:
        return 0
    if not report.done:
        raise report.error
    partly = Problem(
        "E608",
        f"{count(len(report.done), 'change')} of {len(report.outcomes)} made before this",
        hint="nothing is undone; run the same command again, it carries on from what is in the project",
    )
    raise PartlyApplied.of([*report.error.problems, partly])


__all__ = ["apply", "destroy", "drift", "plan"]
