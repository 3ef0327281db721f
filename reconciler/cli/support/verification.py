"""
Tests of the manifest: which of them a command runs, and how it reports them; and by SQL of what is deployed, also at the end of an
apply, with the way back when one of them fails.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reconciler.base.activity import announce
from reconciler.base.errors import Problem, TestsFailed, UdfsError, count
from reconciler.cli.support import identity
from reconciler.cli.support.output import note, print_lines, print_problems, with_source
from reconciler.cli.support.perform import Proposal, perform
from reconciler.cli.support.selection import select_names
from reconciler.core.plan import require_allowed
from reconciler.render import styled, text
from reconciler.render import trials as rendered
from reconciler.targets import require_power
from reconciler.testing.trials import Case
from reconciler.testing.verdict import TrialVerdict
from reconciler.workflow import planning, records
from reconciler.workflow.promotion import write_verdicts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from reconciler.cli.support.options import Options
    from reconciler.core.plan import Plan
    from reconciler.core.record import Reading
    from reconciler.core.target import Target
    from reconciler.manifest.load import Loaded
    from reconciler.render.documents.applies import VerifyDocument
    from reconciler.render.styled import Line
    from reconciler.targets.powers import RemoteTests
    from reconciler.testing.trials import Trial


def chosen_cases(manifest: Loaded, functions: tuple[str, ...]) -> list[tuple[Case, ...]]:
    """Return the tests to run, function by function: of those that names or patterns fit, or of all."""
    tests = manifest.manifest.tests
    cases = [
        tuple(
            Case(name, number, test, manifest.at("functions", name, "tests", number - 1))
            for number, test in enumerate(tests[name], 1)
        )
        for name in select_names(functions, tests)
    ]
    return [group for group in cases if group]


def show_trials(trials: Iterable[Trial]) -> None:
    """Print a line a test as it ends."""
    print_lines(map(rendered.trial_line, trials))
    # Whoever waits, perhaps behind a pipe, sees that it goes on.
    sys.stdout.flush()


def trial_report_lines(trials: Sequence[Trial], problems: Iterable[Problem], options: Options) -> Iterator[Line]:
    """Yield what went wrong, and the tally."""
    if not trials:
        yield (("", "There is no test. Next: add `tests:` to a function of the manifest"),)
        return
    if distinct := options.invocation.complete(dict.fromkeys(problems)):
        yield ()
        for problem in with_source(distinct):
            yield from styled.problem_lines(problem)
    yield ()
    yield rendered.tests_summary(trials)


WAY_BACK = "how to go back to what was there before: udfs help rollback"
"""What is said where a test fails after an apply. The command itself is for who has read what it does."""


@dataclass(frozen=True)
class VerificationResult:
    """What tests came to that ran at the end of an apply."""

    trials: tuple[Trial, ...]
    rolled_back: bool

    @property
    def code(self) -> int:
        return exit_code_of(self.trials)

    def document(self, plan: Plan) -> VerifyDocument:
        """Return what a program reads of the tests that ran after a plan."""
        from reconciler.render.documents.applies import verify_document

        return verify_document(plan.stack, plan.destination, self.trials, rolled_back=self.rolled_back)

    @property
    def summary(self) -> str:
        """The outcome in a few words; empty if all is well."""
        counted = rendered.count_verdicts(self.trials)
        failed, absent = counted[TrialVerdict.FAILED], counted[TrialVerdict.NOT_RUN]
        parts = [f"{count(failed, 'test')} failed"] if failed else []
        parts += [f"{count(absent, 'test')} not run"] if absent else []
        return ", ".join([*parts, *(["rolled back"] if self.rolled_back else [])])


@dataclass(frozen=True)
class Verification:
    """Tests that are to run at the end of an apply."""

    manifest: Loaded
    target: Target
    options: Options
    writers: int
    rolls_back: bool
    cases: tuple[tuple[Case, ...], ...]

    def run(self, *, has_changed: bool) -> VerificationResult:
        """Run the tests, and roll back if one fails and that is wanted."""
        if not self.options.as_json:
            print_lines([()])
        trials = run_trials(self.manifest, self.target, self.options, self.cases)
        if not self.options.as_json:
            print_lines(verify_lines(trials, self.options))
        if not has_failed(trials):
            return VerificationResult(trials, rolled_back=False)
        if self.rolls_back and has_changed:
            return VerificationResult(trials, rolled_back=self._roll_back())
        if self.rolls_back:
            note("this apply changed nothing, so nothing is rolled back")
        elif not self.options.as_json:
            note(WAY_BACK)
        return VerificationResult(trials, rolled_back=False)

    def _roll_back(self) -> bool:
        """Bring the functions back to what they were before the apply; return whether they are."""
        try:
            reading, plan = planning.make_rollback(self.manifest, self.target, None)
            if not plan.changes:
                note("a rollback would change nothing: what is new stays")
                return False
            if not self.options.as_json:
                print_lines([(), *text.plan_lines(plan)])
            require_allowed(plan, allow_deletes=0)
            report = perform(Proposal(plan, reading, self.target), self.options, self.writers)
            if report.error:
                raise report.error
        except UdfsError as error:
            # The failed tests give the exit code; this comes on top.
            print_problems(self.options.invocation.complete(error.problems))
            return False
        if not self.options.as_json:
            print_lines(text.report_lines(report))
            note("the manifest still wants what it wanted: the next apply goes there again, unless it is changed")
        return True


def make_verification(
    manifest: Loaded, target: Target, options: Options, writers: int, *, rolls_back: bool
) -> Verification:
    """Return the tests to run after an apply; what they need is checked before anything is changed."""
    cases = tuple(chosen_cases(manifest, ()))
    require_tests(manifest)
    return Verification(manifest, target, options, writers, rolls_back, cases)


def run_trials(
    manifest: Loaded, target: Target, options: Options, cases: Sequence[tuple[Case, ...]]
) -> tuple[Trial, ...]:
    """Run tests by SQL, show each as it ends, write the verdicts down, and return them in the order of the manifest."""
    if not cases:
        return ()
    reading = target.read()
    trials: list[Trial] = []
    for trial in _trials(manifest, target, cases, reading):
        trials.append(replace(trial, hint=options.invocation.spell(trial.hint) or None))
        announce(trial)
        if not options.as_json:
            show_trials([trial])
    for why in write_verdicts(manifest, target, reading, trials, str(identity.holder(options.file.parent))):
        note(why)
    return tuple(sorted(trials, key=lambda trial: (trial.case.at.file, trial.case.at.line, trial.case.at.column)))


def _trials(manifest: Loaded, target: Target, cases: Sequence[tuple[Case, ...]], reading: Reading) -> Iterator[Trial]:
    deployed = records.deployed_functions(manifest, reading)
    settings = {have.function.object.name.lower(): have.settings for have in deployed}
    return require_tests(manifest).run_remote_tests(manifest, target, cases, settings, time.perf_counter)


def require_tests(manifest: Loaded) -> RemoteTests:
    """Return the tests of what is deployed, of the kind of target that a manifest is for; raise unless they can be run."""
    tests = require_power(manifest, lambda adapter: adapter.remote_tests, "test of what is deployed")
    tests.require_query(manifest)
    return tests


def verify_lines(trials: Sequence[Trial], options: Options) -> Iterator[Line]:
    """Yield what went wrong, and the tally."""
    problems = [rendered.test_failure(trial) for trial in trials if trial.verdict is TrialVerdict.FAILED]
    problems += [rendered.not_run(trial) for trial in trials if trial.verdict is TrialVerdict.NOT_RUN]
    return trial_report_lines(trials, problems, options)


def exit_code_of(trials: Iterable[Trial]) -> int:
    """Return the exit code of tests by SQL: one that was not run, and not left out on purpose, is as good as failed."""
    is_red = any(trial.verdict in {TrialVerdict.FAILED, TrialVerdict.NOT_RUN} for trial in trials)
    return TestsFailed.exit_code if is_red else 0


def has_failed(trials: Iterable[Trial]) -> bool:
    """Say whether a test failed: only that is a reason to go back."""
    return any(trial.verdict is TrialVerdict.FAILED for trial in trials)
