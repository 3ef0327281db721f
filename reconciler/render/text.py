"""
What a person reads: lines made of styled pieces.

A line is a tuple of ``(style, text)``. Styles are words of `STYLES`; the terminal turns them into colours, everything
else drops them. Every piece of text that came from the service goes through `safe`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reconciler.base.errors import count
from reconciler.base.invocation import AS_IT_IS
from reconciler.base.words import moment, safe, size
from reconciler.core.diff import Action, Cause, explain_list
from reconciler.core.drift import Deviation
from reconciler.core.plan import uploaded
from reconciler.core.report import Outcome
from reconciler.render.styled import problems

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

_SIGNS = {
    Action.CREATE: "+",
    Action.UPDATE: "~",
    Action.DELETE: "-",
    Action.ADOPT: "=",
    Action.RELEASE: "=",
    Action.RECORD: "=",
}
_VERBS = {Action.ADOPT: "adopt", Action.RELEASE: "disown"}
"""What only `udfs adopt` and `udfs disown` do."""

_VERSION = re.compile(r"__([0-9a-f]{8})(?=\.)")
_PASSIVE = {
    Action.CREATE: "will be created",
    Action.UPDATE: "will be changed",
    Action.DELETE: "will be deleted",
    Action.ADOPT: "will be adopted",
    Action.RELEASE: "will be disowned",
    Action.RECORD: "will be noted",
}
_PAST = {
    Action.CREATE: "created",
    Action.UPDATE: "changed",
    Action.DELETE: "deleted",
    Action.ADOPT: "adopted",
    Action.RELEASE: "disowned",
    Action.RECORD: "noted",
}


def plan(made: Plan, *, command: str | None = None, refusals: Iterable[Problem] = ()) -> Iterator[Line]:
    """Yield a plan: where it goes, one sentence an object, `refusals`, the summary, and `command` as the next step."""
    yield (("", f"Stack {made.stack} → {made.destination}"),)
    if made.from_dump:
        yield (("warning", "Made against a dump: the project itself was not looked at"),)
    yield ()
    for change in made.changes:
        yield from _change(change)
    for change in made.shared:
        assert change.live is not None
        holder = change.live.mark.stack if change.live.mark else "?"
        yield (
            ("quiet", "  . "),
            ("name", _name(change)),
            ("", f" is shared: stack {holder} manages it"),
            ("quiet", _origin(change)),
        )
    if made.changes or made.shared:
        yield ()
    if told := list(problems(refusals)):
        yield from told
        yield ()
    yield (("name", summary(made)),)
    if made.changes and not made.refusals:
        yield (("quiet", f"Digest: sha256:{made.digest}"),)
    if command:
        yield ("help", f"{next_step(made)}: "), ("", command)


def next_step(made: Plan) -> str:
    """Return what the command is called that comes next: an apply that would be refused now has to wait."""
    return "Next, when the time of rest is over" if any(one.code == "E537" for one in made.warnings) else "Next"


def summary(made: Plan) -> str:
    """Return the one line that counts."""
    upload = f" · {size(made.upload_bytes)} to upload" if made.upload_bytes else ""
    old = f" · {count(made.superseded, 'old version')} kept" if made.superseded else ""
    foreign = f" · {count(made.foreign, 'object')} of others left alone" if made.foreign else ""
    if not made.changes:
        refused = ", but the plan is refused" if made.refusals else ""
        return f"Nothing to do: {count(len(made.unchanged), 'object')} as the manifest says{refused}{old}{foreign}"
    head = "Plan refused" if made.refusals else "Plan"
    if made.counts.keys() & _VERBS.keys():
        parts = [f"{n} to {_VERBS.get(action, action.value)}" for action in _SIGNS if (n := made.counts.get(action))]
        return f"{head}: {', '.join(parts)}{upload}"
    parts = [
        f"{made.counts.get(action, 0)} to {action.value}" for action in (Action.CREATE, Action.UPDATE, Action.DELETE)
    ]
    if noted := made.counts.get(Action.RECORD):
        parts.append(f"{noted} to note")
    return f"{head}: {', '.join(parts)}, {len(made.unchanged)} unchanged{upload}{old}{foreign}"


def drift(found: Drift, made: Plan, command: str | None = None, invocation: Invocation = AS_IT_IS) -> Iterator[Line]:
    """Yield what was changed outside, and who did it; `made` is the plan for the same reading, `command` the next step."""
    yield (("", f"Stack {made.stack} in {made.destination}"),)
    yield ()
    for one in found.drifted:
        sign, style = ("-", "delete") if one.kind is Deviation.DELETED else ("~", "update")
        yield (
            (style, f"  {sign} "),
            ("name", f"{one.key.kind} {safe(one.key.name)}"),
            ("", f" {safe(one.told)}"),
            ("quiet", f"  {safe(str(one.origin))}"),
        )
        yield from _differences([difference.turned for difference in one.differences])
        if one.kind is Deviation.TAKEN:
            # No plan brings it back.
            yield ("help", "      help: "), ("", safe(invocation.spell(one.problem.hint)))
    if found.drifted:
        yield ()
    yield (("name", drift_summary(found)),)
    if command:
        yield ("help", "Next: "), ("", command)


def drift_summary(found: Drift) -> str:
    """Return the one line that counts."""
    waiting = f" · {count(found.waiting, 'change')} of the manifest not applied yet" if found.waiting else ""
    if not found.drifted:
        return f"No drift: {count(found.unchanged, 'object')} as the manifest says{waiting}"
    drifted = count(len(found.drifted), "object")
    return f"Drift: {drifted} changed outside, {found.unchanged} as the manifest says{waiting}"


def report(done: Report, heading: str = "") -> Iterator[Line]:
    """Yield what an apply did; object by object when it did not get through. `heading` says where, if that is not plain."""
    if done.complete:
        yield (("name", safe(heading) + tally(done)),)
        return
    styles = {Outcome.DONE: "create", Outcome.FAILED: "error", Outcome.NOT_TRIED: "quiet"}
    for change, outcome in done.outcomes:
        word = _PAST[change.action] if outcome is Outcome.DONE else f"{outcome.value} ({change.action.value})"
        yield (styles[outcome], f"  {word:<20}"), ("", safe(str(change.key)))
    yield (("name", f"{safe(heading)}{'Interrupted' if done.interrupted else 'Stopped'}: {tally(done)}"),)


def finished(change: Change) -> Line:
    """Return the line that says that one change is made."""
    return (
        (change.action.value, f"  {_PAST[change.action]} "),
        ("", safe(str(change.key))),
        ("quiet", f" ({size(sent)})" if (sent := uploaded(change)) else ""),
    )


def functions(found: Iterable[Deployed]) -> Iterator[Line]:
    """Yield functions with their resources and the SET lines that SQL needs."""
    for index, one in enumerate(found):
        obj = one.function.object
        if index:
            yield ()
        told = "".join(f"  {label} {safe(words)}" for label, words in obj.kind.show(obj))
        yield ("name", safe(obj.name)), ("", told), ("quiet", _created(one.function))
        if one.description:
            yield (("", f"  {safe(one.description)}"),)
        for resource in one.resources:
            yield ("", f"  {_listed(resource)}"), ("quiet", _touched(resource))
        for other in obj.kind.elsewhere(obj):
            yield (("warning", f"  other    {safe(other)}, which lies elsewhere and was not looked at"),)
        for ref in one.absent:
            yield (("warning", f"  missing  {safe(ref)}"),)
        for name, value in one.settings:
            yield (("help", f"  SET {name}={value};"),)


def history(entries: Iterable[Entry], now: datetime) -> Iterator[Line]:
    """Yield one line a run, the newest first."""
    found = list(entries)
    if not found:
        yield (("", "The ledger is empty: this stack was never applied here"),)
    for entry in found:
        yield (
            ("name", f"{entry.epoch:>5}  "),
            ("", f"{moment(entry.started)}  "),
            (_STANDINGS.get(standing(entry, now), "warning"), f"{standing(entry, now):<12}"),
            ("", f"{_tallied(entry):<20}"),
            ("quiet", safe(str(entry.holder))),
        )


def run(entry: Entry, now: datetime) -> Iterator[Line]:
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


def _tallied(entry: Entry) -> str:
    if unknown := sum(step.outcome == "unknown" for step in entry.steps):
        return f"{unknown} not known"
    done = [step for step in entry.steps if step.outcome == "done"]
    signs = [(sign, action.value) for action, sign in _SIGNS.items()]
    told = " ".join(f"{sign}{n}" for sign, action in signs if (n := sum(step.action == action for step in done)))
    left = len(entry.steps) - len(done)
    back = f", back to {entry.back_to}" if entry.back_to else ""
    return f"{told or '0'}{f', {left} not done' if left else ''}{back}"


def sign(change: Change) -> str:
    """Return the one character that says what is done to an object."""
    return _SIGNS[change.action]


def sentence(change: Change) -> str:
    """Return what is done to an object and why, as the rest of a sentence that begins with the object."""
    return f"{_PASSIVE[change.action]}: {_reason(change)}"


def _change(change: Change) -> Iterator[Line]:
    style = change.action.value
    yield (
        (style, f"  {sign(change)} "),
        ("name", _name(change)),
        ("", f" {sentence(change)}"),
        ("quiet", _origin(change)),
    )
    if change.action is Action.ADOPT and change.differences:
        yield (("quiet", "      what differs from the manifest is left to the next plan:"),)
    yield from _differences(change.differences)


def _reason(change: Change) -> str:
    sent = f"; {size(uploaded(change))} to upload" if uploaded(change) else ""
    if change.action is Action.ADOPT:
        return f"it stays as it is{_whose(change)}{_resent(change, 'with the mark')}"
    if change.action is Action.RELEASE:
        return f"it stays as it is{_resent(change, 'without the mark')}"
    if change.action is Action.RECORD:
        return "it is protected from now on" if change.differences[0].new == "yes" else "it is no longer protected"
    match change.cause:
        case Cause.NEW:
            return f"it is new{_what(change)}{sent}"
        case Cause.MISSING:
            return f"it was deleted outside, or its creation was cut off{sent}"
        case Cause.REMOVED:
            return "it is no longer in the manifest"
        case Cause.UNRECORDED:
            last = f"; last changed{_by(change)}" if change.kind.tells_updater else ""
            return f"it is marked as this stack's, but no apply on record made it{last}{sent}"
        case Cause.MOVED if change.action is Action.DELETE:
            return f"it is called {safe(change.differences[0].new)} now"
        case Cause.MOVED:
            return f"it was called {safe(change.differences[0].old)}{sent}"
        case Cause.DESTROYED:
            return "the stack is destroyed"
        case Cause.ROLLED_BACK:
            return "it goes back to what it was"
        case Cause.SUPERSEDED:
            return "no function lists it any more"
        case Cause.MANIFEST if _switch(change.differences):
            return "its code changed"
        case Cause.MANIFEST:
            return f"{_moved(change)}{sent}"
        case Cause.OUTSIDE:
            return f"it was changed outside{_by(change)} and is restored{sent}"
        case Cause.BOTH:
            return f"{_moved(change)}, and it was changed outside too{_by(change)}{sent}"
        case _ if [found.field for found in change.differences] == ["marker"]:
            return f"it {change.differences[0].new}{sent}"
        case _:
            return f"it differs from the manifest{sent}"


def _moved(change: Change) -> str:
    # Not "its file": of a module, what is added behind the file may be all that changed.
    if change.action is Action.CREATE:
        return "its content changed"
    # Not "changed" either: what was adopted as it was differs though nobody touched the manifest.
    is_content = any(one.field == "content" for one in change.differences)
    return f"the manifest wants {'other content' if is_content else 'it otherwise'}"


def _resent(change: Change, how: str) -> str:
    """Return that the bytes of a resource travel though they stay: its comment is written only with its content."""
    return f"; its {size(sent)} are sent again, {how}" if (sent := uploaded(change)) else ""


def _what(change: Change) -> str:
    brief, others = change.kind.brief(change.object), from_elsewhere(change)
    return (f", {brief}" if brief else "") + (f", from elsewhere: {', '.join(others)}" if others else "")


def from_elsewhere(change: Change) -> list[str]:
    """Return what an object is to rely on outside of the destination: nobody here knows what is in it."""
    return [safe(other) for other in change.kind.elsewhere(change.desired.object)] if change.desired else []


def _whose(change: Change) -> str:
    """Return who has an object that is to be taken over, as far as the service tells."""
    assert change.live is not None
    owner = f", owner {safe(change.live.owner)}" if change.live.owner else ""
    if not change.kind.tells_updater:
        return owner + (f", created {moment(change.live.created)}" if change.live.created else "")
    return owner + (f", last changed{_by(change)}" if change.live.updater or change.live.modified else "")


def _by(change: Change) -> str:
    if change.live is None:
        return ""
    if not change.kind.tells_updater:
        return f" (the service does not tell who changes {change.key.kind}s)"
    who = f" by {safe(change.live.updater)}" if change.live.updater else ""
    when = f" on {moment(change.live.modified)}" if change.live.modified else ""
    return who + when


def _differences(found: Sequence[Difference]) -> Iterator[Line]:
    for field, told in differences(found):
        yield (("", f"      {field:<10} {told}"),)


def differences(found: Sequence[Difference]) -> Iterator[tuple[str, str]]:
    """Yield each field that differs, with what it was and will be; or the version, if nothing else moves."""
    if switch := _switch(found):
        yield "version", f"{switch[0]} → {switch[1]}"
        return
    for one in found:
        if one.field not in {"marker", "name", "protect"}:
            yield one.field, _difference(one)


def _switch(differences: Sequence[Difference]) -> tuple[str, str] | None:
    """Return the digests of two versions if an object moves from the one to the other, and is else as it was."""
    plain = [(_VERSION.sub("", one.old), _VERSION.sub("", one.new)) for one in differences]
    if [one.form for one in differences] != ["text", "list"] or any(old != new for old, new in plain):
        return None
    old, new = _VERSION.search(differences[0].old), _VERSION.search(differences[0].new)
    return (old[1], new[1]) if old and new else None


def _difference(found: Difference) -> str:
    old, new = found.old, found.new
    if found.form == "list":
        words = explain_list(tuple(old.split(", ")) if old else (), tuple(new.split(", ")) if new else ())
        moves = [*(f"- {name}" for name in words["removed"]), *(f"+ {name}" for name in words["added"])]
        return safe(", ".join(moves)) if moves else f"in another order: {safe(new)}"
    if found.form == "quoted":
        return f"{safe(old)!r} → {safe(new)!r}"
    return f"{_short(safe(old)) or '(none)'} → {_short(safe(new)) or '(none)'}"


def _short(told: str) -> str:
    """Cut digests to the eight digits by which people tell them apart; documents keep them whole."""
    return re.sub(r"\b([0-9a-f]{8})[0-9a-f]{24,}\b", r"\1…", told)


def _name(change: Change) -> str:
    return f"{change.key.kind} {safe(change.key.name)}"


def _origin(change: Change) -> str:
    if change.desired is None or change.action is Action.RELEASE:
        return ""  # what goes has no place in the manifest any more
    return f"  {safe(str(change.desired.origin))}"


def tally(done: Report) -> str:
    counts = [
        f"{sum(c.action is action for c in done.done)} {_PAST[action]}"
        for action in _SIGNS
        if any(c.action is action for c, _ in done.outcomes)
    ]
    left = len(done.outcomes) - len(done.done)
    return ", ".join(counts) + (f", {left} not done" if left else "")


def _created(have: Live) -> str:
    when = f", created {moment(have.created)}" if have.created else ""
    return f"{when}{f' by {safe(have.owner)}' if have.owner else ''}"


def _listed(have: Live) -> str:
    (_, first), *rest = have.object.kind.show(have.object)
    return f"{first:<8} {', '.join([safe(have.object.name), *(safe(words) for _, words in rest)])}"


def _touched(have: Live) -> str:
    when = f", {moment(have.modified)}" if have.modified else ""
    return f"{when}{f' by {safe(have.updater)}' if have.updater else ''}"
