"""
Annotations of a run: at most ten errors and ten warnings, the last of which counts what there was no place for.

GitHub shows ten of a kind a step, and drops the rest in silence [docs.github.com, "Workflow commands"].
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.base.errors import Problem, count
from reconciler.render.findings import workflow_commands

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.render.forges.reports import PipelineReport

_MOST = 10


def annotate(report: PipelineReport) -> str:
    """Return the problems of all targets as workflow commands, each problem once."""
    problems = list(dict.fromkeys(problem for target in report.targets for problem in target.problems))
    return workflow_commands(
        problem
        for severity in ("error", "warning")
        for problem in _limited([problem for problem in problems if problem.severity == severity])
    )


def _limited(problems: list[Problem]) -> Iterable[Problem]:
    if len(problems) <= _MOST:
        return problems
    left_out = problems[_MOST - 1 :]
    severity = left_out[0].severity
    counted = Problem("E575", f"and {count(len(left_out), severity)} more: see the summary", severity=severity)
    return [*problems[: _MOST - 1], counted]
