"""
Comment on a pull request: a headline, dangers first, a row a target, and what is done folded below.

What comes from a pull request is text in it and nothing else: it is no markup, calls nobody, and holds no mark of a comment
(`sections`). However much is to be said, it fits into the room that there is: first the kinds are counted, then functions are
named, then resources.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from reconciler.base.errors import count
from reconciler.render.forges.reports import short
from reconciler.render.forges.sections import without_marks
from reconciler.render.markup import code_span, count_kinds, fit_names, fold_markup, problem_item, sentence, table_row

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reconciler.base.errors import Problem
    from reconciler.render.forges.reports import PipelineReport, ReportStep, TargetReport
    from reconciler.workflow.ci.index import EntryOutcome

_MANY = 30
"""More objects than these share rows."""

_TARGETS = 100
"""Rows of the table of targets; of more than these who reads it looks into the run."""

_NAMES = 1_200
"""Characters of the names in one line about a danger."""

_LINES = 12
"""Lines about the dangers of one target."""

_WORST = {"failed": 0, "unknown": 1, "refused": 2, "changes": 3, "clean": 4, "skipped": 5}

_OUTCOMES = {
    "plan": {"clean": "nothing to do", "changes": "changes", "unknown": "not known"},
    "check": {"clean": "passed", "changes": "passed", "unknown": "not known"},
    "apply": {"clean": "nothing to do", "changes": "applied", "unknown": "not known", "skipped": "not begun"},
    "drift": {"clean": "no drift", "changes": "drift", "unknown": "no verdict"},
}

_SIGNS = {"create": "+", "update": "~", "delete": "-"}
_FIRST = ("delete", "deleted", "update", "edited")
"""What is done to objects, the worst first; the rest follows in the order of the plan."""

_LOST = ("failed", "unknown", "not tried")
"""Outcomes of a step of which somebody has to hear."""


def compose_section(report: PipelineReport, room: int) -> str:
    """Return what a command has to say of all its targets, in so many characters."""
    targets = sorted(report.targets, key=_rank)
    head = [f"### {sentence(compose_headline(report))}", _place(report)]
    room -= sum(len(part) + 2 for part in head) + _MARGIN
    dangers = _fit([line for target in targets for line in _dangers(target)], room // 2, "danger")
    if dangers:
        head.append("\n".join(["**Look at these first:**", *dangers]))
        room -= len(head[-1])
    table = _overview(report, targets, room // 3)
    room -= sum(len(part) + 2 for part in table)
    return without_marks("\n\n".join([*head, *table, *_all_details(targets, room)]))


_MARGIN = 200


def compose_headline(report: PipelineReport) -> str:
    """Return the sentence that counts."""
    number = len(report.targets)
    if not number:
        return f"udfs {report.command}: nothing that this is about has changed"
    outcomes = Counter(target.entry.outcome for target in report.targets)
    bad = [f"{outcomes[name]} {words}" for name, words in _BAD.items() if outcomes[name]]
    well = outcomes["changes"] + outcomes["clean"]
    match report.command:
        case "apply":
            partly = sum(target.entry.exit_code == _PARTLY for target in report.targets)
            verb = "Applied" if well == number else "Applied in part" if well or partly else "Not applied"
            skipped = outcomes["skipped"]
            parts = [f"{well} of {count(number, 'target')}", *([f"{partly} in part"] if partly else []), *bad]
            parts += [f"{skipped} not begun"] if skipped else []
            return f"{verb}: {', '.join(parts)}"
        case "check":
            verb = "Checks passed" if well == number else "Checks failed"
            return f"{verb}: {', '.join([f'{well} of {number}', *bad])}"
        case "drift":
            changing = f"{outcomes['changes']} of {count(number, 'target')}"
            return f"Drift: {', '.join([changing, *bad])}"
        case _:
            return f"Plan: {' · '.join([_count_actions(report), *bad])}"


def _count_actions(report: PipelineReport) -> str:
    """Return ``3 to create, 1 to delete · at 2 of 3 targets``."""
    actions = Counter(step.action for target in report.targets for step in target.steps)
    parts = [f"{actions[action]:,} to {action}" for action in ("create", "update", "delete") if actions[action]]
    changing, number = sum(bool(target.steps) for target in report.targets), len(report.targets)
    where = f" · at {changing} of {number} targets" if number > 1 and parts else ""
    return f"{', '.join(parts) or 'nothing to do'}{where}"


_PARTLY = 8
"""The exit code of an apply that stopped half-way."""

_BAD: Mapping[EntryOutcome, str] = {"refused": "refused", "failed": "failed", "unknown": "not known"}


def _place(report: PipelineReport) -> str:
    parts = [f"Commit {code_span(report.commit[:12])}"] if report.commit else []
    if report.unchanged:
        parts.append(f"{count(report.unchanged, 'manifest')} unchanged")
    if report.link:
        parts.append(f"[the run]({report.link}) has the whole")
    return " · ".join(parts)


def _rank(target: TargetReport) -> tuple[int, int]:
    deletes = sum(step.action == "delete" for step in target.steps)
    return _WORST[target.entry.outcome], -deletes


def _dangers(target: TargetReport) -> list[str]:
    """Return lines about what may do harm, or has gone wrong."""
    where = f"{code_span(short(target.title))}: "
    outcome = target.entry.outcome
    lines = []
    # Of a refused plan the problems say why; an apply may have failed for more than its plan was warned of.
    if outcome in _BAD and not (outcome == "refused" and target.problems):
        lines.append(f"- {where}**{_BAD[outcome]}**: {sentence(short(target.entry.summary))}")
    if target.shortfall:
        lines.append(f"- {where}only its outcome is known: {target.shortfall}")
    for label, steps in _dangerous(target.steps):
        names = fit_names([step.name for step in _functions_first(steps)], _NAMES)
        lines.append(f"- {where}**{label} {_count(steps)}**{f': {names}' if names else ''}")
    errors = [problem for problem in target.problems if problem.severity == "error"]
    warnings = [problem for problem in target.problems if problem.severity == "warning"]
    lines += [_problem_line(where, problems) for problems in (*_alike(errors), *_alike(warnings))]
    return _limit(lines, _LINES, f"- {where}{{}} more, below")


def _dangerous(steps: Sequence[ReportStep]) -> Iterable[tuple[str, list[ReportStep]]]:
    for outcome in _LOST:
        if lost := [step for step in steps if step.outcome == outcome]:
            yield outcome, lost
    if deletes := [step for step in steps if step.action == "delete" and step.outcome not in _LOST]:
        yield ("deleted" if any(step.outcome for step in deletes) else "deletes"), deletes


def _alike(problems: Sequence[Problem]) -> list[list[Problem]]:
    """Return problems by their codes, the order kept."""
    groups: dict[str, list[Problem]] = {}
    for problem in problems:
        groups.setdefault(problem.code, []).append(problem)
    return list(groups.values())


def _problem_line(where: str, problems: Sequence[Problem]) -> str:
    first = problems[0]
    number = f" ({len(problems):,} of its kind)" if len(problems) > 1 else ""
    return f"- {where}**{first.severity} {first.code}**{number} {sentence(first.message)}"


def _overview(report: PipelineReport, targets: Sequence[TargetReport], room: int) -> list[str]:
    """Return a table with a row a target; what is as it should be comes last, and is counted where there is no room."""
    words = _OUTCOMES[report.command]
    rows = [
        table_row(
            code_span(short(target.manifest)),
            code_span(short(target.target)) if target.target else "",
            words.get(target.entry.outcome, target.entry.outcome),
            _actions(target) or sentence(short(target.entry.summary)),
        )
        for target in targets[:_TARGETS]
    ]
    shown = _fit(rows, room, "target", more=len(targets) - len(rows))
    lines = [line for line in shown if line.startswith("|")]
    table = "\n".join(["| manifest | target | outcome | what |", "|---|---|---|---|", *lines])
    return [table, *(line for line in shown if not line.startswith("|"))] if targets else []


def _actions(target: TargetReport) -> str:
    """Return ``3 create, 1 delete`` of a target."""
    counted = Counter(step.action for step in target.steps)
    return sentence(", ".join(f"{number:,} {action}" for action, number in counted.items()))


def _all_details(targets: Sequence[TargetReport], room: int) -> list[str]:
    """Return what is done at each target, folded; each gets its share of the room that is left."""
    telling = [target for target in targets if target.steps or target.problems]
    parts: list[str] = []
    for number, target in enumerate(telling):
        summary = f"{short(target.title)}: {short(target.entry.summary)}"
        frame = len(fold_markup(summary, "")) + 2
        share = room // (len(telling) - number) - frame
        if share < _LEAST:
            parts.append(f"{count(len(telling) - number, 'target')} not shown in full, since that does not fit here")
            break
        parts.append(fold_markup(summary, compose_details(target, share)))
        room -= len(parts[-1]) + 2
    return parts


_LEAST = 250
"""Characters in which nothing can be said."""


def compose_details(target: TargetReport, room: int) -> str:
    """Return the changes and problems of a target, in so many characters."""
    sha256 = short(target.entry.digest or "").removeprefix("sha256:")
    digest = [f"Digest: {code_span(f'sha256:{sha256}')}"] if sha256 else []
    room -= sum(len(line) + 2 for line in digest)
    table = _table(target.steps, room if not target.problems else room * 3 // 4)
    room -= len(table)
    problems = "\n".join(_fit([problem_item(problem) for problem in target.problems], room, "problem"))
    return without_marks("\n\n".join(part for part in (table, problems, *digest) if part))


def _table(steps: Sequence[ReportStep], room: int) -> str:
    """Return a row an object; where there are many, or no room, a row for those that are alike."""
    if not steps:
        return ""
    head = "| | object | what |\n|---|---|---|\n"
    ordered = sorted(_functions_first(steps), key=_urgency)
    rows = [
        table_row(
            _SIGNS.get(step.action, ""), f"{sentence(step.kind)} {code_span(step.name)}", sentence(_sentence(step))
        )
        for step in ordered
    ]
    if len(steps) <= _MANY and sum(len(row) + 1 for row in rows) + len(head) <= room:
        return head + "\n".join(rows)
    return head + "\n".join(_grouped_rows(ordered, room - len(head)))


def _urgency(step: ReportStep) -> int:
    return _FIRST.index(step.action) if step.action in _FIRST else len(_FIRST)


def _sentence(step: ReportStep) -> str:
    fields = f" ({', '.join(step.fields)})" if step.fields else ""
    return f"{step.outcome + ': ' if step.outcome else ''}{step.why or step.action}{fields}"


class _Group(NamedTuple):
    sign: str
    what: str
    steps: list[ReportStep]


def _grouped_rows(steps: Sequence[ReportStep], room: int) -> list[str]:
    """Return a row for those that are alike: how many of each kind, then their names as far as there is room."""
    groups: dict[tuple[str, str, str], _Group] = {}
    for step in steps:
        key = (step.action, step.why, step.outcome)
        what = sentence(_sentence(step._replace(fields=())))
        groups.setdefault(key, _Group(_SIGNS.get(step.action, ""), what, [])).steps.append(step)
    bare = [table_row(group.sign, _count(group.steps), group.what) for group in groups.values()]
    room -= sum(len(row) + 8 for row in bare)
    rows = []
    for number, group in enumerate(groups.values()):
        names = fit_names([step.name for step in _functions_first(group.steps)], max(0, room) // (len(bare) - number))
        room -= len(names)
        rows.append(table_row(group.sign, _count(group.steps), f"{group.what}: {names}" if names else group.what))
    return rows


def _functions_first(steps: Sequence[ReportStep]) -> list[ReportStep]:
    return sorted(steps, key=lambda step: step.kind != "function")


def _count(steps: Sequence[ReportStep]) -> str:
    """Return ``3 functions, 2 resources``."""
    return sentence(count_kinds(dict(Counter(step.kind for step in _functions_first(steps)))))


def _fit(lines: Sequence[str], room: int, noun: str, more: int = 0) -> list[str]:
    """Return the lines that fit, and how many do not."""
    fitting = []
    room -= 60
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            break
        fitting.append(line)
    lost = len(lines) - len(fitting) + more
    return [*fitting, f"**and {count(lost, noun)} more, not shown here**"] if lost else fitting


def _limit(lines: Sequence[str], most: int, more: str) -> list[str]:
    return [*lines[:most], more.format(f"{len(lines) - most:,}")] if len(lines) > most else list(lines)
