"""
Local Realtime Compute for Apache Flink: the vendor's API "ververica" of 2022-07-18 over a Flink, with an OSS beside it, on loopback.

Begin with `answering`, which says in which order a request is checked, and `routes`, which names the handlers. Each handler says how what
it does is known: *read* (in the vendor's SDK, ``alibabacloud_ververica20220718`` 1.14.0), *documented* (the vendor's API pages), or a
*guess*. Nothing was tried on the real service. Guesses that matter are switches in `VervericaSettings`.

    VervericaServer ─ http.connection ─▶ answering ─ signature ─▶ routes
        ─▶ deployments | jobs | savepoints | udf_artifacts | artifacts ─▶ documents in SQLite
        ─▶ engine ─▶ a Flink, by its REST interface
        ─▶ ``local.fc.objects`` (OSS: what stands under a bucket's name)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reconciler.local.ververica.server import VervericaServer
    from reconciler.local.ververica.settings import VervericaSettings

__all__ = ["VervericaServer", "VervericaSettings"]


def __getattr__(name: str) -> Any:
    """Return what is offered here, imported when it is asked for."""
    if name not in __all__:
        raise AttributeError(name)
    module = "server" if name == "VervericaServer" else "settings"
    return getattr(import_module(f"reconciler.local.ververica.{module}"), name)
