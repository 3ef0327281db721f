"""Function Compute of one's own, for others: with the switches for what is not settled about the service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.local.fc import FcServer, FcSettings
from reconciler.targets.fc.connection import STORE
from reconciler.targets.fc.manifest import fc_target
from reconciler.targets.stores import local_store
from reconciler.targets.switches import Switches, require_guard

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from reconciler.manifest.load import Loaded
    from reconciler.targets.fc.manifest import Target

_SWITCHES = Switches(
    FcSettings,
    frozenset({"access_id", "access_key", "keys", "hosts", "control", "latency_ms", "page_size", "buckets"}),
)
_ELSEWHERE = {"projects": "--project", "denied": "--deny"}
"""Options of ``udfs serve`` that mean nothing here."""


class EmbeddedFunctionCompute:
    """The service built in, as ``udfs serve`` starts it."""

    def describe_switches(self) -> str:
        return _SWITCHES.describe()

    def start_service(
        self,
        store: Path | None,
        loaded: Loaded | None,
        options: Mapping[str, Any],
        *,
        folder: Path,
        address: tuple[str, int],
        environment: Mapping[str, str],
    ) -> FcServer:
        host, port = address
        settings = _read_options(options, fc_target(loaded) if loaded else None)
        with require_guard(host):
            return FcServer(store or local_store(folder, STORE), settings, host, port, environment=environment)


def _read_options(options: Mapping[str, Any], target: Target | None) -> FcSettings:
    values = _SWITCHES.read(options, "Function Compute", _ELSEWHERE)
    values["page_size"] = min(values["page_size"], FcSettings.most_per_page)
    places = {"region": target.region, "account": target.account or FcSettings.account} if target else {}
    settings: FcSettings = _SWITCHES.make_settings({**places, **values})
    return settings
