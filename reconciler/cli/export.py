"""export: code by which other programs use a package."""

from __future__ import annotations

import os
from functools import partial

import click

from reconciler.cli.support.completion import complete_from
from reconciler.cli.support.options import Options, command, manifest_options
from reconciler.cli.support.output import Result, note
from reconciler.cli.support.project import open_manifest, user_cache
from reconciler.packages.collect import collect
from reconciler.targets import kinds_with, require_power

EXPORTS = {
    name: export for exports in kinds_with(lambda kind: kind.exports).values() for name, export in exports.items()
}
PYTHONS = dict.fromkeys(python for export in EXPORTS.values() for python in export.PYTHONS)


@command()
@click.argument("what", metavar="|".join(EXPORTS), type=click.Choice([*EXPORTS]))
@click.argument("package", shell_complete=complete_from("packages"))
@click.option(
    "--requirements", is_flag=True, help="Exact versions for MaxFrame's own packaging, in place of uploaded archives."
)
@click.option("--python", type=click.Choice([*PYTHONS]), help="Of which runtime, where functions of several use it.")
@manifest_options
def export(options: Options, what: str, package: str, python: str | None, requirements: bool) -> Result:
    """Print the Python code by which a MaxFrame job uses a PACKAGE of the manifest.

    The job gets the archives that `udfs apply` uploads, or with --requirements the same versions, packed by MaxFrame.
    """
    manifest = open_manifest(options)
    exporting = require_power(manifest, lambda adapter: adapter.exports.get(what), f"export to {what}")
    files = partial(collect, manifest, cache=user_cache(), env=os.environ, on_step=note)
    exported = exporting.export_package(manifest, package, python, as_requirements=requirements, collect=files)
    if options.as_json:
        from reconciler.render.documents.locks import ExportDocument

        return Result(ExportDocument.of(exported))
    return Result(exported.code)
