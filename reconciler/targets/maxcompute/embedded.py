"""
MaxCompute of one's own, for others: started over a store, with the switches for what is not settled about the service.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.base.errors import UsageError
from reconciler.base.words import did_you_mean, quote
from reconciler.local import Server, Settings
from reconciler.local.server.permissions import ACTIONS
from reconciler.targets.maxcompute.endpoint import STORE, provide_tables
from reconciler.targets.stores import local_store
from reconciler.targets.switches import Switches, require_guard

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from reconciler.manifest.load import Loaded

_SWITCHES = Switches(
    Settings,
    frozenset(
        {
            "access_id",
            "access_key",
            "users",
            "hosts",
            "control",
            "latency_ms",
            "page_size",
            "projects",
            "denied",
            "tables",
        }
    ),
)


def start_service(
    store: Path | None,
    loaded: Loaded | None,
    options: Mapping[str, Any],
    *,
    folder: Path,
    address: tuple[str, int],
    environment: Mapping[str, str],
) -> Server:
    host, port = address
    settings = _settings(options)
    with require_guard(host):
        server = Server(store or local_store(folder, STORE), settings, host, port, environment=environment)
    try:
        if loaded:
            provide_tables(server, loaded)
    except BaseException:
        server.close()
        raise
    return server


def _settings(options: Mapping[str, Any]) -> Settings:
    """Return the settings that the options of `serve` ask for."""
    values = _SWITCHES.read(options)
    values["projects"] = values["projects"] or None
    if strange := [rule for rule in values["denied"] if rule.partition(":")[0] not in ACTIONS]:
        hint = did_you_mean(strange[0], ACTIONS) or f"it takes {', '.join(ACTIONS)}"
        raise UsageError("E901", f"there is no action {quote(strange[0])} to deny", hint=hint)
    settings: Settings = _SWITCHES.make_settings(values)
    return settings


def describe_switches() -> str:
    """Return one line a switch: its name, what it takes, and its default."""
    return _SWITCHES.describe()
