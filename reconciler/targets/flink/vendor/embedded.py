"""Realtime Compute of one's own, for others: over a Flink of one's own, with the switches for what is not settled about the service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.local.ververica import VervericaServer, VervericaSettings
from reconciler.local.ververica.engines import OwnFlink
from reconciler.targets.flink.connection import STORE as FLINK_STORE
from reconciler.targets.flink.manifest import flink_manifest
from reconciler.targets.flink.vendor.connection import LOCAL_BUCKET, STORE
from reconciler.targets.stores import local_store
from reconciler.targets.switches import Switches, require_guard

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from reconciler.manifest.load import Loaded
    from reconciler.targets.flink.manifest import Target

SWITCHES = Switches(
    VervericaSettings,
    frozenset(
        {"access_id", "access_key", "keys", "hosts", "control", "latency_ms", "bucket", "workspace", "engine_versions"}
    ),
)
_ELSEWHERE = {"projects": "--project", "denied": "--deny"}
"""Options of ``udfs serve`` that mean nothing here."""


def start_realtime_compute(
    store: Path | None,
    loaded: Loaded,
    target: Target,
    options: Mapping[str, Any],
    *,
    folder: Path,
    address: tuple[str, int],
    environment: Mapping[str, str],
) -> VervericaServer:
    """Start the service for a target, over a Flink of its engine's version that the first job starts."""
    values = SWITCHES.read(options, "Realtime Compute", _ELSEWHERE)
    del values["page_size"]
    engine = OwnFlink(
        local_store(folder, FLINK_STORE).absolute(), environment, flink_manifest(loaded).flink_engine.version
    )
    texts = {
        "engine_versions": target.engine,
        "bucket": target.bucket or LOCAL_BUCKET,
        "workspace": target.workspace or "",
    }
    settings = SWITCHES.make_settings({**texts, **values})
    with require_guard(address[0]):
        return VervericaServer(store or local_store(folder, STORE), engine, settings, *address)
