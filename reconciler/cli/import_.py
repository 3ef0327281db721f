"""import: from a living project to a manifest and its files."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.base.errors import UsageError
from reconciler.base.hints import Command
from reconciler.cli.support.confirm import Consent
from reconciler.cli.support.options import (
    Options,
    command,
    manifest_options,
    value_option,
    view_option,
    yes_option,
)
from reconciler.cli.support.output import Result, note
from reconciler.cli.support.perform import writers_option
from reconciler.cli.support.project import connect, open_manifest, user_cache
from reconciler.manifest.load import content_of, parse_manifest
from reconciler.targets import kinds_with, require_power
from reconciler.targets.dialects import DIALECTS
from reconciler.targets.powers import ImportMeans, ImportRequest, NewProject, OpenManifest
from reconciler.workflow.preparation import prepare

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.manifest.load import Loaded
    from reconciler.targets.powers import Importing

MANIFEST = "udfs.yaml"


def importing(manifest: Loaded) -> Importing:
    """Return the import of the kind of target that a manifest is for."""
    instead = "write each function into the manifest, with its source; what is there is then taken over by "
    return require_power(manifest, lambda adapter: adapter.importing, "import", (instead, Command("adopt", "NAME")))


@command()
@click.argument("functions", nargs=-1, metavar="[PATTERN]...")
@manifest_options
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help=f"Write {MANIFEST} and its files there; left out, into the manifest that there is.",
)
@click.option(
    "--resource", "resources", multiple=True, metavar="PATTERN", help="Resources too that no chosen function lists."
)
@click.option("--overwrite", is_flag=True, help="Replace local files that hold something else.")
@click.option("--project", metavar="NAME", help="Where there is no manifest yet: the project.")
@click.option("--endpoint", metavar="URL", help="Where there is no manifest yet: the endpoint.  [default: local]")
@click.option("--schema", metavar="NAME", help="Where there is no manifest yet: the schema.")
@click.option("--stack", metavar="NAME", help="For a new manifest: what the stack is called.")
@click.option(
    "--as-sources",
    is_flag=True,
    help="Write each function with source: and modules:, for versions and a way back; where that cannot be, as it is. Function "
    "Compute has no other form.",
)
@click.option(
    "--adopt",
    is_flag=True,
    help="Then take over what was written, and apply the manifest, until nothing is left to do.",
)
@view_option
@yes_option
@writers_option
@value_option("new_project", NewProject, "project", "endpoint", "schema", "stack")
@value_option("request", ImportRequest, "functions", "resources", "overwrite", "as_sources")
@value_option("consent", Consent, "yes", "writers")
def import_(
    options: Options,
    out: Path | None,
    adopt: bool,
    request: ImportRequest,
    new_project: NewProject,
    consent: Consent,
) -> Result:
    """Write functions of the project, and what they list, into a manifest, and fetch their files.

    PATTERN is a name, * and ? stand for other characters; without one all functions are meant. What the manifest has
    stays as it is, comments included. Nothing changes in the project: udfs adopt then takes over what was written, and
    with --adopt this command does. A run that was cut off is gone on with by the same command.
    """
    file = out / MANIFEST if out else options.file
    aimed = replace(options, file=file)
    with _folder(file.parent) as folder:
        ground = (
            _existing(aimed, new_project)
            if file.exists()
            else _new(options, file, folder, new_project, as_sources=request.as_sources)
        )
        with (
            connect(ground.loaded) as target,
            # What is dropped may still be on its way into the folder.
            tempfile.TemporaryDirectory(prefix=".udfs-import-", dir=folder, ignore_cleanup_errors=True) as staging,
        ):
            imported = importing(ground.loaded).import_objects(
                ground,
                target.read(),
                target,
                request,
                ImportMeans(
                    Path(staging).resolve(),
                    user_cache(),
                    os.environ,
                    note,
                    partial(prepare, cache=user_cache(), env=os.environ, on_step=lambda step: None),
                ),
            )
    if adopt:
        from reconciler.cli.support.move_in import take_over

        return take_over(imported, aimed, consent)
    if options.as_json:
        from reconciler.render.documents.project import import_document

        return Result(import_document(imported))
    from reconciler.render.project import import_lines

    invocation = replace(aimed, target=None if ground.is_new else options.target).invocation
    commands = (invocation.command(Command("adopt", "'*'")), invocation.command(Command("plan")))
    return Result(import_lines(imported, " && ".join(commands)))


@contextmanager
def _folder(folder: Path) -> Iterator[Path]:
    """Make a folder, and take it away again if nothing came into it."""
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield folder.resolve()
    finally:
        if is_new:
            with suppress(OSError):
                folder.rmdir()


def _existing(options: Options, new_project: NewProject) -> OpenManifest:
    manifest = open_manifest(options)
    if new_project and not importing(manifest).is_of(manifest, new_project):
        hint = "leave --project, --endpoint, --schema and --stack out, or write elsewhere with --out"
        raise UsageError("E563", f"'{options.file}' is there, and says itself where its project is", hint=hint)
    # As it is: a line's end stays what it is.
    text = content_of(options.file, str(options.file)).decode(errors="replace")
    return OpenManifest(options.file, text, manifest, is_new=False)


def _new(options: Options, file: Path, folder: Path, new_project: NewProject, *, as_sources: bool) -> OpenManifest:
    """Return the ground for a new manifest, whose project another one names, or the command line."""
    source = None if new_project.project or not options.file.exists() else open_manifest(options)
    if source is None and new_project.project is None:
        hint = (Command("import", "--project NAME --endpoint URL"), ", or -f with a manifest that has targets")
        raise UsageError("E563", f"there is no '{options.file}' that says where the project is", hint=hint)
    if source is None:
        beginning = next(iter(kinds_with(lambda adapter: adapter.importing).values()))
    else:
        beginning = importing(source)
    text = beginning.begin_manifest(new_project, source, folder, as_sources=as_sources)
    manifest = parse_manifest(f"{text}functions:\n".encode(), str(file), folder, DIALECTS, target=None, env=os.environ)
    return OpenManifest(file, text, manifest, is_new=True)
