"""uv by itself, with the indexes that udfs asks, in the same order."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.packages.fetch.indexes import find_indexes, pip_settings

if TYPE_CHECKING:
    from collections.abc import Mapping


def uv_environment(env: Mapping[str, str]) -> dict[str, str]:
    """Return an environment for uv; what is set for pip counts where nothing is set for uv."""
    *further, last = (index.address for index in find_indexes(env, Path(sys.prefix), of_uv=True))
    cert = pip_settings(env, Path(sys.prefix)).cert
    trust = {"SSL_CERT_FILE": cert} if cert else {}
    return {**trust, **env, "UV_INDEX": " ".join(further), "UV_DEFAULT_INDEX": last}
