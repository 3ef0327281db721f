"""sbom: what the functions ship that others made."""

from __future__ import annotations

import os
from pathlib import Path

import click

from reconciler import __version__
from reconciler.base.errors import UsageError, count
from reconciler.cli.support.files import write_whole
from reconciler.cli.support.options import Options, command, manifest_options
from reconciler.cli.support.output import Result, note
from reconciler.cli.support.project import open_manifest, user_cache
from reconciler.packages.collect import collect
from reconciler.packages.inventory import take_inventory
from reconciler.packages.lock import use


@command()
@manifest_options
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file instead of stdout.")
def sbom(options: Options, out: Path | None) -> Result:
    """List everything the functions ship that others made, as CycloneDX 1.6 JSON: wheels and native libraries.

    Names, versions, sha256, licences, and what came along with what. The same manifest and lock give the same bytes.
    """
    try:
        from reconciler.render.sbom import render_sbom
    except ModuleNotFoundError as error:
        message = f"{error.name}, which writes CycloneDX, is not installed"
        raise UsageError("E462", message, hint="pip install 'udfs[sbom]'") from error
    manifest = open_manifest(options)
    artifacts = collect(manifest, cache=user_cache(), env=os.environ, on_step=note)
    stock = take_inventory(manifest.manifest.stack, artifacts.shipments.values(), use.read_lock(manifest))
    text = render_sbom(stock, __version__)
    if out is None:
        return Result(text)
    write_whole(out, text.encode())
    return Result(notes=(f"wrote {out}: {count(len(stock.parts), 'component')}",))
