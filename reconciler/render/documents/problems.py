"""Problems, and results for several targets, as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, Field

from reconciler.engine.plan_file import Model, ProblemDocument, problem_document

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.base.errors import Problem


class ProblemsDocument(Model):
    """What went wrong, or what `validate` found."""

    format: Literal["udfs.problems/1"] = "udfs.problems/1"
    problems: tuple[ProblemDocument, ...]


def problems_document(problems: Iterable[Problem]) -> ProblemsDocument:
    return ProblemsDocument(problems=tuple(map(problem_document, problems)))


class TargetDocument(Model):
    """What came of a command for one of several targets."""

    target: str
    exit_code: int | None = Field(None, description="Absent: it was not begun, because a target before it failed.")
    summary: str
    document: dict[str, Any] | None = Field(None, description="What the command prints for this target alone.")


class TargetsDocument(Model):
    """What came of a command for several targets, in the order given."""

    format: Literal["udfs.targets/1"] = "udfs.targets/1"
    exit_code: int = Field(description="The worst of them.")
    targets: tuple[TargetDocument, ...]


def targets_document(code: int, parts: Iterable[tuple[str, int | None, str, object]]) -> TargetsDocument:
    """Return the documents of several targets as one; `parts` has target, exit code, summary and document of each."""
    return TargetsDocument(
        exit_code=code,
        targets=tuple(
            TargetDocument(target=name, exit_code=exit_code, summary=summary, document=_values(document))
            for name, exit_code, summary, document in parts
        ),
    )


def _values(document: object) -> dict[str, Any] | None:
    if not isinstance(document, BaseModel):
        return None
    return document.model_dump(mode="json", by_alias=True, exclude_none=True)
