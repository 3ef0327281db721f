"""
Import of living objects into a manifest and its files.

Nothing of the folder is touched before everything is at hand: files are fetched into a staging folder and the new entries
are checked there as a draft. Then files are put in their places and the manifest last. A run that is cut off leaves files
that the next one finds and keeps.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reconciler.base.errors import Problem, UsageError
from reconciler.base.threads import Threads
from reconciler.core.report import Imported
from reconciler.manifest.load import parse_manifest
from reconciler.targets.dialects import DIALECTS
from reconciler.targets.maxcompute.selection import (
    imported_function,
    imported_resource,
    is_file,
    select,
)
from reconciler.workflow.import_draft import ImportDraft, OpenManifest
from reconciler.workflow.import_files import fetch_files, place_files, require_free_paths, resource_of, write_manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from reconciler.core.identity import Key
    from reconciler.core.record import Reading
    from reconciler.core.state import Live
    from reconciler.core.target import Target
    from reconciler.packages.fetch.cache import Cache
    from reconciler.targets.maxcompute.selection import Selection

_READERS = 8


@dataclass(frozen=True)
class ImportRequest:
    """What is asked for."""

    functions: tuple[str, ...] = ()
    """Patterns; none means all."""

    resources: tuple[str, ...] = ()
    """Patterns of resources that are wanted although no function lists them."""

    overwrite: bool = False
    """Whether local files with another content may be replaced."""


def import_objects(
    manifest: OpenManifest,
    reading: Reading,
    target: Target,
    request: ImportRequest,
    staging: Path,
    *,
    cache: Cache,
    env: Mapping[str, str],
    on_step: Callable[[str], None],
) -> Imported:
    """Write what is asked for into the manifest, with its files; `staging` is an empty folder in the manifest's."""
    selection, unmatched = select(reading, request.functions, request.resources, manifest.present)
    if unmatched:
        raise UsageError.of(
            Problem("E560", f"the project has no {kind} that '{pattern}' fits") for kind, pattern in unmatched
        )
    selection = _read_each(selection, target, manifest.loaded.manifest.stack)
    require_free_paths(manifest.folder, selection, overwrite=request.overwrite)
    fetch_files(manifest.folder, selection, target, staging, on_step)
    draft = ImportDraft(manifest, selection, staging, cache, env)
    draft.judge()
    selection = draft.selection
    result = Imported(
        manifest.label,
        tuple(imported_function(live, draft.python_of(live)) for live in selection.functions),
        tuple(map(imported_resource, selection.resources)),
        selection.left_out,
        selection.present,
        tuple(map(draft.python_of, selection.functions)),
        tuple(resource.object.key for resource in selection.resources if not resource_of(resource).comment.isascii()),
        tuple(
            resource.object.key
            for resource in selection.resources
            if is_file(resource) and not resource_of(resource).md5
        ),
    )
    if not result.is_empty:
        text = draft.render()
        place_files(manifest.folder, selection, staging, overwrite=request.overwrite)
        # Names may clash in the whole manifest alone; that is reported before it is written.
        parse_manifest(
            text.encode(), manifest.label, manifest.folder, DIALECTS, target=manifest.loaded.target_name, env=env
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
