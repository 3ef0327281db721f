"""
Rules for fields of functions, layers and what belongs to them.

Documented on the API pages of 2023-03-30 (structures CreateFunctionInput, UpdateFunctionInput and their like) unless said otherwise.
Fields that are not held to anything here are kept as they were sent.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from reconciler.local.fc.refusals import invalid_argument, limit_exceeded

if TYPE_CHECKING:
    from collections.abc import Mapping

RUNTIMES = frozenset(
    [
        "custom",
        "custom.debian10",
        "custom.debian11",
        "custom.debian12",
        "custom-container",
        "python3",
        "python3.9",
        "python3.10",
        "python3.12",
        "nodejs8",
        "nodejs10",
        "nodejs12",
        "nodejs14",
        "nodejs16",
        "nodejs18",
        "nodejs20",
        "go1",
        "java8",
        "java11",
        "php7.2",
        "dotnetcore3.1",
        "python3.10_mcp.debian10",
        "python3.13_mcp.debian12",
    ]
)
SETTABLE = frozenset(
    [
        "cpu",
        "customContainerConfig",
        "customDNS",
        "customRuntimeConfig",
        "description",
        "disableInjectCredentials",
        "disableOndemand",
        "diskSize",
        "enableLongLiving",
        "environmentVariables",
        "gpuConfig",
        "handler",
        "idleTimeout",
        "instanceConcurrency",
        "instanceIsolationMode",
        "instanceLifecycleConfig",
        "internetAccess",
        "juiceFsConfig",
        "layers",
        "logConfig",
        "memorySize",
        "microSandboxConfig",
        "nasConfig",
        "ossMountConfig",
        "polarFsConfig",
        "role",
        "runtime",
        "sessionAffinity",
        "sessionAffinityConfig",
        "timeout",
        "tracingConfig",
        "vpcConfig",
    ]
)
"""What a create and an update take beside the code (read in the SDK's models); tags and resource group are for a create alone."""

MOST_LAYERS = 5
MOST_VARIABLES_BYTES = 4096
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_VARIABLE = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_TEXTS = ("description", "handler", "role", "runtime")
_NUMBERS: Mapping[str, tuple[int, int]] = {
    "memorySize": (128, 32768),
    "timeout": (1, 86400),
    "instanceConcurrency": (1, 200),
    "idleTimeout": (1, 86400),
}
"""Least and most; that of ``idleTimeout`` is a guess."""
_DISKS = (512, 10240)
_INITIALIZER_SECONDS = 300


def checked_name(value: Any, what: str) -> str:
    """Return a name if it can be one: letters, digits, ``_`` and ``-``, up to 64, neither digit nor ``-`` first."""
    if not isinstance(value, str) or _NAME.fullmatch(value) is None:
        raise invalid_argument(f"{what} must be 1 to 64 letters, digits, '_' and '-', and begin with a letter or '_'")
    return value


def checked_settings(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a request sets of a function, each field within its own bounds. Unknown fields are dropped (a guess)."""
    settings = {name: value for name, value in document.items() if name in SETTABLE}
    for name in _TEXTS:
        if name in settings and not isinstance(settings[name], str):
            raise invalid_argument(f"{name} must be a string")
    for name, (least, most) in _NUMBERS.items():
        if name in settings:
            _require_number(name, settings[name], least, most)
    if "diskSize" in settings and settings["diskSize"] not in _DISKS:
        raise invalid_argument("diskSize must be 512 or 10240")
    if "environmentVariables" in settings:
        _require_variables(settings["environmentVariables"])
    if "layers" in settings:
        _require_layers(settings["layers"])
    return settings


def require_function(document: Mapping[str, Any]) -> None:
    """Refuse a whole function in which fields are missing, or do not go together."""
    runtime = document.get("runtime")
    if runtime not in RUNTIMES:
        raise invalid_argument(f"runtime '{runtime}' is not supported")
    if not document.get("handler"):
        raise invalid_argument("handler is required")
    memory, cpu = document.get("memorySize"), document.get("cpu")
    if memory is not None and memory % 64:
        raise invalid_argument("memorySize must be a multiple of 64")
    if cpu is not None:
        if not isinstance(cpu, int | float) or isinstance(cpu, bool) or not 0.05 <= cpu <= 16 or round(cpu * 100) % 5:
            raise invalid_argument("cpu must be a multiple of 0.05, from 0.05 to 16")
        if memory is not None and not 1 <= memory / 1024 / cpu <= 4:
            raise invalid_argument("the ratio of cpu to memorySize (in GB) must be from 1:1 to 1:4")
    _require_lifecycle(document.get("instanceLifecycleConfig"))


def _require_lifecycle(config: Any) -> None:
    if config is None:
        return
    initializer = config.get("initializer") if isinstance(config, dict) else None
    if not isinstance(config, dict) or not isinstance(initializer or {}, dict):
        raise invalid_argument("instanceLifecycleConfig must be an object")
    if (seconds := (initializer or {}).get("timeout")) is not None:
        _require_number("the timeout of the initializer", seconds, 1, _INITIALIZER_SECONDS)


def _require_number(name: str, value: Any, least: int, most: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise invalid_argument(f"{name} must be from {least} to {most}")


def _require_variables(variables: Any) -> None:
    """That reserved names are refused, and not ignored, is a guess."""
    if not isinstance(variables, dict) or not all(isinstance(value, str) for value in variables.values()):
        raise invalid_argument("environmentVariables must map strings to strings")
    for name in variables:
        if _VARIABLE.fullmatch(name) is None or name.startswith("FC_"):
            raise invalid_argument(f"environment variable '{name}' has a name that is not allowed")
    if sum(len((name + value).encode()) for name, value in variables.items()) > MOST_VARIABLES_BYTES:
        raise invalid_argument(f"environmentVariables are larger than {MOST_VARIABLES_BYTES} bytes")


def _require_layers(layers: Any) -> None:
    if not isinstance(layers, list) or not all(isinstance(layer, str) for layer in layers):
        raise invalid_argument("layers must be a list of ARNs")
    if len(layers) > MOST_LAYERS:
        raise limit_exceeded(f"a function takes at most {MOST_LAYERS} layers")
    if len(set(layers)) < len(layers):
        raise invalid_argument("a layer is named twice")


def checked_tags(tags: Any, most: int) -> dict[str, str]:
    """Return tags as ``Key`` and ``Value`` of a list have them (read in the SDK's models); the bounds are guesses."""
    if not isinstance(tags, list) or not all(isinstance(tag, dict) and isinstance(tag.get("Key"), str) for tag in tags):
        raise invalid_argument("tags must be a list of objects with Key and Value")
    pairs = {tag["Key"]: str(tag.get("Value") or "") for tag in tags}
    for key, value in pairs.items():
        if not 1 <= len(key) <= 128 or len(value) > 128 or key.lower().startswith(("aliyun", "acs:")):
            raise invalid_argument(f"tag '{key[:128]}' has a key or value that is not allowed")
    if len(pairs) > most:
        raise limit_exceeded(f"a function takes at most {most} tags")
    return pairs
