"""Problems as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from reconciler.engine.plan_file import (
    Model,
    ProblemDocument,
    problem_document,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.base.errors import Problem


class ProblemsDocument(Model):
    """What went wrong, or what `validate` found."""

    format: Literal["udfs.problems/1"] = "udfs.problems/1"
    problems: tuple[ProblemDocument, ...]


def problems_document(problems: Iterable[Problem]) -> ProblemsDocument:
    return ProblemsDocument(problems=tuple(map(problem_document, problems)))
