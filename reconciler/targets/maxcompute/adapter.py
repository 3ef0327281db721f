"""MaxCompute before a project is reached: where a plan goes, what a manifest asks for, and how the service is found."""

from __future__ import annotations

from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from reconciler.base.errors import UsageError
from reconciler.packages.inspect.contents import is_library_name
from reconciler.targets.maxcompute import desired, objects
from reconciler.targets.maxcompute.manifest import target_of
from reconciler.targets.maxcompute.runtimes import flags, is_native
from reconciler.targets.maxcompute.source_rules import SOURCE_RULES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.checks.python.rules import RuleSet
    from reconciler.core.kind import Catalog
    from reconciler.core.plan import Destination
    from reconciler.core.state import DesiredState, Live
    from reconciler.core.target import Target
    from reconciler.manifest.load import Loaded
    from reconciler.packages.artifacts import Artifacts
    from reconciler.targets.adapter import Access


class MaxComputeAdapter:
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

    def is_embedded(self, loaded: Loaded) -> bool:
        return target_of(loaded).endpoint == "local"

    def require_query(self, loaded: Loaded) -> None:
        if not self.is_embedded(loaded):
            return
        from reconciler.local import SQL_NEEDS

        if missing := [name for name in SQL_NEEDS if find_spec(name) is None]:
            message = f"SQL on the local service needs {', '.join(missing)}, not installed here"
            raise UsageError("E734", message, hint="pip install 'udfs[sql]'")

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
        description, image = "", None
        if declared:
            description, image = declared.description or "", declared.image
            # The name of a bundle does not tell what is in it. That the flags do no harm to pure code is a guess.
            native = native or any(loaded.manifest.packages[package].bundle for package in declared.packages)
        return tuple(flags(runtime, native=native, image=image)), description
