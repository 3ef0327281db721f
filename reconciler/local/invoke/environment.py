"""
Environment of a function: the variables that the documentation names, and those that the function's own settings add.

"Environment variables" has the FC_ names, "Layers" what is set for /opt; PATH and LD_LIBRARY_PATH are those of the vendor's published images
(fc-docker), with what "Layers" adds. A function's own variable wins, but for the FC_ names, which are reserved.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.local.invoke.runtimes import RUNTIMES

if TYPE_CHECKING:
    from reconciler.local.invoke.description import InstanceDescription

_SYSTEM_PATH = "/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin"


@dataclass(frozen=True)
class Folders:
    """Where a function finds what it has; without a sandbox these are folders of the machine."""

    code: str = "/code"
    opt: str = "/opt"
    temporary: str = "/tmp"
    python: str | None = None
    """Where the libraries of a Python lie that is not the system's own: moved, it does not find them by itself."""


def make_environment(description: InstanceDescription, folders: Folders, instance: str) -> dict[str, str]:
    """Return all that the environment of an instance holds."""
    runtime = RUNTIMES[description.runtime]
    code, opt = folders.code, folders.opt
    libraries = [code, f"{code}/lib", "/usr/local/lib"]
    path = [_SYSTEM_PATH]
    variables = {"HOME": folders.temporary, "TMPDIR": folders.temporary, "LANG": "C.UTF-8", "PWD": code}
    if not runtime.is_custom:
        libraries.append(f"{opt}/lib")
        path.append(f"{opt}/bin")
        variables["PYTHONPATH"] = f"{opt}/python"
    variables |= {"PATH": ":".join(path), "LD_LIBRARY_PATH": ":".join(libraries)}
    environment = {**variables, **description.environment}
    if folders.python is not None:
        environment["LD_LIBRARY_PATH"] += f":{folders.python}"
    return {
        **environment,
        **_system_variables(description, folders, instance),
        runtime.version_variable: description.version,
    }


def _system_variables(description: InstanceDescription, folders: Folders, instance: str) -> dict[str, str]:
    variables = {
        "FC_FUNC_CODE_PATH": folders.code,
        "FC_ACCOUNT_ID": description.account,
        "FC_CUSTOM_LISTEN_PORT": str(description.port),
        "FC_FUNCTION_HANDLER": description.handler,
        "FC_FUNCTION_MEMORY_SIZE": str(description.memory),
        "FC_FUNCTION_NAME": description.name,
        "FC_INSTANCE_ID": instance,
        "FC_REGION": description.region,
        "FC_TIMEOUT": f"{description.timeout:g}",
    }
    if description.initializer:
        variables["FC_INITIALIZER_HANDLER"] = description.initializer
    if description.credentials is not None:
        names = ("ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALIBABA_CLOUD_SECURITY_TOKEN")
        variables |= dict(zip(names, description.credentials, strict=True))
    return variables
