"""
Import of living objects into a manifest and its files.

Nothing of the folder is touched before everything is at hand: files are fetched into a staging folder and the new entries
are checked there as a draft. Then files are put in their places and the manifest last. A run that is cut off leaves files
that the next one finds and keeps.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.base.errors import Problem, UsageError
from reconciler.base.threads import Threads
from reconciler.base.words import did_you_mean, quote
from reconciler.core.report import Imported
from reconciler.manifest.editing import scalar
from reconciler.manifest.load import parse_manifest
from reconciler.targets.maxcompute.importing.draft import DIALECTS, ImportDraft, names_in
from reconciler.targets.maxcompute.importing.files import (
    fetch_files,
    place_files,
    require_free_paths,
    resource_of,
    write_manifest,
)
from reconciler.targets.maxcompute.importing.selection import (
    imported_function,
    imported_resource,
    is_file,
    select,
)
from reconciler.targets.maxcompute.importing.sources import SourceForms
from reconciler.targets.maxcompute.manifest import target_of

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.core.kind import Key
    from reconciler.core.record import Reading
    from reconciler.core.state import Live
    from reconciler.core.target import Target
    from reconciler.manifest.load import Loaded
    from reconciler.targets.maxcompute.importing.selection import Selection
    from reconciler.targets.powers import ImportMeans, ImportRequest, NewProject, OpenManifest

_READERS = 8


def begin_manifest(new_project: NewProject, source: Loaded | None, folder: Path, *, as_sources: bool) -> str:
    if source is not None:
        _require_apart(source, folder, new_project)
        label, target = source.target_name, target_of(source)
        endpoint, project, schema = target.endpoint, target.project, target.schema_
    else:
        endpoint, project, schema = new_project.endpoint or "local", new_project.project or "", new_project.schema
        label = "local" if endpoint == "local" else project[:100]
    fields = {"endpoint": endpoint, "project": project, **({"schema": schema} if schema else {})}
    settings = ", ".join(f"{key}: {scalar(value)}" for key, value in fields.items())
    form = (
        ". A function's code is its\n# `source:`; what you change there becomes a new version, and the function moves to it in one request.\n"
        if as_sources
        else ". Everything is under `resources:` by the name it has\n"
        "# there. To have a module under a name with its digest, and switched to in one request, name it as a function's\n"
        "# `source:` instead; see `udfs explain E550`.\n"
    )
    return (
        f"# Written by `udfs import` from the project {scalar(project)}{form}"
        f"stack: {scalar(new_project.stack or _stack(project))}\n"
        f"targets:\n  {scalar(label)}: {{{settings}}}\n"
    )


def is_of(manifest: Loaded, project: NewProject) -> bool:
    target = target_of(manifest)
    pairs = (
        (project.project, target.project),
        (project.endpoint, target.endpoint),
        (project.schema, target.schema_),
        (project.stack, manifest.manifest.stack),
    )
    return all(name in (None, present) for name, present in pairs)


def _require_apart(source: Loaded, folder: Path, new_project: NewProject) -> None:
    if target_of(source).endpoint == "local" and folder != source.folder:
        message = f"the target '{source.target_name}' lies beside its manifest, and one elsewhere would not reach it"
        raise UsageError("E563", message, hint="leave --out out, or choose another target")
    if (new_project.stack or _stack(target_of(source).project)) == source.manifest.stack:
        message = f"two manifests of one stack would each delete what the other has: '{source.manifest.stack}'"
        raise UsageError("E563", message, hint="name the new one with --stack, or leave --out out")


def _stack(project: str) -> str:
    """Return a stack's name that says which project it came from."""
    name = re.sub(r"[^a-z0-9]+", "-", project.lower()).strip("-")[:40]
    return name if name[:1].isalpha() else f"imported-{name}"[:40].strip("-")


def import_objects(
    manifest: OpenManifest,
    reading: Reading,
    target: Target,
    request: ImportRequest,
    means: ImportMeans,
) -> Imported:
    folder = manifest.loaded.folder
    selection, unmatched = select(reading, request.functions, request.resources, names_in(manifest.loaded))
    if unmatched:
        raise UsageError.of(
            Problem(
                "E560",
                f"the project has no {kind} that {quote(pattern)} fits",
                hint=did_you_mean(pattern, (key.name for key in reading.live if key.kind == kind)),
            )
            for kind, pattern in unmatched
        )
    selection = _read_each(selection, target, manifest.loaded.manifest.stack)
    require_free_paths(folder, selection, overwrite=request.overwrite)
    fetch_files(folder, selection, target, means.staging, means.on_step)
    sources = SourceForms.of(selection) if request.as_sources else SourceForms()
    draft = ImportDraft(manifest, selection, means, sources)
    draft.judge()
    selection, roles = draft.selection, sources.absorbed_keys(draft.selection)
    result = Imported(
        str(manifest.file),
        tuple(imported_function(live, draft.python_of(live)) for live in selection.functions),
        tuple(imported_resource(live, roles.get(live.object.key)) for live in selection.resources),
        selection.left_out,
        selection.present,
        tuple(map(draft.python_of, selection.functions)),
        tuple(live.object.key for live in selection.resources if not resource_of(live).comment.isascii()),
        tuple(live.object.key for live in selection.resources if is_file(live) and not resource_of(live).md5),
    )
    if not result.is_empty:
        text = draft.render()
        place_files(folder, selection, means.staging, overwrite=request.overwrite)
        # Names may clash in the whole manifest alone; that is reported before it is written.
        parse_manifest(
            text.encode(), str(manifest.file), folder, DIALECTS, target=manifest.loaded.target_name, env=means.env
        )
        write_manifest(manifest.file, text)
    return result


def _read_each(selection: Selection, target: Target, stack: str) -> Selection:
    """Ask for each resource by itself: a listing has no MD5 of what is not ours."""
    with Threads(_READERS) as threads:
        answers = threads.map(lambda resource: target.read_one(resource.object.key), selection.resources)
    skipped: dict[Key, str] = {}
    resources: list[Live] = []
    for listed, live in zip(selection.resources, answers, strict=True):
        key, mark = listed.object.key, listed.mark
        if live is None:
            skipped[key] = "it went away meanwhile"
        elif mark and mark.stack != stack and resource_of(live).md5 != mark.digest:
            skipped[key] = f"stack '{mark.stack}' manages it, and it was changed outside"
        # A comment is whole in a listing; what a header makes of it is not known.
        obj = resource_of(live)._replace(comment=resource_of(listed).comment) if live else listed.object
        resources.append(live._replace(object=obj) if live else listed)
    return replace(selection, resources=tuple(resources)).without(skipped)
