"""
The group of all commands.

Each command's module is imported when the command is called.
"""

from __future__ import annotations

import builtins
import importlib
import keyword
from typing import TYPE_CHECKING, ClassVar

import click

from reconciler import __version__
from reconciler.cli.overview import COMMANDS, overview

if TYPE_CHECKING:
    from collections.abc import Mapping

SIBLINGS = {
    **dict.fromkeys(("show_run", "unlock"), "history"),
    **dict.fromkeys(("gc", "destroy"), "rollback"),
    **dict.fromkeys(("deps", "sbom"), "build"),
    **dict.fromkeys(("schema", "explain", "completion"), "init"),
    "disown": "adopt",
    "dump": "show",
    "verify": "test",
}
"""Commands that stand in the module of another one."""


class LazyGroup(click.Group):
    """Commands by name, each imported from its module when it is called."""

    names: ClassVar[Mapping[str, object]] = {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.names:
            return None
        module, name = self.locate(cmd_name)
        command: click.Command = getattr(importlib.import_module(f"reconciler.cli.{module}"), name)
        return command

    def locate(self, command: str) -> tuple[str, str]:
        """Return the module of a command, below `reconciler.cli`, and its name there."""
        raise NotImplementedError


class _Group(LazyGroup):
    names = COMMANDS

    def locate(self, command: str) -> tuple[str, str]:
        name = command.replace("-", "_")
        # A function cannot be called `import`, and `list` is Python's own.
        if keyword.iskeyword(name) or hasattr(builtins, name):
            name += "_"
        return SIBLINGS.get(name, name), name

    def get_help(self, ctx: click.Context) -> str:
        return overview(ctx.make_formatter().width + 2).rstrip("\n")

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from reconciler.cli.support.synonyms import no_command

            raise no_command(args[0])
        return super().resolve_command(ctx, args)


@click.command(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="udfs", message="%(prog)s %(version)s")
def group() -> None:
    """Keep the Python functions of MaxCompute, Function Compute and Flink in Git."""
