"""MaxCompute before a project is reached: where a plan goes, what a manifest asks for, and how the service is found."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.packages.inspect.files import is_library_name
from reconciler.targets.adapter import Adapter
from reconciler.targets.maxcompute import desired, objects
from reconciler.targets.maxcompute.manifest import target_of
from reconciler.targets.maxcompute.runtimes import PLATFORMS, RUNTIMES, flags, is_native
from reconciler.targets.maxcompute.source_rules import SOURCE_RULES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from reconciler.base.errors import Problem
    from reconciler.checks.python.rules import RuleSet
    from reconciler.core.kind import Catalog
    from reconciler.core.plan import Destination
    from reconciler.core.state import DesiredState, Live
    from reconciler.core.target import Target
    from reconciler.manifest.load import Loaded
    from reconciler.packages.artifacts import Artifacts
    from reconciler.targets.adapter import Access
    from reconciler.targets.powers import (
        Accounts,
        EmbeddedService,
        Equipment,
        Exporting,
        Importing,
        LocalRuntime,
        OtherTools,
        Queries,
        RemoteTests,
        RowCalls,
        StarterFiles,
    )


class MaxComputeAdapter(Adapter):
    """MaxCompute as an `Adapter`."""

    @property
    def catalog(self) -> Catalog:
        return objects.CATALOG

    @property
    def source_rules(self) -> RuleSet:
        return SOURCE_RULES

    def destination(self, loaded: Loaded) -> Destination:
        return objects.destination(loaded.target_name, target_of(loaded).project, target_of(loaded).schema_)

    def desired_state(self, loaded: Loaded, artifacts: Artifacts) -> DesiredState:
        return desired.state(loaded, artifacts)

    @contextmanager
    def connect(self, loaded: Loaded, access: Access) -> Iterator[Target]:
        # requests takes a tenth of a second to import; it is loaded when the service is about to be spoken to.
        from reconciler.targets.maxcompute.client import Client
        from reconciler.targets.maxcompute.endpoint import endpoint_of
        from reconciler.targets.maxcompute.target import MaxCompute

        target = target_of(loaded)
        with endpoint_of(loaded, access) as (url, credentials):
            client = Client(url, target.project, target.schema_, credentials, access.user_agent)
            yield MaxCompute(client, loaded.manifest.stack, access.token)

    def describe(self, loaded: Loaded, live: Live, needs: Sequence[Live]) -> tuple[tuple[tuple[str, str], ...], str]:
        declared, runtime = loaded.function(live.object.name), loaded.runtime_of(live.object.name)
        native = any(is_native(need.object.name) or is_library_name(need.object.name) for need in needs)
        description, image, isolation = "", None, False
        if declared:
            description, image = declared.description or "", declared.image
            isolation = declared.isolation
            # The name of a bundle does not tell what is in it. That the flags do no harm to pure code is a guess.
            native = native or any(loaded.manifest.packages[package].bundle for package in declared.packages)
        return tuple(flags(runtime, native=native, image=image, isolation=isolation)), description

    def check_tests(self, loaded: Loaded, artifacts: Artifacts, cache: Path) -> Iterator[Problem]:
        from reconciler.targets.maxcompute.declared_tests import check_tests

        return check_tests(loaded, artifacts, cache)

    # A plan needs none of the following, so each is imported when a command asks for it.

    @property
    def equipment(self) -> Equipment:
        from reconciler.targets.powers import Equipment

        return Equipment(
            distributions=("pyodps",),
            credentials=(
                "ALIBABA_CLOUD_ACCESS_KEY_ID",
                "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
                "ALIBABA_CLOUD_SECURITY_TOKEN",
            ),
            without_credentials="endpoint: local needs none",
            runtimes=RUNTIMES,
            interpreters=tuple(RUNTIMES),
            usual_runtime="cp37",
            platforms=PLATFORMS,
        )

    @property
    def starter(self) -> StarterFiles:
        from reconciler.targets.powers import StarterFiles

        folder = Path(__file__).with_name("starter")
        files = {"udfs.yaml": "udfs.yaml", "greet.py": "udfs/greet.py"}
        return StarterFiles(folder, files, "greet World", "greet ada_lovelace")

    @property
    def queries(self) -> Queries:
        from reconciler.targets.maxcompute import sql

        return sql

    @property
    def remote_tests(self) -> RemoteTests:
        from reconciler.targets.maxcompute import sql_tests

        return sql_tests

    @property
    def local_runtime(self) -> LocalRuntime:
        from reconciler.targets.maxcompute import jobs

        return jobs

    @property
    def row_calls(self) -> RowCalls:
        from reconciler.targets.maxcompute import jobs

        return jobs

    @property
    def importing(self) -> Importing:
        from reconciler.targets.maxcompute import importing

        return importing

    @property
    def embedded_service(self) -> EmbeddedService:
        from reconciler.targets.maxcompute import embedded

        return embedded

    @property
    def other_tools(self) -> OtherTools:
        from reconciler.targets.maxcompute import dataworks

        return dataworks

    @property
    def accounts(self) -> Accounts:
        from reconciler.targets.maxcompute import accounts

        return accounts

    @property
    def exports(self) -> Mapping[str, Exporting]:
        from reconciler.targets.maxcompute import maxframe

        return {"maxframe": maxframe}
