"""
Changes since a base: which manifests read something that changed.

A manifest that cannot be read counts as changed, and so does one of which it cannot be known.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.base.errors import UdfsError
from reconciler.manifest.load import POLICY, content_of, load_manifest
from reconciler.packages.reads import list_reads

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.manifest.dialect import Dialects
    from reconciler.manifest.load import Loaded
    from reconciler.workflow.ci.manifests import ManifestFile, Repository


def reads_changes(
    manifest: ManifestFile,
    targets: Sequence[str | None],
    changed: frozenset[str],
    repository: Repository,
    dialects: Dialects,
    env: Mapping[str, str],
) -> bool:
    """Say whether a manifest, or anything that it reads for one of its targets, is among the files that changed."""
    if not changed:
        return False
    if manifest.name in changed or (env.get(POLICY) and repository.label(Path(env[POLICY]).absolute()) in changed):
        return True
    loaded: list[Loaded] = []
    is_known = True
    for target in dict.fromkeys(targets):
        try:
            loaded.append(load_manifest(manifest.path, dialects, target=target, env=env))
        except UdfsError:
            is_known = False
    # A target whose variables are not set here reads the same as the others, unless a path depends on them.
    if not loaded or (not is_known and b"${var:" in content_of(manifest.path, manifest.name)):
        return True
    return any(list_reads(each, repository.top, manifest.name).are_touched(changed) for each in loaded)
