"""plan, apply, drift, destroy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reconciler import workflow
from reconciler.apply import apply as make_changes
from reconciler.cli.common import Options, command, connected, is_interactive, loaded, manifest_options, prepared
from reconciler.cli.output import confirmed, print_document, print_lines, progress, quoted
from reconciler.errors import PartlyApplied, Problem, Refused, count
from reconciler.plan import guards, require_allowed
from reconciler.render import text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from reconciler.plan import Plan
    from reconciler.report import Report
    from reconciler.targets import Target

CHANGES_PRESENT = 2


@command()
@manifest_options
@click.option("--exit-code", is_flag=True, help="Exit with 2 when there is something to do.")
def plan(options: Options, exit_code: bool) -> int:
    """Show what differs between the manifest and the project, and what apply would do. Changes nothing."""
    ready = prepared(loaded(options))
    with connected(ready.loaded) as target:
        made = workflow.make_plan(ready, target)
    _print_plan(made, options, next_command=_next(made, options))
    if made.refusals:
        return Refused.exit_code
    return CHANGES_PRESENT if exit_code and made.changes else 0


@command()
@manifest_options
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--allow-deletes", type=click.IntRange(min=0), default=0, metavar="N", help="Allow up to N deletes.")
def apply(options: Options, yes: bool, allow_deletes: int) -> int:
    """Make the project match the manifest: show the plan, ask, and make the changes."""
    ready = prepared(loaded(options))
    with connected(ready.loaded) as target:
        made = workflow.make_plan(ready, target)
        return _carry_out(made, target, ready.contents, options, yes=yes, allow_deletes=allow_deletes)


@command()
@manifest_options
@click.option("--yes", is_flag=True, help="Do not ask.")
def destroy(options: Options, yes: bool) -> int:
    """Delete everything that this stack manages in the project; objects of others stay."""
    manifest = loaded(options)
    with connected(manifest) as target:
        made = workflow.make_destruction(manifest, target)
        return _carry_out(made, target, {}, options, yes=yes, allow_deletes=made.deletes, retype=made.stack)


@command()
@manifest_options
def drift(options: Options) -> int:
    """Show what in the project is not as the manifest says, and as far as the service tells, who changed it.

    Exits with 2 when there is drift.
    """
    ready = prepared(loaded(options))
    with connected(ready.loaded) as target:
        made = workflow.make_plan(ready, target)
    if options.as_json:
        _print_plan(made, options)
    else:
        print_lines(text.drift(made, refusals=quoted(made.refusals)))
    return CHANGES_PRESENT if made.changes or made.refusals else 0


def _carry_out(
    made: Plan,
    target: Target,
    contents: Mapping[str, Path],
    options: Options,
    *,
    yes: bool,
    allow_deletes: int,
    retype: str | None = None,
) -> int:
    """Show a plan, see that it is allowed and wanted, make its changes, and report."""
    if not options.as_json:
        print_lines(text.plan(made))
    require_allowed(made, allow_deletes=allow_deletes)
    if made.changes and not yes:
        _ask(made, retype)
    with progress(made) as shown:
        report = make_changes(made, target, contents, shown)
    _print_report(made, report, options)
    return _outcome(report)


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
