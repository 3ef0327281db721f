"""
Carrying out a plan: see that it is allowed and wanted, make its changes, and report what came of them.

Nobody is asked who cannot see the question or answer it; the error then names the option to give instead.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TextIO

from reconciler.base.activity import announce
from reconciler.base.environments import says_yes
from reconciler.base.errors import PartlyApplied, Problem, Refused, UdfsError, count
from reconciler.base.hints import spell
from reconciler.base.words import safe
from reconciler.cli.support.output import Result, print_lines, print_problems
from reconciler.cli.support.perform import Proposal, perform
from reconciler.cli.support.plans import complete_plan
from reconciler.cli.support.status import STATUS
from reconciler.core.plan import require_allowed
from reconciler.engine.ledger import require_free
from reconciler.render import text

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.base.hints import Hint
    from reconciler.cli.support.options import Options
    from reconciler.cli.support.verification import Verification, VerificationResult
    from reconciler.core.plan import Plan
    from reconciler.core.record import Reading
    from reconciler.core.report import Report
    from reconciler.engine.approval import Approval


def require_consent(question: str, answer: str = "yes", *, unseen: str = "", hint: Hint) -> None:
    """Ask for consent, and raise `Refused` unless the `answer` is typed; `unseen` leads the message if nobody can be asked."""
    if why := _why_nobody_answers():
        raise Refused("E507", f"{unseen}udfs cannot ask for confirmation: {why}", hint=hint)
    out = _visible_stream() or sys.stderr
    with STATUS.hidden():
        out.write(f"{safe(question)} ")
        out.flush()
        given = sys.stdin.readline().strip()
    if given != answer:
        raise Refused("E507", "not confirmed; nothing was changed")


def _why_nobody_answers() -> str | None:
    """Return why nobody can be asked; None if somebody types at a terminal and sees the question on one."""
    if says_yes(os.environ, "CI"):
        # Some CI systems give their jobs a terminal; a question there would wait for an answer until the job is killed.
        return "the environment variable CI is set"
    if _visible_stream() is None:
        return "there is no terminal to ask on"
    return None if sys.stdin.isatty() else "standard input is no terminal"


def _visible_stream() -> TextIO | None:
    """Return the stream that a question is seen on: results and errors may each have been led into a file."""
    return next((stream for stream in (sys.stderr, sys.stdout) if stream.isatty()), None)


AGAIN = "run the same command again, it carries on from what is in the project"


@dataclass(frozen=True)
class Consent:
    """What the user has agreed to."""

    yes: bool
    """Without being asked."""

    allow_deletes: int = 0
    digest: str | None = None
    """Of the plan that was approved."""

    writers: int = 8
    """How many changes are made at a time."""

    retype: str | None = None
    """What has to be typed instead of 'yes'."""

    again: Hint = AGAIN
    """What to do when it does not get through."""


def carry_out(
    proposal: Proposal,
    options: Options,
    consent: Consent,
    *,
    look_again: Callable[[], Reading] | None = None,
    is_shown: bool = False,
    verification: Verification | None = None,
    approval: Approval | None = None,
) -> Result:
    """
    Show a plan, unless it `is_shown`, see that it is allowed and wanted, make its changes, and report.

    `look_again` is called after the answer, to see whether all is as it was. The tests of `verification` run when all is
    done.
    """
    plan = complete_plan(proposal.plan, options)
    if not is_shown:
        announce(plan)
        if not options.as_json:
            print_lines(text.plan_lines(plan, view=options.view))
        print_problems(plan.warnings)
    # What is shown is shown even if it is refused: the refusal is about it.
    require_agreed(plan, proposal.reading, approval, consent.allow_deletes)
    proposal = replace(proposal, plan=plan)
    if plan.changes and not consent.yes:
        # Before a person is asked for nothing.
        require_free(proposal.reading.last, proposal.target.store.now())
        if consent.retype:
            question = f"Type the stack's name ({consent.retype}) to delete {plan.deletes} objects:"
            ask_consent(options, question, consent.retype)
        else:
            ask_consent(options, "Make these changes? Type 'yes' to confirm:")
        # A person takes their time to answer.
        if look_again:
            proposal = replace(proposal, reading=look_again())
    report = tell_way_on(perform(proposal, options, consent.writers, consent.digest or ""), consent.again)
    result = _report_result(plan, report, options, verification)
    if report.interrupted and not report.error and not options.as_json:
        result = replace(result, notes=(f"nothing is undone; {spell(consent.again)}",))
    return result


def require_agreed(plan: Plan, reading: Reading, approval: Approval | None, allow_deletes: int) -> int:
    """Raise for what nobody approved or allowed in a plan; return how many deletes are allowed in it."""
    if approval is not None:
        approval.require(plan, reading)
        allow_deletes = approval.allowed_deletes(plan, allow_deletes)
    require_allowed(plan, allow_deletes=allow_deletes)
    return allow_deletes


def ask_consent(options: Options, question: str, answer: str = "yes") -> None:
    """Ask for consent to a plan that was shown; anything but the `answer` is none."""
    if options.as_json:
        raise Refused("E507", "--format json shows no plan to agree to", hint="add --yes")
    require_consent(question, answer, hint="look at the plan, then add --yes")


def _report_result(plan: Plan, report: Report, options: Options, verification: Verification | None) -> Result:
    """Return what an apply came to; its tests run once it got through."""
    verified = None
    if not options.as_json and plan.changes:
        print_lines(text.report_lines(report, options.heading))
    if verification and not report.interrupted and not report.error:
        try:
            verified = verification.run(has_changed=bool(plan.changes))
        except UdfsError as error:
            if not options.as_json:
                raise
            # What was done is done and must be reported, whatever became of the tests.
            report = replace(report, error=error)
    if report.error:
        report.error.problems = options.invocation.complete(report.error.problems)
    summary = apply_summary(plan, report, verified)
    code = apply_code(report, verified)
    if options.as_json:
        from reconciler.render.documents.applies import report_document

        return Result(report_document(plan, report, verified.document(plan) if verified else None), code, summary)
    return Result((), code, summary, report.error.problems if report.error else ())


def apply_summary(plan: Plan, report: Report, verified: VerificationResult | None) -> str:
    """Return what an apply came to, in one line."""
    parts = [text.report_tally(report) if plan.changes else text.plan_summary(plan)]
    if verified and verified.summary:
        parts.append(verified.summary)
    if report.error and not report.interrupted:
        parts.append(f"{report.error.problems[0].code}: {report.error.problems[0].message}")
    return "; ".join(parts)


def apply_code(report: Report, verified: VerificationResult | None) -> int:
    """Return the exit code of an apply."""
    if report.interrupted:
        return 130
    if report.error:
        return report.error.exit_code
    return verified.code if verified else 0


def tell_way_on(report: Report, again: Hint) -> Report:
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
