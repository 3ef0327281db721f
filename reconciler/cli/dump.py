"""dump: write down what the project holds."""

from __future__ import annotations

from pathlib import Path

import click

from reconciler.cli.support.files import write_whole
from reconciler.cli.support.options import Options, command, manifest_options, refresh_option
from reconciler.cli.support.output import Result
from reconciler.cli.support.project import connect, open_manifest
from reconciler.engine import dump as dumps
from reconciler.engine.plan_file import to_json
from reconciler.workflow import planning


@command()
@manifest_options
@refresh_option
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file instead of stdout.")
def dump(options: Options, refresh: str, out: Path | None) -> Result:
    """Write down what the project holds, for `udfs plan --against FILE` where there are no credentials."""
    manifest = open_manifest(options)
    with connect(manifest) as target:
        reading = target.read(full=refresh == "full")
        now = target.store.now()
    document = dumps.write(reading, manifest.manifest.stack, planning.plan_destination(manifest), now)
    if out is None:
        return Result(document)
    write_whole(out, to_json(document).encode())
    return Result(notes=(f"wrote {out}",))
