"""
Settings of a function: read_region that can be set beside its code, runtime, handler, layers, environment, description and tags.

Only what a manifest names is compared, since the service fills in the rest. What udfs has written once, and the manifest names no more,
goes back to its default: the mark of a function tells which settings those are. The defaults are documented where that is said; others
are guesses, and a wrong one does no more than set what the service would have set otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.targets.fc.canonical import canonical

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping


class Setting(NamedTuple):
    """One field of a function."""

    wire: str
    """As the API calls it."""

    default: Any
    """What the service is told when the manifest names it no more."""


SETTINGS: Mapping[str, Setting] = {
    "memory": Setting("memorySize", 512),  # of the console; a guess for the API
    "cpu": Setting("cpu", 0.35),  # of the console; a guess for the API
    "disk": Setting("diskSize", 512),  # [SDK 4.8.3: 512 or 10240]
    "timeout": Setting("timeout", 3),  # [SDK 4.8.3]
    "role": Setting("role", ""),
    "internet_access": Setting("internetAccess", default=True),  # [SDK 4.8.3]
    "instance_concurrency": Setting("instanceConcurrency", 1),
    "lifecycle": Setting("instanceLifecycleConfig", {}),
    "custom_runtime": Setting("customRuntimeConfig", {}),
    "log": Setting("logConfig", {}),
    "vpc": Setting("vpcConfig", {}),
    "nas": Setting("nasConfig", {}),
    "oss": Setting("ossMountConfig", {}),
    "tracing": Setting("tracingConfig", {}),
    "dns": Setting("customDNS", {}),
    "idle_timeout": Setting("idleTimeout", 0),
    "session_affinity": Setting("sessionAffinity", "NONE"),  # what the vendor's tool takes for unset
    "session_affinity_config": Setting("sessionAffinityConfig", ""),
    "instance_isolation": Setting("instanceIsolationMode", "SHARE"),  # what the vendor's tool takes for unset
    "disable_ondemand": Setting("disableOndemand", default=False),  # what the vendor's tool takes for unset
    "credentials_injection": Setting("disableInjectCredentials", "None"),
    "gpu": Setting("gpuConfig", {}),
}
"""
By our names, in an order that stays: marks name settings by their places in it, so that new ones come at the end.

The form of each value is the API's: `log` is ``{"project": …, "logstore": …}``.
"""

_PLACES = {name: number for number, name in enumerate(SETTINGS)}


def default_text(name: str) -> str:
    """Return what a setting is that nobody named, in canonical form."""
    return canonical(SETTINGS[name].default)


def canonical_settings(values: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return settings by our names in the form in which a function holds them; what is empty counts as not named."""
    texts = ((name, canonical(values[name])) for name in sorted(SETTINGS) if name in values)
    return tuple((name, text) for name, text in texts if text)


def settings_on_the_wire(function: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return the settings that an answer of the service has."""
    return canonical_settings({name: function.get(setting.wire) for name, setting in SETTINGS.items()})


def write_set(names: Iterable[str]) -> str:
    """Return which settings are named, in a few digits."""
    bits = sum(1 << number for number in {_PLACES[name] for name in names})
    return f"{bits:x}" if bits else ""


def read_set(text: str) -> Collection[str]:
    """Return the settings that are named; those of a newer udfs are not known here."""
    bits = int(text, 16) if text else 0
    return tuple(name for name, number in _PLACES.items() if bits >> number & 1)
