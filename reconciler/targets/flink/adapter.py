"""Flink before a cluster is reached: where a plan goes, and what a manifest asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.checks.python.rules import RuleSet
from reconciler.core.plan import Destination
from reconciler.targets.adapter import Adapter
from reconciler.targets.flink import desired
from reconciler.targets.flink.engines import SERVICE
from reconciler.targets.flink.job_files import check_job_files
from reconciler.targets.flink.manifest import Target as FlinkTarget
from reconciler.targets.flink.manifest import flink_manifest
from reconciler.targets.flink.objects import CATALOG
from reconciler.targets.flink.service_ends import check_service

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import date
    from pathlib import Path

    from reconciler.base.errors import Problem
    from reconciler.core.kind import Catalog
    from reconciler.core.state import DesiredState, Live
    from reconciler.core.target import Target
    from reconciler.manifest.load import Loaded
    from reconciler.packages.artifacts import Artifacts
    from reconciler.targets.adapter import Access
    from reconciler.targets.powers import ClusterCalls, EmbeddedService, Equipment, Foresight, LocalRuntime, Tool


class FlinkAdapter(Adapter):
    """Flink as an `Adapter`."""

    @property
    def catalog(self) -> Catalog:
        return CATALOG

    @property
    def source_rules(self) -> RuleSet:
        return RuleSet(SERVICE)

    def destination(self, loaded: Loaded) -> Destination:
        target = loaded.target
        assert isinstance(target, FlinkTarget)
        return Destination.of(
            CATALOG, loaded.target_name, target.endpoint, target.files, target.workspace, target.namespace
        )

    def desired_state(self, loaded: Loaded, artifacts: Artifacts) -> DesiredState:
        return desired.flink_state(loaded, artifacts)

    def check_contents(
        self, loaded: Loaded, artifacts: Artifacts, inspections: Path, day: date | None
    ) -> Iterator[Problem]:
        yield from check_service(loaded, day)
        yield from check_job_files(loaded, artifacts, inspections)

    def connect(self, loaded: Loaded, access: Access) -> AbstractContextManager[Target]:
        # requests takes a tenth of a second to import; it is loaded when a cluster is about to be spoken to.
        assert isinstance(loaded.target, FlinkTarget)
        if loaded.target.is_vendors:
            from reconciler.targets.flink.vendor.connection import connect_namespace

            return connect_namespace(loaded, access)
        from reconciler.targets.flink.connection import connect_cluster

        return connect_cluster(loaded, access)

    def describe(self, loaded: Loaded, live: Live, needs: Sequence[Live]) -> tuple[tuple[tuple[str, str], ...], str]:
        declared = flink_manifest(loaded).registered.get(live.object.name)
        return (), (declared.description or "") if declared and live.object.kind.name == "function" else ""

    @property
    def equipment(self) -> Equipment:
        from reconciler.targets.powers import Equipment

        return Equipment(without_credentials="a Flink of one's own and a session cluster take none")

    def find_tools(self, loaded: Loaded, env: Mapping[str, str]) -> Iterator[Tool]:
        from reconciler.targets.flink.embedded import find_own_flink

        assert isinstance(loaded.target, FlinkTarget)
        if loaded.target.endpoint == "local" and flink_manifest(loaded).jobs:
            yield find_own_flink(loaded, env)

    @property
    def local_runtime(self) -> LocalRuntime:
        from reconciler.targets.flink.local_runtime import FlinkFunctions

        return FlinkFunctions()

    @property
    def foresight(self) -> Foresight:
        from reconciler.targets.flink.foresight import GraphForesight

        return GraphForesight()

    @property
    def cluster_calls(self) -> ClusterCalls:
        from reconciler.targets.flink.trials import FlinkTrials

        return FlinkTrials()

    @property
    def embedded_service(self) -> EmbeddedService:
        from reconciler.targets.flink.embedded import LocalFlink

        return LocalFlink()
