"""
Parts of a page: what is said of a plan, a drift, a history or one apply, with a bound for how much.

Of a part that is too long everything is still named, what may do harm first; what would be too much even so is counted.
"""

from __future__ import annotations

import html
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from reconciler.base.errors import count
from reconciler.base.hints import spell
from reconciler.base.invocation import AS_IT_IS
from reconciler.base.words import moment, safe, size
from reconciler.core.drift import Deviation
from reconciler.core.picture import drift_picture, entry_picture, plan_picture
from reconciler.core.plan import upload_size
from reconciler.render import text
from reconciler.render.actions import ACTIONS
from reconciler.render.differences import difference_texts
from reconciler.render.folding import count_changes, fold_changes, fold_drift, is_folded, sort_changes, step_groups
from reconciler.render.page.columns import STYLES, place_nodes
from reconciler.render.records import outcomes_text, run_facts, run_title, standing, verdict_sentences
from reconciler.render.source_diff import count_lines, hunk_lines
from reconciler.render.styled import merge_alike

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime

    from reconciler.base.errors import Problem
    from reconciler.base.invocation import Invocation
    from reconciler.core.diff import Change
    from reconciler.core.drift import Drift, Drifted, Toleration
    from reconciler.core.kind import Key
    from reconciler.core.plan import Plan
    from reconciler.core.record import Entry, Step
    from reconciler.core.report import SourceChange
    from reconciler.render.folding import ChangeGroup, DriftGroup, View
    from reconciler.render.page.columns import Drawing

ROOM = 900_000
"""Characters of a page beside its frame: what a browser on a telephone and a mail still take."""


def share_room(targets: int) -> int:
    """Return how many characters each of several targets may have."""
    return ROOM // targets


