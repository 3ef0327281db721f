"""show and dump: the deployed functions, and all that the project holds."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.base.errors import UsageError
from reconciler.base.hints import Command
from reconciler.base.words import did_you_mean, quote, safe
from reconciler.cli.support.completion import complete_from
from reconciler.cli.support.files import write_whole
from reconciler.cli.support.options import Options, command, manifest_options, refresh_option, view_option
from reconciler.cli.support.output import Result
from reconciler.cli.support.project import connect, open_manifest
from reconciler.engine import dump as dumps
from reconciler.engine.plan_file import to_json
from reconciler.render import records as records_text
from reconciler.targets import adapter_of
from reconciler.workflow import planning, records

if TYPE_CHECKING:
    from reconciler.manifest.load import Loaded


@command()
@click.argument("functions", nargs=-1, metavar="[FUNCTION…]", shell_complete=complete_from("functions"))
@manifest_options
@view_option
def show(options: Options, functions: tuple[str, ...]) -> Result:
    """Show the deployed functions, their resources and sizes, and the SET lines that an SQL script needs.

    All functions of the stack, or each named FUNCTION, whoever manages it; * and ? stand for other characters, in the
    names of the stack's own.
    """
    manifest = open_manifest(options)
    with connect(manifest) as target:
        deployed = records.load_deployed(manifest, target, functions)
    present = [each.function.object.name.lower() for each in deployed]
    # A stack without functions is no error; a name that is not there is.
    for name in functions:
        if not any(fnmatchcase(other, name.lower()) for other in present):
            raise not_deployed(name, manifest)
    if options.as_json:
        from reconciler.render.documents.project import show_document

        return Result(show_document(manifest.manifest.stack, planning.plan_destination(manifest), deployed))
    if deployed:
        return Result(records_text.function_lines(deployed, options.view))
    location = planning.plan_destination(manifest)
    next_command = options.invocation.command(Command("apply"))
    return Result(
        safe(f"Stack {manifest.manifest.stack} has no {_noun(manifest)} in {location}. Next: {next_command}") + "\n"
    )


def _noun(manifest: Loaded) -> str:
    """Return what the kind of target calls that which is shown: what holds no content of its own."""
    return " or ".join(kind.name for kind in adapter_of(manifest).catalog.kinds.values() if kind.leads)


def not_deployed(function: str, manifest: Loaded) -> UsageError:
    """Return the error for a function that is not in the project."""
    noun = _noun(manifest)
    declared = list(manifest.manifest.leading)
    project = planning.plan_destination(manifest)
    if function.lower() in map(str.lower, declared):
        return UsageError("E703", f"{noun} '{function}' is not in {project}", hint=Command("apply"))
    hint = did_you_mean(function, declared) or (Command("show"), " lists the deployed ones")
    return UsageError("E703", f"there is no {noun} {quote(function)} in {project} or in the manifest", hint=hint)


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
