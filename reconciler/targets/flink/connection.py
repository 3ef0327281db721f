"""Connection to a cluster: its address and the folder that it shares with this machine, or a Flink of one's own below udfs's folder."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.base.errors import UsageError
from reconciler.targets.flink.cluster import OwnCluster, SessionCluster
from reconciler.targets.flink.folder import SharedFolder
from reconciler.targets.flink.manifest import Target as TargetSection
from reconciler.targets.flink.manifest import flink_manifest
from reconciler.targets.flink.target import FlinkTarget
from reconciler.targets.stores import local_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.manifest.load import Loaded
    from reconciler.targets.adapter import Access
    from reconciler.targets.flink.cluster import Cluster

STORE = "flink"
"""The folder of a Flink of one's own within udfs's own."""


@contextmanager
def connect_cluster(loaded: Loaded, access: Access) -> Iterator[FlinkTarget]:
    """Yield the target of a manifest, for as long as the context lasts; E499 for one that cannot be reached."""
    target = loaded.target
    assert isinstance(target, TargetSection)
    manifest = flink_manifest(loaded)
    if target.endpoint == "local":
        store = local_store(access.store, STORE)
        base = store / "files"
        base.mkdir(parents=True, exist_ok=True)
        version, has_jobs = manifest.flink_engine.version, bool(manifest.jobs)
        cluster = OwnCluster(store.absolute(), access.environment, version, access.note, has_jobs)
        with _reaching(cluster, SharedFolder(base.absolute(), loaded.manifest.stack), access) as reached:
            yield reached
        return
    if target.files is None:
        message = f"the target '{loaded.target_name}' names no folder that its cluster shares with this machine"
        hint = "files: /mnt/flink, a folder that is mounted there under the same path; jobs take their files from it"
        raise UsageError("E499", message, at=loaded.at("targets", loaded.target_name), hint=hint)
    folder = SharedFolder(Path(target.files), loaded.manifest.stack)
    folder.require()
    session = SessionCluster(target.endpoint.rstrip("/"), access.environment, manifest.flink_engine.version)
    with _reaching(session, folder, access) as reached:
        yield reached


@contextmanager
def _reaching(cluster: Cluster, folder: SharedFolder, access: Access) -> Iterator[FlinkTarget]:
    reached = FlinkTarget(cluster, folder)
    try:
        yield reached
    finally:
        for text in reached.remains:
            access.note(text)
        cluster.close()
