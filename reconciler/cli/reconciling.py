"""plan, apply, drift, destroy."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler import workflow
from reconciler.attempt import Patience
from reconciler.cli import identity, saving
from reconciler.cli.common import Options, command, connected, is_interactive, loaded, manifest_options, prepared
from reconciler.cli.interrupts import first_asks
from reconciler.cli.output import confirmed, note, print_document, print_error, print_lines, progress, quoted
from reconciler.cli.saving import refresh_option
from reconciler.errors import PartlyApplied, Problem, Refused, count
from reconciler.ledger import require_free
from reconciler.plan import guards, require_allowed, require_digest
from reconciler.render import text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.ledger import Reading
    from reconciler.manifest.load import Loaded
    from reconciler.plan import Plan
    from reconciler.report import Report
    from reconciler.targets import Target

CHANGES_PRESENT = 2


@dataclass(frozen=True)
class _Consent:
    """What the user has agreed to."""

    yes: bool
    """Without being asked."""

    allow_deletes: int
    digest: str | None = None
    """Only the plan that has it."""

    retype: str | None = None
    """What has to be typed instead of 'yes'."""

    again: str = "run the same command again, it carries on from what is in the project"
    """What to do when it does not get through."""


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
    help="Plan against what udfs dump wrote; the project is not asked.",
)
def plan(
    options: Options, refresh: str, exit_code: bool, out: Path | None, allow_deletes: int, against: Path | None
) -> int:
    """Show what differs between the manifest and the project, and what apply would do. Changes nothing."""
    manifest_digest = saving.manifest_digest(options.file)
    ready = prepared(loaded(options))
    if against is not None:
        reading = saving.dumped(against, ready.loaded)
    else:
        reading = _look(ready.loaded, options, full=refresh == "full")
    made = workflow.make_plan(ready, reading, from_dump=against is not None)
    if out is not None:
        saving.save(made, reading, out, manifest_digest, allow_deletes)
    _print_plan(made, options, next_command=_next(made, options, out, allow_deletes))
    if made.refusals or (out is not None and saving.hopeless(made)):
        return Refused.exit_code
    return CHANGES_PRESENT if exit_code and made.changes else 0


@command()
@click.argument("planfile", required=False, type=click.Path(path_type=Path, dir_okay=False))
@manifest_options
@refresh_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--allow-deletes", type=click.IntRange(min=0), default=0, metavar="N", help="Allow up to N deletes.")
@click.option(
    "--digest", callback=saving.digest_of, metavar="sha256:…", help="Refuse any plan but the one with this digest."
)
@writers_option
def apply(
    options: Options,
    planfile: Path | None,
    refresh: str,
    yes: bool,
    allow_deletes: int,
    digest: str | None,
    writers: int,
) -> int:
    """Make the project match the manifest: show the plan, ask, and make the changes.

    With PLANFILE, which udfs plan --out wrote, make exactly the changes of that plan, or none if anything has moved.
    """
    consent = _Consent(yes, allow_deletes, digest)
    if planfile is not None:
        return _apply_saved(planfile, options, refresh, consent, writers)
    ready = prepared(loaded(options))
    with connected(ready.loaded) as target:
        reading = target.read(full=refresh == "full")
        made = workflow.make_plan(ready, reading)
        return _carry_out(made, reading, target, ready.contents, options, consent, writers)


def _apply_saved(planfile: Path, options: Options, refresh: str, consent: _Consent, writers: int) -> int:
    """Perform a saved plan; everything that it stands on is looked at before anything is written."""
    from reconciler import fresh, saved

    found = saving.saved_plan(planfile)
    options = saving.aimed(options, found)
    if manifest := saving.manifest_digest(options.file):
        saved.require_same_manifest(found, manifest, options.file)
    ready = prepared(loaded(options))
    saved.require_place(found, ready.loaded.manifest.stack, workflow.destination(ready.loaded))
    saved.require_contents(found, ready.contents)
    consent = replace(consent, allow_deletes=max(consent.allow_deletes, found.allow_deletes), again=fresh.AGAIN)
    with connected(ready.loaded) as target:

        def look() -> Reading:
            reading = target.read(full=refresh == "full")
            saved.require_fresh(found, reading)
            return reading

        reading = look()
        # From here on the plan stands on the project, whatever it was made against.
        made = replace(found.plan, from_dump=False)
        return _carry_out(made, reading, target, ready.contents, options, consent, writers, look_again=look)


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
        consent = _Consent(yes, made.deletes, retype=made.stack)
        return _carry_out(made, reading, target, {}, options, consent, writers)


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
    consent: _Consent,
    writers: int,
    *,
    look_again: Callable[[], Reading] | None = None,
) -> int:
    """
    Show a plan, see that it is allowed and wanted, make its changes, and report.

    A person takes their time to answer; `look_again` is asked afterwards whether all is as it was.
    """
    if not options.as_json:
        print_lines(text.plan(made))
    require_digest(made, consent.digest)
    require_allowed(made, allow_deletes=consent.allow_deletes)
    if made.changes and not consent.yes:
        require_free(reading.last, target.store.now())
        _ask(made, options, consent.retype)
        reading = look_again() if look_again else reading
    patience = Patience(time.monotonic, jitter=lambda: random.uniform(0.5, 1.5))
    holder = identity.holder(options.file.parent)
    with progress(made) as shown, first_asks(patience.stop):
        report = workflow.carry_out(made, reading, target, contents, holder, shown, patience=patience, writers=writers)
    return _tell(made, _explained(report, consent.again), options)


def _look(manifest: Loaded, options: Options, *, full: bool) -> Reading:
    """Read the project, and say so if it is being changed meanwhile."""
    with connected(manifest) as target:
        reading = target.read(full=full)
        _mention_rival(reading, target, options)
    return reading


def _mention_rival(reading: Reading, target: Target, options: Options) -> None:
    """Say so when somebody is applying: the plan may be outdated in a moment."""
    if reading.last and reading.last.is_held(target.store.now()) and not options.as_json:
        note(f"{reading.last.holder} is applying this stack right now (epoch {reading.last.epoch})")


def _ask(made: Plan, options: Options, retype: str | None) -> None:
    """Ask for consent to what was shown; a stack is destroyed only by typing its name."""
    if options.as_json:
        raise Refused("E507", "with --format json nothing is shown that could be agreed to", hint="add --yes")
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


def _next(made: Plan, options: Options, out: Path | None = None, allow_deletes: int = 0) -> str | None:
    if not made.changes or made.refusals:
        return None
    if any(problem.code == "E504" for problem in guards(made, allow_deletes=made.deletes)):
        return f"udfs destroy{options.arguments()}"
    if out is not None:
        return saving.next_command(made, out, options, allow_deletes)
    deletes = f" --allow-deletes {made.deletes}" if made.deletes else ""
    return f"udfs apply{options.arguments()}{deletes}"


def _tell(made: Plan, report: Report, options: Options) -> int:
    """Print a report, as one document or as lines and errors, and return its exit code."""
    if options.as_json:
        from reconciler.render import document

        print_document(document.report(made, report))
    else:
        if made.changes:
            print_lines(text.report(report))
        if report.error:
            print_error(report.error, as_json=False)
    if report.interrupted:
        return 130
    return report.error.exit_code if report.error else 0


def _explained(report: Report, again: str) -> Report:
    """Return a report whose error says, if some changes were made, that they were and what to do."""
    if report.error is None or not report.done:
        return report
    partly = Problem(
        "E608",
        f"{count(len(report.done), 'change')} of {len(report.outcomes)} made before this",
        hint=f"nothing is undone; {again}",
    )
    error = PartlyApplied(partly.code, partly.message)
    error.problems = (*report.error.problems, partly)
    return replace(report, error=error)


__all__ = ["apply", "destroy", "drift", "plan"]
