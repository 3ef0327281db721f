"""Findings in the formats of those who collect them: SARIF, GitHub's workflow commands, JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.base.errors import Problem
    from reconciler.cli.support.options import Options
    from reconciler.cli.support.result import Output


def findings_output(problems: Iterable[Problem], options: Options) -> Output:
    """Return problems in the format that was asked for, which is not text."""
    if options.format == "sarif":
        from reconciler.render.sarif import SarifLog

        return SarifLog(tuple(problems))
    if options.format == "github":
        from reconciler.render.github import workflow_commands

        return workflow_commands(problems)
    from reconciler.render.documents.problems import problems_document

    return problems_document(problems)
