"""Function Compute of one's own, for others: with the switches for what is not settled about the service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.base.errors import UsageError
from reconciler.local.fc import FcServer, FcSettings
from reconciler.local.http.listener import UnguardedServer
from reconciler.targets.fc.connection import STORE
from reconciler.targets.fc.manifest import fc_target
from reconciler.targets.stores import local_store
from reconciler.targets.switches import GUARD, Switches

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
        folder = store or local_store(folder, STORE)
        try:
            return FcServer(folder, settings, host=host, port=port, environment=environment)
        except UnguardedServer as error:
            raise UsageError("E905", f"cannot listen at {host}: {error}", hint=GUARD) from error


def _settings_of(target: Target | None, **more: Any) -> FcSettings:
    places = {"region": target.region, "account": target.account or FcSettings.account} if target else {}
    return FcSettings(**{**places, **more})


def _read_options(options: Mapping[str, Any], target: Target | None) -> FcSettings:
    values = dict(options)
    switches = _SWITCHES.parse(values.pop("switches"))
    for name, option in _ELSEWHERE.items():
        if values.pop(name):
            raise UsageError("E901", f"{option} means nothing to Function Compute", hint="leave it out")
    if bool(values["access_id"]) != bool(values["access_key"]):
        raise UsageError(
            "E901", "--access-id and --access-key are given together", hint="or neither, for no signatures"
        )
    values["page_size"] = min(values["page_size"], FcSettings.most_per_page)
    try:
        return _settings_of(target, **{**values, **switches})
    except ValueError as error:
        raise UsageError("E901", str(error)) from error
