"""build: make the bytes that would be uploaded."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from reconciler.base.errors import UsageError
from reconciler.base.hints import Command
from reconciler.cli.support.options import Options, command, manifest_options
from reconciler.cli.support.output import Result, print_lines
from reconciler.cli.support.project import declared_name, open_manifest, prepare_files
from reconciler.packages.content import export_files
from reconciler.render import inspection
from reconciler.workflow import preparation


@command()
@manifest_options
@click.option(
    "--out",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the files into this folder, each under the name of its resource.",
)
@click.option(
    "--source",
    "show",
    is_flag=True,
    help="Print the module that is uploaded for one function: its source, and what is added to find its packages.",
)
@click.argument("functions", nargs=-1, metavar="[FUNCTION…]")
def build(options: Options, out: Path | None, show: bool, functions: tuple[str, ...]) -> Result:
    """Make the bytes that would be uploaded, and list them with their sha256.

    The list is what sha256sum --check takes. With functions: only what those need. No service is contacted.
    """
    manifest = open_manifest(options)
    names = [declared_name(manifest, name) for name in functions]
    if show and (len(names) != 1 or out is not None or options.as_json):
        hint = Command("build", "--source NAME")
        raise UsageError("E901", "--source takes one function, and no --out or --format", hint=hint)
    prepared = prepare_files(manifest, options, warn=not options.as_json)
    if show:
        return Result(preparation.entry_module(prepared, names[0]).read_bytes())
    uploads = preparation.list_uploads(prepared, names)
    if out is not None:
        export_files([(upload.name, upload.content.path, upload.content.sha256) for upload in uploads], out)
    if options.as_json:
        from reconciler.render.documents.files import build_document

        warnings = options.invocation.complete(prepared.warnings)
        return Result(build_document(manifest.manifest.stack, uploads, out, warnings))
    print_lines(inspection.packed_lines(uploads), sys.stderr)
    return Result(inspection.build_lines(uploads), notes=(inspection.upload_total(uploads, out),))
