"""libs, deps."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Literal

import click

from reconciler.base.errors import PackageError, UsageError
from reconciler.cli.support.options import (
    Options,
    cache,
    command,
    declared_function,
    format_option,
    loaded,
    manifest_options,
)
from reconciler.cli.support.output import note, print_document, print_lines
from reconciler.packages import content
from reconciler.packages.collect import collect
from reconciler.packages.dependencies import dependencies, look
from reconciler.packages.inspect.closure import Part
from reconciler.packages.inspect.contents import inspected
from reconciler.render import documents as document
from reconciler.render import inspection as shown
from reconciler.render import text
from reconciler.targets.maxcompute.runtimes import PLATFORMS, RHEL7, RUNTIMES

DEFAULT_RUNTIME = "cp37"
DOES_NOT_LOAD = PackageError.exit_code


@command()
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE…", type=click.Path(path_type=Path, exists=True, dir_okay=False)
)
@click.option(
    "--python", type=click.Choice([*RUNTIMES]), help="Judge for this Python only, and exit with 3 if one does not load."
)
@click.option(
    "--platform", type=click.Choice([*PLATFORMS]), default=RHEL7.name, show_default=True, help="The workers' system."
)
@format_option
def libs(files: tuple[Path, ...], python: str | None, platform: str, format: Literal["text", "json"]) -> int:
    """Show what is native in wheels, archives and libraries, what it needs, and where it loads.

    Several files are judged as if one function shipped them together.
    """
    runtimes = {tag: replace(runtime, platform=PLATFORMS[platform]) for tag, runtime in RUNTIMES.items()}
    judged = [runtimes[python]] if python else [*runtimes.values()]
    found = look([_part(file) for file in files], judged, runtimes[python or DEFAULT_RUNTIME])
    if format == "json":
        print_document(document.libs(found))
    else:
        print_lines(shown.libs(found))
    all_load = all(verdict.loads for one in found for verdict in one.verdicts)
    return 0 if all_load or python is None else DOES_NOT_LOAD


@command()
@manifest_options
@click.argument("function", required=False)
def deps(options: Options, function: str | None) -> None:
    """Show what each function ships: packages, wheels, native libraries, sizes, and who shares them."""
    manifest = loaded(options)
    names = [declared_function(manifest, function)] if function else [*manifest.manifest.functions]
    artifacts = collect(manifest, cache=cache(), env=os.environ, on_step=note)
    found = [dependencies(name, artifacts.shipments) for name in names]
    warnings = options.invocation.complete(artifacts.warnings)
    if options.as_json:
        print_document(document.deps(manifest.manifest.stack, found, warnings))
        return
    print_lines(text.problems(warnings), sys.stderr)
    print_lines(shown.deps(found))


def _part(file: Path) -> tuple[Part, int]:
    if not file.is_file():  # reading a pipe would wait for somebody to write
        raise UsageError("E305", f"'{file}' is not a regular file")
    try:
        found = content.read(file)
        facts = inspected(file, found.sha256, cache().inspections)
    except OSError as error:
        raise UsageError("E305", f"'{file}' cannot be read: {error.strerror or error}") from error
    return Part(file.name, facts, "library" if facts.kind == "library" else "archive"), found.size
