"""import: from a living project to a manifest and its files."""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.base.errors import UsageError
from reconciler.base.hints import Command
from reconciler.cli.support.connect import connect
from reconciler.cli.support.options import Options, command, manifest_options, value_option
from reconciler.cli.support.output import note
from reconciler.cli.support.project import open_manifest, user_cache
from reconciler.cli.support.result import Result
from reconciler.manifest.load import parse_manifest
from reconciler.targets.dialects import DIALECTS
from reconciler.targets.maxcompute.manifest import target_of
from reconciler.workflow.import_draft import MANIFEST, OpenManifest, starter_manifest
from reconciler.workflow.importing import ImportRequest, import_objects

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.manifest.load import Loaded


@dataclass(frozen=True)
class NewProject:
    """The project of a new manifest; an existing manifest names its own."""

    project: str | None
    endpoint: str | None
    schema: str | None
    stack: str | None

    def __bool__(self) -> bool:
        return any((self.project, self.endpoint, self.schema, self.stack))


def _request(patterns: tuple[str, ...], resources: tuple[str, ...], overwrite: bool) -> ImportRequest:
    return ImportRequest(patterns, resources, overwrite)


@command()
@click.argument("patterns", nargs=-1, metavar="[PATTERN]...")
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
@value_option("new_project", NewProject, "project", "endpoint", "schema", "stack")
@value_option("request", _request, "patterns", "resources", "overwrite")
def import_(options: Options, out: Path | None, request: ImportRequest, new_project: NewProject) -> Result:
    """Write functions of the project, and what they list, into a manifest, and fetch their files.

    PATTERN is a name, * and ? stand for other characters; without one all functions are meant. What the manifest has
    stays as it is, comments included. Nothing changes in the project: udfs adopt then takes over what was written.
    """
    file = out / MANIFEST if out else options.file
    aimed = replace(options, file=file)
    with _folder(file.parent) as folder:
        ground = _existing(aimed, new_project) if file.exists() else _new(options, file, folder, new_project)
        with (
            connect(ground.loaded) as target,
            # What is dropped may still be on its way into the folder.
            tempfile.TemporaryDirectory(prefix=".udfs-import-", dir=folder, ignore_cleanup_errors=True) as staging,
        ):
            imported = import_objects(
                ground,
                target.read(),
                target,
                request,
                Path(staging).resolve(),
                cache=user_cache(),
                env=os.environ,
                on_step=note,
            )
    if options.as_json:
        from reconciler.render.documents.imported import import_document

        return Result(import_document(imported))
    from reconciler.render import imports

    invocation = replace(aimed, target=None if ground.is_new else options.target).invocation
    commands = (invocation.command(Command("adopt", "'*'")), invocation.command(Command("plan")))
    return Result(imports.import_lines(imported, " && ".join(commands)))


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
    if new_project:
        hint = "leave --project, --endpoint, --schema and --stack out, or write elsewhere with --out"
        raise UsageError("E563", f"'{options.file}' is there, and says itself where its project is", hint=hint)
    # As it is: a line's end stays what it is.
    text = options.file.read_bytes().decode(errors="replace")
    return OpenManifest(options.file, str(options.file), text, open_manifest(options), is_new=False)


def _new(options: Options, file: Path, folder: Path, new_project: NewProject) -> OpenManifest:
    """Return the ground for a new manifest, whose project another one names, or the command line."""
    source = None if new_project.project or not options.file.exists() else open_manifest(options)
    if source is None and new_project.project is None:
        hint = (Command("import", "--project NAME --endpoint URL"), ", or -f with a manifest that has targets")
        raise UsageError("E563", f"there is no '{options.file}' that says where the project is", hint=hint)
    if source is not None:
        _require_apart(source, folder, new_project)
        label = source.target_name
        target = target_of(source)
        endpoint, project, schema = target.endpoint, target.project, target.schema_
    else:
        endpoint, project, schema = new_project.endpoint or "local", new_project.project or "", new_project.schema
        label = "local" if endpoint == "local" else project[:100]
    stack = new_project.stack or _stack(project)
    text = starter_manifest(stack=stack, target=label, endpoint=endpoint, project=project, schema=schema)
    manifest = parse_manifest(f"{text}functions:\n".encode(), str(file), folder, DIALECTS, target=None, env=os.environ)
    return OpenManifest(file, str(file), text, manifest, is_new=True)


def _require_apart(source: Loaded, folder: Path, new_project: NewProject) -> None:
    if target_of(source).endpoint == "local" and folder != source.folder:
        hint = "leave --out out, or choose another target"
        message = f"the target '{source.target_name}' lies beside its manifest, and one elsewhere would not reach it"
        raise UsageError("E563", message, hint=hint)
    if (new_project.stack or _stack(target_of(source).project)) == source.manifest.stack:
        message = f"two manifests of one stack would each delete what the other has: '{source.manifest.stack}'"
        raise UsageError("E563", message, hint="name the new one with --stack, or leave --out out")


def _stack(project: str) -> str:
    """Return a stack's name that says which project it came from."""
    name = re.sub(r"[^a-z0-9]+", "-", project.lower()).strip("-")[:40]
    return name if name[:1].isalpha() else f"imported-{name}"[:40].strip("-")
