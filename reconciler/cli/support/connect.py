"""
Connection to the target of a manifest.

Credentials come from the environment, and ``endpoint: local`` starts the embedded service for as long as the command runs.
"""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from reconciler import __version__
from reconciler.base.errors import AccessError
from reconciler.targets.maxcompute.manifest import target_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.core.target import Target
    from reconciler.manifest.load import Loaded

Credentials: TypeAlias = "tuple[str, str, str | None]"
"""Access key, its secret, and the token of a temporary one."""


@contextmanager
def connect(manifest: Loaded) -> Iterator[Target]:
    """Reach the manifest's target."""
    from reconciler.targets import TARGETS

    with _endpoint(manifest) as (endpoint, credentials):
        yield TARGETS["maxcompute"](
            endpoint=endpoint,
            project=target_of(manifest).project,
            schema=target_of(manifest).schema_,
            stack=manifest.manifest.stack,
            credentials=credentials,
            # The local service can be told to kill the client of a request, for tests of what a crash leaves behind.
            user_agent=f"udfs/{__version__} udfs-pid/{os.getpid()}",
            token=lambda: secrets.token_hex(3),
        )


@contextmanager
def _endpoint(manifest: Loaded) -> Iterator[tuple[str, Credentials | None]]:
    if target_of(manifest).endpoint != "local":
        yield target_of(manifest).endpoint, _credentials()
        return
    from reconciler.cli.support.local_service import start

    server = start(manifest)
    try:
        yield server.url, ("local", "local", None)
    finally:
        server.close()


def _credentials() -> Credentials | None:
    """Return the access key of the environment, or None for PyODPS to look for its own."""
    access_id = os.environ.get("ALIBABA_CLOUD_ACCESS_KEY_ID")
    secret = os.environ.get("ALIBABA_CLOUD_ACCESS_KEY_SECRET")
    if access_id and secret:
        return access_id, secret, os.environ.get("ALIBABA_CLOUD_SECURITY_TOKEN") or None
    if access_id or secret:
        missing = "ALIBABA_CLOUD_ACCESS_KEY_SECRET" if access_id else "ALIBABA_CLOUD_ACCESS_KEY_ID"
        raise AccessError("E607", f"{missing} is not set, its other half is", hint="set both or neither")
    return None
