"""ui: one page of the project, for a browser on this machine."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, TypeVar

import click

from reconciler.base.errors import UsageError
from reconciler.cli.support.interpreter import SECONDS
from reconciler.cli.support.options import Options, command, handover_options, with_options
from reconciler.cli.support.output import Result, serve_until_ended
from reconciler.cli.support.project import open_manifest

if TYPE_CHECKING:
    from collections.abc import Callable

R = TypeVar("R")


def _as_page(command: Callable[..., R]) -> Callable[..., R]:
    """Leave a command no choice of formats: a page is what it shows."""

    @functools.wraps(command)
    def wrapper(**arguments: Any) -> R:
        return command(format="html", **arguments)

    return wrapper


@command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="The port; any free one when left out.")
@click.option(
    "--allow-calls", is_flag=True, help="Let the page call functions, which run here as `udfs call` runs them."
)
@click.option(
    "--allow-sql", is_flag=True, help="Let the page run SQL in the target, statements that change tables too."
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True, max=86_400),
    default=SECONDS,
    show_default=True,
    metavar="SECONDS",
    help="End a call or a statement that takes longer.",
)
@lambda command: with_options(command, _as_page)
@handover_options
def ui(options: Options, port: int, allow_calls: bool, allow_sql: bool, timeout: float) -> Result:
    """Show the project on one page: what there is, its sizes, what drifts, what an apply would do, and past applies.

    Prints the page's address, which has a secret in it, and runs until SIGTERM or Ctrl-C. The page is served on loopback, to
    whoever has the address, and is read anew each time. It changes nothing; --allow-calls and --allow-sql add a form each.
    """
    from reconciler.cli.browser.commands import Commands
    from reconciler.cli.browser.site import PageServer
    from reconciler.cli.browser.survey import ProjectPages, require_forms

    require_forms(open_manifest(options), allow_calls=allow_calls, allow_sql=allow_sql)
    pages = ProjectPages(options, Commands(options, timeout), allow_calls, allow_sql)
    try:
        server = PageServer(pages, port)
    except OSError as error:
        raise UsageError("E901", f"cannot listen at 127.0.0.1:{port}: {error.strerror or error}") from error
    serve_until_ended(server, server.url)
    return Result()
