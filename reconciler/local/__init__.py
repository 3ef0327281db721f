"""
Local services over real HTTP: of MaxCompute the part that resources and functions need.

`http` and `storage` know no service; `server` is the MaxCompute that stands on them. It is what ``endpoint: local`` starts,
and what the tests talk to. It may touch the folder of its store, temporary folders, a socket on the host that it is given,
and the processes that it starts; it asks no other host, and environment and settings come in as arguments. Begin with `http.connection`, which says in which order a request is checked, and with `runner`.

A request takes this way::

    server ─ a thread for each connection ─▶ connection ─ host, framing, fault ─▶ answering ─ signature ─▶ routes
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
    from reconciler.local.http.control import Exchange
    from reconciler.local.http.faults import Fault
    from reconciler.local.http.listener import UnguardedServer
    from reconciler.local.server.instances import NEEDED as SQL_NEEDS
    from reconciler.local.server.server import Server
    from reconciler.local.server.settings import Settings, User
    from reconciler.local.server.tables import ProvidedTable

__all__ = ["SQL_NEEDS", "Exchange", "Fault", "ProvidedTable", "Server", "Settings", "UnguardedServer", "User"]

_HOMES = {
    "Exchange": "http.control",
    "Fault": "http.faults",
    "Server": "server.server",
    "UnguardedServer": "http.listener",
    "Settings": "server.settings",
    "User": "server.settings",
    "ProvidedTable": "server.tables",
}


def __getattr__(name: str) -> Any:
    """Return what is offered here, imported when it is asked for: who needs the runner alone needs no server."""
    if name == "SQL_NEEDS":
        return import_module("reconciler.local.server.instances").NEEDED
    if name not in _HOMES:
        raise AttributeError(name)
    return getattr(import_module(f"reconciler.local.{_HOMES[name]}"), name)
