"""
Surroundings of a function: all environment variables that it is given, and the command that starts a custom runtime.

Built-in runtimes look for modules in /opt/python and for libraries in /opt/lib by themselves, custom ones do not [doc "Layers",
2025-09]; so theirs are led there. A value that the manifest gives wins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.targets.fc.manifest import SERVER
from reconciler.targets.fc.runtimes import INTERPRETERS, SERVICE, is_custom

if TYPE_CHECKING:
    from reconciler.targets.fc.manifest import Function

_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LED = {
    "LD_LIBRARY_PATH": "/code/lib:/opt/lib:/code:/usr/local/lib",
    "PATH": f"/code/bin:/opt/bin:{_SYSTEM_PATH}",
    "PYTHONPATH": "/code:/opt/python",
}
"""
What leads a custom runtime to code and layers.

Their own settings are not published; the system's folders stand last, so that what is shipped is found first and the rest still is.
"""


def environment_of(function: Function) -> dict[str, str]:
    """Return all variables that a function is given, by name: a program of one's own with nothing beside its code finds itself."""
    is_led = is_custom(function.runtime) and (function.needs_server or function.packages or function.layers)
    led = _LED if is_led else {}
    return dict(sorted({**led, **function.environment}.items()))


def function_settings(function: Function) -> dict[str, Any]:
    """Return what is set beside code, layers and environment, in the API's form by our names."""
    settings: dict[str, Any] = {
        "memory": function.memory,
        "cpu": function.vcpu,
        "disk": function.disk,
        "timeout": function.timeout,
        "internet_access": function.internet_access,
    }
    if function.role is not None:
        settings["role"] = function.role
    if function.instance_concurrency is not None:
        settings["instance_concurrency"] = function.instance_concurrency
    if function.initializer is not None:
        initializer = {"handler": function.initializer, "timeout": function.initializer_timeout}
        settings["lifecycle"] = {"initializer": initializer}
    for name, section in (("vpc", function.vpc), ("nas", function.nas), ("log", function.log)):
        if section is not None:
            settings[name] = section.wire
    if is_custom(function.runtime):
        settings["custom_runtime"] = _custom_runtime(function)
    return settings


def _custom_runtime(function: Function) -> dict[str, Any]:
    command = list(function.command)
    if function.needs_server:
        command = [INTERPRETERS[function.runtime], f"{SERVICE.code_folder}{SERVER}"]
    return {"command": command, "args": list(function.args), "port": function.port}
