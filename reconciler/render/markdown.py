"""
Markdown for comments on pull requests and for tickets: a headline, what may do harm, a table, and folded details.

A document has a room, in characters; GitHub takes 65,536 a comment. Deletions have the first claim to it, then other
changes; of what is new the functions are named before what they need, and what is not named is counted by kind, loudly if
an approval could depend on it.
"""

from __future__ import annotations

from collections import Counter
from textwrap import shorten
from typing import TYPE_CHECKING, NamedTuple

from reconciler.base.errors import count, plural
from reconciler.base.invocation import AS_IT_IS
from reconciler.base.words import moment, safe, size
from reconciler.core.diff import Action
from reconciler.core.drift import Deviation
from reconciler.core.plan import upload_size
from reconciler.render import text
from reconciler.render.actions import ACTIONS
from reconciler.render.differences import difference_texts
from reconciler.render.folding import (
    count_changes,
    fold_changes,
    fold_drift,
    is_folded,
    some_names,
    sort_changes,
    step_groups,
)
from reconciler.render.markup import code_span, count_kinds, fit_names, fold_markup, problem_item, sentence, table_row
from reconciler.render.records import outcomes_text, run_facts, run_title, standing, verdict_sentences
from reconciler.render.source_diff import diff_markdown
from reconciler.render.styled import merge_alike

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from reconciler.base.errors import Problem
    from reconciler.base.invocation import Invocation
    from reconciler.core.diff import Change
    from reconciler.core.drift import Drift, Drifted, Toleration
    from reconciler.core.kind import Difference, Key
    from reconciler.core.plan import Plan
    from reconciler.core.record import Entry
    from reconciler.core.report import SourceChange
    from reconciler.render.folding import ChangeGroup, View

MOST = 60_000
"""Characters; what a bot puts around a comment needs room too."""

_AROUND = 600
"""Characters for the lines around the rows, which say what was left out."""

_SUMMARY = 200
"""Characters of the summary of one of several targets."""

_LEFT_OUT = "Not shown, since it does not fit here: "


class _Row(NamedTuple):
    """An object in a table, and what it is counted as where there is no room for it."""

    line: str
    name: str
    kind: str
    what: str
    matters: bool
    """Whether an approval could depend on it."""


class _Group(NamedTuple):
    """Objects that are alike: a row of the table, and behind it their names."""

    line: str
    summary: str
    names: Mapping[str, Sequence[str]]
    """By kind, first what needs the others."""


def plan_markdown(
    plan: Plan,
    command: str | None,
    room: int = MOST,
    chosen: Collection[Key] | None = None,
    view: View = "auto",
) -> str:
    """Return a plan in so much `room`; `command` is the next step. Of `chosen` objects nothing else is shown."""
    changes, shared = (
        [change for change in side if chosen is None or change.key in chosen] for side in (plan.changes, plan.shared)
    )
    groups: list[_Group] = []
    single: Sequence[Change] = changes
    if is_folded(len(changes) + len(shared), view):
        alike, single = fold_changes(changes)
        groups = [_change_group(group) for group in alike if len(group.changes) > 1]
        single = [*single, *(group.changes[0] for group in alike if len(group.changes) == 1)]
    rows = [_change(change) for change in sort_changes(single)]
    rows += [
        _row(".", change.key, f"shared: stack {code_span(change.live.mark.stack)} manages it", "shared", matters=False)
        for change in shared
        if change.live and change.live.mark
    ]
    head = [f"**{sentence(text.plan_summary(plan))}**", _place(plan)]
    below = _plan_notes(plan, command, None if chosen is None else len(changes))
    return _document(head, [*plan.refusals, *plan.warnings], rows, groups, below, room)


def _plan_notes(plan: Plan, command: str | None, shown: int | None) -> list[str]:
    """Return what stands below a plan; `shown` is the number of its changes where it is not all."""
    notes = []
    if shown is not None:
        notes.append(f"Shown: {shown} of {count(len(plan.changes), 'change')}; the plan is the whole.")
    notes += _tolerations(plan.tolerations)
    if plan.from_dump:
        notes.append("Made against a dump: the project itself was not looked at.")
    if plan.changes and not plan.refusals:
        notes.append(f"Digest: `sha256:{plan.digest}`")
    if command:
        notes.append(f"{text.next_step(plan)}: {code_span(command)}")
    return notes


