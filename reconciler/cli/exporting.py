"""sbom."""

from __future__ import annotations

import os
from pathlib import Path

import click

from reconciler import __version__, inventory, supply
from reconciler.cli.common import Options, cache, command, loaded, manifest_options
from reconciler.cli.output import note
from reconciler.cli.saving import write_whole
from reconciler.errors import UsageError, count
from reconciler.locking import use


@command()
@manifest_options
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file instead of stdout.")
def sbom(options: Options, out: Path | None) -> None:
    """List everything the functions ship that others made, as CycloneDX 1.6 JSON: wheels and native libraries.

    Names, versions, sha256, licences, and what came along with what. The same manifest and lock give the same bytes.
    """
    try:
        from reconciler.render.sbom import sbom as rendered
    except ModuleNotFoundError as error:
        raise UsageError(
            "E462", f"{error.name}, which writes CycloneDX, is not installed", hint="pip install 'udfs[sbom]'"
        ) from error
    manifest = loaded(options)
    artifacts = supply.artifacts_of(manifest, cache=cache(), env=os.environ, on_step=note)
    found = inventory.take(manifest.manifest.stack, artifacts, use.read(manifest))
    text = rendered(found, __version__)
    if out is None:
        click.echo(text, nl=False)
    else:
        write_whole(out, text.encode())
        note(f"wrote {out}: {count(len(found.parts), 'component')}")
