"""ci: the manifests of a repository in a pipeline; each step writes a folder that later steps read."""

from __future__ import annotations

import click

from reconciler.cli.group import LazyGroup

_STEPS = {
    "check": ("pipeline.check", "ci_check"),
    "plan": ("pipeline.plan", "ci_plan"),
    "apply": ("pipeline.apply", "ci_apply"),
    "drift": ("pipeline.drift", "ci_drift"),
    "publish": ("pipeline.publish", "publish"),
    "approvals": ("pipeline.approvals", "approvals"),
}
"""Of each step the module and the command there."""


class _Steps(LazyGroup):
    names = _STEPS

    def locate(self, command: str) -> tuple[str, str]:
        return _STEPS[command]


@click.group(cls=_Steps, context_settings={"help_option_names": ["-h", "--help"]})
def ci() -> None:
    """Check, plan and apply the manifests of a repository in a pipeline, in three lines of any CI system.

    Without -f it is each udfs.yaml of the repository, and each comes behind those that its `after:` names. The exit code is
    the worst of all: 130, 8, 1, 4, 3, 5, 6, 7, 9, 2, 0.
    """