def drift_markdown(
    drift: Drift,
    plan: Plan,
    command: str | None,
    room: int = MOST,
    invocation: Invocation = AS_IT_IS,
    view: View = "auto",
) -> str:
    """Return what was changed outside, in so much `room`; `command` is the next step."""
    alike, single = fold_drift(drift.drifted) if is_folded(len(drift.drifted), view) else ([], drift.drifted)
    groups = [
        _Group(
            table_row(
                "~",
                f"**{count_kinds({group.kind: len(group.drifted)})}**<br>{some_spans(group.names)}",
                sentence(group.what),
                "",
            ),
            f"~ {count_kinds({group.kind: len(group.drifted)})} {group.what}",
            {group.kind: group.names},
        )
        for group in alike
    ]
    rows = [_deviation(deviation, invocation) for deviation in single]
    below = [*_tolerations(drift.tolerations), *([f"Next: {code_span(command)}"] if command else [])]
    return _document([f"**{text.drift_summary(drift)}**", _place(plan)], [], rows, groups, below, room)


def _tolerations(tolerations: Sequence[Toleration]) -> list[str]:
    """Return a line for each thing that is left as somebody made it."""
    lines = [
        f"- {each.deviation.key.kind} {code_span(each.deviation.key.name)} {sentence(each.sentence)}"
        for each in tolerations
    ]
    return ["\n".join(["Left as it is:", "", *_as_many(lines, MOST // 8, "object")])] if lines else []


def history_markdown(entries: Sequence[Entry], now: datetime) -> str:
    """Return the applies of a stack, the newest first."""
    if not entries:
        return "The ledger is empty: this stack was never applied here.\n"
    rows = [
        table_row(
            str(entry.epoch),
            moment(entry.started),
            f"**{standing(entry, now)}**" if entry.outcome != "committed" else standing(entry, now),
            code_span(outcomes_text(entry)),
            sentence(str(entry.holder)),
        )
        for entry in entries
    ]
    head = [f"**Applies of stack {code_span(entries[0].stack)}**", ""]
    table = ["| epoch | started | outcome | what | who |", "|---|---|---|---|---|"]
    return "\n".join([*head, *table, *_as_many(rows, MOST - _AROUND, "apply", "applies")]) + "\n"


def run_markdown(entry: Entry, now: datetime) -> str:
    """Return one apply: who, when, its tests, and what came of each step, those that failed first."""
    facts = [f"- {label}: {sentence(words)}" for label, words in run_facts(entry)]
    tests = [
        f"- {'passed' if verdict.has_passed else '**not passed**'}: tests {sentence(words)}"
        for verdict, words in verdict_sentences(entry)
    ]
    groups = step_groups([(f"{step.outcome}|{step.action}", step.kind, step.name) for step in entry.steps], "failed")
    rows = [
        table_row(outcome if outcome == "done" else f"**{outcome}**", action, sentence(objects))
        for (outcome, _, action), objects in sorted(
            ((what.partition("|"), objects) for what, objects in groups), key=lambda row: row[0][0] == "done"
        )
    ]
    table = ["| outcome | step | what |", "|---|---|---|", *_as_many(rows, MOST // 2, "step")] if rows else []
    parts = [
        [f"**{sentence(run_title(entry))}: {standing(entry, now)}**"],
        facts,
        _as_many(tests, MOST // 4, "test"),
        table,
        [f"{count(len(entry.objects), 'object')} managed when it was over."],
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def problems_markdown(headline: str, problems: Sequence[Problem]) -> str:
    """Return what is in the way of everything else."""
    return _document([f"**{sentence(headline)}**"], problems, [], [], [], MOST)


def targets_markdown(parts: Sequence[tuple[str, str, str]]) -> str:
    """
    Return the results of several targets: a table with a row each, then their documents.

    `parts` has name, document and summary; a document is made to fit into the `target_share` of its target.
    """
    rows = (
        table_row(code_span(name), sentence(shorten(summary, _SUMMARY, placeholder=" …"))) for name, _, summary in parts
    )
    fitting = _as_many(rows, MOST // 2, "target")
    notes = [fitting.pop()] if len(fitting) and fitting[-1].startswith("**") else []
    summary = "\n\n".join(["\n".join(["| target | outcome |", "|---|---|", *fitting]), *notes])
    documents = (document.rstrip("\n") for _, document, _ in parts if document)
    return "\n\n".join([summary, *_as_many(documents, MOST - len(summary), "target")]) + "\n"


def target_share(targets: int) -> int:
    """Return how many characters the document of each of several targets may have."""
    return MOST // targets - (2 * _SUMMARY if targets > 1 else 0)


def add_sources(document: str, sources: Sequence[SourceChange], room: int = MOST) -> str:
    """Return a document with the changes of sources folded behind it, as many as there is room for."""
    blocks = _as_many(diff_markdown(sources), room - len(document) - _AROUND, "source change")
    return "\n".join([document, *(f"{block}\n" for block in blocks)]) if blocks else document


def some_spans(names: Sequence[str]) -> str:
    """Return the first names and the last, as code spans."""
    return some_names(names, code_span)


def _document(
    head: Sequence[str],
    problems: Sequence[Problem],
    rows: Sequence[_Row],
    groups: Sequence[_Group],
    below: Sequence[str],
    room: int,
) -> str:
    room -= len("\n\n".join([*head, *below])) + _AROUND
    items = map(problem_item, merge_alike(problems))
    problem_list = "\n".join(_as_many(items, room // 2, "refusal or warning", "refusals and warnings"))
    room -= len(problem_list)
    group_rows, lost = _group_rows(groups, room // 2)
    table = _table(rows, group_rows, lost, room - sum(len(row) + 1 for row in group_rows))
    room -= sum(len(part) + 2 for part in table)
    parts = [*head, *([problem_list] if problem_list else []), *table, *_details(groups, room), *below]
    return "\n\n".join(parts) + "\n"


def _group_rows(groups: Sequence[_Group], room: int) -> tuple[list[str], Counter[str]]:
    """Return the rows of groups that fit, and how many objects of each kind the others have."""
    fits = _fitting((len(group.line) + 1 for group in groups), room)
    lost: Counter[str] = Counter()
    for group, fit in zip(groups, fits, strict=True):
        if not fit:
            lost.update({kind: len(names) for kind, names in group.names.items()})
    return [group.line for group, fit in zip(groups, fits, strict=True) if fit], lost


def _table(rows: Sequence[_Row], group_rows: Sequence[str], lost: Counter[str], room: int) -> list[str]:
    """
    Return a table, and before it what there is no room for: as names if these fit, else as numbers by kind.

    What does not matter takes the room that is left.
    """
    first, then = [row for row in rows if row.matters], [row for row in rows if not row.matters]
    whole, brief, left_out = _split(first, room)
    room -= sum(len(row.line) + 1 for row in whole) + sum(_brief_length(row) for row in brief)
    more, named, also_left_out = _split(then, room)
    notes = _list_names(brief, "Named without what changes, since that does not fit here", is_loud=True)
    notes += _list_names(named, "Also", is_loud=False)
    if numbers := _numbers([*left_out, *also_left_out]) + [
        f"{number:,} {plural(kind)} alike" for kind, number in lost.items()
    ]:
        note = f"{_LEFT_OUT}{', '.join(numbers)}"
        notes.append(f"**{note}**" if left_out else note)
    lines = [*(row.line for row in whole), *group_rows, *(row.line for row in more)]
    if not lines:
        return notes
    return [*notes, "\n".join(["| | object | what | where |", "|---|---|---|---|", *lines])]


def _split(rows: Sequence[_Row], room: int) -> tuple[list[_Row], list[_Row], list[_Row]]:
    """Return the rows that are shown whole, those of which there is only room for the name, and those left out."""
    lengths = [len(row.line) + 1 for row in rows]
    if sum(lengths) <= room:
        return [*rows], [], []
    # Every object is named before one is described at length.
    names = [_brief_length(row) for row in rows]
    if sum(names) > room:
        fits = _fitting(names, room)
        return (
            [],
            [row for row, fit in zip(rows, fits, strict=True) if fit],
            [row for row, fit in zip(rows, fits, strict=True) if not fit],
        )
    room -= sum(names)
    number = 0
    while number < len(rows) and (room := room + names[number] - lengths[number]) >= 0:
        number += 1
    return [*rows[:number]], [*rows[number:]], []


def _brief_length(row: _Row) -> int:
    return len(row.name) + 2


def _list_names(rows: Sequence[_Row], words: str, *, is_loud: bool) -> list[str]:
    """Return a folded part with the names of objects, by what is done to them."""
    if not rows:
        return []
    sections = []
    names: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        names.setdefault((row.what, row.kind), []).append(row.name)
    for (what, kind), of_kind in names.items():
        sections.append(f"{count_kinds({kind: len(of_kind)})} {what}: {', '.join(of_kind)}")
    numbers = ", ".join(_numbers(rows))
    title = f"{words}: {numbers}"
    return [*([f"**{title}**"] if is_loud else []), fold_markup(numbers if is_loud else title, "\n\n".join(sections))]


def _numbers(rows: Sequence[_Row]) -> list[str]:
    numbers = Counter((row.kind, row.what) for row in rows)
    return [f"{count_kinds({kind: number})} {what}" for (kind, what), number in numbers.items()]


def _details(groups: Sequence[_Group], room: int) -> list[str]:
    """Return the names in each group, folded; of all groups first those of what needs the others."""
    around = [len(fold_markup(group.summary, "")) + 60 * len(group.names) for group in groups]
    fits = _fitting(around, room)
    groups = [group for group, fit in zip(groups, fits, strict=True) if fit]
    room -= sum(length for length, fit in zip(around, fits, strict=True) if fit)
    lists: dict[tuple[int, str], str] = {}
    for level in range(max((len(group.names) for group in groups), default=0)):
        for number, group in enumerate(groups):
            for kind in [*group.names][level : level + 1]:
                lists[number, kind] = fit_names(group.names[kind], room)
                room -= len(lists[number, kind])
    return [
        fold_markup(
            group.summary,
            "\n\n".join(
                f"{count_kinds({kind: len(names)})}: {lists[number, kind] or 'they do not fit here'}"
                for kind, names in group.names.items()
            ),
        )
        for number, group in enumerate(groups)
    ]


def _fitting(lengths: Iterable[int], room: int) -> list[bool]:
    """Say of each length whether there is room for it, after those before it."""
    fits = []
    for length in lengths:
        fits.append(length <= room)
        room -= length if fits[-1] else 0
    return fits


def _as_many(parts: Iterable[str], room: int, noun: str, plural: str = "") -> list[str]:
    """Return the parts that fit, and how many do not."""
    texts = list(parts)
    fits = _fitting((len(text) + 2 for text in texts), room)
    fitting = [text for text, fit in zip(texts, fits, strict=True) if fit]
    lost = len(texts) - len(fitting)
    what = f"{lost:,} {(plural or f'{noun}s') if lost > 1 else noun}"
    return [*fitting, f"**{_LEFT_OUT}{what}**"] if lost else fitting


def _change(change: Change) -> _Row:
    return _row(
        text.change_sign(change),
        change.key,
        f"{sentence(text.change_sentence(change))}{_before_and_after(change.differences)}",
        f"to {change.action.value}",
        change.desired.origin if change.desired else None,
        matters=change.action is not Action.CREATE or bool(text.from_elsewhere(change)),
    )


def _change_group(group: ChangeGroup) -> _Group:
    names: dict[str, list[str]] = {}
    for change in sort_changes(group.changes):
        names.setdefault(change.key.kind, []).append(change.key.name)
    sent = sum(upload_size(change) for change in group.changes)
    upload = f"; {size(sent)} to upload" if sent else ""
    objects = f"{f'{safe(group.part_of)}: ' if group.part_of else ''}{count_changes(group.changes)}"
    leading, sign = next(iter(names.values())), ACTIONS[group.action].sign
    line = table_row(sign, f"**{sentence(objects)}**<br>{some_spans(leading)}", f"{sentence(group.what)}{upload}", "")
    return _Group(line, f"{sign} {objects} {group.what}", names)


def _deviation(deviation: Drifted, invocation: Invocation) -> _Row:
    # What was taken is not brought back by any plan.
    hint = f"<br>{sentence(invocation.spell(deviation.problem.hint))}" if deviation.kind is Deviation.TAKEN else ""
    differences = _before_and_after([difference.turned for difference in deviation.differences])
    words = f"{sentence(deviation.sentence)}{differences}{hint}"
    return _row(deviation.kind.value, deviation.key, words, deviation.kind.value, deviation.origin)


def _row(sign: str, key: Key, words: str, what: str, where: object = None, *, matters: bool = True) -> _Row:
    name = code_span(key.name)
    line = table_row(sign, f"{key.kind} {name}", words, code_span(str(where)) if where else "")
    return _Row(line, name, key.kind, what, matters)


def _before_and_after(differences: Sequence[Difference]) -> str:
    return "".join(f"<br>{field} {code_span(values)}" for field, values in difference_texts(differences))


def _place(plan: Plan) -> str:
    parts = ", ".join(f"{label} {code_span(part)}" for label, part in plan.destination.parts.items())
    return f"Stack {code_span(plan.stack)} → {parts} (target {code_span(plan.destination.target)})"
