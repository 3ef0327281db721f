"""lock."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from reconciler.base.errors import InvalidManifest, UsageError
from reconciler.base.hints import Command
from reconciler.base.words import safe
from reconciler.cli.support.options import Options, cache, command, loaded, manifest_options
from reconciler.cli.support.output import note, print_document, print_lines
from reconciler.packages.lock import use
from reconciler.packages.lock.changes import between
from reconciler.packages.lock.inputs import read_requests
from reconciler.packages.lock.make import Upgrade, make_lock, upgraded
from reconciler.render import documents as document
from reconciler.render import lock as shown

if TYPE_CHECKING:
    from reconciler.manifest.load import Loaded
    from reconciler.packages.lock.file import Lock


@command()
@manifest_options
@click.argument("names", nargs=-1, metavar="[NAME…]")
@click.option(
    "--upgrade", is_flag=True, help="Take the newest versions that fit: of the distributions NAME, or of all of them."
)
@click.option("--check", is_flag=True, help="Write nothing; exit with 3 if the lock is not what the manifest wants.")
def lock(options: Options, names: tuple[str, ...], upgrade: bool, check: bool) -> int:
    """Resolve the packages' requirements for their runtimes, and write udfs.lock.

    Versions stay as they are where they still fit; `--upgrade` lets them move.
    """
    if names and not upgrade:
        raise UsageError(
            "E901",
            "names of distributions go with --upgrade",
            hint=Command("lock", f"--upgrade {' '.join(names)}"),
        )
    if check and upgrade:
        raise UsageError("E901", "--check and --upgrade exclude each other")
    manifest = loaded(options)
    if check:
        return _check(manifest, options, use.read(manifest))
    previous = use.salvaged(manifest, note)
    wish = upgraded(names, previous) if upgrade else Upgrade()
    made = make_lock(manifest, previous, wish, cache=cache(), env=os.environ, on_step=note)
    changes = between(previous, made)
    written = use.write(manifest, made)
    if options.as_json:
        print_document(document.lock(manifest.manifest.stack, use.shown(manifest), changes, written=written))
    else:
        print_lines(shown.lines(use.shown(manifest), made, changes, written=written))
    return 0


def _check(manifest: Loaded, options: Options, previous: Lock | None) -> int:
    asked = read_requests(manifest)
    found = (use.stale, use.unused, use.edited)
    problems = [problem for judge in found for problem in judge(manifest, previous, asked)]
    if problems:
        raise InvalidManifest.of(problems)
    if options.as_json:
        print_document(document.lock(manifest.manifest.stack, use.shown(manifest), (), written=False))
    else:
        what = use.shown(manifest) if previous else "No lock"
        print_lines([(("", f"{safe(what)} is what {safe(str(options.file))} wants."),)])
    return 0
