"""deps: what each function ships."""

from __future__ import annotations

import os
import sys

import click

from reconciler.cli.support.options import Options, command, manifest_options
from reconciler.cli.support.output import Result, note, print_lines
from reconciler.cli.support.project import declared_name, open_manifest, user_cache
from reconciler.packages.collect import collect
from reconciler.packages.dependencies import list_dependencies
from reconciler.render import styled


@command()
@manifest_options
@click.argument("function", required=False)
def deps(options: Options, function: str | None) -> Result:
    """Show what each function ships: packages, wheels, native libraries, sizes, and who shares them."""
    manifest = open_manifest(options)
    names = [declared_name(manifest, function)] if function else [*manifest.manifest.functions]
    artifacts = collect(manifest, cache=user_cache(), env=os.environ, on_step=note)
    trees = [list_dependencies(name, artifacts.shipments) for name in names]
    warnings = options.invocation.complete(artifacts.warnings)
    if options.as_json:
        from reconciler.render.documents.files import deps_document

        return Result(deps_document(manifest.manifest.stack, trees, warnings))
    from reconciler.render import inspection as lines

    print_lines(styled.problems_lines(warnings), sys.stderr)
    return Result(lines.deps_lines(trees))
