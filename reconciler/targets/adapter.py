"""
Adapter: what a command needs of a kind of target before one is reached.

Nothing here speaks to a service: a plan can be made against a dump with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import date
    from pathlib import Path

    from reconciler.base.errors import Problem
    from reconciler.checks.python.rules import RuleSet
    from reconciler.core.kind import Catalog
    from reconciler.core.plan import Destination
    from reconciler.core.state import DesiredState, Live
    from reconciler.core.target import Target
    from reconciler.manifest.load import Loaded
    from reconciler.packages.artifacts import Artifacts
    from reconciler.targets.powers import (
        Accounts,
        ClusterCalls,
        EmbeddedService,
        Equipment,
        EventCalls,
        Exporting,
        Foresight,
        Importing,
        LocalRuntime,
        OtherTools,
        Queries,
        RemoteTests,
        RowCalls,
        StarterFiles,
        Tool,
    )


@dataclass(frozen=True)
class Access:
    """What a command has for reaching a target."""

    environment: Mapping[str, str]
    store: Path
    """The folder of a service that is built in."""

    user_agent: str
    token: Callable[[], str]
    """A source of short random names."""

    note: Callable[[str], None]
    """Tells a person what a command leaves behind that its report does not say."""


class Adapter(Protocol):
    """A kind of target before any is reached. What stands behind `describe` it may be without."""

    @property
    def catalog(self) -> Catalog:
        """Its kinds of objects, and what leads to a place."""

    @property
    def source_rules(self) -> RuleSet:
        """What the service asks of sources beside what Python does."""

    def destination(self, loaded: Loaded) -> Destination:
        """Return where a manifest's plan goes."""

    def desired_state(self, loaded: Loaded, artifacts: Artifacts) -> DesiredState:
        """Return every object that a manifest asks for. Pure: files were read and wheels fetched before."""

    def connect(self, loaded: Loaded, access: Access) -> AbstractContextManager[Target]:
        """Reach the target of a manifest, for as long as the context lasts."""

    def describe(self, loaded: Loaded, live: Live, needs: Sequence[Live]) -> tuple[tuple[tuple[str, str], ...], str]:
        """Return what a caller of an object has to set, and what the manifest says of it, for people."""

    def check_tests(self, loaded: Loaded, artifacts: Artifacts, cache: Path) -> Iterable[Problem]:
        """
        Return what is wrong with the tests of a manifest, as far as its sources tell without being run.

        `cache` is the folder where what was learnt of sources that have not changed may be kept.
        """
        return ()

    def check_contents(
        self, loaded: Loaded, artifacts: Artifacts, inspections: Path, day: date | None
    ) -> Iterable[Problem]:
        """
        Return what is wrong with files that only this kind has, and with what its service offers on a day.

        `inspections` is the folder where what archives hold is kept.
        """
        return ()

    @property
    def equipment(self) -> Equipment:
        """What a machine needs for it."""
        from reconciler.targets.powers import Equipment

        return Equipment()

    def find_tools(self, loaded: Loaded, env: Mapping[str, str]) -> Iterable[Tool]:
        """Return what the target of a manifest needs on this machine beside that, there or not."""
        return ()

    @property
    def starter(self) -> StarterFiles | None:
        """A first manifest."""
        return None

    @property
    def queries(self) -> Queries | None:
        """SQL."""
        return None

    @property
    def remote_tests(self) -> RemoteTests | None:
        """Tests of what is deployed."""
        return None

    @property
    def local_runtime(self) -> LocalRuntime | None:
        """Functions that run here."""
        return None

    @property
    def row_calls(self) -> RowCalls | None:
        """Functions that can be called here over rows."""
        return None

    @property
    def cluster_calls(self) -> ClusterCalls | None:
        """Functions that are called where they are deployed, over rows."""
        return None

    @property
    def event_calls(self) -> EventCalls | None:
        """Functions that can be called here with an event."""
        return None

    @property
    def importing(self) -> Importing | None:
        """From what is there to a manifest."""
        return None

    @property
    def embedded_service(self) -> EmbeddedService | None:
        """A service of one's own."""
        return None

    @property
    def other_tools(self) -> OtherTools | None:
        """Another tool that deploys to the same place."""
        return None

    @property
    def foresight(self) -> Foresight | None:
        """What would become of a change."""
        return None

    @property
    def accounts(self) -> Accounts | None:
        """Who may do what."""
        return None

    @property
    def exports(self) -> Mapping[str, Exporting]:
        """Code for other programs, by their names."""
        return {}
