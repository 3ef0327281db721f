"""runtime: the runtimes that functions run in here, and root file systems for them."""

from __future__ import annotations

import os
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.base.errors import UsageError
from reconciler.base.hints import Command
from reconciler.base.words import did_you_mean
from reconciler.cli.support.interpreter import find_root_of, python_standing_for
from reconciler.cli.support.options import command, format_option
from reconciler.cli.support.output import Result, note
from reconciler.cli.support.project import user_cache
from reconciler.targets import kinds_with

if TYPE_CHECKING:
    from reconciler.manifest.runtimes import Runtime


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def runtime() -> None:
    """Show the runtimes that functions run in here, and make root file systems for those that are a Debian of their own."""


def _runtimes() -> dict[str, Runtime]:
    kinds = kinds_with(lambda adapter: adapter.equipment)
    return {tag: runtime for kind in kinds.values() for tag, runtime in kind.runtimes.items()}


@command()
@format_option
def list_runtimes(format: str) -> Result:
    """List the runtimes of all kinds of target: the Python of each, its system, and what stands for both here."""
    rows = [(runtime, python_standing_for(runtime), find_root_of(runtime)) for runtime in _runtimes().values()]
    if format == "json":
        from reconciler.render.documents.runtimes import RuntimesDocument, runtime_document

        return Result(RuntimesDocument(runtimes=tuple(runtime_document(*row) for row in rows)))
    from reconciler.render.runtimes import runtime_lines

    return Result(runtime_lines(rows))


@command()
@click.argument("name", metavar="RUNTIME")
@click.option("--allow-unsigned", is_flag=True, help="Trust the mirror where its signature cannot be checked here.")
@format_option
def make_runtime(name: str, allow_unsigned: bool, format: str) -> Result:
    """Make the root file system of RUNTIME from Debian's packages, so that functions run here on its own Python.

    It takes a mirror of Debian, about 35 MB from there and 130 MB in the cache; no root, no apt, no container. It is kept by what it
    is made of: made again, it is new only where the mirror has newer packages. Nothing but this command makes one.
    """
    from reconciler.packages.debian.mirror import Mirror, find_mirror
    from reconciler.packages.debian.root import make_root
    from reconciler.packages.fetch.downloads import Downloads
    from reconciler.packages.fetch.indexes import pip_settings

    runtime = _runtime(name)
    cache = user_cache()
    with Downloads(pip_settings(os.environ, Path(sys.prefix))) as downloads:
        mirror = Mirror(find_mirror(os.environ), downloads, cache, os.environ, allow_unsigned)
        folder, record = make_root(
            mirror, runtime.platform.suite, runtime.python_version, now=datetime.now(timezone.utc), on_step=note
        )
    if format == "json":
        from reconciler.render.documents.runtimes import runtime_document

        return Result(runtime_document(runtime, None, record))
    from reconciler.render.runtimes import root_lines

    return Result(root_lines(runtime, folder, record))


def _runtime(name: str) -> Runtime:
    runtimes = _runtimes()
    if name not in runtimes:
        raise UsageError(
            "E735", f"there is no runtime '{name}'", hint=did_you_mean(name, runtimes) or Command("runtime", "list")
        )
    runtime = runtimes[name]
    if not runtime.platform.suite:
        hint = (
            Command("doctor"),
            f" says how to get a CPython {runtime.python_version[0]}.{runtime.python_version[1]}",
        )
        raise UsageError("E736", f"the system of runtime '{name}' is no release of Debian", hint=hint)
    return runtime


runtime.add_command(list_runtimes, "list")
runtime.add_command(make_runtime, "make")
