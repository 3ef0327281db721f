"""
Files that GitLab shows in a merge request: how many operations a plan has, and problems as code quality.

*Counts*: ``artifacts:reports:terraform``, an object with ``create``, ``update`` and ``delete`` [docs.gitlab.com, "Terraform
integration in merge requests"]. *Code quality*: a list of issues of Code Climate's format, of which GitLab reads description,
check_name, fingerprint, severity, path and line [docs.gitlab.com, "Code Quality"]. Neither was tried on GitLab.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconciler.render.forges.reports import PipelineReport

COUNTS_FILE = "gitlab-plan.json"
QUALITY_FILE = "gitlab-codequality.json"

_SEVERITY = {"error": "major", "warning": "minor"}


def plan_counts(report: PipelineReport) -> str:
    """Return how many objects of all targets are created, updated and deleted."""
    actions = Counter(step.action for target in report.targets for step in target.steps)
    return json.dumps({action: actions[action] for action in ("create", "update", "delete")}) + "\n"


def code_quality(report: PipelineReport) -> str:
    """Return the problems that have a place; the fingerprint of one does not change when its line moves."""
    issues = []
    seen = Counter[str]()
    for target in report.targets:
        for problem in target.problems:
            if problem.at is None:
                continue
            parts = (target.manifest, target.target, problem.code, problem.at.file, problem.message)
            identity = "\0".join(parts)
            seen[identity] += 1
            issues.append(
                {
                    "description": problem.message,
                    "check_name": problem.code,
                    "fingerprint": hashlib.sha256(f"{identity}\0{seen[identity]}".encode()).hexdigest(),
                    "severity": _SEVERITY[problem.severity],
                    "location": {"path": problem.at.file, "lines": {"begin": problem.at.line}},
                }
            )
    return json.dumps(issues, indent=2) + "\n"
