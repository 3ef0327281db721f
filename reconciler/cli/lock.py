"""lock: choose a file for every requirement of the packages."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import click

from reconciler.base.errors import InvalidManifest, UsageError
from reconciler.base.hints import Command
from reconciler.base.words import safe
from reconciler.cli.support.options import Options, command, manifest_options
from reconciler.cli.support.output import Result, note
from reconciler.cli.support.project import open_manifest, print_warnings, user_cache
from reconciler.packages.lock import use
from reconciler.packages.lock.file import compare_locks
from reconciler.packages.lock.inputs import read_requests
from reconciler.packages.lock.make import Upgrade, make_lock, parse_upgrade
from reconciler.workflow.preparation import look_into_lock

if TYPE_CHECKING:
    from reconciler.base.errors import Problem
    from reconciler.manifest.load import Loaded
    from reconciler.packages.lock.file import Lock


@command()
@manifest_options
@click.argument("names", nargs=-1, metavar="[NAME…]")
@click.option(
    "--upgrade", is_flag=True, help="Take the newest versions that fit: of the distributions NAME, or of all of them."
)
@click.option(
    "--allow-unsigned",
    is_flag=True,
    help="Believe a mirror of Debian where its signature cannot be checked; the lock then says `signed: false`.",
)
@click.option("--check", is_flag=True, help="Write nothing; exit with 3 if the lock is not what the manifest wants.")
def lock(options: Options, names: tuple[str, ...], upgrade: bool, allow_unsigned: bool, check: bool) -> Result:
    """Resolve the packages' requirements for their runtimes, and write udfs.lock.

    Versions stay as they are where they still fit; `--upgrade` lets them move.
    """
    if names and not upgrade:
        hint = Command("lock", f"--upgrade {' '.join(names)}")
        raise UsageError("E901", "names of distributions go with --upgrade", hint=hint)
    if check and upgrade:
        raise UsageError("E901", "--check and --upgrade exclude each other")
    manifest = open_manifest(options, look_on=False)  # what is wrong with the lock is mended by this
    if check:
        return _check(manifest, options)
    previous = use.read_salvage(manifest, note)
    wish = parse_upgrade(names, previous) if upgrade else Upgrade()
    warnings: list[Problem] = []
    new = make_lock(
        manifest,
        previous,
        wish,
        cache=user_cache(),
        env=os.environ,
        on_step=note,
        on_warning=warnings.append,
        now=datetime.now(timezone.utc),
        allow_unsigned=allow_unsigned,
    )
    changes = compare_locks(previous, new)
    written = use.write_lock(manifest, new)
    warnings += look_into_lock(manifest, cache=user_cache(), env=os.environ, on_step=note)
    print_warnings(tuple(sorted(dict.fromkeys(warnings), key=lambda warning: warning.message)), options)
    file = use.lock_label(manifest)
    if options.as_json:
        from reconciler.render.documents.locks import lock_document

        return Result(lock_document(manifest.manifest.stack, file, changes, written=written))
    from reconciler.render.inspection import lock_lines

    return Result(lock_lines(file, new, changes, written=written))


def require_lock(manifest: Loaded) -> Lock | None:
    """Return the lock of a manifest, if it has one; raise with everything in which it is not what the manifest wants."""
    previous = use.read_lock(manifest)
    requests = read_requests(manifest)
    checks = (use.find_stale, use.find_unused, use.find_edited)
    if problems := [problem for check in checks for problem in check(manifest, previous, requests)]:
        raise InvalidManifest.of(problems)
    return previous


def _check(manifest: Loaded, options: Options) -> Result:
    previous = require_lock(manifest)
    if options.as_json:
        from reconciler.render.documents.locks import lock_document

        return Result(lock_document(manifest.manifest.stack, use.lock_label(manifest), (), written=False))
    file = safe(str(options.file))
    return Result(f"{safe(use.lock_label(manifest))} matches {file}.\n" if previous else f"{file} needs no lock.\n")
