"""See that a plan is allowed and wanted, make its changes, and tell what came of them."""

from __future__ import annotations

import random
import sys
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from reconciler.base.errors import PartlyApplied, Problem, Refused, UdfsError, count
from reconciler.cli.support import identity
from reconciler.cli.support.interrupts import first_asks
from reconciler.cli.support.output import confirmed, print_document, print_error, print_lines, progress, quoted, unasked
from reconciler.core.plan import require_allowed, require_digest
from reconciler.engine.attempt import Patience
from reconciler.engine.ledger import require_free
from reconciler.render import text
from reconciler.workflow import applying

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from reconciler.base.hints import Hint
    from reconciler.cli.support.options import Options
    from reconciler.core.plan import Plan
    from reconciler.core.record import Reading
    from reconciler.core.report import Report
    from reconciler.core.target import Target
    from reconciler.render.documents import VerifyDocument

    Verify = Callable[[bool], tuple[int, VerifyDocument]]
    """Told whether anything was changed, runs the tests in the project, and returns exit code and result."""


@dataclass(frozen=True)
class Consent:
    """What the user has agreed to."""

    yes: bool
    """Without being asked."""

    allow_deletes: int
    digest: str | None = None
    """Only the plan that has it."""

    retype: str | None = None
    """What has to be typed instead of 'yes'."""

    again: Hint = "run the same command again, it carries on from what is in the project"
    """What to do when it does not get through."""


writers_option = click.option(
    "--writers",
    type=click.IntRange(1, 32),
    default=8,
    show_default=True,
    envvar="UDFS_WRITERS",
    help="How many changes are made at a time.",
)


def carry_out(
    made: Plan,
    reading: Reading,
    target: Target,
    contents: Mapping[str, Path],
    options: Options,
    consent: Consent,
    writers: int,
    *,
    look_again: Callable[[], Reading] | None = None,
    shown: bool = False,
    verify: Verify | None = None,
) -> int:
    """
    Show a plan, unless it was `shown`, see that it is allowed and wanted, make its changes, and report.

    A person takes their time to answer; `look_again` is asked afterwards whether all is as it was. `verify` is asked when
    all is done, whether it is well done.
    """
    made = completed(made, options)
    if not options.as_json and not shown:
        print_lines(text.plan(made))
    if not shown:
        print_warnings(made)
    require_digest(made, consent.digest)
    require_allowed(made, allow_deletes=consent.allow_deletes)
    if made.changes and not consent.yes:
        require_free(reading.last, target.store.now())
        if consent.retype:
            what = f"Type the stack's name ({consent.retype}) to delete {made.deletes} objects:"
            ask(options, what, consent.retype)
        else:
            ask(options, "Make these changes? Only 'yes' is taken:")
        reading = look_again() if look_again else reading
    report = perform(made, reading, target, contents, options, writers)
    report = _explained(report, consent.again)
    if report.error:
        report.error.problems = options.invocation.complete(report.error.problems)
    return _tell(made, report, options, verify)


def completed(made: Plan, options: Options) -> Plan:
    """Return a plan with the hints of its refusals and warnings spelled out."""
    complete = options.invocation.complete
    return replace(made, refusals=complete(made.refusals), cautions=complete(made.cautions))


def print_warnings(made: Plan) -> None:
    """Say on stderr what may go wrong with a plan."""
    if made.warnings:
        print_lines(text.problems(quoted(made.warnings)), sys.stderr)


def perform(
    made: Plan, reading: Reading, target: Target, contents: Mapping[str, Path], options: Options, writers: int
) -> Report:
    """Make the changes of a plan, and show how they go."""
    patience = Patience(time.monotonic, jitter=lambda: random.uniform(0.5, 1.5))
    holder = identity.holder(options.file.parent)
    with progress(made) as bar, first_asks(patience.stop, bar.stopping):
        return applying.apply_plan(made, reading, target, contents, holder, bar, patience=patience, writers=writers)


def ask(options: Options, question: str, wanted: str = "yes") -> None:
    """Ask for consent to what was shown; anything but `wanted` is none."""
    if options.as_json:
        raise Refused("E507", "with --format json nothing is shown that could be agreed to", hint="add --yes")
    if why := unasked():
        raise Refused("E507", f"nobody can be asked here: {why}", hint="look at the plan, then add --yes")
    if not confirmed(question, answer=lambda typed: typed == wanted):
        raise Refused("E507", "not confirmed; nothing was changed")


def _tell(made: Plan, report: Report, options: Options, verify: Verify | None = None) -> int:
    """Print a report, as one document or as lines and errors, and return its exit code."""
    verify = None if report.interrupted or report.error else verify
    code, told = 0, None
    if options.as_json:
        from reconciler.render import documents as document

        try:
            if verify:
                code, told = verify(bool(made.changes))
        except UdfsError as error:
            # What was done is done and must be told, whatever became of the tests.
            error.problems = options.invocation.complete(error.problems)
            report = replace(report, error=error)
        print_document(document.report(made, report, told))
    else:
        if made.changes:
            print_lines(text.report(report, options.heading))
        if report.error:
            print_error(report.error, as_json=False)
        if verify:
            code, told = verify(bool(made.changes))
    options.told.append(text.tally(report) if made.changes else text.summary(made))
    if told is not None and code:
        options.told.append(f"{count(told.failed, 'test')} failed{', rolled back' if told.rolled_back else ''}")
    if report.error and not report.interrupted:
        options.told.append(f"{report.error.problems[0].code}: {report.error.problems[0].message}")
    if report.interrupted:
        return 130
    return report.error.exit_code if report.error else code


def _explained(report: Report, again: Hint) -> Report:
    """Return a report whose error says, if some changes were made, that they were and what to do."""
    if report.error is None or not report.done:
        return report
    partly = Problem(
        "E608",
        f"{count(len(report.done), 'change')} of {len(report.outcomes)} made before this",
        hint=("nothing is undone; ", *(again if isinstance(again, tuple) else (again,))),
    )
    error = PartlyApplied(partly.code, partly.message)
    error.problems = (*report.error.problems, partly)
    return replace(report, error=error)
