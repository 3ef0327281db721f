"""
Text for people: lines made of styled pieces.

A line is a tuple of ``(style, text)``. Styles are words of `STYLES`; the terminal turns them into colours, everything
else drops them. Every piece of text that came from the service goes through `safe`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from reconciler.base.errors import count
from reconciler.base.invocation import AS_IT_IS
from reconciler.base.words import moment, safe, size
from reconciler.core.diff import Action, Cause, explain_list
from reconciler.core.drift import Deviation
from reconciler.core.plan import upload_size
from reconciler.core.report import Outcome
from reconciler.render.styled import problems_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from reconciler.base.errors import Problem
    from reconciler.base.invocation import Invocation
    from reconciler.core.diff import Change
    from reconciler.core.drift import Drift
    from reconciler.core.kind import Difference
    from reconciler.core.plan import Plan
    from reconciler.core.record import Entry
    from reconciler.core.report import Deployed, Report
    from reconciler.core.state import Live
    from reconciler.render.styled import Line


class _Words(NamedTuple):
    """How people are told of an action."""

    sign: str
    verb: str
    past: str


_WORDS = {
    Action.CREATE: _Words("+", "create", "created"),
    Action.UPDATE: _Words("~", "update", "changed"),
    Action.DELETE: _Words("-", "delete", "deleted"),
    Action.ADOPT: _Words("=", "adopt", "adopted"),
    Action.RELEASE: _Words("=", "disown", "disowned"),
    Action.RECORD: _Words("=", "record", "noted"),
}
_VERSION = re.compile(r"__([0-9a-f]{8})(?=\.)")


def plan_lines(plan: Plan, *, command: str | None = None, refusals: Iterable[Problem] = ()) -> Iterator[Line]:
    """Yield a plan: where it goes, one sentence an object, `refusals`, the summary, and `command` as the next step."""
    yield (("", f"Stack {plan.stack} → {plan.destination}"),)
    if plan.from_dump:
        yield (("warning", "Made against a dump: the project itself was not looked at"),)
    yield ()
    for change in plan.changes:
        yield from _change(change)
    for change in plan.shared:
        assert change.live is not None
        holder = change.live.mark.stack if change.live.mark else "?"
        yield (
            ("quiet", "  . "),
            ("name", _object_name(change)),
            ("", f" is shared: stack {holder} manages it"),
            ("quiet", _origin(change)),
        )
    if plan.changes or plan.shared:
        yield ()
    if lines := list(problems_lines(refusals)):
        yield from lines
        yield ()
    yield (("name", plan_summary(plan)),)
    if plan.changes and not plan.refusals:
        yield (("quiet", f"Digest: sha256:{plan.digest}"),)
    if command:
        yield ("help", f"{next_step(plan)}: "), ("", command)


def next_step(plan: Plan) -> str:
    """Return what the command is called that comes next: an apply that would be refused now has to wait."""
    return "Next, when the time of rest is over" if any(warning.code == "E537" for warning in plan.warnings) else "Next"


def plan_summary(plan: Plan) -> str:
    """Return the one line that counts."""
    upload = f" · {size(plan.upload_bytes)} to upload" if plan.upload_bytes else ""
    old = f" · {count(plan.superseded, 'old version')} kept" if plan.superseded else ""
    foreign = f" · {count(plan.foreign, 'object')} of others left alone" if plan.foreign else ""
    if not plan.changes:
        refused = ", but the plan is refused" if plan.refusals else ""
        return f"Nothing to do: {count(len(plan.unchanged), 'object')} as the manifest says{refused}{old}{foreign}"
    head = "Plan refused" if plan.refusals else "Plan"
    if plan.counts.keys() & {Action.ADOPT, Action.RELEASE}:  # by commands that do nothing else
        parts = [f"{number} to {words.verb}" for action, words in _WORDS.items() if (number := plan.counts.get(action))]
        return f"{head}: {', '.join(parts)}{upload}"
    parts = [
        f"{plan.counts.get(action, 0)} to {action.value}" for action in (Action.CREATE, Action.UPDATE, Action.DELETE)
    ]
    if records := plan.counts.get(Action.RECORD):
        parts.append(f"{records} to note")
    return f"{head}: {', '.join(parts)}, {len(plan.unchanged)} unchanged{upload}{old}{foreign}"


def drift_lines(
    drift: Drift, plan: Plan, command: str | None = None, invocation: Invocation = AS_IT_IS
) -> Iterator[Line]:
    """Yield what was changed outside, and who did it; `plan` is the plan for the same reading, `command` the next step."""
    yield (("", f"Stack {plan.stack} in {plan.destination}"),)
    yield ()
    for deviation in drift.drifted:
        sign, style = ("-", "delete") if deviation.kind is Deviation.DELETED else ("~", "update")
        yield (
            (style, f"  {sign} "),
            ("name", f"{deviation.key.kind} {safe(deviation.key.name)}"),
            ("", f" {safe(deviation.sentence)}"),
            ("quiet", f"  {safe(str(deviation.origin))}"),
        )
        yield from _differences([difference.turned for difference in deviation.differences])
        if deviation.kind is Deviation.TAKEN:
            # No plan brings it back.
            yield ("help", "      help: "), ("", safe(invocation.spell(deviation.problem.hint)))
    if drift.drifted:
        yield ()
    yield (("name", drift_summary(drift)),)
    if command:
        yield ("help", "Next: "), ("", command)


def drift_summary(drift: Drift) -> str:
    """Return the one line that counts."""
    waiting = f" · {count(drift.waiting, 'change')} of the manifest not applied yet" if drift.waiting else ""
    if not drift.drifted:
        return f"No drift: {count(drift.unchanged, 'object')} as the manifest says{waiting}"
    drifted = count(len(drift.drifted), "object")
    return f"Drift: {drifted} changed outside, {drift.unchanged} as the manifest says{waiting}"


def report_lines(report: Report, heading: str = "") -> Iterator[Line]:
    """Yield what an apply did; object by object when it did not get through. `heading` says where, if that is not plain."""
    if report.complete:
        yield (("name", safe(heading) + report_tally(report)),)
        return
    styles = {Outcome.DONE: "create", Outcome.FAILED: "error", Outcome.NOT_TRIED: "quiet"}
    for change, outcome in report.outcomes:
        word = _WORDS[change.action].past if outcome is Outcome.DONE else f"{outcome.value} ({change.action.value})"
        yield (styles[outcome], f"  {word:<20}"), ("", safe(str(change.key)))
    yield (("name", f"{safe(heading)}{'Interrupted' if report.interrupted else 'Stopped'}: {report_tally(report)}"),)


def finished_line(change: Change) -> Line:
    """Return the line that says that one change is made."""
    return (
        (change.action.value, f"  {_WORDS[change.action].past} "),
        ("", safe(str(change.key))),
        ("quiet", f" ({size(sent)})" if (sent := upload_size(change)) else ""),
    )


def function_lines(functions: Iterable[Deployed]) -> Iterator[Line]:
    """Yield functions with their resources and the SET lines that SQL needs."""
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
            ("", f"{_outcomes(entry):<20}"),
            ("quiet", safe(str(entry.holder))),
        )


def run_lines(entry: Entry, now: datetime) -> Iterator[Line]:
    """Yield one run: who, when, every step with its outcome, and how much was managed afterwards."""
    yield ("name", f"Epoch {entry.epoch} of stack {entry.stack}: "), ("", standing(entry, now))
    yield (("", f"  by      {safe(str(entry.holder))}"),)
    yield (("", f"  from    {moment(entry.started)} to {moment(entry.expires)}"),)
    yield (("", f"  digest  sha256:{entry.digest}"),)
    if entry.back_to:
        yield (("", f"  goal    back to epoch {entry.back_to}"),)
    if entry.ended_by:
        yield (("", f"  ended   by {safe(str(entry.ended_by))}"),)
    yield ()
    for step in entry.steps:
        style = "create" if step.outcome == "done" else "error" if step.outcome == "failed" else "quiet"
        yield (style, f"  {step.outcome:<10}"), ("", f"{step.action:<7} {step.kind} {safe(step.name)}")
    yield (("name", f"{count(len(entry.objects), 'object')} managed"),)


def standing(entry: Entry, now: datetime) -> str:
    """Return what came of a run, in a word or two: a run whose lease ran out without a word was cut off."""
    if entry.outcome == "running":
        return "running" if entry.is_held(now) else "cut off"
    return entry.outcome


_STANDINGS = {"committed": "create", "running": "update", "failed": "error"}


def _outcomes(entry: Entry) -> str:
    if unknown := sum(step.outcome == "unknown" for step in entry.steps):
        return f"{unknown} not known"
    finished = [step for step in entry.steps if step.outcome == "done"]
    counts = " ".join(
        f"{words.sign}{number}"
        for action, words in _WORDS.items()
        if (number := sum(step.action == action.value for step in finished))
    )
    undone = len(entry.steps) - len(finished)
    back = f", back to {entry.back_to}" if entry.back_to else ""
    return f"{counts or '0'}{f', {undone} not done' if undone else ''}{back}"


def change_sign(change: Change) -> str:
    """Return the one character that says what is done to an object."""
    return _WORDS[change.action].sign


def change_sentence(change: Change) -> str:
    """Return what is done to an object and why, as the rest of a sentence that begins with the object."""
    return f"will be {_WORDS[change.action].past}: {_reason(change)}"


def _change(change: Change) -> Iterator[Line]:
    style = change.action.value
    yield (
        (style, f"  {change_sign(change)} "),
        ("name", _object_name(change)),
        ("", f" {change_sentence(change)}"),
        ("quiet", _origin(change)),
    )
    if change.action is Action.ADOPT and change.differences:
        yield (("quiet", "      what differs from the manifest is left to the next plan:"),)
    yield from _differences(change.differences)


def _reason(change: Change) -> str:
    if change.action is Action.ADOPT:
        return f"it stays as it is{_owner(change)}{_upload_again(change, 'with the mark')}"
    if change.action is Action.RELEASE:
        return f"it stays as it is{_upload_again(change, 'without the mark')}"
    if change.action is Action.RECORD:
        return "it is protected from now on" if change.differences[0].new == "yes" else "it is no longer protected"
    if change.cause in _CAUSES:
        return _CAUSES[change.cause]
    if change.cause is Cause.MOVED and change.action is Action.DELETE:
        return f"it is called {safe(change.differences[0].new)} now"
    if change.cause is Cause.MANIFEST and _switch(change.differences):
        return "its code changed"
    upload = f"; {size(upload_size(change))} to upload" if upload_size(change) else ""
    return f"{_cause(change)}{upload}"


_CAUSES = {
    Cause.REMOVED: "it is no longer in the manifest",
    Cause.DESTROYED: "the stack is destroyed",
    Cause.ROLLED_BACK: "it goes back to what it was",
    Cause.SUPERSEDED: "nothing lists it any more",
}
"""Causes that nothing has to be added to."""


def _cause(change: Change) -> str:
    """Return why an object is written."""
    match change.cause:
        case Cause.NEW:
            return f"it is new{_brief(change)}"
        case Cause.MISSING:
            return "it was deleted outside, or its creation was cut off"
        case Cause.UNRECORDED:
            last = f"; last changed{_author(change)}" if change.kind.tells_updater else ""
            return f"it is marked as this stack's, but no apply on record made it{last}"
        case Cause.MOVED:
            return f"it was called {safe(change.differences[0].old)}"
        case Cause.MANIFEST:
            return _manifest_cause(change)
        case Cause.OUTSIDE:
            return f"it was changed outside{_author(change)} and is restored"
        case Cause.BOTH:
            return f"{_manifest_cause(change)}, and it was changed outside too{_author(change)}"
        case _ if [difference.field for difference in change.differences] == ["marker"]:
            return f"it {change.differences[0].new}"
        case _:
            return "it differs from the manifest"


def _manifest_cause(change: Change) -> str:
    # Not "its file": of a module, what is added behind the file may be all that changed.
    if change.action is Action.CREATE:
        return "its content changed"
    # Not "changed" either: what was adopted as it was differs though nobody touched the manifest.
    is_content = any(difference.field == "content" for difference in change.differences)
    return f"the manifest wants {'other content' if is_content else 'it otherwise'}"


def _upload_again(change: Change, how: str) -> str:
    """Return that the bytes of a resource travel though they stay."""
    # Its comment, which holds the mark, is written only with its content.
    return f"; its {size(sent)} are sent again, {how}" if (sent := upload_size(change)) else ""


def _brief(change: Change) -> str:
    brief, others = change.kind.brief(change.object), from_elsewhere(change)
    return (f", {brief}" if brief else "") + (f", from elsewhere: {', '.join(others)}" if others else "")


def from_elsewhere(change: Change) -> list[str]:
    """Return what an object is to rely on outside of the destination: nobody here knows what is in it."""
    return [safe(other) for other in change.kind.elsewhere(change.desired.object)] if change.desired else []


def _owner(change: Change) -> str:
    """Return who has an object that is to be taken over, as far as the service tells."""
    assert change.live is not None
    owner = f", owner {safe(change.live.owner)}" if change.live.owner else ""
    if not change.kind.tells_updater:
        return owner + (f", created {moment(change.live.created)}" if change.live.created else "")
    return owner + (f", last changed{_author(change)}" if change.live.updater or change.live.modified else "")


def _author(change: Change) -> str:
    if change.live is None:
        return ""
    if not change.kind.tells_updater:
        return f" (the service does not tell who changes {change.key.kind}s)"
    who = f" by {safe(change.live.updater)}" if change.live.updater else ""
    when = f" on {moment(change.live.modified)}" if change.live.modified else ""
    return who + when


def _differences(differences: Sequence[Difference]) -> Iterator[Line]:
    for field, description in difference_texts(differences):
        yield (("", f"      {field:<10} {description}"),)


def difference_texts(differences: Sequence[Difference]) -> Iterator[tuple[str, str]]:
    """Yield each field that differs, with what it was and will be; or the version, if nothing else moves."""
    if switch := _switch(differences):
        yield "version", f"{switch[0]} → {switch[1]}"
        return
    for difference in differences:
        if difference.field not in {"marker", "name", "protect"}:
            yield difference.field, _difference(difference)


def _switch(differences: Sequence[Difference]) -> tuple[str, str] | None:
    """Return the digests of two versions if an object moves from the one to the other, and is else as it was."""
    unversioned = [(_VERSION.sub("", difference.old), _VERSION.sub("", difference.new)) for difference in differences]
    if [difference.form for difference in differences] != ["text", "list"] or any(
        old != new for old, new in unversioned
    ):
        return None
    old, new = _VERSION.search(differences[0].old), _VERSION.search(differences[0].new)
    return (old[1], new[1]) if old and new else None


def _difference(difference: Difference) -> str:
    old, new = difference.old, difference.new
    if difference.form == "list":
        words = explain_list(tuple(old.split(", ")) if old else (), tuple(new.split(", ")) if new else ())
        moves = [*(f"- {name}" for name in words["removed"]), *(f"+ {name}" for name in words["added"])]
        return safe(", ".join(moves)) if moves else f"in another order: {safe(new)}"
    if difference.form == "quoted":
        return f"{safe(old)!r} → {safe(new)!r}"
    return f"{_shorten_digests(safe(old)) or '(none)'} → {_shorten_digests(safe(new)) or '(none)'}"


def _shorten_digests(text: str) -> str:
    # People tell digests apart by eight digits; documents keep them whole.
    return re.sub(r"\b([0-9a-f]{8})[0-9a-f]{24,}\b", r"\1…", text)


def _object_name(change: Change) -> str:
    return f"{change.key.kind} {safe(change.key.name)}"


def _origin(change: Change) -> str:
    if change.desired is None or change.action is Action.RELEASE:
        return ""  # what goes has no place in the manifest any more
    return f"  {safe(str(change.desired.origin))}"


def report_tally(report: Report) -> str:
    counts = [
        f"{sum(change.action is action for change in report.done)} {words.past}"
        for action, words in _WORDS.items()
        if any(change.action is action for change, _ in report.outcomes)
    ]
    undone = len(report.outcomes) - len(report.done)
    return ", ".join(counts) + (f", {undone} not done" if undone else "")


def _creation(live: Live) -> str:
    when = f", created {moment(live.created)}" if live.created else ""
    return f"{when}{f' by {safe(live.owner)}' if live.owner else ''}"


def _resource(live: Live) -> str:
    (_, first), *others = live.object.kind.show(live.object)
    return f"{first:<8} {', '.join([safe(live.object.name), *(safe(words) for _, words in others)])}"


def _last_change(live: Live) -> str:
    when = f", {moment(live.modified)}" if live.modified else ""
    return f"{when}{f' by {safe(live.updater)}' if live.updater else ''}"
