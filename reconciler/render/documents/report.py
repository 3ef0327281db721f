"""Report of an apply as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from reconciler.engine.plan_file import (
    Action,
    Model,
    PlanDocument,
    ProblemDocument,
    plan_document,
    problem_document,
)
from reconciler.render.documents.trials import VerifyDocument  # noqa: TC001 - pydantic reads the annotation

if TYPE_CHECKING:
    from reconciler.core.plan import Plan
    from reconciler.core.report import Report


class OutcomeDocument(Model):
    """What became of one change."""

    kind: str
    name: str
    action: Action
    outcome: Literal["done", "failed", "not tried", "unknown"]


class ReportDocument(Model):
    """What an apply did."""

    format: Literal["udfs.report/1"] = "udfs.report/1"
    plan: PlanDocument
    outcomes: tuple[OutcomeDocument, ...]
    interrupted: bool = False
    problems: tuple[ProblemDocument, ...] = ()
    verification: VerifyDocument | None = Field(None, description="With --verify, if everything was applied.")


def report_document(plan: Plan, report: Report, verification: VerifyDocument | None = None) -> ReportDocument:
    return ReportDocument(
        verification=verification,
        plan=plan_document(plan),
        outcomes=tuple(
            OutcomeDocument(
                kind=change.key.kind, name=change.key.name, action=change.action.value, outcome=outcome.value
            )
            for change, outcome in report.outcomes
        ),
        interrupted=report.interrupted,
        problems=tuple(map(problem_document, report.error.problems)) if report.error else (),
    )
