"""completion: the shell's completion script."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from reconciler.cli.support.options import command
from reconciler.cli.support.output import Result


@command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> Result:
    """Print a completion script: `udfs completion bash >> ~/.bashrc`, or for zsh or fish."""
    # Here, because the group imports the commands.
    from reconciler.cli.group import group

    kind = get_completion_class(shell)
    assert kind is not None
    return Result(kind(group, {}, "udfs", "_UDFS_COMPLETE").source() + "\n")
