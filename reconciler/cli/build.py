"""build, deps and sbom: what the functions ship, as bytes, as a tree, and as a bill of materials."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler import __version__
from reconciler.base.errors import UsageError, count
from reconciler.base.hints import Command
from reconciler.base.inputs import SHIPPED, read_input
from reconciler.cli.support.completion import complete_from
from reconciler.cli.support.files import write_whole
from reconciler.cli.support.options import Options, command, manifest_options
from reconciler.cli.support.output import Result, note, print_lines
from reconciler.cli.support.project import declared_name, open_manifest, prepare_files, user_cache
from reconciler.packages.collect import collect
from reconciler.packages.content import export_files
from reconciler.packages.dependencies import list_dependencies
from reconciler.packages.inventory import take_inventory
from reconciler.packages.lock import use
from reconciler.render import inspection, styled
from reconciler.workflow import preparation

if TYPE_CHECKING:
    from reconciler.manifest.load import Loaded


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
@click.option(
    "--wheels",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the wheels that were built into this folder, for udfs plan --no-build --wheels DIR elsewhere.",
)
@click.argument("functions", nargs=-1, metavar="[FUNCTION…]", shell_complete=complete_from("functions"))
def build(options: Options, out: Path | None, show: bool, wheels: Path | None, functions: tuple[str, ...]) -> Result:
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
        return Result(read_input(preparation.entry_module(prepared, names[0]), SHIPPED))
    if wheels is not None:
        export_built(manifest, wheels)
    uploads = preparation.list_uploads(prepared, names)
    if out is not None:
        export_files([(upload.name, upload.content.path, upload.content.sha256) for upload in uploads], out)
    if options.as_json:
        from reconciler.render.documents.files import build_document

        warnings = options.invocation.complete(prepared.warnings)
        return Result(build_document(manifest.manifest.stack, uploads, out, warnings))
    print_lines(inspection.packed_lines(uploads), sys.stderr)
    return Result(inspection.build_lines(uploads), notes=(inspection.upload_total(uploads, out),))


def export_built(manifest: Loaded, folder: Path) -> None:
    """Write out the wheels that the lock says were built."""
    lock, cache = use.read_lock(manifest), user_cache()
    groups = [group for tags in lock.packages.values() for group in tags.values()] if lock else []
    built = {wheel.file: wheel.sha256 for group in groups for wheel in group.files if wheel.source is not None}
    kept = [(file, content.path, sha256) for file, sha256 in built.items() if (content := cache.get(sha256))]
    export_files(kept, folder)
    note(f"wrote {count(len(kept), 'built wheel')} to {folder}")


@command()
@manifest_options
@click.argument("function", required=False, shell_complete=complete_from("functions"))
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


@command()
@manifest_options
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file instead of stdout.")
def sbom(options: Options, out: Path | None) -> Result:
    """List everything the functions ship that others made, as CycloneDX 1.6 JSON: wheels, native libraries, Debian packages.

    Names, versions, sha256, licences, and what came along with what. The same manifest and lock give the same bytes.
    """
    try:
        from reconciler.render.sbom import render_sbom
    except ModuleNotFoundError as error:
        message = f"{error.name}, which writes CycloneDX, is not installed"
        raise UsageError("E462", message, hint="pip install 'udfs[sbom]'") from error
    manifest = open_manifest(options)
    artifacts = collect(manifest, cache=user_cache(), env=os.environ, on_step=note)
    stock = take_inventory(manifest.manifest.stack, artifacts, manifest.package_runtimes, use.read_lock(manifest))
    text = render_sbom(stock, __version__)
    if out is None:
        return Result(text)
    write_whole(out, text.encode())
    return Result(notes=(f"wrote {out}: {count(len(stock.parts), 'component')}",))
