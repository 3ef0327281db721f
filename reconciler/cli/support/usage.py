"""
Usage error: what click says of arguments, in plain words and with the word that was probably meant.

Its own guesses are left out: they are worded otherwise, and some of its versions make none.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from reconciler.base.errors import UsageError
from reconciler.base.words import closest, did_you_mean, quote, suggest

if TYPE_CHECKING:
    from collections.abc import Iterable

_NOT_A_CHOICE = re.compile(r": '(?P<word>.*?)' is not one of ", re.DOTALL)
_NO_COMMAND = re.compile(r"No such command '(?P<word>.*?)'\.", re.DOTALL)


def usage_error(error: click.ClickException) -> UsageError:
    """Return an error of click's as one of ours, E901."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    command = context.command if context else None
    message = error.format_message()
    if isinstance(error, click.NoSuchOption):
        message = f"no such option {quote(error.option_name)}"
        meant = closest(error.option_name.lstrip("-"), _options(command))
        hint = suggest(f"--{meant}") if meant else None
    elif isinstance(error, click.BadParameter) and isinstance(getattr(error.param, "type", None), click.Choice):
        hint = _guess(_NOT_A_CHOICE.search(message), error.param.type.choices)  # type: ignore[union-attr]
    elif isinstance(command, click.Group) and context and (match := _NO_COMMAND.search(message)):
        message, hint = match[0], _guess(match, command.list_commands(context))
    else:
        hint = None
    message = _plainly(message.rstrip("."))
    help = f"{context.command_path if context else 'udfs'} --help"
    return UsageError("E901", message[:1].lower() + message[1:], hint=hint or help)


def _guess(match: re.Match[str] | None, names: Iterable[str]) -> str | None:
    return did_you_mean(match["word"], names) if match else None


def _options(command: click.Command | None) -> Iterable[str]:
    """Return the long options of a command, without their dashes; the letter of a short one is like any other."""
    options = ([*each.opts, *each.secondary_opts] for each in command.params) if command else ()
    return [name[2:] for names in options for name in names if name.startswith("--")]


def _plainly(message: str) -> str:
    """Return a message of click's without its own names for types, and without brackets about an argument's name."""
    for kind, plain in (("integer range", "whole number"), ("float range", "number")):
        message = message.replace(f"is not a valid {kind}", f"is not a {plain}")
    return re.sub(r"(Invalid value for )'\[(\w+)\]'", r"\1\2", message)
