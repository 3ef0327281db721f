"""show, call, serve: what is deployed, and running it here."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reconciler import workflow
from reconciler.cli.common import Options, command, connected, loaded, manifest_options
from reconciler.cli.output import note, print_document, print_lines
from reconciler.errors import FunctionFailed, InterpreterError, UsageError, count
from reconciler.names import function_key, resource_key
from reconciler.render import text
from reconciler.state import Function, Resource

if TYPE_CHECKING:
    from reconciler.manifest.load import Loaded
    from reconciler.runner import Interpreter, ResourceFile
    from reconciler.targets import Target


@command()
@click.argument("function", required=False)
@manifest_options
def show(options: Options, function: str | None) -> int:
    """Show the deployed functions, their resources and sizes, and the SET lines that an SQL script needs.

    All functions of the stack, or the named FUNCTION, whoever manages it.
    """
    manifest = loaded(options)
    with connected(manifest) as target:
        found = workflow.show(manifest, target, function)
    if function and not found:
        raise _not_deployed(function, manifest, options)
    if options.as_json:
        from reconciler.render import document

        print_document(document.show(manifest.manifest.stack, workflow.destination(manifest), found))
    elif found:
        print_lines(text.objects(found))
    else:
        where = f"project {manifest.target.project}"
        print(f"Stack {manifest.manifest.stack} has no function in {where}. Next: udfs apply{options.arguments()}")
    return 0


@command(context={"ignore_unknown_options": True})
@click.argument("function")
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="Give up after so long.")
@manifest_options
def call(options: Options, function: str, args: tuple[str, ...], timeout: float | None) -> int:
    """Run a deployed FUNCTION here on one row, in the CPython it was written for, and print what it returns.

    ARGS are read as YAML: 1 is a BIGINT, 1.5 a DOUBLE, true a BOOLEAN, null a NULL, everything else a STRING; write
    '"1"' for the text 1.
    """
    manifest = loaded(options)
    with connected(manifest) as target, tempfile.TemporaryDirectory(prefix="udfs-") as folder:
        deployed = target.read_one(function_key(function))
        if deployed is None or not isinstance(deployed.object, Function):
            raise _not_deployed(function, manifest, options)
        interpreter = _interpreter(manifest, deployed.object)
        files = _download(deployed.object, target, Path(folder))
    ...
    return 0
