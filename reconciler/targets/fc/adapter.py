"""Function Compute before a region is reached: where a plan goes, and what a manifest asks for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.checks.python.rules import RuleSet
from reconciler.targets.adapter import Adapter
from reconciler.targets.fc import desired
from reconciler.targets.fc.manifest import fc_target
from reconciler.targets.fc.objects import CATALOG, destination_of
from reconciler.targets.fc.runtimes import SERVICE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from contextlib import AbstractContextManager
    from datetime import date

    from reconciler.base.errors import Problem
    from reconciler.core.kind import Catalog
    from reconciler.core.plan import Destination
    from reconciler.core.state import DesiredState, Live
    from reconciler.core.target import Target
    from reconciler.manifest.load import Loaded
    from reconciler.packages.artifacts import Artifacts
    from reconciler.targets.adapter import Access
    from reconciler.targets.powers import EmbeddedService, Equipment, EventCalls, Importing, LocalRuntime, StarterFiles


class FunctionComputeAdapter(Adapter):
    """Function Compute as an `Adapter`."""

    @property
    def catalog(self) -> Catalog:
        return CATALOG

    @property
    def source_rules(self) -> RuleSet:
        return RuleSet(SERVICE)

    def destination(self, loaded: Loaded) -> Destination:
        target = fc_target(loaded)
        return destination_of(loaded.target_name, target.region, target.account)

    def desired_state(self, loaded: Loaded, artifacts: Artifacts) -> DesiredState:
        return desired.desired_state(loaded, artifacts)

    def connect(self, loaded: Loaded, access: Access) -> AbstractContextManager[Target]:
        # requests takes a tenth of a second to import; it is loaded when the service is about to be spoken to.
        from reconciler.targets.fc.connection import connect_region

        return connect_region(loaded, access)

    def describe(self, loaded: Loaded, live: Live, needs: Sequence[Live]) -> tuple[tuple[tuple[str, str], ...], str]:
        declared = loaded.function(live.object.name)
        return (), (declared.description or "") if declared else ""

    def check_contents(
        self, loaded: Loaded, artifacts: Artifacts, inspections: Path, day: date | None
    ) -> Iterable[Problem]:
        from reconciler.checks.python.shipped import check_shipped

        return check_shipped(loaded, artifacts, inspections)

    @property
    def embedded_service(self) -> EmbeddedService:
        from reconciler.targets.fc.embedded import EmbeddedFunctionCompute

        return EmbeddedFunctionCompute()

    @property
    def starter(self) -> StarterFiles:
        from reconciler.targets.powers import StarterFiles

        folder = Path(__file__).with_name("starter")
        files = {"udfs.yaml": "udfs.yaml", "index.py": "functions/greet/index.py"}
        return StarterFiles(folder, files, "greet --event World", "greet --event ada_lovelace")

    @property
    def equipment(self) -> Equipment:
        from reconciler.targets.fc.runtimes import PLATFORMS, RUNTIMES
        from reconciler.targets.powers import Equipment

        return Equipment(
            credentials=(
                "ALIBABA_CLOUD_ACCESS_KEY_ID",
                "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
                "ALIBABA_CLOUD_SECURITY_TOKEN",
            ),
            without_credentials="endpoint: local needs none",
            runtimes=RUNTIMES,
            usual_runtime="custom.debian12",
            platforms=PLATFORMS,
        )

    @property
    def local_runtime(self) -> LocalRuntime:
        from reconciler.targets.fc.local_runtime import LocalFunctions

        return LocalFunctions()

    @property
    def event_calls(self) -> EventCalls:
        from reconciler.targets.fc.local_runtime import LocalFunctions

        return LocalFunctions()

    @property
    def importing(self) -> Importing:
        from reconciler.targets.fc.importing import FunctionImport

        return FunctionImport()
