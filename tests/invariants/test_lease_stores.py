"""
The lease protocol on the stores that are not MaxCompute's, functions, objects of a bucket and files, in every interleaving of some clients' requests.

`test_lease_protocol` proves the protocol for a store whose create is atomic; here the stores are asked whether theirs is. Each client
looks at the ledger, takes the lease by creating the next entry, and gives it back; the requests of all are made in each order there is.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import pytest

from reconciler.local.fc import FcServer, FcSettings
from reconciler.targets.credentials.session import Credentials
from reconciler.targets.fc.client import FcClient
from reconciler.targets.fc.entries import EntryStore, MarkerFunctions
from reconciler.targets.flink.entries import FolderEntries
from reconciler.targets.oss import Bucket, OssClient, OssEntries
from tests.canary import SECRET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

CLIENTS = 3


class FolderOfEntries(FolderEntries):
    """A folder, asked as the stores of Function Compute are."""

    def epochs(self, stack: str, functions: Iterable[str] = ()) -> tuple[int, ...]:
        return super().epochs(stack)


@pytest.fixture(params=["functions", "objects", "folder"])
def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], EntryStore]]:
    if request.param == "folder":
        yield lambda: FolderOfEntries(tmp_path / "ledger")
        return
    keys = Credentials("ann", SECRET)
    with FcServer(tmp_path / "fc", FcSettings(account="1")) as server:
        numbers = map(str, itertools.count())

        def make() -> EntryStore:
            if request.param == "objects":
                return OssEntries(OssClient(Bucket("ledgers", "cn-hangzhou", server.url, keys, "test")))
            return MarkerFunctions(FcClient(server.url, "cn-hangzhou", keys, "test", lambda: next(numbers)))

        yield make


@dataclass
class Applier:
    """One client, a request at a time."""

    store: EntryStore
    stack: str
    name: str
    at: Literal["idle", "looked", "holding", "done"] = "idle"
    epoch: int = 0

    def step(self) -> None:
        match self.at:
            case "idle":
                newest = self.newest()
                # Somebody's entry that says that it runs is waited for.
                if newest and (self.store.fetch(self.entry(newest)) or b"").startswith(b"running"):
                    return
                self.epoch, self.at = newest + 1, "looked"
            case "looked":
                is_mine = self.store.create(self.entry(self.epoch), f"running {self.name}".encode(), "test")
                self.at = "holding" if is_mine else "idle"
            case "holding":
                self.store.replace(self.entry(self.epoch), f"done {self.name}".encode(), "test")
                self.at = "done"

    def newest(self) -> int:
        names = self.functions()
        epochs = self.store.epochs(self.stack, names)
        return epochs[-1] if epochs else 0

    def functions(self) -> list[str]:
        if not isinstance(self.store, MarkerFunctions):
            return []
        pages = self.store.client.pages("ListFunctions", "/functions", "functions", prefix=f"udfs-{self.stack}-")
        return [answer["functionName"] for answer in pages]

    def entry(self, epoch: int) -> str:
        return f"udfs.{self.stack}.{epoch}.json"


def test_in_no_order_of_requests_do_two_hold_the_lease(
    make_store: Callable[[], EntryStore], tally: Callable[[str, int], None]
) -> None:
    # Clients are alike, so an order in which two of them have changed places is the same order.
    orders = sorted(
        {order for order in itertools.permutations([0, 1, 2, 0, 1, 2]) if list(dict.fromkeys(order)) == [0, 1, 2]}
    )
    for number, order in enumerate(orders):
        clients = [Applier(make_store(), f"s{number}", str(index)) for index in range(CLIENTS)]
        for index in order:
            clients[index].step()
            holders = [client for client in clients if client.at == "holding"]
            assert len(holders) <= 1
            for holder in holders:
                assert holder.store.fetch(holder.entry(holder.epoch)) == f"running {holder.name}".encode()
        # Each gets its turn.
        for _ in range(12):
            for client in clients:
                if client.at != "done":
                    client.step()
        assert {client.at for client in clients} == {"done"}
        epochs = sorted(client.epoch for client in clients)
        assert epochs == [1, 2, 3]
    tally("orders of the requests of three clients of a ledger", len(orders))


def test_an_entry_is_created_once_replaced_fetched_and_removed(make_store: Callable[[], EntryStore]) -> None:
    store, name = make_store(), "udfs.ocr.7.json"
    assert store.fetch(name) is None
    assert store.create(name, b"one", "a comment, \u00e9")
    assert not store.create(name, b"two", "")
    assert store.fetch(name) == b"one"
    store.replace(name, b"three" * 1000, "")
    assert store.fetch(name) == b"three" * 1000
    assert store.now().year > 2000
    store.remove(name)
    store.remove(name)
    assert store.fetch(name) is None
