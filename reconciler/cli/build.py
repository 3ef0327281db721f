"""build."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from reconciler.base.errors import UsageError
from reconciler.base.hints import Command
from reconciler.cli.support.options import Options, command, declared_function, loaded, manifest_options, prepared
from reconciler.cli.support.output import print_bytes, print_document, print_lines
from reconciler.packages.export import export
from reconciler.render import documents as document
from reconciler.render import inspection as shown
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
def build(options: Options, out: Path | None, show: bool, functions: tuple[str, ...]) -> None:
    """Make the bytes that would be uploaded, and list them with their sha256.

    The list is what sha256sum --check takes. With functions: only what those need. No service is asked.
    """
    manifest = loaded(options)
    wanted = [declared_function(manifest, name) for name in functions]
    if show and (len(wanted) != 1 or out is not None or options.as_json):
        raise UsageError(
            "E901", "--source takes one function, and no --out or --format", hint=Command("build", "--source NAME")
        )
    ready = prepared(manifest, options, warn=not options.as_json)
    if show:
        print_bytes(preparation.entry_module(ready, wanted[0]).read_bytes())
        return
    found = preparation.list_uploads(ready, wanted)
    if out is not None:
        export([(one.name, one.content.path, one.content.sha256) for one in found], out)
    if options.as_json:
        print_document(document.build(manifest.manifest.stack, found, out, options.invocation.complete(ready.warnings)))
        return
    print_lines(shown.packed(found), sys.stderr)
    print_lines(shown.build(found))
    sys.stdout.flush()
    print_lines(shown.built(found, out), sys.stderr)
