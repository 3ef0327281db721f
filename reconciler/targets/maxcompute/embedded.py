"""
MaxCompute of one's own, for others: started over a store, with the switches for what is not settled about the service.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

from reconciler.base.errors import UsageError
from reconciler.base.hints import Command
from reconciler.base.numbers import whole_number
from reconciler.local import Server, Settings, UnguardedServer
from reconciler.local.server.permissions import ACTIONS
from reconciler.targets.maxcompute.endpoint import local_store, provide_tables

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from reconciler.manifest.load import Loaded

_OF_THEIR_OWN = {
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

_GUARD = (
    "set UDFS_SERVE_ACCESS_ID and UDFS_SERVE_ACCESS_KEY to keys of your own, and clients sign with them; "
    "or leave --host out, and this machine alone is served"
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
    try:
        server = Server(store or local_store(folder), _settings(options), host=host, port=port, environment=environment)
    except UnguardedServer as error:
        raise UsageError("E905", f"cannot listen at {host}: {error}", hint=_GUARD) from error
    try:
        if loaded:
            provide_tables(server, loaded)
    except BaseException:
        server.close()
        raise
    return server


def _settings(options: Mapping[str, Any]) -> Settings:
    """Return the settings that the options of `serve` ask for."""
    values = dict(options)
    values["projects"] = values["projects"] or None
    switches = _parse_switches(values.pop("switches"))
    if bool(values["access_id"]) != bool(values["access_key"]):
        raise UsageError(
            "E901", "--access-id and --access-key are given together", hint="or neither, for no signatures"
        )
    if strange := [rule for rule in values["denied"] if rule.partition(":")[0] not in ACTIONS]:
        raise UsageError("E901", f"there is no action '{strange[0]}' to deny", hint=f"it takes {', '.join(ACTIONS)}")
    try:
        return Settings(**values, **switches)
    except ValueError as error:
        raise UsageError("E901", str(error)) from error


def describe_switches() -> str:
    """Return one line a switch: its name, what it takes, and its default."""
    return "\n".join(f"{name:<32} {_takes(kind)} (default {default})" for name, (kind, default) in _switches().items())


def _switches() -> dict[str, tuple[Any, object]]:
    hints = get_type_hints(Settings, localns={"Mapping": Mapping})
    return {
        field.name: (hints[field.name], field.default) for field in fields(Settings) if field.name not in _OF_THEIR_OWN
    }


def _parse_switches(pairs: Iterable[str]) -> dict[str, Any]:
    switches = _switches()
    values: dict[str, Any] = {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        name = name.replace("-", "_")
        if name not in switches:
            raise UsageError("E901", f"there is no switch '{name}'", hint=Command("serve", "--list-switches"))
        values[name] = _parse_value(name, value, switches[name][0])
    return values


def _parse_value(name: str, value: str, kind: Any) -> object:
    if kind is bool and value in {"true", "false"}:
        return value == "true"
    if kind is int and (number := whole_number(value)) is not None:
        return number
    if get_origin(kind) is Literal:
        for choice in get_args(kind):
            if str(choice) == value:
                return choice
    raise UsageError("E901", f"switch '{name}' does not take '{value}'", hint=f"it takes {_takes(kind)}")


def _takes(kind: Any) -> str:
    if kind is bool:
        return "true or false"
    if get_origin(kind) is Literal:
        return " or ".join(map(str, get_args(kind)))
    return "a number"
