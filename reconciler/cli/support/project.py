"""
The manifest of a command, the files that it names, and the connection to its target.

Warnings about them go to stderr at once, unless the command has a place of its own for them. Credentials come from the
environment, and a service that is built in runs for as long as the command does.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler import __version__
from reconciler.base.activity import activity
from reconciler.base.errors import UsageError, sort_problems
from reconciler.base.words import did_you_mean, quote
from reconciler.cli.support.output import note, print_lines
from reconciler.render import styled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.base.errors import Problem
    from reconciler.cli.support.options import Options
    from reconciler.core.target import Target
    from reconciler.manifest.load import Loaded
    from reconciler.packages.fetch.cache import Cache
    from reconciler.workflow.preparation import Prepared


@activity("reading the manifest")
def open_manifest(options: Options, *, warn: bool = True, look_on: bool = True) -> Loaded:
    """Read and check the manifest; where it is broken, and `look_on`, what is wrong with its files is told in the same run."""
    from reconciler.manifest import load
    from reconciler.targets.dialects import DIALECTS

    try:
        manifest = load.load_manifest(options.file, DIALECTS, target=options.target, env=os.environ)
    except load.PartlyRead as error:
        if look_on and error.rest is not None:
            from reconciler.workflow.preparation import rest_problems

            known = set(map(_essence, error.problems))
            more = [each for each in rest_problems(error.rest, error.touched) if _essence(each) not in known]
            error.problems = tuple(sort_problems((*error.problems, *more)))
        raise
    if manifest.warnings and warn and options.format == "text":
        print_warnings(manifest.warnings, options)
    return manifest


def _essence(problem: Problem) -> tuple[object, ...]:
    """Return what makes a problem the same as another one."""
    return problem.code, problem.message, problem.at and (problem.at.file, problem.at.line)


def prepare_files(manifest: Loaded, options: Options, *, warn: bool = True) -> Prepared:
    """Read, fetch and check every file that the manifest names."""
    from reconciler.workflow import preparation

    today = datetime.now(timezone.utc).date()
    manifest = replace(manifest, forced=options.forced)
    prepared = preparation.prepare(manifest, cache=user_cache(), env=options.env, on_step=note, day=today)
    if prepared.warnings and warn:
        print_warnings(prepared.warnings, options)
    return prepared


def prepare_project(options: Options) -> Prepared:
    """Read and check the manifest and every file that it names."""
    return prepare_files(open_manifest(options), options)


def print_warnings(warnings: tuple[Problem, ...], options: Options) -> None:
    """Print warnings to stderr, if there are any."""
    if warnings:
        print_lines(styled.problems_lines(options.invocation.complete(warnings)), sys.stderr)


def declared_name(manifest: Loaded, name: str) -> str:
    """Return a function's name as the manifest spells it."""
    spelled = {declared.lower(): declared for declared in manifest.manifest.functions}
    if name.lower() not in spelled:
        hint = did_you_mean(name, spelled.values()) or f"it has: {', '.join(spelled.values())}"
        raise UsageError("E720", f"the manifest has no function {quote(name)}", hint=hint)
    return spelled[name.lower()]


def user_cache() -> Cache:
    """Return the cache: UDFS_CACHE_DIR, or ``udfs`` in the user's cache folder."""
    from reconciler.packages.fetch.cache import Cache

    return Cache(cache_folder())


def cache_folder() -> Path:
    """Return where wheels are kept between runs."""
    # Absolute: pip and uv run in folders of their own.
    if folder := os.environ.get("UDFS_CACHE_DIR"):
        return Path(folder).absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    return ((Path(base) if base else Path.home() / ".cache") / "udfs").absolute()


STORE = ".udfs"
"""The folder beside the manifest where built-in services keep what they hold."""


@contextmanager
def connect(manifest: Loaded) -> Iterator[Target]:
    """Reach the manifest's target."""
    import secrets

    from reconciler.targets import adapter_of
    from reconciler.targets.adapter import Access

    access = Access(
        environment=os.environ,
        store=manifest.folder / STORE,
        # The local service can be told to kill the client of a request, for tests of what a crash leaves behind.
        user_agent=f"udfs/{__version__} udfs-pid/{os.getpid()}",
        token=lambda: secrets.token_hex(3),
        note=note,
    )
    with adapter_of(manifest).connect(manifest, access) as target:
        yield target
