"""Store directory of the local MaxCompute."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.local.server.database import TABLES, Records
from reconciler.local.storage.transactions import TransactionStore

if TYPE_CHECKING:
    from pathlib import Path


class ServerStore(TransactionStore[Records]):
    """Projects, resources, functions and tables in a directory."""

    def __init__(self, directory: Path, *, sync: bool = False) -> None:
        super().__init__(directory / "maxcompute.db", Records, TABLES, sync=sync)
