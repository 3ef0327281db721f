"""serve: the embedded service, for others."""

from __future__ import annotations

import os
from pathlib import Path

import click

from reconciler.base.errors import UsageError
from reconciler.cli.support.options import Options, command
from reconciler.cli.support.output import Result, serve_until_ended
from reconciler.cli.support.project import STORE, open_manifest
from reconciler.targets import kinds_with, require_power


@command()
@click.option(
    "--dir", "folder", type=click.Path(path_type=Path), help="The store; .udfs/maxcompute here when left out."
)
@click.option(
    "-f",
    "--file",
    type=click.Path(path_type=Path),
    help="A manifest, whose `tables:` SQL then finds in the project of its target.",
)
@click.option("--target", metavar="NAME", help="With -f: the target whose project it is.")
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="The address to listen at; beyond loopback with keys only."
)
@click.option(
    "--allow-host", "hosts", multiple=True, metavar="NAME", help="A name that clients may call this server by."
)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="The port; any free one when left out.")
@click.option("--project", "projects", multiple=True, metavar="NAME", help="Know only these projects; else any name.")
@click.option(
    "--access-id",
    metavar="ID",
    envvar="UDFS_SERVE_ACCESS_ID",
    help="Check signatures against this key and UDFS_SERVE_ACCESS_KEY; may be given as UDFS_SERVE_ACCESS_ID.",
)
@click.option(
    "--access-key", metavar="KEY", envvar="UDFS_SERVE_ACCESS_KEY", help="Better given as UDFS_SERVE_ACCESS_KEY."
)
@click.option(
    "--page-size", type=click.IntRange(min=1), default=1000, show_default=True, help="Entries a listing page."
)
@click.option("--latency-ms", type=click.IntRange(min=0), default=0, show_default=True, help="Wait before each answer.")
@click.option("--control", is_flag=True, help="Serve /_control: the request log and fault rules. For tests.")
@click.option(
    "--deny",
    "denied",
    multiple=True,
    metavar="ACTION[:KIND/NAME]",
    help="Refuse what needs a permission, CreateFunction or Write:resource/lib*, say. For tests.",
)
@click.option(
    "--set", "switches", multiple=True, metavar="NAME=VALUE", help="Another switch; --list-switches names them."
)
@click.option("--list-switches", is_flag=True, help="List the switches for what is not settled about the service.")
def serve(
    folder: Path | None,
    file: Path | None,
    target: str | None,
    host: str,
    port: int,
    list_switches: bool,
    **values: object,
) -> Result:
    """Run a MaxCompute of your own on loopback: resources, functions, schemas and SQL over the real wire protocol.

    With -f the service is the one that the manifest is for: a Function Compute with an OSS, or a Flink.

    Prints one line, `listening on http://127.0.0.1:PORT/api`, and runs until SIGTERM or Ctrl-C.
    """
    manifest = open_manifest(Options(file, target, "text")) if file else None
    if manifest:
        service = require_power(manifest, lambda adapter: adapter.embedded_service, "embedded service")
    else:
        service = next(iter(kinds_with(lambda adapter: adapter.embedded_service).values()))
    if list_switches:
        return Result(service.describe_switches() + "\n")
    store = (manifest.folder if manifest else Path.cwd()) / STORE
    try:
        server = service.start_service(
            folder, manifest, values, folder=store, address=(host, port), environment=os.environ
        )
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError("E901", f"cannot listen at {host}:{port}: {reason or error}") from error
    serve_until_ended(server, f"listening on {server.url}")
    return Result()
