"""
Promotion between targets of one manifest, and the verdicts of tests that it goes by.

A verdict is written into the ledger's newest entry, and only if the entry's run is over, nobody applied while the tests ran,
and the object is as that run left it: then it says something of those very bytes.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from reconciler.base.errors import Problem, UdfsError
from reconciler.base.hints import Command
from reconciler.core.plan import needs
from reconciler.core.promotion import Before, find_ahead, problems_of
from reconciler.core.record import Verdict
from reconciler.engine.ledger import KEPT, add_verdicts
from reconciler.targets import adapter_of
from reconciler.testing.verdict import TrialVerdict
from reconciler.workflow.records import LedgerEntries

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from reconciler.core.kind import Key
    from reconciler.core.plan import Plan
    from reconciler.core.record import Reading
    from reconciler.core.target import Target
    from reconciler.manifest.load import Loaded
    from reconciler.testing.trials import Trial
    from reconciler.workflow.preparation import Prepared


def refuse_ahead(plan: Plan, prepared: Prepared, reading: Reading, earlier: Loaded, target: Target) -> list[Problem]:
    """Return a refusal for each object of a plan that `target`, the one before, has not applied or not verified."""
    loaded = prepared.loaded
    promotion = loaded.manifest.promote[loaded.target_name]
    held = target.read()
    before = Before(earlier.target_name, held, LedgerEntries(earlier, target, held.epochs[-KEPT:]))
    tested = frozenset(_tested_keys(loaded)) if promotion.verified else None
    return problems_of(
        list(find_ahead(plan, prepared.desired, reading, before, tested)), promotion.after, verified=promotion.verified
    )


def refuse_unseen(loaded: Loaded, error: UdfsError) -> Problem:
    """Return the refusal where the ledger of the target before could not be read."""
    after = loaded.manifest.promote[loaded.target_name].after
    first = error.problems[0]
    message = (
        f"what {after} holds cannot be seen, and {loaded.target_name} comes after it: {first.code}: {first.message}"
    )
    hint = ("its ledger is read with its own endpoint and credentials: ", Command("history", target=after))
    return loaded.problem("E583", message, "promote", loaded.target_name, hint=hint)


def warn_unchecked(loaded: Loaded) -> Problem:
    """Return the warning of a plan against a dump, for which no target is asked."""
    after = loaded.manifest.promote[loaded.target_name].after
    message = f"{loaded.target_name} comes after {after}, and against a dump it is not looked whether {after} has this"
    return loaded.problem("E584", message, "promote", loaded.target_name, hint="apply looks", severity="warning")


def _tested_keys(loaded: Loaded) -> Iterator[Key]:
    kinds = [kind for kind in adapter_of(loaded).catalog.kinds.values() if kind.leads]
    for name, function in loaded.manifest.functions.items():
        if any(test.verify for test in function.tests):
            yield from (kind.key(name) for kind in kinds)


def write_verdicts(
    loaded: Loaded, target: Target, before: Reading, trials: Sequence[Trial], who: str
) -> tuple[str, ...]:
    """
    Write down what came of the tests of each function, and return of which not, and why.

    `before` is what the project held when the tests began. That a verdict could not be written is no failure of the tests.
    """
    try:
        now = target.read()
        last = now.last
        if last is None:
            return ()  # nothing was ever applied, so there is nothing to hold a verdict on
        if last.outcome == "running" or before.last is None or before.last.epoch != last.epoch:
            return ("the verdicts are not in the ledger: somebody applied meanwhile",)
        when = target.store.now().replace(microsecond=0)
        verdicts = dict(_verdicts(loaded, trials, when, who))
        strangers = [key for key in verdicts if not all(_is_as_left(key, reading) for reading in (before, now))]
        if verdicts.keys() - strangers:
            fitting = [verdict for key, verdict in verdicts.items() if key not in strangers]
            add_verdicts(target.store, last, fitting, target.catalog.kinds)
    except UdfsError as error:
        first = error.problems[0]
        return (f"the verdicts are not in the ledger: {first.code}: {first.message}",)
    why = "is not as the last apply left it, so no verdict on it is in the ledger"
    return tuple(f"{key} {why}" for key in strangers)


def _verdicts(loaded: Loaded, trials: Iterable[Trial], when: datetime, who: str) -> Iterator[tuple[Key, Verdict]]:
    """Yield what came of each function that has tests which ran, or should have."""
    kind = next(kind for kind in adapter_of(loaded).catalog.kinds.values() if kind.leads)
    counted: dict[Key, Counter[TrialVerdict]] = {}
    for trial in trials:
        counted.setdefault(kind.key(trial.case.function), Counter())[trial.verdict] += 1
    for key, counts in counted.items():
        passed, failed, not_run = (counts[v] for v in (TrialVerdict.PASSED, TrialVerdict.FAILED, TrialVerdict.NOT_RUN))
        if passed or failed or not_run:
            yield key, Verdict(key.kind, key.folded, passed, failed, not_run, when, who)


def _is_as_left(key: Key, reading: Reading) -> bool:
    """Say whether an object and what it needs are as the newest apply left them."""
    live = reading.live.get(key)
    if live is None or not reading.is_as_applied(key):
        return False
    # What is not in the stack's own entry another stack manages.
    return all(
        need in reading.live
        and (reading.last is None or need not in reading.last.objects or reading.is_as_applied(need))
        for need in needs(live.object)
    )
