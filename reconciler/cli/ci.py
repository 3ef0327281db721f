"""ci: the manifests of a repository in a pipeline; each step writes a folder that later steps read."""

from __future__ import annotations

import importlib

import click

_STEPS = {
    "check": ("check", "ci_check"),
    "plan": ("plan", "ci_plan"),
    "apply": ("apply", "ci_apply"),
    "drift": ("drift", "ci_drift"),
    "publish": ("publish", "publish"),
    "approvals": ("approvals", "approvals"),
}
"""Of each step the module, imported when it is called, and the command there."""


class _Steps(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_STEPS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _STEPS:
            return None
        module, name = _STEPS[cmd_name]
        command: click.Command = getattr(importlib.import_module(f"reconciler.cli.pipeline.{module}"), name)
        return command


@click.group(cls=_Steps, context_settings={"help_option_names": ["-h", "--help"]})
def ci() -> None:
    """Check, plan and apply the manifests of a repository in a pipeline, in three lines of any CI system.

    Without -f it is each udfs.yaml of the repository, and each comes behind those that its `after:` names. The exit code is
    the worst of all: 130, 8, 1, 4, 3, 5, 6, 7, 9, 2, 0.
    """
