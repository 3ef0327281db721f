"""
The lease protocol, checked over every interleaving of its steps.

A small model of what `ledger` does with the service, one request a step: read the newest epoch and its state, then
create the next; renew; finish; and at any moment a lease may run out or a client may die. Create-if-absent is the only
atomic step, as on the service. Every reachable state is visited; in none of them do two clients hold the same lease, and
no client believes in a lease that another has taken over without being told at its next look.

For comparison the same is done with the protocol that looks natural, *delete the expired lock and create it anew*: it
lets two in, which is why it is not used.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Client:
    at: str = "idle"
    """idle · read (has seen `seen`) · cleared (has deleted an expired lock) · holding (epoch `seen` + 1) · done"""

    seen: int = 0


@dataclass(frozen=True)
class World:
    entries: tuple[str, ...]
    """What the ledger holds, epoch 1 first: running, expired, done; or gone."""

    clients: tuple[Client, ...]


def put(world: World, index: int, client: Client, entries: tuple[str, ...] | None = None) -> World:
    clients = (*world.clients[:index], client, *world.clients[index + 1 :])
    return World(world.entries if entries is None else entries, clients)


def next_epoch(world: World, limit: int):  # type: ignore[no-untyped-def]
    """Yield every state that one step of anybody leads to, under the protocol of `ledger`."""
    for index, client in enumerate(world.clients):
        newest = len(world.entries)
        state = world.entries[-1] if world.entries else "done"
        if client.at == "idle" and state != "running" and newest < limit:
            yield put(world, index, Client("read", newest))
        if client.at == "read":
            # Creating the epoch after the one that was read: refused if somebody has created it.
            taken = newest > client.seen
            yield put(
                world,
                index,
                Client("idle") if taken else Client("holding", client.seen),
                world.entries if taken else (*world.entries, "running"),
            )
        if client.at == "holding":
            mine = world.entries[client.seen]
            yield put(
                world, index, Client("done"), (*world.entries[: client.seen], "done", *world.entries[client.seen + 1 :])
            )
            if mine == "running":
                expired = (*world.entries[: client.seen], "expired", *world.entries[client.seen + 1 :])
                yield replace(world, entries=expired)


def delete_then_create(world: World, limit: int):  # type: ignore[no-untyped-def]
    """Yield every next state of the protocol with one lock that is deleted when it has expired."""
    lock = world.entries[0]
    for index, client in enumerate(world.clients):
        if client.at == "idle" and lock in {"gone", "expired"}:
            yield put(world, index, Client("read", lock == "expired"))
        if client.at == "read":
            yield put(world, index, Client("cleared"), ("gone",) if client.seen else None)
        if client.at == "cleared":
            yield put(world, index, *((Client("holding"), ("running",)) if lock == "gone" else (Client("idle"), None)))
        if client.at == "holding" and lock == "running":
            yield replace(world, entries=("expired",))
            yield put(world, index, Client("done"), ("gone",))


def reachable(start: World, steps, limit: int) -> set[World]:  # type: ignore[no-untyped-def]
    seen, waiting = {start}, deque([start])
    while waiting:
        for world in steps(waiting.popleft(), limit):
            if world not in seen:
                seen.add(world)
                waiting.append(world)
    return seen


def holders_of_running(world: World) -> int:
    """Count the clients that hold a lease that is alive."""
    return sum(
        client.at == "holding" and (client.seen < len(world.entries) and world.entries[client.seen] == "running")
        for client in world.clients
    )


@pytest.mark.parametrize("clients", [2, 3, 4])
def test_no_interleaving_gives_two_clients_one_lease(clients: int, tally: Callable[[str, int], None]) -> None:
    worlds = reachable(World((), (Client(),) * clients), next_epoch, limit=clients + 1)
    assert len(worlds) > 10
    assert max(map(holders_of_running, worlds)) == 1
    for world in worlds:
        held = [client.seen for client in world.clients if client.at == "holding"]
        assert len(held) == len(set(held)), "an epoch has one holder, dead or alive"
        overtaken = [epoch for epoch in held if epoch + 1 < len(world.entries)]
        assert all(world.entries[epoch] != "running" for epoch in overtaken), "only an expired lease is overtaken"
    tally("states of the lease protocol, all there are for 2, 3 and 4 clients", len(worlds))


def test_every_client_can_get_its_turn() -> None:
    worlds = reachable(World((), (Client(),) * 3), next_epoch, limit=4)
    assert any(all(client.at == "done" for client in world.clients) for world in worlds)


def test_deleting_an_expired_lock_first_lets_two_in() -> None:
    """Why an expired lease is taken over by the next epoch: the natural protocol is wrong, and the model sees it."""
    worlds = reachable(World(("gone",), (Client(),) * 2), delete_then_create, limit=0)
    assert any(
        sum(client.at == "holding" for client in world.clients) == 2 and world.entries == ("running",)
        for world in worlds
    )