class PageItem(NamedTuple):
    """Something that is done or was done, to one object or to several that are alike."""

    style: str
    sign: str
    word: str
    kind: str
    name: str
    sentence: str
    fields: tuple[tuple[str, str], ...] = ()
    where: str = ""
    lists: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Folded lists of names, each with its heading."""

    link: str = ""
    """Where more is told of it."""

    @property
    def length(self) -> int:
        """About how many characters it takes."""
        texts = [self.sentence, self.name, self.where, *(part for pair in self.fields for part in pair)]
        names = sum(len(html.escape(name)) + 9 for _, names in self.lists for name in names)
        return 260 + 40 * len(self.fields) + sum(len(html.escape(words)) for words in texts) + names


class Diff(NamedTuple):
    """How a source changes."""

    name: str
    tally: str
    lines: tuple[tuple[str, str], ...]
    """Style and text."""


class PageProblem(NamedTuple):
    """A refusal or a warning."""

    severity: str
    code: str
    message: str
    lines: tuple[str, ...]
    where: str


@dataclass(frozen=True)
class PagePart:
    """What a page says of one plan, one drift or one history."""

    heading: str
    """Whose it is, where there are several."""

    headline: str
    facts: tuple[tuple[str, str], ...]
    notes: tuple[str, ...] = ()
    problems: tuple[PageProblem, ...] = ()
    items_heading: str = ""
    items: tuple[PageItem, ...] = ()
    left_out: str = ""
    diffs: tuple[Diff, ...] = ()
    picture: Drawing | None = None
    picture_heading: str = "Functions, packages, and what lies in these"
    command: str = ""
    next_step: str = field(default="Next")


def plan_part(
    plan: Plan,
    command: str | None,
    *,
    chosen: Collection[Key] | None = None,
    view: View = "auto",
    sources: Sequence[SourceChange] = (),
    room: int = ROOM,
) -> PagePart:
    """Return a plan; `command` is the next step. Of `chosen` objects nothing else is shown."""
    changes, shared = (
        [change for change in side if chosen is None or change.key in chosen] for side in (plan.changes, plan.shared)
    )
    notes = [f"Shown: {len(changes)} of {count(len(plan.changes), 'change')}; the plan is the whole."] if chosen else []
    if plan.from_dump:
        notes.append("Made against a dump: the project itself was not looked at.")
    groups, single = fold_changes(changes) if is_folded(len(changes), view) else ([], changes)
    items = [_change(change) for change in sort_changes(single)] + [_change_group(group) for group in groups]
    items += [_shared_item(change) for change in shared if change.live and change.live.mark]
    items += map(_ignored_item, plan.tolerations)
    part = PagePart(
        f"target {safe(plan.destination.target)}",
        safe(text.plan_summary(plan)),
        _facts(plan, with_digest=bool(plan.changes) and not plan.refusals),
        tuple(notes),
        page_problems([*plan.refusals, *plan.warnings]),
        "What is done",
        tuple(items),
        picture=place_nodes(plan_picture(plan)),
        command=command or "",
        next_step=text.next_step(plan),
    )
    return fit_part(part, sources, room)


def drift_part(
    drift: Drift,
    plan: Plan,
    command: str | None,
    invocation: Invocation = AS_IT_IS,
    *,
    view: View = "auto",
    sources: Sequence[SourceChange] = (),
    room: int = ROOM,
) -> PagePart:
    """Return what was changed outside; `plan` is the plan for the same reading, `command` the next step."""
    groups, single = fold_drift(drift.drifted) if is_folded(len(drift.drifted), view) else ([], drift.drifted)
    items = [_deviation(deviation, invocation) for deviation in single] + [_drift_group(group) for group in groups]
    items += map(_ignored_item, drift.tolerations)
    part = PagePart(
        f"target {safe(plan.destination.target)}",
        text.drift_summary(drift),
        _facts(plan, with_digest=False),
        items_heading="What was changed outside",
        items=tuple(items),
        picture=place_nodes(drift_picture(plan, drift)),
        command=command or "",
    )
    return fit_part(part, sources, room)


def history_part(
    entries: Sequence[Entry], now: datetime, stack: str, room: int = ROOM, *, run_address: str = ""
) -> PagePart:
    """
    Return the applies of a stack, the newest first, and the picture of what the last that got through left.

    Each apply is a link where there is a `run_address`, which its epoch is added to.
    """
    items = []
    for entry in entries:
        outcome = standing(entry, now)
        steps = [(f"{step.outcome}, {step.action}", step.kind, step.name) for step in entry.steps]
        style = {"committed": "create", "running": "update"}.get(outcome, "delete")
        lists = [
            (
                f"{count(len(steps), 'step')}",
                tuple(f"{what}: {objects}" for what, objects in step_groups(steps, "failed")),
            )
        ]
        items.append(
            PageItem(
                style,
                {"create": "=", "update": "…", "delete": "!"}[style],
                outcome,
                f"epoch {entry.epoch}",
                "",
                f"{moment(entry.started)}, by {safe(str(entry.holder))}: {outcomes_text(entry)}",
                (("digest", f"sha256:{entry.digest}"),) if entry.digest else (),
                lists=tuple(lists if steps else ()),
                link=f"{run_address}{entry.epoch}" if run_address else "",
            )
        )
    last = next((entry for entry in entries if entry.outcome == "committed"), None)
    headline = f"{count(len(entries), 'apply')}" if len(entries) == 1 else f"The last {len(entries)} applies"
    part = PagePart(
        f"stack {safe(stack)}",
        headline if entries else "The ledger is empty: this stack was never applied here",
        (("stack", safe(stack)),),
        items_heading="Applies, the newest first",
        items=tuple(items),
        picture=place_nodes(entry_picture(last)) if last else None,
        picture_heading=f"What epoch {last.epoch} left" if last else "",
    )
    return fit_part(part, (), room)


def run_part(entry: Entry, now: datetime) -> PagePart:
    """Return one apply of a stack: its steps, those that failed first, its tests, and the picture of what it left."""
    steps = sorted(entry.steps, key=lambda step: step.outcome == "done")
    items = [_step_item(step) for step in steps]
    for verdict, words in verdict_sentences(entry):
        style, sign, word = (
            ("create", "=", "tests passed") if verdict.has_passed else ("delete", "!", "tests not passed")
        )
        items.append(PageItem(style, sign, word, "", "", words))
    part = PagePart(
        f"stack {safe(entry.stack)}",
        f"{run_title(entry)}: {standing(entry, now)}",
        tuple(run_facts(entry)),
        (f"{count(len(entry.objects), 'object')} managed when it was over.",),
        items_heading="Steps, and what came of each",
        items=tuple(items),
        picture=place_nodes(entry_picture(entry)) if entry.objects else None,
        picture_heading=f"What epoch {entry.epoch} left",
    )
    return fit_part(part, (), ROOM)


def _step_item(step: Step) -> PageItem:
    words = {action.value: words for action, words in ACTIONS.items()}.get(step.action)
    if step.outcome == "done" and words:
        return PageItem(step.action, words.sign, f"done, {step.action}", step.kind, safe(step.name), "")
    return PageItem("delete", "!", f"{step.outcome}, {step.action}", step.kind, safe(step.name), "")


def failed_part(target: str, summary: str) -> PagePart:
    """Return what is said of a target of which there is nothing else."""
    return PagePart(f"target {safe(target)}", safe(summary), (("target", safe(target)),))


def page_problems(problems: Iterable[Problem]) -> tuple[PageProblem, ...]:
    """Return problems, those that are alike as one."""
    return tuple(map(_finding, merge_alike([*problems])))


def _facts(plan: Plan, *, with_digest: bool) -> tuple[tuple[str, str], ...]:
    labels = [(label, safe(words)) for label, words in plan.destination.parts.items()]
    digest = [("digest", f"sha256:{plan.digest}")] if with_digest else []
    return (("stack", safe(plan.stack)), *labels, ("target", safe(plan.destination.target)), *digest)


def _finding(problem: Problem) -> PageProblem:
    lines = (*problem.detail, *spell(problem.hint).splitlines())
    where = safe(str(problem.at)) if problem.at else ""
    return PageProblem(problem.severity, problem.code, safe(problem.message), tuple(map(safe, lines)), where)


def _change(change: Change) -> PageItem:
    words = ACTIONS[change.action]
    where = safe(str(change.desired.origin)) if change.desired else ""
    name, sentence = safe(change.key.name), text.change_sentence(change)
    fields = tuple(difference_texts(change.differences))
    return PageItem(STYLES[change.action], words.sign, words.verb, change.key.kind, name, sentence, fields, where)


def _change_group(group: ChangeGroup) -> PageItem:
    words = ACTIONS[group.action]
    sent = sum(upload_size(change) for change in group.changes)
    part_of = f"{safe(group.part_of)}: " if group.part_of else ""
    return PageItem(
        STYLES[group.action],
        words.sign,
        words.verb,
        f"{part_of}{count_changes(group.changes)}",
        "",
        f"{group.what}{f'; {size(sent)} to upload' if sent else ''}",
        lists=_lists((change.key.kind, change.key.name) for change in sort_changes(group.changes)),
    )


def _lists(objects: Iterable[tuple[str, str]]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    names: dict[str, list[str]] = {}
    for kind, name in objects:
        names.setdefault(kind, []).append(safe(name))
    return tuple((count(len(of_kind), kind), tuple(of_kind)) for kind, of_kind in names.items())


def _shared_item(change: Change) -> PageItem:
    stack = change.live.mark.stack if change.live and change.live.mark else "?"
    sentence = f"stack {safe(stack)} manages it, with this very content"
    return PageItem("", ".", "shared", change.key.kind, safe(change.key.name), sentence)


def _ignored_item(toleration: Toleration) -> PageItem:
    key, where = toleration.deviation.key, safe(str(toleration.exemption.origin))
    return PageItem("", ".", "ignored", key.kind, safe(key.name), safe(toleration.sentence), where=where)


def _deviation(deviation: Drifted, invocation: Invocation) -> PageItem:
    is_gone = deviation.kind is Deviation.DELETED
    sentence = deviation.sentence
    if deviation.kind is Deviation.TAKEN:  # no plan brings it back
        sentence += f"; {invocation.spell(deviation.problem.hint)}"
    return PageItem(
        "delete" if is_gone else "update",
        "-" if is_gone else "~",
        deviation.kind.value,
        deviation.key.kind,
        safe(deviation.key.name),
        safe(sentence),
        tuple(difference_texts([difference.turned for difference in deviation.differences])),
        safe(str(deviation.origin)),
    )


def _drift_group(group: DriftGroup) -> PageItem:
    first = group.drifted[0]
    is_gone = first.kind is Deviation.DELETED
    lists = _lists((group.kind, name) for name in group.names)
    kinds = count(len(group.drifted), group.kind)
    style, sign = ("delete", "-") if is_gone else ("update", "~")
    return PageItem(style, sign, first.kind.value, kinds, "", safe(group.what), lists=lists)


def fit_part(part: PagePart, sources: Sequence[SourceChange], room: int) -> PagePart:
    """Return a part of no more than so many characters, as far as that is known before it is written."""
    room -= sum(len(html.escape("".join(finding.lines) + finding.message)) + 200 for finding in part.problems)
    items, names, room = _fit_items(part.items, room)
    diffs: list[Diff] = []
    left_out: list[str] = []
    for source in sources:
        diff = _diff(source)
        room -= 300 + sum(len(html.escape(line)) + 26 for _, line in diff.lines)
        if room < 0:
            left_out = [f"{count(len(sources) - len(diffs), 'source')} whose change does not fit here"]
            break
        diffs.append(diff)
    words = f"Not shown, since it does not fit here: {', '.join([*names, *left_out])}" if names or left_out else ""
    return replace(part, items=items, left_out=words, diffs=tuple(diffs))


def _fit_items(items: Sequence[PageItem], room: int) -> tuple[tuple[PageItem, ...], list[str], int]:
    """Return the items that fit, then one that names the others; and what not even fits as a name, in numbers."""
    lengths = [item.length for item in items]
    if sum(lengths) <= room:
        return tuple(items), [], room - sum(lengths)
    brief = [len(html.escape(item.name)) + 9 for item in items]
    names = sum(brief)
    whole = 0
    while whole < len(items) and lengths[whole] - brief[whole] + names <= room:
        room -= lengths[whole]
        names -= brief[whole]
        whole += 1
    others: dict[str, list[tuple[str, str]]] = {}
    lost: Counter[str] = Counter()
    for item, length in zip(items[whole:], brief[whole:], strict=True):
        if item.name and room >= length:
            others.setdefault(item.word, []).append((item.kind, item.name))
            room -= length
        else:
            lost[f"{item.word} {item.kind}"] += 1
    more = [
        PageItem(
            "",
            "…",
            word,
            count(len(named), "object"),
            "",
            "named without more, since that does not fit here",
            lists=_lists(named),
        )
        for word, named in others.items()
    ]
    return (*items[:whole], *more), [f"{number:,} × {what}" for what, number in lost.items()], room


_DIFF_STYLES = {"+": "add", "-": "cut", "@": "at"}


def _diff(source: SourceChange) -> Diff:
    lines = [*hunk_lines(source)]
    # The first two name the file before and after.
    styles = ["at", "at", *(_DIFF_STYLES.get(line[:1], "") for line in lines[2:])]
    return Diff(safe(source.name), count_lines(lines), tuple(zip(styles, lines, strict=False)))
