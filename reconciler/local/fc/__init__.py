"""
Local Function Compute: the control API of 2023-03-30 and a small OSS beside it, over real HTTP on one loopback address.

Begin with `answering`, which says in which order a request is checked, and `routes`, which names the handlers. Each handler says
how what it does is known: *documented* (the vendor's API pages), *read* (in the source of the vendor's SDKs and tools), or a
*guess*. Nothing was tried on the real service. Guesses that matter are switches in `FcSettings`.

    FcServer ─ http.connection ─▶ answering ─ signature, pace ─▶ routes
        ─▶ functions | layers | versions | aliases | triggers | tags ─▶ documents in SQLite, code in blobs by SHA-256
        ─▶ objects (OSS: what stands under a bucket's name, and not under ``/2023-03-30``)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reconciler.local.fc.server import FcServer
    from reconciler.local.fc.settings import AccessKey, FcSettings

__all__ = ["AccessKey", "FcServer", "FcSettings"]


def __getattr__(name: str) -> Any:
    """Return what is offered here, imported when it is asked for."""
    if name not in __all__:
        raise AttributeError(name)
    return getattr(import_module(f"reconciler.local.fc.{'server' if name == 'FcServer' else 'settings'}"), name)
