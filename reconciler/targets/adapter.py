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
        EmbeddedService,
        Equipment,
        Exporting,
        Importing,
        LocalRuntime,
        OtherTools,
        Queries,
        RemoteTests,
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

    def check_tests(self, loaded: Loaded) -> Iterable[Problem]:
        """Return what is wrong with the tests of a manifest, as far as its sources tell without being run."""
        return ()

    @property
    def equipment(self) -> Equipment:
        """What a machine needs for it."""
        from reconciler.targets.powers import Equipment

        return Equipment()

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
    def accounts(self) -> Accounts | None:
        """Who may do what."""
        return None

    @property
    def exports(self) -> Mapping[str, Exporting]:
        """Code for other programs, by their names."""
        return {}
