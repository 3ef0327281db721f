"""
Connection to the target of a manifest.

Credentials come from the environment, and a service that is built in runs for as long as the command does.
"""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING

from reconciler import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.core.target import Target
    from reconciler.manifest.load import Loaded

STORE = ".udfs"
"""The folder beside the manifest where built-in services keep what they hold."""


@contextmanager
def connect(manifest: Loaded) -> Iterator[Target]:
    """Reach the manifest's target."""
    from reconciler.targets import adapter_of
    from reconciler.targets.adapter import Access

    access = Access(
        environment=os.environ,
        store=manifest.folder / STORE,
        # The local service can be told to kill the client of a request, for tests of what a crash leaves behind.
        user_agent=f"udfs/{__version__} udfs-pid/{os.getpid()}",
        token=lambda: secrets.token_hex(3),
    )
    with adapter_of(manifest).connect(manifest, access) as target:
        yield target
