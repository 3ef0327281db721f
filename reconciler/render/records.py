"""Records for people: deployed functions, the applies of the past, and what came of each step."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from reconciler.base.errors import count
from reconciler.base.words import moment, safe
from reconciler.render.actions import ACTIONS
from reconciler.render.folding import TOGETHER, is_folded, some_names, step_groups

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from reconciler.core.record import Entry, Verdict
    from reconciler.core.report import Deployed
    from reconciler.core.state import Live
    from reconciler.render.folding import View
    from reconciler.render.styled import Line


def function_lines(functions: Sequence[Deployed], view: View = "auto") -> Iterator[Line]:
    """Yield functions with their resources and the SET lines that SQL needs; what is alike together, if it is much."""
    lines = sum(1 + len(function.resources) + len(function.settings) for function in functions)
    if is_folded(lines, view):
        yield from _folded_functions(functions)
    else:
        yield from _single_functions(functions)


def _folded_functions(functions: Sequence[Deployed]) -> Iterator[Line]:
    users = Counter(resource.object.key for function in functions for resource in function.resources)
    alike: dict[tuple[tuple[str, ...], int, tuple[tuple[str, str], ...]], list[Deployed]] = {}
    single: list[Deployed] = []
    for function in functions:
        if function.absent or function.function.object.kind.elsewhere(function.function.object):
            single.append(function)
            continue
        shared = tuple(live.object.name for live in function.resources if users[live.object.key] > 1)
        own = len(function.resources) - len(shared)
        alike.setdefault((shared, own, function.settings), []).append(function)
    for (shared, own, settings), members in alike.items():
        name = members[0].function.object.kind.name
        yield (
            ("name", count(len(members), name)),
            ("", f", each with {count(own, 'resource')} of its own" if own else ""),
        )
        yield (("", f"  {some_names([each.function.object.name for each in members])}"),)
        if shared:
            yield (("", f"  with {some_names(shared)}"),)
        for setting, value in settings:
            yield (("help", f"  SET {setting}={value};"),)
    yield from _single_functions(single)
    yield (("quiet", TOGETHER),)


def _single_functions(functions: Iterable[Deployed]) -> Iterator[Line]:
    for index, function in enumerate(functions):
        obj = function.function.object
        if index:
            yield ()
        pieces = "".join(f"  {label} {safe(words)}" for label, words in obj.kind.show(obj))
        yield ("name", safe(obj.name)), ("", pieces), ("quiet", _creation(function.function))
        if function.description:
            yield (("", f"  {safe(function.description)}"),)
        for resource in function.resources:
            yield ("", f"  {_resource(resource)}"), ("quiet", _last_change(resource))
        for reference in obj.kind.elsewhere(obj):
            yield (("warning", f"  other    {safe(reference)}, which lies elsewhere and was not looked at"),)
        for ref in function.absent:
            yield (("warning", f"  missing  {safe(ref)}"),)
        for name, value in function.settings:
            yield (("help", f"  SET {name}={value};"),)


def history_lines(entries: Iterable[Entry], now: datetime) -> Iterator[Line]:
    """Yield one line a run, the newest first."""
    runs = list(entries)
    if not runs:
        yield (("", "The ledger is empty: this stack was never applied here"),)
    for entry in runs:
        yield (
            ("name", f"{entry.epoch:>5}  "),
            ("", f"{moment(entry.started)}  "),
            (_STANDINGS.get(standing(entry, now), "warning"), f"{standing(entry, now):<12}"),
            ("", f"{outcomes_text(entry):<18}  "),
            ("quiet", safe(str(entry.holder))),
            *_verdict_tally(entry),
        )


def _verdict_tally(entry: Entry) -> Iterator[tuple[str, str]]:
    """Yield how many functions passed their tests since, if any ran."""
    if entry.verdicts:
        passed = sum(verdict.has_passed for verdict in entry.verdicts)
        is_whole = passed == len(entry.verdicts)
        of_all = str(passed) if is_whole else f"{passed} of {len(entry.verdicts)}"
        yield ("create" if is_whole else "error", f"  {of_all} verified")


def run_lines(entry: Entry, now: datetime, view: View = "auto") -> Iterator[Line]:
    """Yield one run: who, when, every step with its outcome, and how much was managed afterwards."""
    yield ("name", f"{run_title(entry)}: "), ("", standing(entry, now))
    for label, words in run_facts(entry):
        yield (("", f"  {label:<7} {words}"),)
    for verdict, words in verdict_sentences(entry):
        yield (
            ("create" if verdict.has_passed else "error", f"  tests   {words}"),
            ("quiet", f"  {moment(verdict.when)} by {safe(verdict.who)}"),
        )
    yield ()
    steps = [(f"{step.outcome:<10}{step.action:<7}", step.kind, step.name) for step in entry.steps]
    yield from step_lines(steps, 18, view)
    yield (("name", f"{count(len(entry.objects), 'object')} managed"),)


def run_title(entry: Entry) -> str:
    """Return which run of which stack that was."""
    return f"Epoch {entry.epoch} of stack {safe(entry.stack)}"


def run_facts(entry: Entry) -> Iterator[tuple[str, str]]:
    """Yield who applied, when and what, each with a label."""
    yield "by", safe(str(entry.holder))
    yield "from", f"{moment(entry.started)} to {moment(entry.expires)}"
    yield "digest", f"sha256:{entry.digest}"
    if entry.back_to:
        yield "goal", f"back to epoch {entry.back_to}"
    for finding in entry.allowed:
        yield "allowed", safe(finding)
    if entry.ended_by:
        yield "ended", f"by {safe(str(entry.ended_by))}"


def verdict_sentences(entry: Entry) -> Iterator[tuple[Verdict, str]]:
    """Yield what came of the tests of each function since, in words."""
    for verdict in entry.verdicts:
        tests = f"{verdict.passed} passed, {verdict.failed} failed, {verdict.not_run} not run"
        yield verdict, f"of {verdict.kind} {safe(verdict.name)}: {tests}"


def standing(entry: Entry, now: datetime) -> str:
    """Return what came of a run, in a word or two: a run whose lease ran out without a word was cut off."""
    if entry.outcome == "running":
        return "running" if entry.is_held(now) else "cut off"
    return entry.outcome


_STANDINGS = {"committed": "create", "running": "update", "failed": "error"}


def outcomes_text(entry: Entry) -> str:
    """Return what came of the steps of a run: ``+3 ~1, 2 not done``."""
    if unknown := sum(step.outcome == "unknown" for step in entry.steps):
        return f"{unknown} not known"
    finished = [step for step in entry.steps if step.outcome == "done"]
    counts = " ".join(
        f"{words.sign}{number}"
        for action, words in ACTIONS.items()
        if (number := sum(step.action == action.value for step in finished))
    )
    undone = len(entry.steps) - len(finished)
    back = f", back to {entry.back_to}" if entry.back_to else ""
    allowed = f", {count(len(entry.allowed), 'finding')} allowed" if entry.allowed else ""
    return f"{counts or '0'}{f', {undone} not done' if undone else ''}{back}{allowed}"


def step_lines(steps: Sequence[tuple[str, str, str]], width: int, view: View = "auto") -> Iterator[Line]:
    """Yield what came of each object, or of all that are alike: outcome, kind and name."""
    shown = [(outcome, f"{kind} {safe(name)}") for outcome, kind, name in steps]
    if is_folded(len(steps), view):
        shown = step_groups(steps, _FAILED)
    for outcome, objects in shown:
        style = "error" if outcome.startswith(_FAILED) else "quiet" if outcome.startswith(_UNDONE) else "create"
        yield (style, f"  {outcome:<{width}}"), ("", objects)


_FAILED = "failed"
_UNDONE = ("not tried", "planned", "unknown")


def _creation(live: Live) -> str:
    when = f", created {moment(live.created)}" if live.created else ""
    return f"{when}{f' by {safe(live.owner)}' if live.owner else ''}"


def _resource(live: Live) -> str:
    (_, first), *others = live.object.kind.show(live.object)
    return f"{first:<8} {', '.join([safe(live.object.name), *(safe(words) for _, words in others)])}"


def _last_change(live: Live) -> str:
    when = f", {moment(live.modified)}" if live.modified else ""
    return f"{when}{f' by {safe(live.updater)}' if live.updater else ''}"
