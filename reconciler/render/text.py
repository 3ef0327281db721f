"""
Text for people: lines made of styled pieces.

A line is a tuple of ``(style, text)``. Styles are words of `STYLES`; the terminal turns them into colours, everything
else drops them. Every piece of text that came from the service goes through `safe`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.base.errors import count, plural
from reconciler.base.invocation import AS_IT_IS
from reconciler.base.words import moment, safe, size
from reconciler.core.diff import Action, Cause
from reconciler.core.drift import Deviation
from reconciler.core.plan import upload_size
from reconciler.core.report import Outcome
from reconciler.render.actions import ACTIONS
from reconciler.render.differences import difference_texts, version_switch
from reconciler.render.folding import (
    TOGETHER,
    count_changes,
    fold_changes,
    fold_drift,
    group_names,
    is_folded,
    some_names,
)
from reconciler.render.records import step_lines
from reconciler.render.source_diff import diff_lines
from reconciler.render.styled import problems_lines

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from reconciler.base.errors import Problem, UdfsError
    from reconciler.base.invocation import Invocation
    from reconciler.core.diff import Change
    from reconciler.core.drift import Drift, Toleration
    from reconciler.core.kind import Difference, Key
    from reconciler.core.plan import Plan
    from reconciler.core.report import Report, SourceChange
    from reconciler.render.folding import ChangeGroup, View
    from reconciler.render.styled import Line


def plan_lines(
    plan: Plan,
    *,
    command: str | None = None,
    refusals: Iterable[Problem] = (),
    view: View = "auto",
    chosen: Collection[Key] | None = None,
    sources: Sequence[SourceChange] = (),
) -> Iterator[Line]:
    """
    Yield a plan: where it goes, one sentence an object, `refusals`, the summary, and `command` as the next step.

    What is alike is one line where there is much of it, or where the `view` wants it. Of `chosen` objects nothing else is shown.
    """
    yield (("", f"Stack {plan.stack} → {plan.destination}"),)
    if plan.from_dump:
        yield (("warning", "Made against a dump: the project itself was not looked at"),)
    yield ()
    yield from _change_lines(plan, view, chosen)
    yield from _toleration_lines(plan.tolerations)
    yield from diff_lines(sources)
    if lines := list(problems_lines(refusals)):
        yield from lines
        yield ()
    yield (("name", plan_summary(plan)),)
    if plan.changes and not plan.refusals:
        yield (("quiet", f"Digest: sha256:{plan.digest}"),)
    if command:
        yield ("help", f"{next_step(plan)}: "), ("", command)


def _change_lines(plan: Plan, view: View, chosen: Collection[Key] | None) -> Iterator[Line]:
    """Yield the changes of a plan, or those of `chosen` objects, and what has to be known of that."""
    changes, shared = (
        [change for change in side if chosen is None or change.key in chosen] for side in (plan.changes, plan.shared)
    )
    folded = is_folded(len(changes) + len(shared), view)
    yield from _folded_lines(changes, shared) if folded else _single_lines(changes, shared)
    if changes or shared:
        yield ()
    if folded and (changes or shared):
        yield (("quiet", TOGETHER),)
    if chosen is not None:
        yield (("quiet", f"Shown: {len(changes)} of {count(len(plan.changes), 'change')}; the plan is the whole:"),)


def _single_lines(changes: Iterable[Change], shared: Iterable[Change]) -> Iterator[Line]:
    for change in changes:
        yield from _change(change)
    for change in shared:
        yield (
            ("quiet", "  . "),
            ("name", _object_name(change)),
            ("", f" is shared: stack {_holder(change)} manages it"),
            ("quiet", _origin(change)),
        )


def _folded_lines(changes: Sequence[Change], shared: Sequence[Change]) -> Iterator[Line]:
    """Yield a line for what is alike, then what has to be read by itself."""
    groups, single = fold_changes(changes)
    for group in groups:
        yield from _group(group)
    by_holder: dict[str, list[Change]] = {}
    for change in shared:
        by_holder.setdefault(_holder(change), []).append(change)
    for holder, of_holder in by_holder.items():
        yield (
            ("quiet", "  . "),
            ("name", count_changes(of_holder)),
            ("", f" shared: stack {safe(holder)} manages them"),
        )
    yield from _single_lines(single, ())


def _group(group: ChangeGroup) -> Iterator[Line]:
    if len(group.changes) == 1:
        yield from _change(group.changes[0])
        return
    sent = sum(upload_size(change) for change in group.changes)
    part = f"{safe(group.part_of)}: " if group.part_of else ""
    yield (
        (group.action.value, f"  {ACTIONS[group.action].sign} "),
        ("name", f"{part}{count_changes(group.changes)}"),
        ("", f" {group.what}{f'; {size(sent)} to upload' if sent else ''}"),
    )
    yield (("quiet", f"      {group_names(group.changes)}"),)


def _holder(change: Change) -> str:
    return change.live.mark.stack if change.live and change.live.mark else "?"


def next_step(plan: Plan) -> str:
    """Return what the command is called that comes next: an apply that would be refused now has to wait."""
    codes = {warning.code for warning in plan.warnings}
    if codes & {"E582", "E583"}:
        return "Next, when the target before has them"
    return "Next, when the freeze is over" if "E537" in codes else "Next"


def plan_summary(plan: Plan) -> str:
    """Return the one line that counts."""
    upload = f" · {size(plan.upload_bytes)} to upload" if plan.upload_bytes else ""
    old = f" · {count(plan.superseded, 'old version')} kept" if plan.superseded else ""
    foreign = f" · {count(plan.foreign, 'object')} of others left alone" if plan.foreign else ""
    old = f" · {len(plan.tolerations)} ignored{old}" if plan.tolerations else old
    if not plan.changes:
        head = "Plan refused" if plan.refusals else "Nothing to do"
        return f"{head}: {count(len(plan.unchanged), 'object')} as the manifest says{old}{foreign}"
    head = "Plan refused" if plan.refusals else "Plan"
    if plan.counts.keys() & {Action.ADOPT, Action.RELEASE}:  # by commands that do nothing else
        parts = [
            f"{number} to {words.verb}" for action, words in ACTIONS.items() if (number := plan.counts.get(action))
        ]
        return f"{head}: {', '.join(parts)}{upload}"
    parts = [
        f"{plan.counts.get(action, 0)} to {action.value}" for action in (Action.CREATE, Action.UPDATE, Action.DELETE)
    ]
    if records := plan.counts.get(Action.RECORD):
        parts.append(f"{records} to note")
    return f"{head}: {', '.join(parts)}, {len(plan.unchanged)} unchanged{upload}{old}{foreign}"


def drift_lines(
    drift: Drift,
    plan: Plan,
    command: str | None = None,
    invocation: Invocation = AS_IT_IS,
    sources: Sequence[SourceChange] = (),
    view: View = "auto",
) -> Iterator[Line]:
    """
    Yield what was changed outside, and who did it; `plan` is the plan for the same reading, `command` the next step.

    What the same person did to many objects is one line where the `view` wants it.
    """
    yield (("", f"Stack {plan.stack} in {plan.destination}"),)
    yield ()
    is_short = not is_folded(len(drift.drifted), view)
    groups, single = ([], drift.drifted) if is_short else fold_drift(drift.drifted)
    for group in groups:
        yield ("update", "  ~ "), ("name", count(len(group.drifted), group.kind)), ("", f" {safe(group.what)}")
        yield (("quiet", f"      {some_names(group.names)}"),)
    for deviation in single:
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
    if groups:
        yield (("quiet", TOGETHER),)
    yield from _toleration_lines(drift.tolerations)
    yield from diff_lines(sources)
    yield (("name", drift_summary(drift)),)
    if command:
        yield ("help", "Next: "), ("", command)


def no_verdict(error: UdfsError) -> str:
    """Return what is said of drift where nothing can be said of it."""
    return f"No verdict: {error.problems[0].message}"


def _toleration_lines(tolerations: Sequence[Toleration]) -> Iterator[Line]:
    """Yield what is left as somebody made it, with the reason and the last day."""
    for toleration in tolerations:
        key = toleration.deviation.key
        yield (
            ("quiet", "  . "),
            ("name", f"{key.kind} {safe(key.name)}"),
            ("", f" {safe(toleration.sentence)}"),
            ("quiet", f"  {safe(str(toleration.exemption.origin))}"),
        )
    if tolerations:
        yield ()


def drift_summary(drift: Drift) -> str:
    """Return the one line that counts."""
    waiting = f" · {count(drift.waiting, 'change')} of the manifest not applied yet" if drift.waiting else ""
    waiting = f" · {len(drift.tolerations)} ignored{waiting}" if drift.tolerations else waiting
    if not drift.drifted:
        return f"No drift: {count(drift.unchanged, 'object')} as the manifest says{waiting}"
    drifted = count(len(drift.drifted), "object")
    return f"Drift: {drifted} changed outside, {drift.unchanged} as the manifest says{waiting}"


def report_lines(report: Report, heading: str = "") -> Iterator[Line]:
    """Yield what an apply did; object by object when it did not get through. `heading` says where, if that is not plain."""
    if report.complete:
        yield (("name", safe(heading) + report_tally(report)),)
        return
    steps = [(_outcome_word(*outcome), outcome[0].key.kind, outcome[0].key.name) for outcome in report.outcomes]
    yield from step_lines(steps, 20)
    yield (("name", f"{safe(heading)}{'Interrupted' if report.interrupted else 'Stopped'}: {report_tally(report)}"),)


def _outcome_word(change: Change, outcome: Outcome) -> str:
    return ACTIONS[change.action].past if outcome is Outcome.DONE else f"{outcome.value} ({change.action.value})"


def finished_line(change: Change) -> Line:
    """Return the line that says that one change is made."""
    return (
        (change.action.value, f"  {ACTIONS[change.action].past} "),
        ("", safe(str(change.key))),
        ("quiet", f" ({size(sent)})" if (sent := upload_size(change)) else ""),
    )


def change_sign(change: Change) -> str:
    """Return the one character that says what is done to an object."""
    return ACTIONS[change.action].sign


def change_sentence(change: Change) -> str:
    """Return what is done to an object and why, as the rest of a sentence that begins with the object."""
    return f"will be {ACTIONS[change.action].past}: {_reason(change)}"


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
    """Return why a change is made, and what it does beside."""
    effect = safe(effect_of(change))
    if effect and change.action is Action.UPDATE and change.cause is Cause.MANIFEST:
        return effect
    return f"{_cause_of(change)}{f'; {effect}' if effect else ''}"


def effect_of(change: Change) -> str:
    """Return what a change does to whoever uses its object, beside being made; empty for nothing."""
    if change.live is None or change.action not in {Action.UPDATE, Action.DELETE}:
        return ""
    return change.kind.effect(change.desired.object if change.desired else None, change.live.object)


def _cause_of(change: Change) -> str:
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
    if change.cause is Cause.MANIFEST and version_switch(change.differences):
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
            last = f"; last changed{_author(change)}" if change.kind.is_dated else ""
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
    if not change.kind.is_dated:
        return owner + (f", created {moment(change.live.created)}" if change.live.created else "")
    return owner + (f", last changed{_author(change)}" if change.live.updater or change.live.modified else "")


def _author(change: Change) -> str:
    if change.live is None:
        return ""
    when = f" on {moment(change.live.modified)}" if change.live.modified else ""
    if not change.kind.tells_updater or not (change.live.updater or when):
        return when or f" (the service does not tell who changes {plural(change.key.kind)})"
    who = f" by {safe(change.live.updater)}" if change.live.updater else ""
    return who + when


def _differences(differences: Sequence[Difference]) -> Iterator[Line]:
    for field, description in difference_texts(differences):
        yield (("", f"      {field:<10} {description}"),)


def _object_name(change: Change) -> str:
    return f"{change.key.kind} {safe(change.key.name)}"


def _origin(change: Change) -> str:
    if change.desired is None or change.action is Action.RELEASE:
        return ""  # what goes has no place in the manifest any more
    return f"  {safe(str(change.desired.origin))}"


def report_tally(report: Report) -> str:
    counts = [
        f"{sum(change.action is action for change in report.done)} {words.past}"
        for action, words in ACTIONS.items()
        if any(change.action is action for change, _ in report.outcomes)
    ]
    undone = len(report.outcomes) - len(report.done)
    return ", ".join(counts) + (f", {undone} not done" if undone else "")
