"""
Local MaxCompute service: the part that resources and functions need, over real HTTP.

It is what ``endpoint: local`` starts, and what the tests talk to. It may touch the folder of its store, temporary folders,
a socket on the host that it is given, and the processes that it starts; it asks no other host, and environment and settings
come in as arguments. Begin with `server.connection`, which says in which order a request is checked, and with `runner`.

A request takes this way::

    server ─ a thread for each connection ─▶ connection ─ host, framing, fault, signature ─▶ routes
        ─▶ projects | resources (uploads) | functions ─▶ store (rows in SQLite, blobs by SHA-256)
        ─▶ instances ─▶ instance_pool ─▶ sql (DuckDB) ─▶ runner (the CPython of each function)
        ─▶ instance_tunnel ─▶ tunnel (rows as they travel)

Of ours it imports `base` alone, and it knows nothing of PyODPS: a server that shared code with its client would agree with
it about mistakes. Every handler says how what it does is known: documentation, the source of a
public client, a measurement that somebody published, or a guess. What is not settled is a switch in `Settings`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reconciler.local.server.control import Exchange
    from reconciler.local.server.faults import Fault
    from reconciler.local.server.instances import NEEDED as SQL_NEEDS
    from reconciler.local.server.server import Server, UnguardedServer
    from reconciler.local.server.settings import Settings, User
    from reconciler.local.server.tables import ProvidedTable

__all__ = ["SQL_NEEDS", "Exchange", "Fault", "ProvidedTable", "Server", "Settings", "UnguardedServer", "User"]

_HOMES = {
    "Exchange": "control",
    "Fault": "faults",
    "Server": "server",
    "UnguardedServer": "server",
    "Settings": "settings",
    "User": "settings",
    "ProvidedTable": "tables",
}


def __getattr__(name: str) -> Any:
    """Return what is offered here, imported when it is asked for: who needs the runner alone needs no server."""
    if name == "SQL_NEEDS":
        return import_module("reconciler.local.server.instances").NEEDED
    if name not in _HOMES:
        raise AttributeError(name)
    return getattr(import_module(f"reconciler.local.server.{_HOMES[name]}"), name)
