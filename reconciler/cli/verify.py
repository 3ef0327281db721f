"""verify: what was applied, called by SQL in the project; alone, and at the end of an apply."""

from __future__ import annotations

import functools
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from reconciler.base.errors import TestsFailed, UdfsError, UsageError
from reconciler.cli.dump import write_whole
from reconciler.cli.support.options import Options, command, connected, loaded, manifest_options, require_sql
from reconciler.cli.support.output import note, print_document, print_error, print_lines
from reconciler.cli.support.output import quoted as as_quoted
from reconciler.cli.test import chosen
from reconciler.core.plan import require_allowed
from reconciler.core.target import require_querying
from reconciler.render import tests as tried
from reconciler.render import text
from reconciler.targets.maxcompute.source_rules import declared_signature
from reconciler.testing import run_by_sql as verification
from reconciler.testing.trials import TrialVerdict
from reconciler.workflow import deployment, planning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from reconciler.cli.support.confirm import Verify
    from reconciler.core.target import Target
    from reconciler.manifest.load import Loaded
    from reconciler.render.documents import VerifyDocument
    from reconciler.testing.trials import Case, Trial

R = TypeVar("R")


@command()
@click.argument("functions", nargs=-1, metavar="[FUNCTION…]")
@click.option("--junit", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write JUnit's XML too.")
@manifest_options
def verify(options: Options, functions: tuple[str, ...], junit: Path | None) -> int:
    """Run the `tests:` of the manifest by SQL in the project: those of every FUNCTION, or of all.

    What is called is what is deployed, with the SET lines that it needs, in as few statements as possible. Exits with 9 if a
    test fails, and prints the command that goes back to what was there before. `udfs apply --verify` does it at once.
    """
    manifest = loaded(options)
    cases = chosen(manifest, functions)
    require_sql(manifest)
    with connected(manifest) as target:
        trials = _run(manifest, target, options, cases)
    if junit:
        write_whole(junit, tried.junit(manifest.manifest.stack, trials).encode())
    if options.as_json:
        print_document(_document(manifest, trials, rolled_back=False))
    else:
        _tell(trials, options)
    if not _has_failed(trials):
        return 0
    if not options.as_json and any(_is_wrong(one) for one in trials):
        note(f"back to what was there before: {_way_back(options)}")
    return TestsFailed.exit_code


@dataclass(frozen=True)
class Verification:
    """What `apply` is to do when it is done."""

    wanted: bool
    rolls_back: bool

    def of(self, manifest: Loaded, target: Target, options: Options, writers: int) -> Verify | None:
        """Return what does it, if it is wanted."""
        if not self.wanted:
            return None
        cases = chosen(manifest, ())
        require_sql(manifest)
        return functools.partial(self._after, manifest, target, options, writers, cases)

    def _after(
        self,
        manifest: Loaded,
        target: Target,
        options: Options,
        writers: int,
        cases: Sequence[tuple[Case, ...]],
        changed: bool,
    ) -> tuple[int, VerifyDocument]:
        if not options.as_json:
            print()
        trials = _run(manifest, target, options, cases)
        if not options.as_json:
            _tell(trials, options)
        rolled_back = False
        if _has_failed(trials) and self.rolls_back and not changed:
            note("this apply changed nothing, so nothing is rolled back")
        elif _has_failed(trials) and self.rolls_back:
            rolled_back = _roll_back(manifest, target, options, writers)
        elif _has_failed(trials) and not options.as_json:
            note(f"back to what was there before: {_way_back(options)}")
        code = TestsFailed.exit_code if _has_failed(trials) else 0
        return code, _document(manifest, trials, rolled_back=rolled_back)


def verify_options(command: Callable[..., R]) -> Callable[..., R]:
    """Add ``--verify`` and ``--rollback-on-failure`` to a command, which gets them as `verification`."""

    @click.option(
        "--verify", is_flag=True, help="Then run the manifest's tests by SQL in the project; exit 9 if one fails."
    )
    @click.option(
        "--rollback-on-failure", is_flag=True, help="With --verify: go back to what was there if a test fails."
    )
    @functools.wraps(command)
    def wrapper(*given: Any, verify: bool, rollback_on_failure: bool, **named: Any) -> R:
        if rollback_on_failure and not verify:
            raise UsageError("E901", "--rollback-on-failure goes with --verify", hint="add --verify")
        return command(*given, verification=Verification(verify, rollback_on_failure), **named)

    return wrapper


def _run(manifest: Loaded, target: Target, options: Options, cases: Sequence[tuple[Case, ...]]) -> list[Trial]:
    """Run tests, and show each as it comes."""
    found: list[Trial] = []
    if not cases:
        return found

    for one in _trials(manifest, target, cases):
        found.append(replace(one, hint=options.invocation.spell(one.hint) or None))
        if not options.as_json:
            print_lines([tried.trial(one)])
            sys.stdout.flush()
    return sorted(found, key=lambda one: (one.case.at.file, one.case.at.line, one.case.at.column))


def _trials(manifest: Loaded, target: Target, cases: Sequence[tuple[Case, ...]]) -> Iterator[Trial]:
    deployed = {one.function.object.name.lower(): one.settings for one in deployment.load_deployed(manifest, target)}
    subjects = []
    for some in cases:
        name = some[0].function
        told = declared_signature(manifest, name)
        signature = told[1] if told else None
        if name.lower() not in deployed:
            yield from verification.fail_absent(some)
        elif told is None or signature is None:
            yield from verification.skip_tests(some, "its signature is not to be seen in the source")
        else:
            subjects.append(verification.SqlSubject(some, told[0].lower(), signature, deployed[name.lower()]))
    querying = require_querying(target)
    yield from verification.run_tests_by_sql(
        subjects, lambda sql, settings: querying.query(sql, settings, "a test"), time.perf_counter
    )


def _tell(trials: Sequence[Trial], options: Options) -> None:
    """Print what went wrong, and the tally."""
    if not trials:
        print("There is no test. Next: add `tests:` to a function of the manifest")
        return
    problems = [tried.failure(one) for one in trials if one.verdict is TrialVerdict.FAILED]
    problems += [tried.unasked(one) for one in trials if one.verdict is TrialVerdict.NOT_RUN]
    if problems:
        print()
        told = as_quoted(options.invocation.complete(dict.fromkeys(problems)))
        print_lines(line for one in told for line in text.problem(one))
    print()
    print_lines([tried.summary(trials)])


def _roll_back(manifest: Loaded, target: Target, options: Options, writers: int) -> bool:
    """Bring the functions back to what they were before the apply; return whether they are."""
    from reconciler.cli.support.confirm import perform

    try:
        reading, made = planning.make_rollback(manifest, target, None)
        if not made.changes:
            note("a rollback would change nothing: what is new stays")
            return False
        if not options.as_json:
            print()
            print_lines(text.plan(made))
        require_allowed(made, allow_deletes=0)
        report = perform(made, reading, target, {}, options, writers)
        if report.error:
            raise report.error
    except UdfsError as error:
        # What brought us here is told by the exit code; this comes on top.
        error.problems = options.invocation.complete(error.problems)
        print_error(error, as_json=False)
        return False
    if not options.as_json:
        print_lines(text.report(report))
        note("the manifest still wants what it wanted: the next apply goes there again, unless it is changed")
    return True


def _has_failed(trials: Sequence[Trial]) -> bool:
    return any(one.verdict is TrialVerdict.FAILED for one in trials)


def _is_wrong(one: Trial) -> bool:
    """Say whether a test failed of what is deployed."""
    return one.verdict is TrialVerdict.FAILED and not isinstance(one.error, verification.FunctionAbsent)


def _way_back(options: Options) -> str:
    return f"udfs rollback{options.arguments()}"


def _document(manifest: Loaded, trials: Sequence[Trial], *, rolled_back: bool) -> VerifyDocument:
    place = planning.destination(manifest)
    return tried.verified(manifest.manifest.stack, place, trials, rolled_back=rolled_back)


__all__ = ["Verification", "verify", "verify_options"]
