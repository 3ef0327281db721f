"""
Where a plan goes. A target reads the live state and makes one change a call; it decides nothing.

There is one today. Another is a folder here, its rows in ``artifacts.runtime`` and its member of the manifest; nothing
above looks inside a target.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.core.target import Target


def _maxcompute(
    *,
    endpoint: str,
    project: str,
    schema: str | None,
    stack: str,
    credentials: tuple[str, str, str | None] | None,
    user_agent: str,
    token: Callable[[], str],
) -> Target:
    # requests takes a tenth of a second to import; it is loaded when the service is about to be spoken to.
    from reconciler.targets.maxcompute.client import Client
    from reconciler.targets.maxcompute.signing import Credentials
    from reconciler.targets.maxcompute.target import MaxCompute

    keys = Credentials(*credentials) if credentials else None
    return MaxCompute(Client(endpoint, project, schema, keys, user_agent), stack, token)


TARGETS = {"maxcompute": _maxcompute}
"""The kinds of target and how each is reached."""
